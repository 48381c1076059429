//! The name of one partition's log, and of its folder.

use std::fmt;

/// What counts about a log: its topic's id and its partition. A topic that was deleted and made
/// again under the same name has another id, so its logs are other logs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// The topic's id as it stands in metadata and on the wire.
    pub topic_id: [u8; 16],
    /// The partition's number within the topic.
    pub partition: u32,
}

/// The longest label, in bytes: with partition and id the folder's name stays below the 255 bytes
/// that file systems allow.
pub(crate) const LABEL_BYTES_MAX: usize = 200;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 16 bytes in base64 without padding: 21 characters of 6 bits and one of 2.
const ID_CHARACTERS: usize = 22;

impl LogId {
    /// `<label>-<partition>.<topic id>`: the label is for the eyes of people only, cut to 200
    /// bytes, and characters that a path could misread become `_`.
    pub fn folder_name(&self, label: &str) -> String {
        let label: String = cut_label(label).chars().map(harmless).collect();
        format!("{label}-{}.{}", self.partition, self.topic_id_text())
    }

    /// The id that a folder's name tells, whatever its label; none if it is no log's folder.
    pub fn from_folder_name(name: &str) -> Option<LogId> {
        let (front, id) = name.rsplit_once('.')?;
        let (_label, partition) = front.rsplit_once('-')?;
        let digits = !partition.is_empty() && partition.bytes().all(|b| b.is_ascii_digit());
        let partition = if digits { partition.parse().ok()? } else { return None };
        Some(LogId { topic_id: decode_id(id)?, partition })
    }

    /// Kafka's text form of the topic's id: URL-safe base64 without padding.
    pub fn topic_id_text(&self) -> String {
        let mut bits = u128::from_be_bytes(self.topic_id);
        let mut text = String::with_capacity(ID_CHARACTERS);
        for _ in 0..ID_CHARACTERS - 1 {
            text.push(char::from(ALPHABET[(bits >> 122) as usize]));
            bits <<= 6;
        }
        // Two bits are left, followed by zeros.
        text.push(char::from(ALPHABET[(bits >> 122) as usize]));
        text
    }
}

/// The first 200 bytes of a label, ended at a character.
pub(crate) fn cut_label(label: &str) -> &str {
    &label[..label.floor_char_boundary(LABEL_BYTES_MAX)]
}

fn harmless(c: char) -> char {
    if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' }
}

fn decode_id(text: &str) -> Option<[u8; 16]> {
    if text.len() != ID_CHARACTERS {
        return None;
    }
    let mut bits = 0u128;
    for (i, c) in text.bytes().enumerate() {
        let six = ALPHABET.iter().position(|a| *a == c)? as u128;
        if i < ID_CHARACTERS - 1 {
            bits = bits << 6 | six;
        } else if six & 0b1111 == 0 {
            bits = bits << 2 | six >> 4;
        } else {
            return None; // the four bits behind the id must be zero, else two names mean one id
        }
    }
    Some(bits.to_be_bytes())
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic_id_text(), self.partition)
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: LogId = LogId { topic_id: [0xfb; 16], partition: 17 };

    #[test]
    fn a_folder_name_tells_the_id_whatever_the_label() {
        for label in ["flights", "", "a-1.b-2", "x/../y", "ü".repeat(150).as_str()] {
            let name = ID.folder_name(label);
            assert!(name.len() < 255 && !name.contains('/'), "{name}");
            assert_eq!(LogId::from_folder_name(&name), Some(ID), "{name}");
        }
        assert_eq!(ID.folder_name("flights"), "flights-17.-_v7-_v7-_v7-_v7-_v7-w");
    }

    #[test]
    fn kafkas_text_form_is_matched() {
        let mut id = LogId { topic_id: [0; 16], partition: 0 };
        id.topic_id[15] = 1;
        // Uuid.toString of Kafka's METADATA_TOPIC_ID.
        assert_eq!(id.topic_id_text(), "AAAAAAAAAAAAAAAAAAAAAQ");
    }

    #[test]
    fn other_names_are_no_logs_folder() {
        let good = ID.folder_name("t");
        for bad in [
            "",
            ".",
            "lost+found",
            "t-17",
            "t-17.short",
            "t-+7.-_v7-_v7-_v7-_v7-_v7-w",
            "t-17.-_v7-_v7-_v7-_v7-_v7-x",
            "t-99999999999.-_v7-_v7-_v7-_v7-_v7-w",
        ] {
            assert_eq!(LogId::from_folder_name(bad), None, "{bad}");
        }
        assert!(LogId::from_folder_name(&good).is_some());
    }
}
