//! Whether a tool says the same of two brokers.

use std::collections::BTreeMap;

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
        _ if step.words == Words::Brokers => refusal(found).eq(&refusal(of_kafka)),
        Tool::ApiVersions => offers_a_part(found, of_kafka),
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

/// Whether each API is offered in the versions that Kafka offers, or not at all.
///
/// An API is a line such as `Produce(0): 0 to 13 [usable: 13],`; what is not offered is
/// `UNSUPPORTED`.
fn offers_a_part(found: &str, of_kafka: &str) -> bool {
    let (found, of_kafka) = (apis(found), apis(of_kafka));
    let is_right = |(api, versions): (&&str, &&str)| {
        *versions == "UNSUPPORTED" || of_kafka.get(api) == Some(versions)
    };
    let is_any = found.values().any(|versions| versions.contains(" to "));
    is_any && found.keys().eq(of_kafka.keys()) && found.iter().all(is_right)
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
    fn fewer_apis_are_none_and_other_versions_are_one() {
        let kafkas =
            outcome(0, "b -> (\n\tProduce(0): 0 to 13 [usable: 13],\n\tVote(52): 0 to 2\n)");
        let of = |output: &str| {
            difference(&Step::new(Tool::ApiVersions, ""), &outcome(0, output), &kafkas)
        };
        let fewer = "b -> (\n\tProduce(0): 0 to 13 [usable: 13],\n\tVote(52): UNSUPPORTED\n)";
        assert_eq!(of(fewer), None);
        for other in [
            "b -> (\n\tProduce(0): 3 to 13 [usable: 13],\n\tVote(52): UNSUPPORTED\n)",
            "b -> (\n\tProduce(0): UNSUPPORTED,\n\tVote(52): UNSUPPORTED\n)",
            "b -> (\n\tProduce(0): 0 to 13 [usable: 13]\n)",
        ] {
            assert!(of(other).is_some(), "{other}");
        }
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
