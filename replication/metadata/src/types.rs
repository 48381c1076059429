//! The names by which the cluster knows its brokers and topics.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A broker's number, Kafka's `node.id`: not negative, unique in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrokerId(pub i32);

/// What a topic is, as opposed to what it is called: a name may be used again, an id never is
/// (KIP-516).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

/// The six bits that base64 for URLs writes as `-` (RFC 4648, section 5).
const BASE64_DASH: u8 = 62;

impl TopicId {
    /// On the wire: "no id". Kafka reserves it.
    pub const ZERO: TopicId = TopicId([0; 16]);

    /// Makes an id of 128 random bits, with the version and variant of a random UUID (RFC 9562), so
    /// that neither of the ids that Kafka reserves (zero and one) can come out. As with Kafka's own
    /// its text for people, base64 for URLs, never begins with `-`: a tool that is given it as an
    /// argument would take it for an option.
    pub fn from_random(high: u64, low: u64) -> TopicId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        if bytes[0] >> 2 == BASE64_DASH {
            bytes[0] &= 0x7f;
        }
        TopicId(bytes)
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicId({self})")
    }
}

impl Serialize for TopicId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TopicId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<TopicId, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        if text.len() != 32 {
            return Err(de::Error::invalid_length(text.len(), &"32 hexadecimal digits"));
        }
        let id = u128::from_str_radix(&text, 16).map_err(de::Error::custom)?;
        Ok(TopicId(id.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_is_never_one_of_the_reserved() {
        for bits in [0, 1, u64::MAX] {
            let id = TopicId::from_random(bits, bits);
            assert_ne!(id, TopicId::ZERO);
            assert_eq!((id.0[6] >> 4, id.0[8] >> 6), (4, 2), "{id}");
        }
    }

    /// One in 64 did.
    #[test]
    fn no_id_begins_with_the_dash_of_an_option() {
        for first in 0..=u8::MAX {
            let id = TopicId::from_random(u64::from(first) << 56, 0).0[0];
            assert_ne!(id >> 2, BASE64_DASH, "{first}");
            assert_eq!(id == first, first >> 2 != BASE64_DASH, "{first}: all others stay");
        }
    }

    #[test]
    fn an_id_survives_its_text() {
        let id = TopicId::from_random(0x0123_4567_89ab_cdef, 42);
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<TopicId>(&text).unwrap(), id);
        assert!(serde_json::from_str::<TopicId>("\"12\"").is_err());
        assert!(serde_json::from_str::<TopicId>(&format!("\"{}\"", "g".repeat(32))).is_err());
    }
}
