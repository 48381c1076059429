//! The lz4 frame format: our own frame reader over the block decoder.
//!
//! ```text
//!  0   4   magic 0x184D2204, little endian
//!  4   1   flags: 7-6 version 01, 5 blocks independent, 4 block checksums,
//!                 3 content size, 2 content checksum, 0 dictionary id
//!  5   1   bits 6-4: largest block, 4..7 = 64 KiB, 256 KiB, 1 MiB, 4 MiB
//!      8   content size, if flagged
//!      1   header checksum
//!          blocks: u32 size, little endian, bit 31 = stored plain; the bytes; checksum, if flagged
//!      4   0: the end
//!      4   content checksum, if flagged
//! ```
//!
//! The crate's frame reader reserves three blocks of the size that the header claims, 12 MiB for
//! seven bytes, and takes a cut frame for a whole one. This one writes straight into the output,
//! and makes room for one block at a time: 4 MiB at most, never over 255 times the block's stored
//! bytes, never over the caller's limit. Checksums inside the frame are skipped: the batch's CRC
//! covers the same bytes.

use super::DecodeFault;
use lz4_flex::block::{DecompressError, decompress_into_with_dict};
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use std::io::Write;

const MAGIC: u32 = 0x184d_2204;
const VERSION_MASK: u8 = 0xc0;
const VERSION_1: u8 = 0x40;
const INDEPENDENT_BLOCKS: u8 = 1 << 5;
const BLOCK_CHECKSUMS: u8 = 1 << 4;
const CONTENT_SIZE: u8 = 1 << 3;
const DICTIONARY_ID: u8 = 1 << 0;
const PLAIN_BLOCK: u32 = 1 << 31;
/// How far back a linked block may refer.
const WINDOW_SIZE_BYTES: usize = 64 * 1024;
/// One input byte prolongs a match by at most 255.
const RATIO_MAX: usize = 255;

/// What the frame header says of the blocks that follow.
struct Frame {
    block_size_max_bytes: usize,
    history_bytes: usize,
    checksum_bytes: usize,
}

/// Reads one frame; what follows it is ignored, as the Java client ignores it.
pub(super) fn decode(stored: &[u8], max_bytes: usize) -> Result<Vec<u8>, DecodeFault> {
    let mut rest = stored;
    let frame = take_header(&mut rest).ok_or(DecodeFault::Malformed)?;
    let mut plain = Vec::new();
    // Every turn takes at least four bytes, so the loop ends.
    loop {
        let word = u32::from_le_bytes(*take(&mut rest).ok_or(DecodeFault::Malformed)?);
        if word == 0 {
            return Ok(plain);
        }
        let length = usize::try_from(word & !PLAIN_BLOCK).map_err(|_| DecodeFault::Malformed)?;
        if length > frame.block_size_max_bytes {
            return Err(DecodeFault::Malformed);
        }
        let (block, tail) = rest
            .split_at_checked(length)
            .and_then(|(block, tail)| Some((block, tail.get(frame.checksum_bytes..)?)))
            .ok_or(DecodeFault::Malformed)?;
        rest = tail;
        if word & PLAIN_BLOCK == 0 {
            decode_block(block, &frame, max_bytes, &mut plain)?;
        } else if length > max_bytes - plain.len() {
            return Err(DecodeFault::TooLarge);
        } else {
            plain.extend_from_slice(block);
        }
    }
}

/// Appends what one compressed block holds. `plain` is at most `max_bytes` long, before and after.
fn decode_block(
    block: &[u8],
    frame: &Frame,
    max_bytes: usize,
    plain: &mut Vec<u8>,
) -> Result<(), DecodeFault> {
    let start = plain.len();
    let block_bytes = frame.block_size_max_bytes.min(block.len().saturating_mul(RATIO_MAX));
    let room_bytes = block_bytes.min(max_bytes - start);
    plain.resize(start + room_bytes, 0);
    let (before, output) = plain.split_at_mut(start);
    let history = &before[start.saturating_sub(frame.history_bytes)..];
    match decompress_into_with_dict(block, output, history) {
        Ok(written) => {
            plain.truncate(start + written);
            Ok(())
        }
        Err(DecompressError::OutputTooSmall { .. }) if room_bytes < block_bytes => {
            Err(DecodeFault::TooLarge)
        }
        Err(_) => Err(DecodeFault::Malformed),
    }
}

fn take_header(rest: &mut &[u8]) -> Option<Frame> {
    if u32::from_le_bytes(*take(rest)?) != MAGIC {
        return None;
    }
    let [flags, descriptor] = *take(rest)?;
    if flags & VERSION_MASK != VERSION_1 || flags & DICTIONARY_ID != 0 {
        return None;
    }
    let block_size_max_bytes = match descriptor {
        0x40 => 64 * 1024,
        0x50 => 256 * 1024,
        0x60 => 1024 * 1024,
        0x70 => 4 * 1024 * 1024,
        _ => return None,
    };
    if flags & CONTENT_SIZE != 0 {
        take::<8>(rest)?;
    }
    take::<1>(rest)?;
    Some(Frame {
        block_size_max_bytes,
        history_bytes: if flags & INDEPENDENT_BLOCKS == 0 { WINDOW_SIZE_BYTES } else { 0 },
        checksum_bytes: if flags & BLOCK_CHECKSUMS == 0 { 0 } else { 4 },
    })
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(taken)
}

/// Independent blocks of 64 KiB: the Java client reads no other kind.
pub(super) fn encode(plain: &[u8]) -> Option<Vec<u8>> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}
