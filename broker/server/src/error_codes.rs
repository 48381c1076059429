//! The one place that turns errors of the layers below into Kafka's codes.

use metadata::{NameError, Refused};
use protocol::ErrorCode;
use quorum::ProposeError;
use record::ErrorClass;
use replica::{AppendRefused, Unacknowledged};
use runtime::Unanswered;
use storage::{AppendError, LogReadError, NoRoom, ProducerCheck};

use crate::config::topic::TopicConfigError;

/// What a client is told: a code, and words for people where the API has room for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code.
    pub(crate) code: ErrorCode,
    /// Why, and what to do.
    pub(crate) message: Option<String>,
}

impl Refusal {
    /// A code that says enough by itself.
    pub(crate) fn bare(code: ErrorCode) -> Refusal {
        Refusal { code, message: None }
    }

    /// A code and what it means here.
    pub(crate) fn because(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: Some(message.into()) }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Refusal {
        Refusal::bare(code)
    }
}

impl From<&AppendRefused> for Refusal {
    fn from(refused: &AppendRefused) -> Refusal {
        Refusal::because(of_append(refused), refused.to_string())
    }
}

impl From<&AppendError> for Refusal {
    fn from(error: &AppendError) -> Refusal {
        Refusal::because(of_log_append(error), error.to_string())
    }
}

impl From<Unacknowledged> for Refusal {
    fn from(unacknowledged: Unacknowledged) -> Refusal {
        // Whether the record counts is not known: the producer may send it again.
        let code = match unacknowledged {
            Unacknowledged::Resigned => ErrorCode::NotLeaderOrFollower,
            Unacknowledged::Late => ErrorCode::RequestTimedOut,
        };
        Refusal::because(code, unacknowledged.to_string())
    }
}

impl From<Unanswered> for Refusal {
    fn from(unanswered: Unanswered) -> Refusal {
        // What was asked for may have happened: only a timeout leaves that open.
        Refusal::because(ErrorCode::RequestTimedOut, unanswered.to_string())
    }
}

impl From<&LogReadError> for Refusal {
    fn from(error: &LogReadError) -> Refusal {
        Refusal::because(of_read(error), error.to_string())
    }
}

impl From<&ProposeError> for Refusal {
    fn from(error: &ProposeError) -> Refusal {
        Refusal::because(of_proposal(error), error.to_string())
    }
}

impl From<&NameError> for Refusal {
    fn from(error: &NameError) -> Refusal {
        Refusal::because(ErrorCode::InvalidTopicException, error.to_string())
    }
}

impl From<&TopicConfigError> for Refusal {
    fn from(error: &TopicConfigError) -> Refusal {
        let code = match error {
            TopicConfigError::UnknownKey(_)
            | TopicConfigError::Value { .. }
            | TopicConfigError::TooLong { .. } => ErrorCode::InvalidConfig,
        };
        Refusal::because(code, error.to_string())
    }
}

/// What a partition of a Produce may get: from the handler before anybody is asked, from the owner,
/// and from the tables below. Metrics tell these from the start.
pub(crate) const OF_PRODUCE: [ErrorCode; 18] = [
    ErrorCode::CorruptMessage,
    ErrorCode::UnknownTopicOrPartition,
    ErrorCode::NotLeaderOrFollower,
    ErrorCode::RequestTimedOut,
    ErrorCode::MessageTooLarge,
    ErrorCode::RecordListTooLarge,
    ErrorCode::NotEnoughReplicas,
    ErrorCode::InvalidRequiredAcks,
    ErrorCode::InvalidTimestamp,
    ErrorCode::UnsupportedVersion,
    ErrorCode::OutOfOrderSequenceNumber,
    ErrorCode::InvalidProducerEpoch,
    ErrorCode::InvalidTxnState,
    ErrorCode::TransactionalIdAuthorizationFailed,
    ErrorCode::KafkaStorageError,
    ErrorCode::UnsupportedCompressionType,
    ErrorCode::InvalidRecord,
    ErrorCode::UnknownTopicId,
];

