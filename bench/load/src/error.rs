//! Why a load ended without an outcome.

use std::fmt;
use std::io;

use rdkafka::error::KafkaError;

/// Why a load ended without an outcome.
#[derive(Debug)]
pub enum LoadError {
    /// librdkafka refuses a property.
    Property(KafkaError),
    /// A record cannot be handed to librdkafka.
    Send(KafkaError),
    /// Not every record was acknowledged; `first` is the first reason.
    Undelivered { count: u64, first: Option<KafkaError> },
    /// Consuming failed.
    Consume(KafkaError),
    /// No record came for a long time, though `missing` are still to come.
    Silence { missing: u64 },
    /// An end-to-end load without a rate would measure its own queue.
    NoRate,
    /// Whoever started the load does not read or write its pipes any more.
    Pipe(io::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property(error) => write!(f, "{error}; look at what follows --set"),
            Self::Send(error) => write!(f, "cannot send: {error}; is the topic there?"),
            Self::Undelivered { count, first: Some(first) } => {
                write!(f, "{count} records failed, the first: {first}; look at the broker's log")
            }
            Self::Undelivered { count, first: None } => {
                write!(f, "{count} records have no answer; look at the broker's log")
            }
            Self::Consume(error) => write!(f, "cannot consume: {error}; is the topic there?"),
            Self::Silence { missing } => {
                write!(f, "{missing} records do not come; look at the broker's log")
            }
            Self::NoRate => write!(f, "end to end needs --rate"),
            Self::Pipe(error) => write!(f, "{error}; whoever started the load is gone"),
        }
    }
}
