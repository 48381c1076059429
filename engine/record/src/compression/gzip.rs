//! Gzip, by flate2.

use super::DecodeFault;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};

/// Reads all members that follow each other (RFC 1952, 2.2). Anything else behind the last one is
/// malformed, though Java's GZIPInputStream passes over it: nobody has written it on purpose.
pub(super) fn decode(stored: &[u8], max_bytes: usize) -> Result<Vec<u8>, DecodeFault> {
    let mut plain = Vec::new();
    // One byte above the limit tells "exactly full" from "more to come".
    let bound = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(stored)
        .take(bound)
        .read_to_end(&mut plain)
        .map_err(|_| DecodeFault::Malformed)?;
    if plain.len() > max_bytes { Err(DecodeFault::TooLarge) } else { Ok(plain) }
}

pub(super) fn encode(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_one_after_the_other_and_nothing_else_may_follow() {
        let mut stored = encode(b"first ").expect("into memory");
        stored.extend(encode(b"second").expect("into memory"));
        assert_eq!(decode(&stored, 12).expect("two members"), b"first second");
        stored.extend([1, 2, 3]);
        assert!(matches!(decode(&stored, 12), Err(DecodeFault::Malformed)));
    }
}
