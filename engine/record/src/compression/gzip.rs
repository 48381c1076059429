//! Gzip, by flate2.

use super::DecodeFault;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};

/// Reads all members, as Java's GZIPInputStream does.
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
