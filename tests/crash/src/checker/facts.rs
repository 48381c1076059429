//! A history, indexed: what the rules look things up in.

use std::collections::BTreeMap;

use crate::checker::Counts;
use crate::history::{Content, Extent, History, Place, Promise, Read, Step, Value};

/// What became of one value, over all its events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    pub(super) sent: bool,
    /// When it was sent; 0 if it was not.
    pub(super) sent_at_ms: u64,
    pub(super) failed: bool,
    /// The first acknowledgement.
    pub(super) acked: Option<Ack>,
    /// An acknowledgement that contradicts the first.
    pub(super) acked_again: Option<Ack>,
}

/// An acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    /// `None` when the answer named no offset.
    pub(super) offset: Option<i64>,
    pub(super) at_ms: u64,
}

/// The history and its indexes. All maps are ordered, so that reports are the same every time.
pub(super) struct Facts<'a> {
    pub(super) history: &'a History,
    pub(super) fates: BTreeMap<Value, Fate>,
    /// The log as the first whole read found it.
    pub(super) log: BTreeMap<Place, &'a Content>,
    /// Every place of every value in that log, ascending.
    pub(super) places: BTreeMap<Value, Vec<Place>>,
}

impl<'a> Facts<'a> {
    pub(super) fn gather(history: &'a History) -> Facts<'a> {
        let mut log = BTreeMap::new();
        let mut places: BTreeMap<Value, Vec<Place>> = BTreeMap::new();
        if let Some(read) = whole_reads(history).next() {
            log.extend(read.records.iter().map(|record| (record.place, &record.content)));
        }
        for (place, content) in &log {
            if let Content::Value(value) = content {
                places.entry(*value).or_default().push(*place);
            }
        }
        Facts { history, fates: fates(history), log, places }
    }

    /// The places of `value` in the log, ascending; none if it is not there.
    pub(super) fn places_of(&self, value: Value) -> &[Place] {
        self.places.get(&value).map_or(&[], Vec::as_slice)
    }

    /// What the value's producer was promised. A producer that the history does not name counts as
    /// idempotent, the stricter of the two.
    pub(super) fn promise(&self, value: Value) -> Promise {
        self.history.producers.get(&value.producer).copied().unwrap_or(Promise::Idempotent)
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts { read: self.log.len() as u64, ..Counts::default() };
        for (value, fate) in &self.fates {
            counts.sent += u64::from(fate.sent);
            counts.unknown += u64::from(fate.acked.is_none() && !fate.failed);
            if fate.acked.is_some() {
                counts.acked += 1;
                *counts.acked_by_producer.entry(value.producer).or_default() += 1;
            }
        }
        for (value, places) in &self.places {
            if self.promise(*value) == Promise::Plain {
                counts.plain_duplicates += places.len() as u64 - 1;
            }
        }
        counts
    }
}

/// The reads that cover everything, in the history's order.
pub(super) fn whole_reads(history: &History) -> impl Iterator<Item = &Read> {
    history.reads.iter().filter(|read| read.extent == Extent::Whole)
}

fn fates(history: &History) -> BTreeMap<Value, Fate> {
    let mut fates: BTreeMap<Value, Fate> = BTreeMap::new();
    for event in &history.events {
        let fate = fates.entry(event.value).or_default();
        match event.step {
            Step::Sent => (fate.sent, fate.sent_at_ms) = (true, event.at_ms),
            Step::Failed => fate.failed = true,
            Step::Unknown => {}
            Step::Acked { offset } => match fate.acked {
                None => fate.acked = Some(Ack { offset, at_ms: event.at_ms }),
                Some(first) if first.offset != offset => {
                    fate.acked_again = Some(Ack { offset, at_ms: event.at_ms });
                }
                Some(_) => {}
            },
        }
    }
    fates
}
