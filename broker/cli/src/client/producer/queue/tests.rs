//! What a queue sends, and sends again, for every kind of answer.

use super::*;
use record::Timestamp;

const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 1 << 20 };

fn queue(compression: Compression, size_max_bytes: usize) -> Queue {
    let producer = (ProducerId(7), ProducerEpoch(0));
    Queue::new(BatchKind { producer, compression, size_max_bytes })
}

/// Pushes the numbers as values, and closes a batch behind every one.
fn closed(queue: &mut Queue, numbers: std::ops::Range<u64>) {
    for number in numbers {
        push(queue, number);
        queue.close().expect("it is small");
    }
}

fn push(queue: &mut Queue, number: u64) -> Filled {
    let value = number.to_string();
    let record = Record {
        timestamp: Timestamp(number.cast_signed()),
        value: Some(value.as_bytes()),
        ..Record::default()
    };
    queue.push(&record, number).expect("it is small")
}

/// Base sequence and values of the batch that goes out with this request.
fn sent(queue: &mut Queue, request: u64) -> Option<(i32, Vec<String>)> {
    let bytes = queue.send(request)?.to_vec();
    let (batch, rest) = BatchView::parse(&bytes).expect("a batch");
    assert!(rest.is_empty() && batch.validate_crc().is_ok());
    let records = record::records(&batch, &LIMITS).expect("readable");
    let text = |value: Option<&[u8]>| String::from_utf8(value.expect("a value").to_vec());
    let values = records.iter().map(|record| text(record.expect("readable").value).expect("text"));
    Some((batch.base_sequence().0, values.collect()))
}

fn one(sequence: i32) -> Option<(i32, Vec<String>)> {
    Some((sequence, vec![sequence.to_string()]))
}

fn answered(queue: &mut Queue, request: u64, code: ErrorCode) -> Answer {
    queue.answered(request, code.number()).expect("it is small")
}

const DONE: Answer = Answer::Acknowledged { record_count: 1, content_bytes: 1 };

/// A queue whose first batch, 0, has been acknowledged.
fn known(compression: Compression) -> Queue {
    let mut queue = queue(compression, 1_000);
    closed(&mut queue, 0..1);
    assert_eq!(sent(&mut queue, 0), one(0));
    assert_eq!(answered(&mut queue, 0, ErrorCode::None), DONE);
    queue
}

#[test]
fn what_is_acknowledged_goes_and_sequences_count_on() {
    let mut queue = known(Compression::None);
    closed(&mut queue, 1..4);
    assert_eq!((sent(&mut queue, 1), sent(&mut queue, 2)), (one(1), one(2)));
    assert_eq!(answered(&mut queue, 1, ErrorCode::None), DONE);
    assert_eq!(answered(&mut queue, 2, ErrorCode::DuplicateSequenceNumber), DONE);
    assert_eq!(sent(&mut queue, 3), one(3));
    assert_eq!(answered(&mut queue, 3, ErrorCode::None), DONE);
    assert_eq!((sent(&mut queue, 4), queue.held_bytes()), (None, 0));
}

/// A broker that did not have the partition yet refused the first batch and took the second one,
/// since it knew nothing of the producer; the first one then was out of order for ever.
#[test]
fn the_first_batch_goes_alone_until_it_is_acknowledged() {
    let mut queue = queue(Compression::None, 1_000);
    closed(&mut queue, 0..3);
    assert_eq!(sent(&mut queue, 1), one(0));
    assert_eq!((sent(&mut queue, 2), queue.next_size_bytes()), (None, None));
    assert_eq!(answered(&mut queue, 1, ErrorCode::UnknownTopicOrPartition), Answer::Again);
    assert_eq!((sent(&mut queue, 3), sent(&mut queue, 4)), (one(0), None));
    assert_eq!(answered(&mut queue, 3, ErrorCode::None), DONE);
    assert_eq!((sent(&mut queue, 5), sent(&mut queue, 6)), (one(1), one(2)));
}

#[test]
fn after_a_failure_all_is_answered_first_and_then_goes_again_in_order() {
    let mut queue = known(Compression::None);
    closed(&mut queue, 1..5);
    for (request, sequence) in [(1, 1), (2, 2), (3, 3)] {
        assert_eq!(sent(&mut queue, request), one(sequence));
    }
    assert_eq!(answered(&mut queue, 1, ErrorCode::NotLeaderOrFollower), Answer::Again);
    assert_eq!(sent(&mut queue, 4), None, "two are on their way");
    assert_eq!(queue.next_size_bytes(), None);
    assert_eq!(answered(&mut queue, 2, ErrorCode::OutOfOrderSequenceNumber), Answer::Again);
    assert_eq!(sent(&mut queue, 4), None, "one is on its way");
    assert_eq!(answered(&mut queue, 3, ErrorCode::OutOfOrderSequenceNumber), Answer::Again);
    assert_eq!((sent(&mut queue, 11), sent(&mut queue, 12)), (one(1), None), "one goes ahead");
    assert_eq!(answered(&mut queue, 11, ErrorCode::None), DONE);
    for (request, sequence) in [(12, 2), (13, 3), (14, 4)] {
        assert_eq!(sent(&mut queue, request), one(sequence));
    }
}

