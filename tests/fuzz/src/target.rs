//! The decoders that are fuzzed, by name.

use crate::{indexes, journal, manifest, record_batches, request};

/// A decoder of bytes that nobody vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A request's frame, without its size.
    Request,
    /// Record batches, one behind the other.
    RecordBatches,
    /// The files of a journal.
    Journal,
    /// The file of a manifest.
    Manifest,
    /// Both indexes of a segment.
    Indexes,
}

impl Target {
    /// Every one.
    pub const ALL: [Target; 5] = [
        Target::Request,
        Target::RecordBatches,
        Target::Journal,
        Target::Manifest,
        Target::Indexes,
    ];

    /// The name of its program and of its folder in `corpus`.
    pub fn name(self) -> &'static str {
        match self {
            Target::Request => "request",
            Target::RecordBatches => "record_batches",
            Target::Journal => "journal",
            Target::Manifest => "manifest",
            Target::Indexes => "indexes",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Gives the bytes to the decoder, and holds its answers against each other.
    ///
    /// # Panics
    ///
    /// If the decoder panics, or an answer breaks what it promises: then these bytes are a find.
    pub fn run(self, bytes: &[u8]) {
        match self {
            Target::Request => request::run(bytes),
            Target::RecordBatches => record_batches::run(bytes),
            Target::Journal => journal::run(bytes),
            Target::Manifest => manifest::run(bytes),
            Target::Indexes => indexes::run(bytes),
        }
    }

    /// Inputs that the project's own encoders make: where a search begins.
    pub fn seeds(self) -> Vec<Vec<u8>> {
        match self {
            Target::Request => request::seeds(),
            Target::RecordBatches => record_batches::seeds(),
            Target::Journal => journal::seeds(),
            Target::Manifest => manifest::seeds(),
            Target::Indexes => indexes::seeds(),
        }
    }
}
