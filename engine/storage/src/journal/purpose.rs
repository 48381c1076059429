//! What an entry is for, which decides how much of the journal it may use.

/// A reserve of journal and tail is kept for what makes room again, so that it always fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Records, metadata, new logs: all that takes space.
    Records,
    /// Truncations, log start moves, tombstones.
    FreesSpace,
}
