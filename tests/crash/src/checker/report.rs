//! A verdict in words: counts, then the first violations of each kind with the records around them.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::facts::Facts;
use super::{Verdict, Violation};
use crate::history::{Event, History, Interruption, Place, Value};

/// Violations that are printed in full, of each kind: the first few tell the story.
const SHOWN_PER_KIND: usize = 3;
/// Offsets that are shown before and after a violation's place.
const AROUND: i64 = 3;
/// Places that are shown of one violation.
const PLACES_SHOWN: usize = 4;

pub(super) fn write(verdict: &Verdict, history: &History) -> String {
    let counts = &verdict.counts;
    let mut text = format!(
        "{} sent, {} acknowledged, {} of unknown outcome, {} in the log, {} copies by plain \
         producers, {} interruptions: ",
        counts.sent,
        counts.acked,
        counts.unknown,
        counts.read,
        counts.plain_duplicates,
        history.interruptions.len()
    );
    if verdict.is_clean() {
        text.push_str("no violation");
        return text;
    }
    text.push_str("VIOLATIONS:");
    for (kind, count) in verdict.kinds() {
        push(&mut text, format_args!(" {count} {kind}"));
    }
    text.push('\n');
    let facts = Facts::gather(history);
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for violation in &verdict.violations {
        let shown = shown.entry(violation.kind()).or_default();
        *shown += 1;
        if *shown <= SHOWN_PER_KIND {
            describe(&mut text, violation, &facts);
        }
    }
    text
}

fn describe(text: &mut String, violation: &Violation, facts: &Facts<'_>) {
    push(text, format_args!("{}: {violation}\n", violation.kind()));
    if let Some(value) = violation.value() {
        for event in facts.history.events.iter().filter(|event| event.value == value) {
            push(text, format_args!("    {}\n", moment(event, &facts.history.interruptions)));
        }
    }
    let mut places = violation.places();
    places.truncate(PLACES_SHOWN);
    for place in places {
        around(text, place, facts);
    }
}

/// The log around a place, a line a record.
fn around(text: &mut String, place: Place, facts: &Facts<'_>) {
    push(text, format_args!("    the log around {place}:\n"));
    for offset in place.offset.saturating_sub(AROUND)..=place.offset.saturating_add(AROUND) {
        let here = Place { partition: place.partition, offset };
        let arrow = if here == place { ">" } else { " " };
        if let Some(content) = facts.log.get(&here) {
            push(text, format_args!("    {arrow} {offset:>8} {content}\n"));
        } else if here == place {
            push(text, format_args!("    {arrow} {offset:>8} nothing\n"));
        }
    }
    let acked: Vec<Value> = facts
        .fates
        .iter()
        .filter(|(value, fate)| {
            value.partition == place.partition
                && fate.acked.is_some_and(|ack| ack.offset == Some(place.offset))
        })
        .map(|(value, _)| *value)
        .collect();
    for value in acked {
        push(text, format_args!("      {value} was acknowledged there\n"));
    }
}

/// One event, with its distance from the kill before it.
fn moment(event: &Event, interruptions: &[Interruption]) -> String {
    let before = interruptions.iter().rposition(|at| at.from_ms <= event.at_ms);
    let when = match before {
        Some(last) => {
            let after_ms = event.at_ms - interruptions[last].from_ms;
            format!("{after_ms} ms after interruption {}", last + 1)
        }
        None => "before the first kill".into(),
    };
    format!("{:?} at {} ms, {when}", event.step, event.at_ms)
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("writing into a String cannot fail");
}
