//! Why a broker could not be asked, or did not do what it was asked to.

use std::fmt;
use std::io;
use std::time::Duration;

use protocol::{ApiKey, EncodeError, ErrorCode, Malformed};

/// The one name that a topic can't be given, though it is made of the right letters (KIP-500).
const RESERVED: &str = "__cluster_metadata";

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
    /// The topic or broker has no setting of this name.
    NoSetting {
        /// As in "topic flights".
        owner: Box<str>,
        /// The name.
        name: String,
        /// Where the right one may be found.
        remedy: Box<str>,
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
    /// What a person can do about it, if whoever asked knows better than the error alone does.
    pub remedy: Option<Box<str>>,
}

impl Refusal {
    /// A broker's no.
    pub fn new(what: String, code: i16, message: Option<&str>) -> Self {
        let message = message.filter(|message| !message.is_empty()).map(str::to_owned);
        Self { what, code, message, remedy: None }
    }

    /// Nothing if the number is 0, which says that all is well.
    pub fn check(
        what: impl FnOnce() -> String,
        code: i16,
        message: Option<&str>,
    ) -> Result<(), Refusal> {
        if code == ErrorCode::None.number() {
            return Ok(());
        }
        Err(Self::new(what(), code, message))
    }

    /// The error, if Kafka 4.3 knows it.
    pub fn error_code(&self) -> Option<ErrorCode> {
        ErrorCode::from_number(self.code)
    }

    /// What can be done about it, unless the broker has said so.
    fn remedy(&self) -> Option<&str> {
        if let Some(remedy) = &self.remedy {
            return Some(remedy);
        }
        let code = self.error_code()?;
        let is_said = |words: &str| self.message.as_ref().is_some_and(|m| m.contains(words));
        if code == ErrorCode::PolicyViolation && is_said(TOO_MANY_PARTITIONS) {
            return Some(MORE_PARTITIONS);
        }
        remedy(code).filter(|_| !said_by(code).is_some_and(is_said))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: ", self.what)?;
        let name = self.error_code().map(ErrorCode::name);
        match (&self.message, name) {
            (Some(message), Some(name)) => {
                write!(f, "{} ({name})", message.trim_end_matches('.'))?;
            }
            (None, Some(name)) => f.write_str(name)?,
            (_, None) => write!(f, "error {}, which Kafka 4.3 does not have", self.code)?,
        }
        match self.remedy() {
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

/// What Kafka says to more partitions in a request than it takes; its limit is not in it.
const TOO_MANY_PARTITIONS: &str = "large number of partitions per request";

const MORE_PARTITIONS: &str = "one command makes 10,000 at most; `ringmain topic alter NAME \
                               --partitions NUMBER` adds more";

/// What stands in a broker's text that says the same as [`remedy`].
fn said_by(code: ErrorCode) -> Option<&'static str> {
    match code {
        // Every text says what is wrong with the name, and none is helped by the rule for another.
        ErrorCode::InvalidTopicException => Some(""),
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => Some("max.message.bytes"),
        ErrorCode::InvalidTimestamp => Some("message.timestamp."),
        _ => None,
    }
}

impl ClientError {
    /// The same, where it is a broker's refusal of settings, with the way to the right ones.
    pub fn or_settings(mut self, remedy: impl FnOnce() -> String) -> Self {
        if let Self::Refused(refusal) = &mut self
            && refusal.error_code() == Some(ErrorCode::InvalidConfig)
        {
            refusal.remedy = Some(remedy().into());
        }
        self
    }

    /// Kafka's number of the error; of one that no broker has sent, the number of the same state.
    pub fn kafka_code(&self) -> Option<i16> {
        let code = match self {
            Self::Refused(refusal) => return Some(refusal.code),
            Self::Unreachable { .. }
            | Self::NoBroker { .. }
            | Self::Misnamed { .. }
            | Self::Lost { .. } => ErrorCode::NetworkException,
            Self::Late { .. } => ErrorCode::RequestTimedOut,
            Self::Unsupported { .. } => ErrorCode::UnsupportedVersion,
            Self::NoLeader { .. } => ErrorCode::LeaderNotAvailable,
            Self::NoTopic { .. } | Self::NoPartition { .. } => ErrorCode::UnknownTopicOrPartition,
            Self::NoSetting { .. } => ErrorCode::InvalidConfig,
            Self::Address { .. } | Self::NotKafka { .. } | Self::Encode(_) => return None,
        };
        Some(code.number())
    }

    /// Whether it says something of the topic that was asked for, and nothing of others.
    pub fn is_about_topic(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::NoLeader { .. }
                | Self::NoTopic { .. }
                | Self::NoPartition { .. }
                | Self::NoSetting { .. }
        )
    }

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
            | Self::NoPartition { .. }
            | Self::NoSetting { .. } => false,
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
            Self::NoTopic { topic } if topic == RESERVED => write!(
                f,
                "there is no topic {topic} for clients, nor can one be made: brokers keep what \
                 they know of the cluster under that name; see `ringmain topic list`"
            ),
            Self::NoTopic { topic } => write!(
                f,
                "there is no topic {topic}; make it with `ringmain topic create {topic}`, or see \
                 `ringmain topic list`"
            ),
            Self::NoPartition { topic, partition, count } => {
                write!(f, "{topic} has no partition {partition}; it has {count}, counted from 0")
            }
            Self::NoSetting { owner, name, remedy } => {
                write!(f, "{owner} has no setting {name}; {remedy}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: ErrorCode, message: Option<&str>) -> String {
        let refused = Refusal::check(|| "do it".to_owned(), code.number(), message);
        refused.expect_err("it is an error").to_string()
    }

    #[test]
    fn a_topic_that_cannot_be_made_is_not_advised_to_be() {
        let none = |topic: &str| ClientError::NoTopic { topic: topic.to_owned() }.to_string();
        assert!(none("flights").contains("`ringmain topic create flights`"));
        let reserved = none("__cluster_metadata");
        assert!(!reserved.contains("topic create"), "{reserved}");
        assert!(reserved.contains("nor can one be made"), "{reserved}");
    }

    #[test]
    fn too_many_partitions_are_told_how_many_are_not() {
        let kafkas = "Excessively large number of partitions per request.";
        let many = said(ErrorCode::PolicyViolation, Some(kafkas));
        assert!(many.contains("10,000"), "{many}");
        let other = said(ErrorCode::PolicyViolation, Some("No topics on Sundays."));
        assert!(!other.contains("10,000"), "{other}");
    }

    #[test]
    fn a_remedy_that_the_broker_has_said_is_not_said_again() {
        let cases = [
            (ErrorCode::InvalidTopicException, "the name has ' '", "249"),
            (ErrorCode::MessageTooLarge, "9 bytes; raise max.message.bytes", "config alter"),
            (ErrorCode::InvalidTimestamp, "see message.timestamp.after.max.ms", "it takes"),
        ];
        for (code, message, remedy) in cases {
            let twice = said(code, Some(message));
            assert!(twice.contains(message) && !twice.contains(remedy), "{twice}");
            for silent in [None, Some("")] {
                let once = said(code, silent);
                assert!(once.contains(code.name()) && once.contains(remedy), "{once}");
            }
        }
        // Apache Kafka's text, which does not say where the limit is.
        let other = said(ErrorCode::MessageTooLarge, Some("The message is too large."));
        assert!(other.contains("config alter"), "{other}");
    }
}
