//! Rule: the log holds only records that were sent, whole, in the partition they were sent to.

use super::Violation;
use super::facts::Facts;
use crate::history::Content;

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    for (&place, &content) in &facts.log {
        let sent = match content {
            Content::Value(value) => facts.fates.get(value).is_some_and(|fate| fate.sent),
            Content::Garbled(_) => false,
        };
        match content {
            Content::Value(value) if sent && value.partition != place.partition => {
                violations.push(Violation::Misplaced { value: *value, place });
            }
            _ if !sent => {
                violations.push(Violation::Invented { place, content: content.clone() });
            }
            _ => {}
        }
    }
}
