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
use crate::nearest;
use crate::options::{Changes, Setting};

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
    /// Where the right settings are found, of all that it has, instead of these.
    fn right_settings<'a>(
        &self,
        wrong: impl IntoIterator<Item = &'a str>,
        all: &[Reported],
    ) -> String {
        let names = all.iter().map(|setting| &setting.name[..]);
        let lists = format!("`ringmain config describe {self} --all` lists all");
        match nearest::to_unknown(wrong, names) {
            Some(near) => format!("did you mean {near}? {lists}"),
            None => lists,
        }
    }

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

/// What follows when a change is found to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is made.
    Change,
    /// Nothing: it was only asked about.
    Nothing,
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

/// Refuses what can't be unset because there is no such setting: brokers let it pass. One that
/// cannot tell what there is has no such check.
pub fn check_unset(
    cluster: &mut Cluster,
    owner: &Owner,
    unset: &[String],
) -> Result<(), ClientError> {
    if unset.is_empty() {
        return Ok(());
    }
    let all = match describe(cluster, owner) {
        Err(ClientError::Unsupported { .. }) => return Ok(()),
        all => all?,
    };
    match unset.iter().find(|name| !all.iter().any(|known| known.name == **name)) {
        None => Ok(()),
        Some(name) => Err(ClientError::NoSetting {
            owner: owner.to_string().into(),
            name: name.clone(),
            remedy: owner.right_settings([&name[..]], &all).into(),
        }),
    }
}

/// Sets some and takes others back; all of it, or nothing. Returns when the broker that
/// [`describe`] asks has heard of it.
pub fn alter(cluster: &mut Cluster, owner: &Owner, changes: &Changes) -> Result<(), ClientError> {
    request(cluster, owner, changes, Then::Change)?;
    let deadline = Instant::now() + HEARSAY;
    // The change is made: that nobody tells of it is no failure.
    while let Ok(told) = describe(cluster, owner)
        && !tells_of(&told, owner, changes)
        && Instant::now() < deadline
    {
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

/// Asks for the changes, or only whether they could be made.
pub fn request(
    cluster: &mut Cluster,
    owner: &Owner,
    changes: &Changes,
    then: Then,
) -> Result<(), ClientError> {
    let to_set = changes.set.iter().map(|setting| AlterableConfig {
        name: setting.name.clone(),
        config_operation: SET,
        value: Some(setting.value.clone()),
    });
    let to_unset = changes.unset.iter().map(|name| AlterableConfig {
        name: name.clone(),
        config_operation: DELETE,
        value: None,
    });
    let (resource_type, resource_name) = owner.resource();
    let configs = to_set.chain(to_unset).collect();
    let resource = AlterConfigsResource { resource_type, resource_name, configs };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![resource],
        validate_only: then == Then::Nothing,
    };
    let asked = insist(cluster.patience(), || {
        let answer = match owner {
            Owner::Topic(_) => cluster.ask_controller(&request)?,
            Owner::Broker(id) => cluster.ask_broker(*id, &request)?,
        };
        let what = || format!("change the settings of {owner}");
        for result in &answer.responses {
            Refusal::check(what, result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    });
    asked.map_err(|error| {
        error.or_settings(|| {
            // Without an answer there is still the way to look.
            let all = describe(cluster, owner).unwrap_or_default();
            owner.right_settings(changes.set.iter().map(|setting| &setting.name[..]), &all)
        })
    })
}

/// Whether this is what is reported behind such a change.
fn tells_of(told: &[Reported], owner: &Owner, changes: &Changes) -> bool {
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
    changes.set.iter().all(is_set) && changes.unset.iter().all(is_unset)
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
            let unset = unset.iter().map(|name| (*name).to_owned()).collect();
            tells_of(&told, &owner, &Changes { set: set.to_vec(), unset })
        };
        assert!(tells(&set("a", "1"), &["b", "nowhere"]));
        assert!(tells(&set("secret", "x"), &[]));
        assert!(!tells(&set("a", "2"), &[]), "another value");
        assert!(!tells(&set("b", "2"), &[]), "the same value, but as the default");
        assert!(!tells(&[], &["a"]), "it is set still");
        assert!(!tells(&set("nowhere", "1"), &[]));
    }
}
