//! What an entry is for, which decides what it may use up.

/// Two reserves keep what makes room possible when there is none: some of the disk is not for
/// records (`ringmain.disk.reserve.bytes`), and some of journal and tail is neither for them nor
/// for metadata that takes space.
///
/// ```text
///                   below the disk's reserve     journal or tail down to its reserve
/// Records           refused                      waits
/// Metadata          taken                        waits
/// FreesSpace        taken                        taken
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A client's records.
    Records,
    /// Metadata and new logs. It is for the layer above to refuse what would take space.
    Metadata,
    /// Truncations, log start moves, tombstones, and the small metadata records that lead to them.
    FreesSpace,
}
