//! Which batches belong to aborted transactions.

use super::*;
use record::{BatchBuilder, Offset, ProducerEpoch, ProducerId, Record, Sequence};

const DATA: fn(BatchBuilder) -> BatchBuilder = |builder| builder.transactional();
const MARKER: fn(BatchBuilder) -> BatchBuilder = |builder| builder.transactional().control();
const PLAIN: fn(BatchBuilder) -> BatchBuilder = |builder| builder;

fn batch(offset: i64, producer: i64, kind: fn(BatchBuilder) -> BatchBuilder) -> Vec<u8> {
    let builder = BatchBuilder::new().base_offset(Offset(offset));
    let mut builder = kind(builder.producer(ProducerId(producer), ProducerEpoch(0), Sequence(0)));
    builder.push(&Record::default());
    builder.build().expect("it is small")
}

#[test]
fn a_transaction_is_hidden_from_its_first_offset_to_its_marker() {
    let mut aborted = Aborted::new(&[(8, 4), (7, 1)]);
    let batches = [
        (batch(0, 7, PLAIN), false, "not of a transaction"),
        (batch(1, 7, DATA), true, "the first of 7"),
        (batch(2, 9, DATA), false, "of another producer"),
        (batch(3, 8, DATA), false, "of an earlier transaction of 8"),
        (batch(4, 8, DATA), true, "the first of 8"),
        (batch(5, 7, MARKER), true, "the end of 7"),
        (batch(6, 7, DATA), false, "of a later transaction of 7"),
        (batch(7, 8, DATA), true, "of 8 still"),
        (batch(8, 8, MARKER), true, "the end of 8"),
        (batch(9, 8, DATA), false, "of a later transaction of 8"),
    ];
    for (bytes, is_hidden, which) in batches {
        let (view, _) = BatchView::parse(&bytes).expect("it was built");
        assert_eq!(aborted.hides(&view), is_hidden, "{which}");
    }
}

#[test]
fn a_whole_is_known_where_all_ends_or_a_count_are() {
    let position = |next, end| Position { partition: 0, next, end };
    let wanted = |positions: &[Position], count| Wanted {
        positions: positions.to_vec(),
        isolation: Isolation::ReadCommitted,
        count,
        format: Format::Json,
        null: b"",
        reader: Reader::Program,
    };
    let ends = [position(0, Some(10)), position(5, Some(7)), position(3, Some(3))];
    assert_eq!(whole(&wanted(&ends, u64::MAX)), Some(12));
    assert_eq!(whole(&wanted(&ends, 5)), Some(5));
    assert_eq!(whole(&wanted(&[position(0, None)], 5)), Some(5));
    assert_eq!(whole(&wanted(&[ends[0], position(0, None)], u64::MAX)), None);
}
