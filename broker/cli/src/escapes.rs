//! Separators and formats as they are written in a shell: `\t` for a tab, `\x1f` for any byte.

use std::fmt;

/// A backslash that nothing follows which has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongEscape;

impl fmt::Display for WrongEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r"behind a backslash stands n, r, t, 0, another one, or x and two digits: \x1f")
    }
}

impl std::error::Error for WrongEscape {}

/// Bytes with the escapes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl std::str::FromStr for Bytes {
    type Err = WrongEscape;

    fn from_str(text: &str) -> Result<Self, WrongEscape> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((plain, escape)) = rest.split_once('\\') {
            bytes.extend_from_slice(plain.as_bytes());
            let (byte, length) = match escape.as_bytes().first() {
                Some(b'n') => (b'\n', 1),
                Some(b'r') => (b'\r', 1),
                Some(b't') => (b'\t', 1),
                Some(b'0') => (0, 1),
                Some(b'\\') => (b'\\', 1),
                Some(b'x') => (hexadecimal(escape.get(1..3))?, 3),
                _ => return Err(WrongEscape),
            };
            bytes.push(byte);
            rest = &escape[length..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        Ok(Self(bytes))
    }
}

fn hexadecimal(digits: Option<&str>) -> Result<u8, WrongEscape> {
    let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(WrongEscape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_and_others_are_refused() {
        let texts: [(&str, &[u8]); 6] = [
            ("", b""),
            ("a b", b"a b"),
            (r"\t", b"\t"),
            (r"a\r\nb\0\\", b"a\r\nb\0\\"),
            (r"\x1f\xffx", b"\x1f\xffx"),
            ("\u{e4}\\n", b"\xc3\xa4\n"),
        ];
        for (text, bytes) in texts {
            assert_eq!(text.parse(), Ok(Bytes(bytes.to_vec())), "{text}");
        }
        for text in ["\\", r"\q", r"\x1", r"\xfg", r"\x+1", "\\x1\u{e4}"] {
            assert_eq!(text.parse::<Bytes>(), Err(WrongEscape), "{text}");
        }
    }
}
