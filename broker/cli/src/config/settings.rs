//! The settings of a topic or a broker, asked of the cluster and changed there.

use std::fmt;
use std::time::{Duration, Instant};

use protocol::generated::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use protocol::generated::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use crate::client::cluster::{Cluster, insist};
use crate::client::error::{ClientError, Refusal};
use crate::options::Setting;

/// Kafka's numbers of what has settings.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Kafka's numbers of what is done to one (KIP-339).
const SET: i8 = 0;
const DELETE: i8 = 1;

/// How long a change may take to be told of by the broker that is asked for it. One that tells of a
/// value in other words than it was set with is not waited for any longer.
const HEARSAY: Duration = Duration::from_secs(1);
/// How often it is asked meanwhile.
const GLANCE: Duration = Duration::from_millis(20);

/// Whose settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The topic of this name.
    Topic(String),
    /// The broker of this number.
    Broker(i32),
}

impl Owner {
    fn resource(&self) -> (i8, String) {
        match self {
            Self::Topic(name) => (TOPIC, name.clone()),
            Self::Broker(id) => (BROKER, id.to_string()),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Broker(id) => write!(f, "broker {id}"),
        }
    }
}

/// Where a value comes from (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was set for the topic.
    Topic,
    /// It was set for the broker, or for all brokers, while they ran.
    Broker,
    /// The broker was started with it.
    Start,
    /// Nobody set it.
    Default,
    /// Something that Kafka 4.3 does not have.
    Unknown,
}

impl Origin {
    fn of(number: i8) -> Self {
        match number {
            1 => Self::Topic,
            2 | 3 => Self::Broker,
            4 => Self::Start,
            5 => Self::Default,
            _ => Self::Unknown,
        }
    }

    /// For a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Topic => "set for the topic",
            Self::Broker => "set for brokers that run",
            Self::Start => "the broker was started with it",
            Self::Default => "default",
            Self::Unknown => "unknown",
        }
    }

    /// For a program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Broker => "broker",
            Self::Start => "start",
            Self::Default => "default",
            Self::Unknown => "unknown",
        }
    }
}

/// A setting as the broker reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Kafka's key.
    pub name: String,
    /// Its value; nothing if it is a secret, or has none.
    pub value: Option<String>,
    /// Where that comes from.
    pub origin: Origin,
    /// Whether it can't be changed while the broker runs.
    pub is_fixed: bool,
}

/// The settings, by name.
pub fn describe(cluster: &mut Cluster, owner: &Owner) -> Result<Vec<Reported>, ClientError> {
    let (resource_type, resource_name) = owner.resource();
    let resource =
        DescribeConfigsResource { resource_type, resource_name, configuration_keys: None };
    let request =
        DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() };
    insist(cluster.patience(), || {
        let answer = match owner {
            Owner::Topic(_) => cluster.ask(&request)?,
            Owner::Broker(id) => cluster.ask_broker(*id, &request)?,
        };
        let what = || format!("describe the settings of {owner}");
        let mut settings = Vec::new();
        for result in &answer.results {
            Refusal::check(what, result.error_code, result.error_message.as_deref())?;
            settings.extend(result.configs.iter().map(reported));
        }
        settings.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(settings)
    })
}

/// Sets some and takes others back; all of it, or nothing. Returns when the broker that
/// [`describe`] asks has heard of it.
pub fn alter(
    cluster: &mut Cluster,
    owner: &Owner,
    set: &[Setting],
    unset: &[String],
) -> Result<(), ClientError> {
    let to_set = set.iter().map(|setting| AlterableConfig {
        name: setting.name.clone(),
        config_operation: SET,
        value: Some(setting.value.clone()),
    });
    let to_unset = unset.iter().map(|name| AlterableConfig {
        name: name.clone(),
        config_operation: DELETE,
        value: None,
    });
    let (resource_type, resource_name) = owner.resource();
    let configs = to_set.chain(to_unset).collect();
    let resource = AlterConfigsResource { resource_type, resource_name, configs };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    insist(cluster.patience(), || {
        let answer = match owner {
            Owner::Topic(_) => cluster.ask_controller(&request)?,
            Owner::Broker(id) => cluster.ask_broker(*id, &request)?,
        };
        let what = || format!("change the settings of {owner}");
        for result in &answer.responses {
            Refusal::check(what, result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    })?;
    let deadline = Instant::now() + HEARSAY;
    // The change is made: that nobody tells of it is no failure.
    while let Ok(told) = describe(cluster, owner)
        && !tells_of(&told, owner, set, unset)
        && Instant::now() < deadline
    {
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

/// Whether this is what is reported behind such a change.
fn tells_of(told: &[Reported], owner: &Owner, set: &[Setting], unset: &[String]) -> bool {
    let own = match owner {
        Owner::Topic(_) => Origin::Topic,
        Owner::Broker(_) => Origin::Broker,
    };
    let of = |name: &str| told.iter().find(|reported| reported.name == name);
    let is_set = |setting: &Setting| {
        // A secret is told of without its value.
        let is_so = |found: &Reported| found.value.as_ref().is_none_or(|at| *at == setting.value);
        of(&setting.name).is_some_and(|found| found.origin == own && is_so(found))
    };
    let is_unset = |name: &String| of(name).is_none_or(|found| found.origin != own);
    set.iter().all(is_set) && unset.iter().all(is_unset)
}

fn reported(setting: &DescribeConfigsResourceResult) -> Reported {
    Reported {
        name: setting.name.clone(),
        value: setting.value.clone().filter(|_| !setting.is_sensitive),
        origin: Origin::of(setting.config_source),
        is_fixed: setting.read_only,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_of_when_all_of_it_is() {
        let reported = |name: &str, value: Option<&str>, origin| Reported {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            origin,
            is_fixed: false,
        };
        let told = [
            reported("a", Some("1"), Origin::Topic),
            reported("b", Some("2"), Origin::Default),
            reported("secret", None, Origin::Topic),
        ];
        let owner = Owner::Topic("flights".to_owned());
        let set =
            |name: &str, value: &str| [Setting { name: name.to_owned(), value: value.to_owned() }];
        let tells = |set: &[Setting], unset: &[&str]| {
            let unset: Vec<String> = unset.iter().map(|name| (*name).to_owned()).collect();
            tells_of(&told, &owner, set, &unset)
        };
        assert!(tells(&set("a", "1"), &["b", "nowhere"]));
        assert!(tells(&set("secret", "x"), &[]));
        assert!(!tells(&set("a", "2"), &[]), "another value");
        assert!(!tells(&set("b", "2"), &[]), "the same value, but as the default");
        assert!(!tells(&[], &["a"]), "it is set still");
        assert!(!tells(&set("nowhere", "1"), &[]));
    }
}
