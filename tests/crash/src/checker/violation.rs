//! The breaches that the checker can find, one variant a way of being wrong.

use std::fmt;

use crate::history::{Content, Place, Value};

/// One breach of one rule, with what is needed to look into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// An acknowledged record is nowhere in the log.
    Lost {
        /// The record.
        value: Value,
        /// The offset that its acknowledgement named.
        acked_offset: Option<i64>,
    },
    /// A record stands in the log more often than its producer may have written it.
    Duplicate {
        /// The record.
        value: Value,
        /// Where it stands.
        places: Vec<Place>,
    },
    /// Two records of one producer stand in a partition in another order than they were sent in.
    Reorder {
        /// The record that was sent later, and stands first.
        before: (Value, Place),
        /// The record that was sent earlier, and stands after it.
        after: (Value, Place),
    },
    /// The log holds a record that nobody sent.
    Invented {
        /// Where it stands.
        place: Place,
        /// What it holds.
        content: Content,
    },
    /// The log holds a record in another partition than it was sent to.
    Misplaced {
        /// The record.
        value: Value,
        /// Where it stands.
        place: Place,
    },
    /// The log holds a record that was certainly refused.
    AbortedRead {
        /// The record.
        value: Value,
        /// Where it stands.
        place: Place,
    },
    /// A record was acknowledged that was never sent.
    AckInvented {
        /// The record.
        value: Value,
    },
    /// Two records were acknowledged with the same offset of one partition.
    AckClash {
        /// The place that both were given.
        place: Place,
        /// The records.
        values: [Value; 2],
    },
    /// A record was acknowledged twice, with different offsets.
    AckMoved {
        /// The record.
        value: Value,
        /// What the acknowledgements said.
        offsets: [Option<i64>; 2],
    },
    /// An acknowledged record is in the log, but not where its acknowledgement said.
    OffsetMismatch {
        /// The record.
        value: Value,
        /// What the acknowledgement said.
        acked_offset: i64,
        /// Where it stands.
        places: Vec<Place>,
    },
    /// A read skipped an offset, or ended before the end that the broker had told.
    Gap {
        /// The read.
        read: String,
        /// The first offset that is missing.
        missing: Place,
        /// What came instead; `None` when the read ended.
        found_offset: Option<i64>,
    },
    /// A read went back, or told an offset twice.
    Nonmonotonic {
        /// The read.
        read: String,
        /// The place that came out of turn.
        place: Place,
        /// The offset before it.
        previous_offset: i64,
    },
    /// Two whole reads differ at a place.
    RereadDiff {
        /// The names of the two reads.
        reads: [String; 2],
        /// Where they differ.
        place: Place,
        /// What each of them saw.
        contents: [Option<Content>; 2],
    },
    /// A consumer saw a record that is not in the log, or is another one there.
    LiveDiff {
        /// Where it was seen.
        place: Place,
        /// What was seen.
        live: Content,
        /// What the log holds there.
        log: Option<Content>,
    },
    /// A client met an error that no retry mends.
    ClientBroken {
        /// The client.
        client: String,
        /// Its words.
        text: String,
    },
    /// Too little was acknowledged for the run to mean anything.
    TooFewAcks {
        /// The producer.
        producer: u32,
        /// What was acknowledged to it.
        acked: u64,
        /// What the floor demands.
        floor: u64,
    },
    /// Too few whole reads were made for the run to mean anything.
    TooFewReads {
        /// How many there were.
        reads: usize,
        /// What the floor demands.
        floor: usize,
    },
}

