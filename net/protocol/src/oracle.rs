//! Messages to and from neutral JSON by Kafka's field names, for the comparison with its classes.
//!
//! The forms are those of Kafka's own JSON converters: numbers as numbers, byte arrays in base64,
//! uuids in their text form, tagged fields by name. [`Json::to_json`] gives every field, whatever
//! the version; an absent field reads as the schema's default.

use std::fmt;

use serde_json::Value;

use crate::error::{EncodeError, Malformed};
use crate::message::Message;
use crate::uuid::Uuid;

/// JSON that is not the message it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What stands where something else should.
    pub found: String,
    /// What should stand there.
    pub expected: &'static str,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stands where {} should; correct the JSON", self.found, self.expected)
    }
}

impl std::error::Error for JsonError {}

/// A value with a form in JSON.
pub trait Json: Sized {
    /// Reads the value.
    fn from_json(json: &Value) -> Result<Self, JsonError>;
    /// The value as JSON.
    fn to_json(&self) -> Value;
}

/// The field `name` of an object, or `default` if it is absent.
pub fn field<T: Json>(json: &Value, name: &str, default: T) -> Result<T, JsonError> {
    match json.get(name) {
        Some(value) => T::from_json(value),
        None => Ok(default),
    }
}

/// An object of these fields.
pub fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn wrong(json: &Value, expected: &'static str) -> JsonError {
    JsonError { found: json.to_string(), expected }
}

macro_rules! integers {
    ($($integer:ident)*) => {
        $(
            impl Json for $integer {
                fn from_json(json: &Value) -> Result<Self, JsonError> {
                    let number = json.as_i64().and_then(|number| number.try_into().ok());
                    number.ok_or_else(|| wrong(json, stringify!($integer)))
                }

                fn to_json(&self) -> Value {
                    (*self).into()
                }
            }
        )*
    };
}

integers! { i8 i16 u16 i32 u32 i64 }

impl Json for bool {
    fn from_json(json: &Value) -> Result<Self, JsonError> {
        json.as_bool().ok_or_else(|| wrong(json, "a bool"))
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl Json for f64 {
    fn from_json(json: &Value) -> Result<Self, JsonError> {
        json.as_f64().ok_or_else(|| wrong(json, "a number"))
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl Json for String {
    fn from_json(json: &Value) -> Result<Self, JsonError> {
        json.as_str().map(str::to_string).ok_or_else(|| wrong(json, "a string"))
    }

    fn to_json(&self) -> Value {
        self.as_str().into()
    }
}

impl Json for Uuid {
    fn from_json(json: &Value) -> Result<Self, JsonError> {
        json.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| wrong(json, "a uuid"))
    }

    fn to_json(&self) -> Value {
        self.to_string().into()
    }
}

impl Json for Vec<u8> {
    fn from_json(json: &Value) -> Result<Self, JsonError> {
        json.as_str().and_then(from_base64).ok_or_else(|| wrong(json, "bytes in base64"))
    }

    fn to_json(&self) -> Value {
        to_base64(self).into()
    }
}

impl<T: Json> Json for Vec<T> {
    fn from_json(json: &Value) -> Result<Self, JsonError> {
        let elements = json.as_array().ok_or_else(|| wrong(json, "an array"))?;
        elements.iter().map(T::from_json).collect()
    }

    fn to_json(&self) -> Value {
        self.iter().map(T::to_json).collect()
    }
}

impl<T: Json> Json for Option<T> {
    fn from_json(json: &Value) -> Result<Self, JsonError> {
        if json.is_null() { Ok(None) } else { T::from_json(json).map(Some) }
    }

    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }
}

/// A body's bytes, or why the version cannot carry it.
pub type Encoded = Result<Vec<u8>, EncodeError>;

/// One message type of the served APIs, by functions over its JSON and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Kafka's name.
    pub name: &'static str,
    /// The first version.
    pub min_version: i16,
    /// The last version.
    pub max_version: i16,
    /// The first version in the flexible form.
    pub flexible_from: i16,
    /// JSON to the bytes of a body.
    pub encode: fn(&Value, i16) -> Result<Encoded, JsonError>,
    /// The bytes of a body to JSON of every field.
    pub decode: fn(&[u8], i16) -> Result<Value, Malformed>,
}

impl Entry {
    /// The entry of one message type.
    pub fn of<M: Message + Json>() -> Self {
        Self {
            name: M::NAME,
            min_version: M::MIN_VERSION,
            max_version: M::MAX_VERSION,
            flexible_from: M::FLEXIBLE_FROM,
            encode: |json, version| Ok(M::from_json(json)?.to_bytes(version)),
            decode: |bytes, version| M::from_bytes(bytes, version).map(|body| body.to_json()),
        }
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in base64 with padding, as Kafka's converters write them.
pub fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(padded);
        for digit in 0..4 {
            let letter = BASE64[(bits >> (18 - 6 * digit)) as usize & 63];
            text.push(if digit > group.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

/// The bytes of a text in base64 with padding.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let digits = group.iter().take_while(|&&letter| letter != b'=').count();
        let mut bits = 0;
        for &letter in &group[..digits] {
            bits = bits << 6 | BASE64.iter().position(|&known| known == letter)? as u32;
        }
        let size = (digits * 6) / 8;
        bits <<= 6 * (4 - digits);
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=size]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_leads_back() {
        assert_eq!(to_base64(b"abcd"), "YWJjZA==");
        for size in 0..10_u8 {
            let bytes: Vec<_> = (0..size).map(|byte| byte.wrapping_mul(73)).collect();
            assert_eq!(from_base64(&to_base64(&bytes)), Some(bytes));
        }
    }
}
