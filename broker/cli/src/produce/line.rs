//! What a line of the input is: a value, a key and a value, or a record in JSON.

use std::fmt;

use record::{Header, Record, Timestamp};
use serde_json::Value;

use crate::json_bytes;

/// Names and values.
pub type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// How lines are read, and what their records have beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// What a line is.
    pub form: Form,
    /// What ends a line; if nothing does, a source is one.
    pub delimiter: Vec<u8>,
    /// Headers for every record, before its own.
    pub headers: Headers,
    /// The timestamp of records without their own; nothing for the time of reading.
    pub timestamp_ms: Option<i64>,
    /// Who chooses the partition.
    pub partition: Partition,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A value, or a key and a value.
    Text {
        /// What stands between them.
        key_separator: Option<Vec<u8>>,
        /// The key of lines without that.
        key: Option<Vec<u8>>,
        /// When a key or value is null.
        null: Null,
    },
    /// An object with the fields of `kcat -J`.
    Json,
}

/// When a key or value of a line is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Null {
    /// It is as long as it is, empty or not.
    Never,
    /// If it is empty.
    Empty,
}

/// Who chooses the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// It is always this one.
    Always(i32),
    /// The line if it names one, else the key.
    OfLine,
    /// The key.
    ByKey,
}

/// Why a line is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineError {
    /// It is no JSON.
    NotJson(String),
    /// It is no object, or has no `payload`.
    NoPayload,
    /// A field is not what it must be.
    Field(&'static str),
    /// A timestamp before 1970.
    Timestamp(i64),
}

impl Lines {
    /// Whether a line stands for no record: among JSON one with nothing but white space, which
    /// editors leave at the end.
    pub fn is_passed_over(&self, line: &[u8]) -> bool {
        self.form == Form::Json && line.trim_ascii().is_empty()
    }

    /// Makes a record of a line and gives it to `take`, with the partition that it names.
    pub fn read<T>(
        &self,
        line: &[u8],
        now_ms: i64,
        take: impl FnOnce(&Record<'_>, Option<i32>) -> T,
    ) -> Result<T, LineError> {
        let timestamp = Timestamp(self.timestamp_ms.unwrap_or(now_ms));
        let mut headers: Vec<Header<'_>> = self.headers.iter().map(header).collect();
        match &self.form {
            Form::Text { key_separator, key, null } => {
                let separated = key_separator.as_deref().and_then(|by| split(line, by));
                let (key, value) = match separated {
                    Some((key, value)) => (Some(key), value),
                    None => (key.as_deref(), line),
                };
                let (key, value) = (key.and_then(|key| null.or(key)), null.or(value));
                let record = Record { timestamp, key, value, headers: &headers };
                Ok(take(&record, self.partition_of(None)))
            }
            Form::Json => {
                let parsed = Parsed::read(line)?;
                headers.extend(parsed.headers.iter().map(header));
                let record = Record {
                    timestamp: parsed.timestamp_ms.map_or(timestamp, Timestamp),
                    key: parsed.key.as_deref(),
                    value: parsed.value.as_deref(),
                    headers: &headers,
                };
                Ok(take(&record, self.partition_of(parsed.partition)))
            }
        }
    }

    fn partition_of(&self, named: Option<i32>) -> Option<i32> {
        match self.partition {
            Partition::Always(partition) => Some(partition),
            Partition::OfLine => named,
            Partition::ByKey => None,
        }
    }
}

impl Null {
    fn or(self, bytes: &[u8]) -> Option<&[u8]> {
        Some(bytes).filter(|bytes| self == Null::Never || !bytes.is_empty())
    }
}

/// What stands before and behind the first `by`; nothing if there is none.
pub fn split<'a>(bytes: &'a [u8], by: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = match by {
        [one] => bytes.iter().position(|byte| byte == one),
        [] => None,
        _ => bytes.windows(by.len()).position(|window| window == by),
    };
    at.map(|at| (&bytes[..at], &bytes[at + by.len()..]))
}

fn header((key, value): &(Vec<u8>, Option<Vec<u8>>)) -> Header<'_> {
    Header { key, value: value.as_deref() }
}

/// A record of JSON.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parsed {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Headers,
    timestamp_ms: Option<i64>,
    partition: Option<i32>,
}

impl Parsed {
    fn read(line: &[u8]) -> Result<Self, LineError> {
        let value = serde_json::from_slice(line).map_err(|e| LineError::NotJson(e.to_string()))?;
        let Value::Object(mut fields) = value else { return Err(LineError::NoPayload) };
        let payload = fields.remove("payload").ok_or(LineError::NoPayload)?;
        let bytes = |value, name| json_bytes::read(value).map_err(|_| LineError::Field(name));
        let mut number = |name| match fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or(LineError::Field(name)),
        };
        let timestamp_ms = match number("ts")? {
            // kcat writes it where there is none.
            Some(-1) => None,
            Some(before @ ..0) => return Err(LineError::Timestamp(before)),
            other => other,
        };
        let partition = number("partition")?.map(i32::try_from).transpose();
        Ok(Self {
            value: bytes(payload, "payload")?,
            key: bytes(fields.remove("key").unwrap_or_default(), "key")?,
            headers: headers(fields.remove("headers").unwrap_or_default())?,
            timestamp_ms,
            partition: partition.map_err(|_| LineError::Field("partition"))?,
        })
    }
}

/// Names and values in turn.
fn headers(value: Value) -> Result<Headers, LineError> {
    let wrong = LineError::Field("headers");
    let items = match value {
        Value::Null => Vec::new(),
        Value::Array(items) if items.len().is_multiple_of(2) => items,
        _ => return Err(wrong),
    };
    let mut headers = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter().map(json_bytes::read);
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        match (name, value) {
            (Ok(Some(name)), Ok(value)) => headers.push((name, value)),
            _ => return Err(wrong),
        }
    }
    Ok(headers)
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(error) => {
                write!(f, "it is no JSON ({error}); without --json a line is a value as it stands")
            }
            Self::NoPayload => write!(
                f,
                "it is no object with a field `payload`, as in \
                 {{\"key\":\"a\",\"payload\":\"b\"}}; without --json a line is a value as it stands"
            ),
            Self::Field(name @ ("ts" | "partition")) => {
                write!(f, "its field `{name}` must be a whole number")
            }
            Self::Timestamp(ms) => write!(
                f,
                "its field `ts` is {ms}: write milliseconds since 1970, or -1 where there is none"
            ),
            Self::Field("headers") => write!(
                f,
                "its field `headers` must be names and values in turn: [\"name\",\"value\"]"
            ),
            Self::Field(name) => write!(
                f,
                "its field `{name}` must be a string, null, or {{\"hex\":\"…\"}}; put quotes \
                 around what is JSON itself"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
