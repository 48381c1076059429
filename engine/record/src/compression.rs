//! The codecs of a batch's records, and decompression that stops at a limit.

#[cfg(feature = "codecs")]
mod gzip;
#[cfg(feature = "codecs")]
mod lz4;
#[cfg(feature = "codecs")]
mod snappy;
#[cfg(feature = "codecs")]
mod zstandard;

use crate::error::{BuildError, RecordsError};
use std::borrow::Cow;
use std::fmt;

/// How a batch's records are compressed: attribute bits 0-2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// 0: not at all.
    #[default]
    None,
    /// 1: gzip (RFC 1952), one member or several.
    Gzip,
    /// 2: snappy, in the xerial framing of the Java clients or raw.
    Snappy,
    /// 3: the lz4 frame format.
    Lz4,
    /// 4: zstd (KIP-110).
    Zstd,
}

/// Why a codec stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(feature = "codecs")]
enum DecodeFault {
    /// The bytes break the codec's format.
    Malformed,
    /// More would come out than the limit allows.
    TooLarge,
}

impl Compression {
    /// The codec of a number from a header.
    pub fn from_id(id: u8) -> Option<Compression> {
        match id {
            0 => Some(Compression::None),
            1 => Some(Compression::Gzip),
            2 => Some(Compression::Snappy),
            3 => Some(Compression::Lz4),
            4 => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// The number that stands in a header.
    pub fn id(self) -> u8 {
        match self {
            Compression::None => 0,
            Compression::Gzip => 1,
            Compression::Snappy => 2,
            Compression::Lz4 => 3,
            Compression::Zstd => 4,
        }
    }

    /// Kafka's name, as the configuration key compression.type has it.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// An upper bound of what can come out of `stored_bytes`, by the codec's format alone.
    pub(crate) fn most_bytes(self, stored_bytes: usize) -> usize {
        let ratio = match self {
            Compression::None => 1,
            // Two bits for a match of 258 bytes (RFC 1951).
            Compression::Gzip => 1032,
            // Three bytes for a copy of 64.
            Compression::Snappy => 22,
            // A byte for 255 more of a match.
            Compression::Lz4 => 255,
            // A block of one repeated byte: four bytes for 128 KiB (RFC 8878).
            Compression::Zstd => 32 << 10,
        };
        stored_bytes.saturating_mul(ratio)
    }

    /// Decompresses `stored`, stopping with an error above `max_bytes`.
    ///
    /// No codec allocates by what its bytes claim: memory follows what has come out, up to the
    /// limit. No codec goes on without consuming input or producing output, so time is bounded by
    /// the two lengths.
    pub(crate) fn decompress(
        self,
        stored: &[u8],
        max_bytes: usize,
    ) -> Result<Cow<'_, [u8]>, RecordsError> {
        if self == Compression::None {
            return Ok(Cow::Borrowed(stored));
        }
        self.run_decoder(stored, max_bytes).map(Cow::Owned)
    }

    #[cfg(feature = "codecs")]
    fn run_decoder(self, stored: &[u8], max_bytes: usize) -> Result<Vec<u8>, RecordsError> {
        let decoded = match self {
            Compression::None => Ok(stored.to_vec()),
            Compression::Gzip => gzip::decode(stored, max_bytes),
            Compression::Snappy => snappy::decode(stored, max_bytes),
            Compression::Lz4 => lz4::decode(stored, max_bytes),
            Compression::Zstd => zstandard::decode(stored, max_bytes),
        };
        decoded.map_err(|fault| match fault {
            DecodeFault::Malformed => RecordsError::Undecompressable { compression: self },
            DecodeFault::TooLarge => RecordsError::DecompressedTooLarge { max_bytes },
        })
    }

    #[cfg(not(feature = "codecs"))]
    fn run_decoder(self, _: &[u8], _: usize) -> Result<Vec<u8>, RecordsError> {
        Err(RecordsError::CodecAbsent { compression: self })
    }

    /// Compresses `plain` the way the Java client would, at the codec's usual level.
    #[cfg(feature = "codecs")]
    pub(crate) fn compress(self, plain: Vec<u8>) -> Result<Vec<u8>, BuildError> {
        let encoded = match self {
            Compression::None => Some(plain),
            Compression::Gzip => gzip::encode(&plain),
            Compression::Snappy => snappy::encode(&plain),
            Compression::Lz4 => lz4::encode(&plain),
            Compression::Zstd => zstandard::encode(&plain),
        };
        encoded.ok_or(BuildError::CodecFailed { compression: self })
    }

    /// Without codecs only the absence of one works.
    #[cfg(not(feature = "codecs"))]
    pub(crate) fn compress(self, plain: Vec<u8>) -> Result<Vec<u8>, BuildError> {
        match self {
            Compression::None => Ok(plain),
            compression => Err(BuildError::CodecAbsent { compression }),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(all(test, feature = "codecs"))]
mod tests;
