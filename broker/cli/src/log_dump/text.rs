//! How times, keys and values look to people, and to programs.

use crate::calendar::{self, DAY_MS};
use record::Timestamp;
use serde_json::{Value, json};

/// What a person is shown of one key or value.
const SHOWN_CHARACTERS_MAX: usize = 1_000;
/// What a person is shown of bytes that are no text.
const SHOWN_BYTES_MAX: usize = 100;

/// `2026-11-21T09:00:00.123Z`, or `none`; a number where the year has more than four digits.
pub(super) fn time(timestamp: Timestamp) -> String {
    let ms = timestamp.0;
    if timestamp == Timestamp::NONE {
        return "none".to_owned();
    }
    let (days, ms_of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    // Years from 0 to 9999.
    if !(-719_528..2_932_897).contains(&days) {
        return format!("{ms} ms");
    }
    let (year, month, day) = calendar::date(days);
    let (second, ms) = (ms_of_day / 1_000, ms_of_day % 1_000);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Text as it is, or in quotes where it could be taken for something else; other bytes as
/// hexadecimal digits. Long ones are cut and say their length.
pub(super) fn bytes(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    match std::str::from_utf8(bytes) {
        Ok(text) => match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
            None => plain(text),
            Some((end, _)) => format!("{}… ({} bytes)", plain(&text[..end]), bytes.len()),
        },
        Err(_) if bytes.len() > SHOWN_BYTES_MAX => {
            format!("0x{}… ({} bytes)", hex(&bytes[..SHOWN_BYTES_MAX]), bytes.len())
        }
        Err(_) => format!("0x{}", hex(bytes)),
    }
}

fn plain(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text != "null"
        && text.trim() == text
        && !text.starts_with(['"', '0'])
        && !text.chars().any(char::is_control);
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}

/// Text as a string, other bytes as `{"hex": "…"}`, null as null; never cut.
pub(super) fn json_bytes(bytes: Option<&[u8]>) -> Value {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => Value::Null,
        Some((_, Ok(text))) => text.into(),
        Some((bytes, Err(_))) => json!({ "hex": hex(bytes) }),
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let times = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-2, "1969-12-31T23:59:59.998Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "253402300800000 ms"),
            (i64::MIN, "-9223372036854775808 ms"),
            (-1, "none"),
        ];
        for (ms, expected) in times {
            assert_eq!(time(Timestamp(ms)), expected);
        }
    }

    #[test]
    fn bytes_are_text_if_they_are_text() {
        assert_eq!(bytes(None), "null");
        assert_eq!(bytes(Some("Zürich\n".as_bytes())), "\"Zürich\\n\"");
        assert_eq!(bytes(Some(&[0xff, 0x0a])), "0xff0a");
        assert_eq!(bytes(Some(br#"{"year": 2013}"#)), r#"{"year": 2013}"#);
        for unclear in ["", "null", " a", "0xff"] {
            assert_eq!(bytes(Some(unclear.as_bytes())), format!("{unclear:?}"));
        }
        let long = "ü".repeat(1_500);
        let shown = bytes(Some(long.as_bytes()));
        assert!(shown.ends_with("… (3000 bytes)") && shown.chars().count() < 1_030, "{shown}");
        assert!(bytes(Some(&[0xff; 300])).ends_with("… (300 bytes)"));
        assert_eq!(json_bytes(Some(&[0xff])), json!({ "hex": "ff" }));
        assert_eq!(json_bytes(Some(b"")), json!(""));
        assert_eq!(json_bytes(None), Value::Null);
    }
}
