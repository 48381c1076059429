//! The pieces of a response: bytes of our own, bytes that are lent, and stretches of files.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use runtime::{Lease, SharedFile};

/// A piece of a response.
pub enum Part {
    /// Bytes in memory that may be held until they are sent.
    Memory(Lease),
    /// The same of bytes that their owner keeps all the same: they cost the response nothing.
    Kept(Lease),
    /// Bytes in memory that somebody needs back: they are let go when the peer is slow.
    Lent(Lent),
    /// Bytes of a file, sent without passing through memory of ours.
    File {
        /// Kept open until they are sent.
        file: SharedFile,
        /// Where they begin.
        position: u64,
        /// How many.
        len: u64,
    },
}

impl Part {
    /// How many bytes it is.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Part::Memory(bytes) | Part::Kept(bytes) => bytes.len() as u64,
            Part::Lent(lent) => lent.place.size_bytes,
            Part::File { len, .. } => *len,
        }
    }
}

/// Bytes that can be asked for again.
#[derive(Clone)]
pub struct Lent {
    /// The bytes.
    pub bytes: Lease,
    /// Where they stand.
    pub place: Place,
    /// Who has them.
    pub lender: Lender,
}

/// Where lent bytes stand, in the lender's own numbers: stretches whose ends meet are one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The beginning.
    pub from: i64,
    /// The end.
    pub to: i64,
    /// How many bytes these are.
    pub size_bytes: u64,
}

/// What a lender's answer is waited for with: the same bytes again, wherever they are now; none if
/// they are gone.
pub type Again = Pin<Box<dyn Future<Output = Option<Vec<Part>>>>>;

/// Who lends bytes, and has them again later. Clones are the same lender.
#[derive(Clone)]
pub struct Lender(Rc<dyn Fn(Place) -> Again>);

impl Lender {
    /// A lender that is asked by calling `again`.
    pub fn new(again: impl Fn(Place) -> Again + 'static) -> Lender {
        Lender(Rc::new(again))
    }

    /// Asks for a stretch again.
    pub(crate) fn again(&self, place: Place) -> Again {
        (self.0)(place)
    }

    /// Whether both are the same.
    pub(crate) fn is(&self, other: &Lender) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Lender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lender")
    }
}
