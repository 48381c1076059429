//! What the commands that talk to a cluster have in common: where it is, and `--set`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

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

/// `--json` of commands that only answer.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct AsJson {
    /// Write one JSON object a line, for programs
    #[arg(long)]
    json: bool,
}

impl AsJson {
    /// Who reads.
    pub fn reader(self) -> Reader {
        if self.json { Reader::Program } else { Reader::Person }
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
