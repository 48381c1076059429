//! What the commands that talk to a cluster have in common: where it is, `--json` and `--set`.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::ops::{Bound, RangeBounds};
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
    #[arg(value_parser = whole(1..=86_400_u64), allow_negative_numbers = true)]
    pub timeout: u64,
}

impl Reach {
    /// Finds the cluster.
    pub fn cluster(&self) -> Result<Cluster, ClientError> {
        Cluster::reach(&self.brokers, Duration::from_secs(self.timeout))
    }
}

/// Reads an option's whole number. What is none, or lies outside of the range, is answered with
/// what to write; so is what is negative, where the option says `allow_negative_numbers`.
pub fn whole<T>(
    range: impl RangeBounds<T> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| match (range.start_bound(), range.end_bound()) {
            (Bound::Included(from), Bound::Included(to)) => {
                format!("write a whole number from {from} to {to}")
            }
            (Bound::Included(from), _) => format!("write a whole number, {from} or more"),
            _ => "write a whole number".to_owned(),
        })
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

    /// A setting that stands there more than once.
    pub fn twice(&self) -> Option<&str> {
        let names = self.set.iter().map(|setting| &setting.name[..]);
        twice(names.chain(self.unset.iter().map(|name| &name[..])))
    }

    /// What is set, for a program.
    pub fn set_json(&self) -> Map<String, Value> {
        let set = self.set.iter();
        set.map(|own| (own.name.clone(), Value::from(own.value.clone()))).collect()
    }
}

/// The first name that was there before.
pub fn twice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut known = BTreeSet::new();
    names.into_iter().find(|name| !known.insert(*name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_of_the_range_is_told_what_is() {
        let (few, many) = (whole(1..=86_400_u64), whole(0_i32..));
        assert_eq!((few("86400"), many("0")), (Ok(86_400), Ok(0)));
        for text in ["", "x", "0", "-3", "86401", "1.5", "99999999999999999999"] {
            assert_eq!(few(text), Err("write a whole number from 1 to 86400".to_owned()), "{text}");
        }
        for text in ["-1", "ten", "2147483648"] {
            assert_eq!(many(text), Err("write a whole number, 0 or more".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_setting_that_is_given_twice_is_found() {
        let set = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("one")).collect();
        let changes = |texts: &[&str], unset: &[&str]| Changes {
            set: set(texts),
            unset: unset.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(changes(&["a=1", "b=1"], &["c"]).twice(), None);
        assert_eq!(changes(&["a=1", "b=1", "a=2"], &[]).twice(), Some("a"));
        assert_eq!(changes(&["a=1"], &["a"]).twice(), Some("a"));
    }
}
