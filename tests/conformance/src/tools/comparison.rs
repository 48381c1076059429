//! Whether a tool says the same of two brokers.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ApiKey;

use super::plain::without_figures;
use super::{Outcome, Step, Tool, Words};

/// What `step` says or does otherwise of a broker than of Apache Kafka, if anything.
pub fn difference(step: &Step, found: &Outcome, of_kafka: &Outcome) -> Option<String> {
    if found.status != of_kafka.status {
        let statuses = format!("status {}, of Kafka {}", found.status, of_kafka.status);
        return Some(format!("{statuses}\n{}", side_by_side(&found.output, &of_kafka.output)));
    }
    let (found, of_kafka) = (&found.output, &of_kafka.output);
    let is_same = match step.tool {
        _ if step.words == Words::Brokers => {
            refusal(found).is_some_and(|start| refusal(of_kafka) == Some(start))
        }
        Tool::ApiVersions => offers_our_part(found, of_kafka),
        // While it runs it says how far it is, on a slow machine more often.
        Tool::ProducerPerf => {
            let last = |text: &str| text.lines().last().map(without_figures);
            last(found) == last(of_kafka)
        }
        _ => found == of_kafka,
    };
    (!is_same).then(|| side_by_side(found, of_kafka))
}

/// What stands before a broker's own words, if there are some: a tool's own, or a setting's name.
fn refusal(text: &str) -> Option<&str> {
    let of_setting = || {
        let setting = text.find(" for configuration ")?;
        Some(setting + text[setting..].find(": ")?)
    };
    let end = text.find(" : ").or_else(of_setting)?;
    let (start, words) = text.split_at(end);
    let words = words.trim_matches([' ', ':', '\n']);
    (!words.is_empty()).then_some(start)
}

/// Whether what Kafka offers is offered, or of it just what Ringmain serves, each API in the
/// versions that Kafka offers.
///
/// An API is a line such as `Produce(0): 0 to 13 [usable: 13],`; what is not offered is
/// `UNSUPPORTED`.
fn offers_our_part(found: &str, of_kafka: &str) -> bool {
    let (found, of_kafka) = (apis(found), apis(of_kafka));
    let ours: BTreeSet<String> =
        ApiKey::ALL.iter().map(|api| format!("{}({})", api.name(), api.number())).collect();
    let has_all = ours.iter().all(|api| of_kafka.contains_key(api.as_str()));
    let mut expected = of_kafka.clone();
    for (api, versions) in &mut expected {
        if is_api(api) && !ours.contains(*api) {
            *versions = "UNSUPPORTED";
        }
    }
    found == of_kafka || has_all && found == expected
}

/// Whether a line begins with the name of an API and its number.
fn is_api(start: &str) -> bool {
    let number = start.strip_suffix(')').and_then(|start| Some(start.rsplit_once('(')?.1));
    number.is_some_and(|number| number.parse::<i16>().is_ok())
}

/// Each line's part before the first colon, and what follows that.
fn apis(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().map(|line| line.trim().trim_end_matches(','));
    lines.map(|line| line.split_once(": ").unwrap_or((line, ""))).collect()
}

fn side_by_side(found: &str, of_kafka: &str) -> String {
    let mut text = String::new();
    for (name, output) in [("here", found), ("Kafka", of_kafka)] {
        for line in output.lines() {
            text += &format!("  {name:>5} | {line}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use protocol::ApiKey;

    use super::difference;
    use crate::tools::{Outcome, Step, Tool};

    const LIST: Step = Step::new(Tool::Topics, "--list");

    fn outcome(status: i64, output: &str) -> Outcome {
        Outcome { status, output: output.to_string() }
    }

    #[test]
    fn another_text_or_status_is_a_difference() {
        let kafkas = outcome(0, "one\n");
        assert_eq!(difference(&LIST, &kafkas, &kafkas), None);
        assert!(difference(&LIST, &outcome(0, "two\n"), &kafkas).is_some());
        assert!(difference(&LIST, &outcome(1, "one\n"), &kafkas).is_some());
    }

    #[test]
    fn a_brokers_own_words_are_none_and_their_absence_is_one() {
        let step = LIST.refused_in_own_words();
        let kafkas = outcome(1, "Error : two brokers are wanted\n");
        let of = |status, output: &str| difference(&step, &outcome(status, output), &kafkas);
        assert_eq!(of(1, "Error : ask for one copy\n"), None);
        for (status, other) in [(1, "Error : \n"), (1, "Created.\n"), (0, "Error : why\n")] {
            assert!(of(status, other).is_some(), "{other}");
        }
        let created = outcome(1, "Created.\n");
        assert!(difference(&step, &created, &created).is_some(), "neither of them refuses");
    }

    #[test]
    fn a_brokers_own_words_about_a_setting_are_none_and_its_name_is_one() {
        let step = LIST.refused_in_own_words();
        let kafkas = outcome(1, "Error: Invalid value x for configuration y: Not a number");
        let of = |output: &str| difference(&step, &outcome(1, output), &kafkas);
        assert_eq!(of("Error: Invalid value x for configuration y: from 1 to 5"), None);
        for name in ["y: ", "z: from 1 to 5"] {
            assert!(of(&format!("Error: Invalid value x for configuration {name}")).is_some());
        }
    }

    #[test]
    fn our_apis_are_none_and_others_or_other_versions_are_one() {
        let line = |api: &ApiKey| {
            let max = api.max_version();
            format!("\t{}({}): {} to {max} [usable: {max}],", api.name(), api.number(), 0)
        };
        let served: Vec<String> = ApiKey::ALL.iter().map(line).collect();
        let text = |lines: &[String], vote: &str| {
            format!("b (id: 1 rack: null) -> (\n{}\n\tVote(52): {vote}\n)\n", lines.join("\n"))
        };
        let kafkas = outcome(0, &text(&served, "0 to 2 [usable: 2]"));
        let of = |output: &str| {
            difference(&Step::new(Tool::ApiVersions, ""), &outcome(0, output), &kafkas)
        };
        assert_eq!(of(&text(&served, "UNSUPPORTED")), None);
        assert_eq!(of(&kafkas.output), None, "Kafka itself");
        for instead in ["Produce(0): UNSUPPORTED,", "Produce(0): 3 to 13 [usable: 13],", ""] {
            let lines = [&[format!("\t{instead}")], &served[1..]].concat();
            assert!(of(&text(&lines, "UNSUPPORTED")).is_some(), "{instead}");
        }
        assert!(of(&text(&served, "0 to 1 [usable: 1]")).is_some(), "Vote");
    }

    #[test]
    fn the_figures_of_a_measurement_are_none_and_its_words_are_one() {
        let kafkas = outcome(0, "100 records sent, 17.5 ms\n");
        let of = |output: &str| {
            difference(&Step::new(Tool::ProducerPerf, ""), &outcome(0, output), &kafkas)
        };
        assert_eq!(of("50 records sent\n99 records sent, 3 ms\n"), None);
        assert!(of("0 records lost, 3 ms\n").is_some());
    }
}
