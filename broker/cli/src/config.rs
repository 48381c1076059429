//! `ringmain config`: shows and changes the settings of topics and brokers.

mod alter;
mod describe;
pub mod settings;

use std::fmt;
use std::io::{self, BufWriter, Write};

use clap::{Subcommand, ValueEnum};

use crate::client::cluster::Cluster;
use crate::client::error::ClientError;
use crate::ending::Ending;
use crate::fault::Fault;
use crate::options::Reader;
use settings::Owner;

/// What can be done with settings.
#[derive(Clone, Debug, Subcommand)]
pub enum Config {
    Describe(describe::Describe),
    Alter(alter::Alter),
}

/// Whose settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A topic's
    Topic,
    /// A broker's
    Broker,
}

/// Why it could not be done.
#[derive(Debug)]
pub enum ConfigError {
    /// The cluster can't be asked, or refuses.
    Client(ClientError),
    /// A topic has a name.
    NoName,
    /// A broker's name is its number.
    NoBroker {
        /// As it was given.
        name: String,
    },
    /// Nothing is to be changed.
    Nothing,
    /// A setting stands on the command line more than once.
    Twice {
        /// Its name.
        setting: String,
    },
    /// The answer can't be written out.
    Output(io::Error),
}

impl Config {
    /// Who reads what is answered.
    pub fn reader(&self) -> Reader {
        match self {
            Self::Describe(args) => args.asking.reader(),
            Self::Alter(args) => args.asking.reader(),
        }
    }
}

/// Does it.
pub fn run(config: &Config) -> Result<Ending, ConfigError> {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match config {
        Config::Describe(args) => describe::run(args, &mut out),
        Config::Alter(args) => alter::run(args, &mut out),
    };
    match done.and_then(|()| Ok(out.flush()?)) {
        // Whoever reads no further has seen what he wanted.
        Err(ConfigError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Ending::Done)
        }
        outcome => outcome.map(|()| Ending::Done),
    }
}

/// Whose settings are meant; without a number the broker with the least one.
fn owner(cluster: &mut Cluster, kind: Kind, name: Option<&str>) -> Result<Owner, ConfigError> {
    match (kind, name) {
        (Kind::Topic, Some(name)) => {
            // A broker's refusal of its settings could be news that is on its way, and be waited
            // for long.
            cluster.topic(name)?;
            Ok(Owner::Topic(name.to_owned()))
        }
        (Kind::Topic, None) => Err(ConfigError::NoName),
        (Kind::Broker, None) => {
            let first = cluster.brokers().next();
            first.map(Owner::Broker).ok_or(ConfigError::NoBroker { name: String::new() })
        }
        (Kind::Broker, Some(name)) => {
            let known =
                name.parse::<i32>().ok().filter(|id| cluster.brokers().any(|known| known == *id));
            known.map(Owner::Broker).ok_or(ConfigError::NoBroker { name: name.to_owned() })
        }
    }
}

impl From<ClientError> for ConfigError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for ConfigError {
    /// The writing side uses `?`; what is asked comes in other errors.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Fault for ConfigError {
    fn kafka_code(&self) -> Option<i16> {
        match self {
            Self::Client(error) => error.kafka_code(),
            Self::NoName
            | Self::NoBroker { .. }
            | Self::Nothing
            | Self::Twice { .. }
            | Self::Output(_) => None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::NoName => write!(f, "say which topic: `ringmain topic list` names them"),
            Self::NoBroker { name } => write!(
                f,
                "there is no broker `{name}`: `ringmain topic describe` shows the numbers of those \
                 that lead something"
            ),
            Self::Nothing => write!(f, "say what to change: --set KEY=VALUE or --unset KEY"),
            Self::Twice { setting } => write!(f, "{setting} is given twice: give it once"),
            Self::Output(error) => write!(f, "the answer cannot be written out: {error}"),
        }
    }
}