impl Violation {
    /// The violation's name in reports and tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Violation::Lost { .. } => "lost",
            Violation::Duplicate { .. } => "duplicate",
            Violation::Reorder { .. } => "reorder",
            Violation::Invented { .. } => "invented",
            Violation::Misplaced { .. } => "misplaced",
            Violation::AbortedRead { .. } => "aborted_read",
            Violation::AckInvented { .. } => "ack_invented",
            Violation::AckClash { .. } => "ack_clash",
            Violation::AckMoved { .. } => "ack_moved",
            Violation::OffsetMismatch { .. } => "offset_mismatch",
            Violation::Gap { .. } => "gap",
            Violation::Nonmonotonic { .. } => "nonmonotonic",
            Violation::RereadDiff { .. } => "reread_diff",
            Violation::LiveDiff { .. } => "live_diff",
            Violation::ClientBroken { .. } => "client_broken",
            Violation::TooFewAcks { .. } => "too_few_acks",
            Violation::TooFewReads { .. } => "too_few_reads",
        }
    }

    /// The places in the log that are worth looking at.
    pub fn places(&self) -> Vec<Place> {
        match self {
            Violation::Lost { value, acked_offset } => acked_offset
                .map(|offset| Place { partition: value.partition, offset })
                .into_iter()
                .collect(),
            Violation::Duplicate { places, .. } => places.clone(),
            Violation::OffsetMismatch { value, acked_offset, places } => {
                let acked = Place { partition: value.partition, offset: *acked_offset };
                [&[acked], places.as_slice()].concat()
            }
            Violation::Reorder { before, after } => vec![before.1, after.1],
            Violation::Invented { place, .. }
            | Violation::Misplaced { place, .. }
            | Violation::AbortedRead { place, .. }
            | Violation::AckClash { place, .. }
            | Violation::Gap { missing: place, .. }
            | Violation::Nonmonotonic { place, .. }
            | Violation::RereadDiff { place, .. }
            | Violation::LiveDiff { place, .. } => vec![*place],
            Violation::AckInvented { .. }
            | Violation::AckMoved { .. }
            | Violation::ClientBroken { .. }
            | Violation::TooFewAcks { .. }
            | Violation::TooFewReads { .. } => Vec::new(),
        }
    }

    /// The value that it is about, if it is about one.
    pub fn value(&self) -> Option<Value> {
        match self {
            Violation::Lost { value, .. }
            | Violation::Duplicate { value, .. }
            | Violation::Misplaced { value, .. }
            | Violation::AbortedRead { value, .. }
            | Violation::AckInvented { value }
            | Violation::AckMoved { value, .. }
            | Violation::OffsetMismatch { value, .. } => Some(*value),
            Violation::Reorder { after, .. } => Some(after.0),
            Violation::AckClash { values, .. } => Some(values[1]),
            Violation::LiveDiff { live: Content::Value(value), .. } => Some(*value),
            _ => None,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |content: &Option<Content>| match content {
            Some(content) => content.to_string(),
            None => "nothing".into(),
        };
        match self {
            Violation::Lost { value, .. } => write!(f, "{value} was acknowledged and is gone"),
            Violation::Duplicate { value, places } => {
                write!(f, "{value} stands in the log {} times", places.len())
            }
            Violation::Reorder { before, after } => {
                write!(f, "{} at {} stands before {} at {}", before.0, before.1, after.0, after.1)
            }
            Violation::Invented { place, content } => {
                write!(f, "{place} holds {content}, which nobody sent")
            }
            Violation::Misplaced { value, place } => write!(f, "{value} stands at {place}"),
            Violation::AbortedRead { value, place } => {
                write!(f, "{value} was refused and stands at {place}")
            }
            Violation::AckInvented { value } => {
                write!(f, "{value} was acknowledged and never sent")
            }
            Violation::AckClash { place, values: [one, other] } => {
                write!(f, "{one} and {other} were both acknowledged at {place}")
            }
            Violation::AckMoved { value, offsets } => {
                write!(f, "{value} was acknowledged twice, at offsets {offsets:?}")
            }
            Violation::OffsetMismatch { value, acked_offset, places } => {
                write!(f, "{value} was acknowledged at offset {acked_offset}, stands at {places:?}")
            }
            Violation::Gap { read, missing, found_offset } => {
                write!(f, "{read} lacks {missing}, next came {found_offset:?}")
            }
            Violation::Nonmonotonic { read, place, previous_offset } => {
                write!(f, "{read} told {place} after offset {previous_offset}")
            }
            Violation::RereadDiff { reads: [one, other], place, contents: [here, there] } => {
                let (here, there) = (told(here), told(there));
                write!(f, "{one} saw {here} at {place}, {other} saw {there}")
            }
            Violation::LiveDiff { place, live, log } => {
                write!(f, "a consumer saw {live} at {place}, the log holds {}", told(log))
            }
            Violation::ClientBroken { client, text } => write!(f, "{client}: {text}"),
            Violation::TooFewAcks { producer, acked, floor } => {
                write!(f, "producer {producer} got {acked} records acknowledged, want {floor}")
            }
            Violation::TooFewReads { reads, floor } => {
                write!(f, "the log was read {reads} times, want {floor}")
            }
        }
    }
}
