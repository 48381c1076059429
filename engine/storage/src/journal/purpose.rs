//! What an entry is for, which decides what it may use up.

/// Two reserves keep what makes room possible when there is none: some of the disk is not for
/// records (`ringmain.disk.reserve.bytes`), and some of journal and tail is neither for them nor
/// for metadata that takes space.
///
/// ```text
///                   below the disk's reserve     of the reserve of journal and tail it has
/// Records           refused                      nothing
/// Metadata          taken                        nothing
/// Control           taken                        half
/// FreesJournal      taken                        all
/// ```
///
/// A batch above a high watermark that stands still holds its journal file until it is truncated or
/// its log is deleted, however many other logs move their starts meanwhile: hence the last half. If
/// that is used up too, by other logs that hold the same file, the ring gets a file beyond its
/// maximum, and loses it again when there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A client's records.
    Records,
    /// Metadata and new logs. It is for the layer above to refuse what would take space.
    Metadata,
    /// Log start moves, which give up what is on the disk.
    Control,
    /// Truncations, tombstones, and the small metadata records that lead to them; leader epochs, as
    /// without a leader no high watermark moves.
    FreesJournal,
}
