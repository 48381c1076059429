//! A producer that sends a batch of its window again is told its first place; the next sequence is
//! taken, a gap is not.

use storage::Log;

use crate::history::Expected;
use crate::inspect;
use crate::life::PRODUCERS;

pub fn check(log: &Log, expected: &Expected) {
    inspect::check_windows(log, expected, &PRODUCERS);
}
