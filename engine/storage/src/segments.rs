//! A log's segments, by base offset: all but the last are sealed.

use std::collections::BTreeMap;
use std::rc::Rc;

use record::Offset;

use crate::segment::{Segment, Stage};

/// The settled part of one log. Cheap to clone: a settle works on its own copy, and readers keep
/// theirs.
#[derive(Clone, Default)]
pub(crate) struct Segments {
    by_base_offset: BTreeMap<Offset, Rc<Segment>>,
}

impl Segments {
    /// The segment that has `offset`, if any has: the last that begins at or below it.
    pub(crate) fn find(&self, offset: Offset) -> Option<&Rc<Segment>> {
        self.by_base_offset.range(..=offset).next_back().map(|(_, segment)| segment)
    }

    /// The one that batches are appended to, unless the last one is sealed or there is none.
    pub(crate) fn active(&self) -> Option<&Rc<Segment>> {
        let (_, last) = self.by_base_offset.last_key_value()?;
        (last.stage() == Stage::Active).then_some(last)
    }

    /// Adds one behind the others.
    pub(crate) fn push(&mut self, segment: Rc<Segment>) {
        let base_offset = segment.base_offset();
        if let Some((last, _)) = self.by_base_offset.last_key_value() {
            assert!(*last < base_offset, "segment {base_offset} behind {last}");
        }
        self.by_base_offset.insert(base_offset, segment);
    }

    /// All of them, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rc<Segment>> {
        self.by_base_offset.values()
    }
}
