//! Why a broker could not be asked, or did not do what it was asked to.

use std::fmt;
use std::io;
use std::time::Duration;

use protocol::{ApiKey, EncodeError, ErrorCode, Malformed};

/// Why a request brought no answer, or a refusal.
#[derive(Debug)]
pub enum ClientError {
    /// The text names no host, or a port that is no number.
    Address {
        /// As it was given.
        text: String,
    },
    /// No connection comes about.
    Unreachable {
        /// `host:port`.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// None of the brokers that were named can be reached; this is what the last one said.
    NoBroker {
        /// All of them, with commas.
        addresses: String,
        /// Why the last one.
        error: io::Error,
    },
    /// A broker names another one, which can't be reached under that name.
    Misnamed {
        /// The other one's id.
        broker: i32,
        /// Where it is said to be.
        address: String,
        /// Why not.
        error: io::Error,
    },
    /// The connection broke between a request and its answer.
    Lost {
        /// `host:port`.
        address: String,
        /// How.
        error: io::Error,
    },
    /// No answer in time.
    Late {
        /// `host:port`.
        address: String,
        /// What was asked.
        api_key: ApiKey,
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer is not one of Kafka's protocol.
    NotKafka {
        /// `host:port`.
        address: String,
        /// What is wrong with it.
        malformed: Malformed,
    },
    /// The broker does not serve this API in a version that is known here.
    Unsupported {
        /// `host:port`.
        address: String,
        /// Which API.
        api_key: ApiKey,
    },
    /// The request can't be written.
    Encode(EncodeError),
    /// The answer says no.
    Refused(Refusal),
    /// A partition has no leader, and got none in time.
    NoLeader {
        /// Of which topic.
        topic: String,
        /// Which.
        partition: i32,
    },
    /// The topic does not exist.
    NoTopic {
        /// Its name.
        topic: String,
    },
    /// The topic has no partition with this number.
    NoPartition {
        /// Of which topic.
        topic: String,
        /// Which.
        partition: i32,
        /// How many it has.
        count: usize,
    },
}

/// A broker's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was to be done, as in "cannot …".
    pub what: String,
    /// Kafka's number of the error.
    pub code: i16,
    /// What the broker says, if anything.
    pub message: Option<String>,
}

impl Refusal {
    /// Nothing if the number is 0, which says that all is well.
    pub fn check(
        what: impl FnOnce() -> String,
        code: i16,
        message: Option<&str>,
    ) -> Result<(), Refusal> {
        if code == ErrorCode::None.number() {
            return Ok(());
        }
        Err(Refusal { what: what(), code, message: message.map(str::to_owned) })
    }

    /// The error, if Kafka 4.3 knows it.
    pub fn error_code(&self) -> Option<ErrorCode> {
        ErrorCode::from_number(self.code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: ", self.what)?;
        let name = self.error_code().map(ErrorCode::name);
        match (&self.message, name) {
            (Some(message), Some(name)) if !message.is_empty() => {
                write!(f, "{} ({name})", message.trim_end_matches('.'))?;
            }
            (_, Some(name)) => f.write_str(name)?,
            (_, None) => write!(f, "error {}, which Kafka 4.3 does not have", self.code)?,
        }
        match self.error_code().and_then(remedy) {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// What a person can do about an error, where the error itself does not say.
fn remedy(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::TopicAlreadyExists => {
            "choose another name, or say --if-not-exists if any topic of that name will do"
        }
        ErrorCode::UnknownTopicOrPartition => "`ringmain topic list` says which topics there are",
        ErrorCode::InvalidReplicationFactor => "there are fewer brokers than that",
        ErrorCode::InvalidTopicException => {
            "a name has letters, digits, '.', '_' and '-', at most 249 of them"
        }
        ErrorCode::InvalidConfig => {
            "`ringmain config describe topic NAME` shows the settings that a topic has"
        }
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => {
            "`ringmain config alter topic NAME --set max.message.bytes=BYTES` lets larger ones in"
        }
        ErrorCode::InvalidTimestamp => {
            "the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms say \
             which it takes"
        }
        ErrorCode::KafkaStorageError => "the broker's own log says what its disk refuses",
        ErrorCode::TopicAuthorizationFailed | ErrorCode::ClusterAuthorizationFailed => {
            "ask the operator for the right to"
        }
        ErrorCode::TopicDeletionDisabled => "the broker is set up so: delete.topic.enable=false",
        ErrorCode::RequestTimedOut => "it may have happened all the same; look before you repeat",
        _ => return None,
    })
}

impl ClientError {
    /// Whether the same may succeed a moment later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost { .. } | Self::NoBroker { .. } => true,
            Self::Misnamed { error, .. } => error.kind() == io::ErrorKind::ConnectionRefused,
            Self::NoLeader { .. } => true,
            Self::Refused(refusal) => refusal.error_code().is_some_and(ErrorCode::is_retriable),
            Self::Address { .. }
            | Self::Late { .. }
            | Self::NotKafka { .. }
            | Self::Unsupported { .. }
            | Self::Encode(_)
            | Self::NoTopic { .. }
            | Self::NoPartition { .. } => false,
        }
    }
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<EncodeError> for ClientError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { text } => {
                write!(f, "`{text}` is no address; write HOST:PORT, or HOST for port 9092")
            }
            Self::Unreachable { address, error } => {
                write!(f, "cannot connect to {address} ({error}); is the broker alive?")
            }
            Self::NoBroker { addresses, error } => write!(
                f,
                "no broker answers at {addresses} ({error}); start one with `ringmain`, or say \
                 where one is: --broker HOST:PORT"
            ),
            Self::Misnamed { broker, address, error } => write!(
                f,
                "broker {broker} says that clients find it at {address}, but there it cannot be \
                 reached ({error}); correct its setting advertised.listeners"
            ),
            Self::Lost { address, error } => {
                write!(f, "the connection to {address} broke ({error}); is the broker alive?")
            }
            Self::Late { address, api_key, after } => write!(
                f,
                "{address} did not answer {} in {} s; give it longer with --timeout, or is that \
                 not the port of a broker without TLS?",
                api_key.name(),
                after.as_secs()
            ),
            Self::NotKafka { address, malformed } => write!(
                f,
                "what {address} answers is not Kafka's protocol ({malformed}); is it the port of \
                 a broker, without TLS?"
            ),
            Self::Unsupported { address, api_key } => write!(
                f,
                "{address} does not offer {} in a version that is known here; its broker is too \
                 old, or cannot do this yet",
                api_key.name()
            ),
            Self::Encode(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NoLeader { topic, partition } => write!(
                f,
                "partition {partition} of {topic} has no leader; `ringmain topic describe {topic}` \
                 says which brokers hold it: start them"
            ),
            Self::NoTopic { topic } => write!(
                f,
                "there is no topic {topic}; make it with `ringmain topic create {topic}`, or see \
                 `ringmain topic list`"
            ),
            Self::NoPartition { topic, partition, count } => {
                write!(f, "{topic} has no partition {partition}; it has {count}, counted from 0")
            }
        }
    }
}
