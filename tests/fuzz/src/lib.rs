//! What hostile bytes must not be able to do: for each decoder a function that panics if they can.
//!
//! ```text
//! Target ─► request           a frame from a socket
//!           record_batches    what a produce request carries
//!           journal           the ring's files, up to a store that is open again
//!           manifest          the manifest's file, likewise
//!           indexes           a segment's .index and .timeindex, below look-ups
//! ```
//!
//! libFuzzer searches for inputs (`cargo xtask fuzz`, whose programs are in `targets`, a workspace
//! of their own); `tests/replay.rs` runs those that are kept in `corpus`, and [`Target::seeds`].
//!
//! No search gets past a checksum by chance. So the first byte of most inputs says what is put
//! right before the decoder sees them: nothing, the checksums, or also what ties a block to its
//! place.

mod target;

mod request;

mod record_batches;

mod indexes;
mod journal;
mod manifest;

mod sealed;

mod lives;
mod machine;
mod sample;

pub use target::Target;
