//! A topic and its partitions, and which names a topic may have.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::{BrokerId, TopicId};

/// Kafka's bound, so that `name-partition` fits a file name.
const TOPIC_NAME_LENGTH_MAX: usize = 249;

/// A topic as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// What clients call it.
    pub name: String,
    /// What it is.
    pub id: TopicId,
    /// By partition index, without gaps.
    pub partitions: Vec<Partition>,
    /// The settings that were given for this topic; what is absent follows the broker's default.
    pub configs: BTreeMap<String, String>,
}

/// One partition: who has copies of it, and who leads since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The brokers with a copy, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The in-sync replicas: whoever acknowledges for the partition is among them.
    pub isr: Vec<BrokerId>,
    /// The broker that takes appends.
    pub leader: BrokerId,
    /// + 1 with each new leader, and with each restart of it.
    pub leader_epoch: i32,
}

impl Partition {
    /// A new partition: the first replica leads, all are in sync as there is nothing to copy yet.
    ///
    /// # Panics
    /// Without replicas.
    pub fn new(replicas: Vec<BrokerId>) -> Partition {
        let leader = *replicas.first().expect("a partition has at least one replica");
        Partition { isr: replicas.clone(), leader, leader_epoch: 0, replicas }
    }
}

/// Why a topic can't have that name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameError {
    /// Nothing, or longer than 249 characters.
    Length(usize),
    /// `.` and `..` mean folders.
    Dots,
    /// Neither ASCII letter nor digit nor one of `.`, `_`, `-`.
    Character(char),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Length(n) => {
                write!(f, "a topic name has 1 to {TOPIC_NAME_LENGTH_MAX} characters, this one {n}")
            }
            NameError::Dots => write!(f, "a topic can't be called \".\" or \"..\""),
            NameError::Character(c) => write!(
                f,
                "a topic name has ASCII letters, digits, '.', '_' and '-' only, this one has {c:?}"
            ),
        }
    }
}

/// Checks a topic's name by Kafka's rules.
pub fn check_topic_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.len() > TOPIC_NAME_LENGTH_MAX {
        return Err(NameError::Length(name.chars().count()));
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots);
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
        Some(c) => Err(NameError::Character(c)),
        None => Ok(()),
    }
}

/// Whether two different names fall together where tools write `_` for `.` (Kafka refuses the
/// second).
pub fn names_collide(a: &str, b: &str) -> bool {
    let same = |(x, y): (u8, u8)| x == y || (matches!(x, b'.' | b'_') && matches!(y, b'.' | b'_'));
    a != b && a.len() == b.len() && a.bytes().zip(b.bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        for good in ["a", "flights", "__cluster_metadata", "A.b_c-9", &"x".repeat(249)] {
            assert_eq!(check_topic_name(good), Ok(()), "{good}");
        }
        assert_eq!(check_topic_name(""), Err(NameError::Length(0)));
        assert_eq!(check_topic_name(&"x".repeat(250)), Err(NameError::Length(250)));
        assert_eq!(check_topic_name(".."), Err(NameError::Dots));
        assert_eq!(check_topic_name("a/b"), Err(NameError::Character('/')));
        assert_eq!(check_topic_name("flüge"), Err(NameError::Character('ü')));
    }

    #[test]
    fn dot_and_underscore_fall_together() {
        assert!(names_collide("a.b", "a_b"));
        assert!(!names_collide("a.b", "a.b"));
        assert!(!names_collide("a.b", "a-b"));
        assert!(!names_collide("a.b", "a.bc"));
    }
}
