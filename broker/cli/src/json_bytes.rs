//! Keys and values in JSON: text as a string, other bytes as `{"hex": "…"}`, null as null.

use std::io::{self, Write};

use serde_json::Value;

/// Writes bytes as JSON.
pub fn write(out: &mut impl Write, bytes: Option<&[u8]>) -> io::Result<()> {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => out.write_all(b"null"),
        Some((_, Ok(text))) => Ok(serde_json::to_writer(out, text)?),
        Some((bytes, Err(_))) => {
            out.write_all(br#"{"hex":""#)?;
            for byte in bytes {
                write!(out, "{byte:02x}")?;
            }
            out.write_all(br#""}"#)
        }
    }
}

/// A JSON value that stands for no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBytes;

/// The bytes that a JSON value stands for; `Ok(None)` for null.
pub fn read(value: Value) -> Result<Option<Vec<u8>>, NoBytes> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.into_bytes())),
        Value::Object(fields) => match fields.get("hex") {
            Some(Value::String(digits)) if fields.len() == 1 => unhex(digits).map(Some),
            _ => Err(NoBytes),
        },
        _ => Err(NoBytes),
    }
}

fn unhex(digits: &str) -> Result<Vec<u8>, NoBytes> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return Err(NoBytes) };
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(NoBytes);
    // Two digits are below 256.
    pairs.iter().map(|[high, low]| Ok((digit(*high)? * 16 + digit(*low)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        let samples: [Option<&[u8]>; 6] = [
            None,
            Some(b""),
            Some(b"text \"\n\0"),
            Some("\u{fc}".as_bytes()),
            Some(&all),
            Some(b"\xff"),
        ];
        for sample in samples {
            let mut text = Vec::new();
            write(&mut text, sample).expect("memory");
            let value = serde_json::from_slice(&text).expect("it is JSON");
            assert_eq!(read(value).expect("bytes").as_deref(), sample);
        }
    }

    #[test]
    fn what_stands_for_no_bytes_is_refused() {
        for text in ["1", "[]", "{}", r#"{"hex":"f"}"#, r#"{"hex":"fg"}"#, r#"{"hex":1}"#] {
            let value: Value = serde_json::from_str(text).expect("it is JSON");
            assert_eq!(read(value), Err(NoBytes), "{text}");
        }
    }
}
