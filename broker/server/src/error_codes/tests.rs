//! The table, row by row: what each error of the layers below is to a client, and whether it is
//! tried again.

use super::*;
use metadata::TopicId;
use record::{BatchError, Offset, ProducerEpoch, Sequence, Timestamp};

/// Whether a client sends the same request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Again,
    GiveUp,
}

fn check(rows: Vec<(Refusal, ErrorCode, Then)>) {
    for (refusal, code, then) in rows {
        assert_eq!(refusal.code, code, "{refusal:?}");
        let again = if code.is_retriable() { Then::Again } else { Then::GiveUp };
        assert_eq!(again, then, "{refusal:?}");
        assert!(refusal.message.as_ref().is_none_or(|message| !message.is_empty()));
    }
}

#[test]
fn appends() {
    let batch = |error| AppendRefused::Batch(error);
    let producer = |check| AppendRefused::Producer(check);
    let log = |error| AppendRefused::Log(error);
    let late = AppendRefused::Timestamp { timestamp: Timestamp(1), now: Timestamp(9) };
    let (new, old) = (ProducerEpoch(2), ProducerEpoch(1));
    let rows = [
        (AppendRefused::NotEnoughReplicas, ErrorCode::NotEnoughReplicas, Then::Again),
        (
            batch(BatchError::CrcMismatch { stored: 1, computed: 2 }),
            ErrorCode::CorruptMessage,
            Then::Again,
        ),
        (batch(BatchError::ControlFromClient), ErrorCode::InvalidRecord, Then::GiveUp),
        (batch(BatchError::NotAlone { extra_bytes: 1 }), ErrorCode::InvalidRecord, Then::GiveUp),
        (batch(BatchError::LogAppendTimeFromClient), ErrorCode::InvalidTimestamp, Then::GiveUp),
        (
            batch(BatchError::UnknownCompression { id: 7 }),
            ErrorCode::UnsupportedCompressionType,
            Then::GiveUp,
        ),
        (batch(BatchError::UnsupportedMagic { magic: 1 }), ErrorCode::InvalidRecord, Then::GiveUp),
        (
            batch(BatchError::TooLarge { size_bytes: 2, max_bytes: 1 }),
            ErrorCode::MessageTooLarge,
            Then::GiveUp,
        ),
        (late, ErrorCode::InvalidTimestamp, Then::GiveUp),
        (AppendRefused::Transactional, ErrorCode::InvalidTxnState, Then::GiveUp),
        (
            producer(ProducerCheck::OutOfOrder { expected: Sequence(1), actual: Sequence(3) }),
            ErrorCode::OutOfOrderSequenceNumber,
            Then::GiveUp,
        ),
        (
            producer(ProducerCheck::StaleEpoch { current: new, actual: old }),
            ErrorCode::InvalidProducerEpoch,
            Then::GiveUp,
        ),
        (
            producer(ProducerCheck::TooManyProducers { producers_max: 1 }),
            ErrorCode::NotEnoughReplicas,
            Then::Again,
        ),
        (log(AppendError::NoRoom(NoRoom::Journal)), ErrorCode::KafkaStorageError, Then::Again),
        (log(AppendError::NoRoom(NoRoom::Tail)), ErrorCode::KafkaStorageError, Then::Again),
        (log(AppendError::NoRoom(NoRoom::Stopping)), ErrorCode::KafkaStorageError, Then::Again),
        (
            log(AppendError::DiskFull { reserve_bytes: 1 }),
            ErrorCode::KafkaStorageError,
            Then::Again,
        ),
        (log(AppendError::Quarantined), ErrorCode::KafkaStorageError, Then::Again),
        (log(AppendError::Deleted), ErrorCode::UnknownTopicOrPartition, Then::Again),
        (
            log(AppendError::TooLarge { size_bytes: 2, max_bytes: 1 }),
            ErrorCode::RecordListTooLarge,
            Then::GiveUp,
        ),
    ];
    assert!(rows.iter().all(|(_, code, _)| OF_PRODUCE.contains(code)));
    check(rows.map(|(error, code, then)| (Refusal::from(&error), code, then)).into());
    check(vec![
        (Unacknowledged::Resigned.into(), ErrorCode::NotLeaderOrFollower, Then::Again),
        (Unacknowledged::Late.into(), ErrorCode::RequestTimedOut, Then::Again),
        (Refusal::from(Unanswered), ErrorCode::RequestTimedOut, Then::Again),
    ]);
}

#[test]
fn reads() {
    let outside =
        LogReadError::OutOfRange { from: Offset(9), log_start: Offset(0), log_end: Offset(1) };
    check(vec![
        (Refusal::from(&outside), ErrorCode::OffsetOutOfRange, Then::GiveUp),
        (Refusal::from(&LogReadError::Batch(Offset(1))), ErrorCode::CorruptMessage, Then::Again),
    ]);
}

#[test]
fn decisions() {
    let name = NameError::Dots;
    let collides = Refused::NameCollides { name: "a.b".into(), with: "a_b".into() };
    let rows = [
        (Refused::TopicExists("t".into()), ErrorCode::TopicAlreadyExists, Then::GiveUp),
        (Refused::Name(name.clone()), ErrorCode::InvalidTopicException, Then::GiveUp),
        (collides, ErrorCode::InvalidTopicException, Then::GiveUp),
        (Refused::UnknownTopic(TopicId::ZERO), ErrorCode::UnknownTopicId, Then::Again),
        (Refused::NoPartitions, ErrorCode::InvalidPartitions, Then::GiveUp),
        (Refused::PartitionsExist { count: 2 }, ErrorCode::InvalidPartitions, Then::GiveUp),
        (Refused::ProducerIdsExhausted, ErrorCode::UnknownServerError, Then::GiveUp),
    ];
    let refused =
        |(refused, code, then)| (Refusal::from(&ProposeError::Refused(refused)), code, then);
    check(rows.into_iter().map(refused).collect());
    let unknown = TopicConfigError::UnknownKey("no.such".into());
    check(vec![
        (Refusal::from(&ProposeError::Stopping), ErrorCode::NotController, Then::Again),
        (Refusal::from(&name), ErrorCode::InvalidTopicException, Then::GiveUp),
        (Refusal::from(&unknown), ErrorCode::InvalidConfig, Then::GiveUp),
    ]);
}
