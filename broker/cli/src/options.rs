//! What the commands that talk to a cluster have in common: where it is, `--json` and `--set`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::client::cluster::Cluster;
use crate::client::error::ClientError;

/// Which cluster, and how long to wait for it.
#[derive(clap::Args, Clone, Debug)]
pub struct Reach {
    /// A broker, or several with commas between: whichever answers first tells of the others
    #[arg(short = 'b', long = "broker", value_name = "HOST:PORT", value_delimiter = ',')]
    #[arg(default_value = "127.0.0.1:9092", help_heading = "Where")]
    pub brokers: Vec<String>,
    /// How long an answer may take, and how long is tried again
    #[arg(long, value_name = "SECONDS", default_value_t = 30, help_heading = "Where")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

impl Reach {
    /// Finds the cluster.
    pub fn cluster(&self) -> Result<Cluster, ClientError> {
        Cluster::reach(&self.brokers, Duration::from_secs(self.timeout))
    }
}

/// Who reads what a command says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A person.
    Person,
    /// A program: one JSON object a line.
    Program,
}

/// What all commands take that ask something of a cluster, and tell the answer.
#[derive(clap::Args, Clone, Debug)]
pub struct Asking {
    /// Write one JSON object a line, for programs; errors too, to the standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Asking {
    /// Who reads.
    pub fn reader(&self) -> Reader {
        if self.json { Reader::Program } else { Reader::Person }
    }

    /// Finds the cluster.
    pub fn cluster(&self) -> Result<Cluster, ClientError> {
        self.reach.cluster()
    }
}

/// Changes of settings.
#[derive(clap::Args, Clone, Debug)]
pub struct Changes {
    /// A setting, with Kafka's key; may be given several times
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// A setting that goes back to its default; may be given several times
    #[arg(short, long, value_name = "KEY")]
    pub unset: Vec<String>,
}

impl Changes {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }

    /// What is set, for a program.
    pub fn set_json(&self) -> Map<String, Value> {
        let set = self.set.iter();
        set.map(|own| (own.name.clone(), Value::from(own.value.clone()))).collect()
    }
}

/// A setting with its value, as in `--set retention.ms=-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Kafka's key.
    pub name: String,
    /// What it is set to.
    pub value: String,
}

/// A text that is no setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSetting;

impl fmt::Display for NoSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write KEY=VALUE, as in retention.ms=-1")
    }
}

impl std::error::Error for NoSetting {}

impl FromStr for Setting {
    type Err = NoSetting;

    fn from_str(text: &str) -> Result<Self, NoSetting> {
        let (name, value) = text.split_once('=').ok_or(NoSetting)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return Err(NoSetting);
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}