/// The same of a Fetch.
pub(crate) const OF_FETCH: [ErrorCode; 9] = [
    ErrorCode::OffsetOutOfRange,
    ErrorCode::CorruptMessage,
    ErrorCode::UnknownTopicOrPartition,
    ErrorCode::NotLeaderOrFollower,
    ErrorCode::RequestTimedOut,
    ErrorCode::KafkaStorageError,
    ErrorCode::FencedLeaderEpoch,
    ErrorCode::UnknownLeaderEpoch,
    ErrorCode::UnknownTopicId,
];

fn of_append(refused: &AppendRefused) -> ErrorCode {
    match refused {
        AppendRefused::NotEnoughReplicas => ErrorCode::NotEnoughReplicas,
        AppendRefused::Batch(error) => of_batch(error.class()),
        AppendRefused::Timestamp { .. } => ErrorCode::InvalidTimestamp,
        AppendRefused::Transactional => ErrorCode::InvalidTxnState,
        AppendRefused::Producer(check) => of_producer(check),
        AppendRefused::Log(error) => of_log_append(error),
    }
}

fn of_batch(class: ErrorClass) -> ErrorCode {
    match class {
        ErrorClass::Corrupt => ErrorCode::CorruptMessage,
        ErrorClass::InvalidRecord => ErrorCode::InvalidRecord,
        ErrorClass::InvalidTimestamp => ErrorCode::InvalidTimestamp,
        ErrorClass::UnsupportedCompression => ErrorCode::UnsupportedCompressionType,
        ErrorClass::TooLarge => ErrorCode::MessageTooLarge,
    }
}

fn of_producer(check: &ProducerCheck) -> ErrorCode {
    match check {
        // Neither is a refusal: they never get here as one.
        ProducerCheck::InOrder | ProducerCheck::Duplicate { .. } => ErrorCode::None,
        ProducerCheck::OutOfOrder { .. } => ErrorCode::OutOfOrderSequenceNumber,
        ProducerCheck::StaleEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        // It passes when another producer has been silent for a while: to be tried again.
        ProducerCheck::TooManyProducers { .. } => ErrorCode::NotEnoughReplicas,
    }
}

fn of_log_append(error: &AppendError) -> ErrorCode {
    match error {
        // Clients try again on it, and know that nothing was appended.
        AppendError::NoRoom(NoRoom::Journal | NoRoom::Tail | NoRoom::Stopping)
        | AppendError::DiskFull { .. }
        | AppendError::Quarantined => ErrorCode::KafkaStorageError,
        AppendError::TooLarge { .. } => ErrorCode::RecordListTooLarge,
        AppendError::Deleted => ErrorCode::UnknownTopicOrPartition,
    }
}

fn of_read(error: &LogReadError) -> ErrorCode {
    match error {
        LogReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        LogReadError::Segment(_) => ErrorCode::KafkaStorageError,
        LogReadError::Batch(_) => ErrorCode::CorruptMessage,
    }
}

fn of_proposal(error: &ProposeError) -> ErrorCode {
    match error {
        ProposeError::Refused(refused) => of_refused(refused),
        ProposeError::Log(error) => of_log_append(error),
        ProposeError::Stopping => ErrorCode::NotController,
    }
}

fn of_refused(refused: &Refused) -> ErrorCode {
    match refused {
        Refused::TopicExists(_) => ErrorCode::TopicAlreadyExists,
        Refused::Name(_) | Refused::NameCollides { .. } => ErrorCode::InvalidTopicException,
        Refused::UnknownTopic(_) => ErrorCode::UnknownTopicId,
        Refused::NoPartitions | Refused::PartitionsExist { .. } => ErrorCode::InvalidPartitions,
        Refused::ProducerIdsExhausted => ErrorCode::UnknownServerError,
    }
}

#[cfg(test)]
mod tests;
