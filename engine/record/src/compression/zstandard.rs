//! Zstd, by the C library in one shot.
//!
//! One shot and not streaming: a streaming decoder allocates the window that the frame claims, up
//! to 128 MiB for a few bytes, while this one uses the output itself as its window, so that frames
//! of every window size can be read.

use super::DecodeFault;
use zstd::zstd_safe::{self, DCtx};

/// The least room for a first try.
const FIRST_TRY_MIN_BYTES: usize = 64 * 1024;
/// Rarely exceeded, so that most batches take one try.
const USUAL_RATIO: usize = 8;
/// Each further try has so many times the room of the one before, so all tries together cost
/// little more than the last.
const GROWTH: usize = 8;
/// The C library's ZSTD_error_dstSize_tooSmall, as the negative number that its functions return.
const OUTPUT_TOO_SMALL: usize = 70usize.wrapping_neg();

/// Reads all frames, as the Java client does; skippable ones give nothing.
pub(super) fn decode(stored: &[u8], max_bytes: usize) -> Result<Vec<u8>, DecodeFault> {
    // No context means no memory for one: to the caller the batch cannot be read.
    let mut context = DCtx::try_create().ok_or(DecodeFault::Malformed)?;
    let mut room_bytes =
        stored.len().saturating_mul(USUAL_RATIO).max(FIRST_TRY_MIN_BYTES).min(max_bytes);
    loop {
        let mut plain = Vec::with_capacity(room_bytes);
        match context.decompress(&mut plain, stored) {
            Ok(_) if plain.len() > max_bytes => return Err(DecodeFault::TooLarge),
            Ok(_) => return Ok(plain),
            Err(OUTPUT_TOO_SMALL) if room_bytes < max_bytes => {
                room_bytes = room_bytes.saturating_mul(GROWTH).min(max_bytes);
            }
            Err(OUTPUT_TOO_SMALL) => return Err(DecodeFault::TooLarge),
            Err(_) => return Err(DecodeFault::Malformed),
        }
    }
}

pub(super) fn encode(plain: &[u8]) -> Option<Vec<u8>> {
    let mut stored = Vec::with_capacity(zstd_safe::compress_bound(plain.len()));
    zstd_safe::compress(&mut stored, plain, zstd_safe::CLEVEL_DEFAULT).ok()?;
    Some(stored)
}