#[test]
fn what_a_broken_connection_carried_goes_again() {
    let mut queue = known(Compression::None);
    closed(&mut queue, 1..3);
    assert_eq!((sent(&mut queue, 1), sent(&mut queue, 2)), (one(1), one(2)));
    queue.lost(1);
    assert_eq!(sent(&mut queue, 3), None);
    queue.lost(2);
    queue.lost(2);
    assert_eq!(sent(&mut queue, 3), one(1));
    assert_eq!(answered(&mut queue, 1, ErrorCode::None), Answer::Again, "of another life");
    assert_eq!(answered(&mut queue, 3, ErrorCode::DuplicateSequenceNumber), DONE);
    assert_eq!(sent(&mut queue, 4), one(2));
}

#[test]
fn sequences_out_of_order_without_a_failure_before_are_fatal() {
    let mut queue = queue(Compression::None, 1_000);
    closed(&mut queue, 5..6);
    assert!(sent(&mut queue, 1).is_some());
    let answer = answered(&mut queue, 1, ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(answer, Answer::Fatal { from: 5..=5 });
}

#[test]
fn a_batch_that_is_too_large_is_split_until_a_record_alone_is() {
    for compression in [Compression::None, Compression::Zstd] {
        let mut queue = known(compression);
        for number in 1..6 {
            push(&mut queue, number);
        }
        queue.close().expect("it is small");
        closed(&mut queue, 6..7);
        let texts = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>();
        assert_eq!(sent(&mut queue, 1), Some((1, texts(&[1, 2, 3, 4, 5]))));
        assert_eq!(sent(&mut queue, 2), one(6));
        assert_eq!(answered(&mut queue, 1, ErrorCode::MessageTooLarge), Answer::Split);
        assert_eq!(sent(&mut queue, 3), None);
        assert_eq!(answered(&mut queue, 2, ErrorCode::OutOfOrderSequenceNumber), Answer::Again);
        assert_eq!(sent(&mut queue, 3), Some((1, texts(&[1, 2]))));
        assert_eq!(
            answered(&mut queue, 3, ErrorCode::None),
            Answer::Acknowledged { record_count: 2, content_bytes: 2 }
        );
        assert_eq!(sent(&mut queue, 4), Some((3, texts(&[3, 4, 5]))));
        assert_eq!(sent(&mut queue, 5), one(6));
        let refused = answered(&mut queue, 4, ErrorCode::InvalidRecord);
        assert_eq!(refused, Answer::Fatal { from: 3..=5 });
        let refused = answered(&mut queue, 5, ErrorCode::MessageTooLarge);
        assert_eq!(refused, Answer::Fatal { from: 6..=6 });
    }
}

#[test]
fn acknowledged_bytes_are_those_of_keys_values_and_headers() {
    let mut queue = queue(Compression::Zstd, 100_000);
    let headers = [Header { key: b"abc", value: Some(b"12") }, Header { key: b"d", value: None }];
    let value = [b'x'; 5_000];
    let all =
        Record { key: Some(b"key"), value: Some(&value), headers: &headers, ..Record::default() };
    for (number, record) in [(1, all), (2, Record::default())] {
        queue.push(&record, number).expect("it is small");
    }
    queue.close().expect("it is small");
    assert!(queue.send(1).is_some());
    let content_bytes = 3 + 5_000 + 3 + 2 + 1;
    assert_eq!(
        answered(&mut queue, 1, ErrorCode::None),
        Answer::Acknowledged { record_count: 2, content_bytes }
    );
}

#[test]
fn batches_end_where_they_are_full_and_a_larger_record_is_alone() {
    let mut queue = queue(Compression::None, 300);
    let filled: Vec<Filled> = (0..60).map(|number| push(&mut queue, number)).collect();
    let ends = filled.iter().filter(|filled| **filled == Filled::Yes).count();
    assert!((1..6).contains(&ends), "{filled:?}");
    let value = vec![b'x'; 1_000];
    let large = Record { value: Some(&value), ..Record::default() };
    assert_eq!(queue.push(&large, 60).expect("it is small"), Filled::Yes);
    assert_eq!(push(&mut queue, 61), Filled::Yes);
    assert!(!queue.is_ready_to_close(), "others wait to be sent");
    let mut found = 0;
    for request in 0.. {
        let Some((sequence, values)) = sent(&mut queue, request) else { break };
        assert_eq!(sequence, found);
        found += i32::try_from(values.len()).expect("few");
        assert!(matches!(
            answered(&mut queue, request, ErrorCode::None),
            Answer::Acknowledged { .. }
        ));
    }
    assert_eq!(found, 61, "all but the open one");
}
