//! The fingerprint of a run: a hash over every event, and the last lines in words.

use std::collections::VecDeque;
use std::fmt;

use super::rng::mix;

/// Lines kept for a failing test to print; older ones are forgotten, the hash is not.
const LINES_KEPT_MAX: usize = 2_000;

/// Folds every event of a world into one number. Two runs with equal numbers went the same way.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    lines: VecDeque<String>,
}

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace { hash: 0x6a09_e667_f3bc_c908, lines: VecDeque::new() }
    }

    /// Folds one event, told as a few numbers, into the hash.
    pub(crate) fn event(&mut self, words: &[u64]) {
        for word in words {
            self.hash = mix(self.hash.rotate_left(5) ^ *word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        }
    }

    /// Keeps a line (a log line of a node, mostly) and folds its text into the hash.
    pub(crate) fn line(&mut self, at_ns: u64, line: fmt::Arguments<'_>) {
        let text = format!("{:>12.6} {line}", at_ns as f64 / 1e9);
        for piece in text.as_bytes().chunks(8) {
            let mut word = [0u8; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.event(&[u64::from_le_bytes(word)]);
        }
        if self.lines.len() == LINES_KEPT_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(text);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_content_both_count() {
        let hash = |events: &[&[u64]]| {
            let mut trace = Trace::new();
            events.iter().for_each(|words| trace.event(words));
            trace.hash()
        };
        assert_eq!(hash(&[&[1], &[2]]), hash(&[&[1], &[2]]));
        assert_ne!(hash(&[&[1], &[2]]), hash(&[&[2], &[1]]));
        assert_ne!(hash(&[&[1]]), hash(&[&[1], &[0]]));
    }
}
