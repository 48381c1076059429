//! Rule: no client meets an error that retries cannot mend.
//!
//! A broker that answers a lawful sequence with OUT_OF_ORDER_SEQUENCE_NUMBER breaks the producer,
//! and one that forgets its tail puts a consumer out of range: both are faults of the broker, even
//! if every acknowledged record is still there.

use super::Violation;
use super::facts::Facts;

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    violations.extend(facts.history.complaints.iter().map(|complaint| Violation::ClientBroken {
        client: complaint.client.clone(),
        text: complaint.text.clone(),
    }));
}
