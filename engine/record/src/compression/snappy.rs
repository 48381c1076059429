//! Snappy, raw or in the framing of the Java library (xerial).
//!
//! ```text
//!  0   8   magic  82 'S' 'N' 'A' 'P' 'P' 'Y' 00
//!  8   4   version               not looked at
//! 12   4   lowest reader version not looked at
//! 16       blocks: i32 length, big endian, then so many bytes of raw snappy
//! ```
//!
//! Streams may follow each other, each with a header of its own. Java clients write this, the C
//! library reads both and writes raw.

use super::DecodeFault;
use snap::raw;

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const HEADER_SIZE_BYTES: usize = 16;
/// The block size of the Java library.
const BLOCK_SIZE_BYTES: usize = 32 * 1024;
/// Raw snappy's best is 64 bytes out of a 3-byte copy: a claim above 22 to 1 is a lie.
const RATIO_MAX: usize = 22;

pub(super) fn decode(stored: &[u8], max_bytes: usize) -> Result<Vec<u8>, DecodeFault> {
    let mut plain = Vec::new();
    if !stored.starts_with(MAGIC) {
        decode_block(stored, max_bytes, &mut plain)?;
        return Ok(plain);
    }
    let mut rest = stored;
    // Every turn takes at least four bytes, so the loop ends.
    while !rest.is_empty() {
        if rest.starts_with(MAGIC) {
            rest = rest.get(HEADER_SIZE_BYTES..).ok_or(DecodeFault::Malformed)?;
            continue;
        }
        let (length, tail) = rest.split_first_chunk().ok_or(DecodeFault::Malformed)?;
        let length =
            usize::try_from(i32::from_be_bytes(*length)).map_err(|_| DecodeFault::Malformed)?;
        let (block, tail) = tail.split_at_checked(length).ok_or(DecodeFault::Malformed)?;
        decode_block(block, max_bytes, &mut plain)?;
        rest = tail;
    }
    Ok(plain)
}

fn decode_block(block: &[u8], max_bytes: usize, plain: &mut Vec<u8>) -> Result<(), DecodeFault> {
    let claimed = raw::decompress_len(block).map_err(|_| DecodeFault::Malformed)?;
    if claimed > block.len().saturating_mul(RATIO_MAX) {
        return Err(DecodeFault::Malformed);
    }
    let start = plain.len();
    if claimed > max_bytes - start {
        return Err(DecodeFault::TooLarge);
    }
    plain.resize(start + claimed, 0);
    let written = raw::Decoder::new().decompress(block, &mut plain[start..]);
    match written {
        Ok(written) if written == claimed => Ok(()),
        _ => Err(DecodeFault::Malformed),
    }
}

pub(super) fn encode(plain: &[u8]) -> Option<Vec<u8>> {
    let mut stored = MAGIC.to_vec();
    stored.extend_from_slice(&1i32.to_be_bytes());
    stored.extend_from_slice(&1i32.to_be_bytes());
    let mut encoder = raw::Encoder::new();
    for block in plain.chunks(BLOCK_SIZE_BYTES) {
        let block = encoder.compress_vec(block).ok()?;
        stored.extend_from_slice(&i32::try_from(block.len()).ok()?.to_be_bytes());
        stored.extend_from_slice(&block);
    }
    Some(stored)
}
