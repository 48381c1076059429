//! Kafka's 128-bit identifiers and their text form.

use std::fmt;
use std::str::FromStr;

/// A topic's id, a directory's, a member's: 16 bytes, printed as Kafka does in URL-safe base64
/// without padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// The id that stands for none. Kafka also reserves [`Self::ONE`].
    pub const ZERO: Self = Self([0; 16]);

    /// The reserved id 1, which Kafka uses for the metadata topic.
    pub const ONE: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

/// The URL-safe base64 alphabet (RFC 4648, section 5).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Digits of the text form: 21 of six bits, and one of the last two.
const DIGITS: usize = 22;

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        let mut text = [0_u8; DIGITS];
        for (index, digit) in text[..DIGITS - 1].iter_mut().enumerate() {
            *digit = ALPHABET[(value >> (122 - 6 * index)) as usize & 63];
        }
        text[DIGITS - 1] = ALPHABET[(value << 4) as usize & 63];
        for digit in text {
            write!(f, "{}", char::from(digit))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a [`Uuid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UuidParseError {
    /// It does not have 22 characters.
    Length {
        /// The characters that it has, in bytes.
        length: usize,
    },
    /// A character outside the alphabet, or bits behind the 128th.
    Digit {
        /// The index of the character.
        index: usize,
    },
}

impl fmt::Display for UuidParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { length } => {
                write!(f, "an id has 22 characters of URL-safe base64, this has {length}")
            }
            Self::Digit { index } => {
                write!(f, "character {index} of the id is not one of URL-safe base64: correct it")
            }
        }
    }
}

impl std::error::Error for UuidParseError {}

impl FromStr for Uuid {
    type Err = UuidParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != DIGITS {
            return Err(UuidParseError::Length { length: text.len() });
        }
        let mut value = 0_u128;
        for (index, character) in text.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|&letter| letter == character);
            let digit = digit.ok_or(UuidParseError::Digit { index })? as u128;
            if index < DIGITS - 1 {
                value = value << 6 | digit;
            } else if digit & 0xf == 0 {
                value = value << 2 | digit >> 4;
            } else {
                return Err(UuidParseError::Digit { index });
            }
        }
        Ok(Self(value.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_kafkas() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::ONE.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
    }

    #[test]
    fn text_form_parses_back() {
        let id = Uuid(std::array::from_fn(|index| (index as u8).wrapping_mul(83) ^ 0x5a));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn other_text_is_refused() {
        let length = UuidParseError::Length { length: 3 };
        assert_eq!("AAA".parse::<Uuid>(), Err(length));
        let slash = UuidParseError::Digit { index: 2 };
        assert_eq!("AA/AAAAAAAAAAAAAAAAAAA".parse::<Uuid>(), Err(slash));
        let bits_behind = UuidParseError::Digit { index: 21 };
        assert_eq!("AAAAAAAAAAAAAAAAAAAAAB".parse::<Uuid>(), Err(bits_behind));
    }
}
