//! The unit of all direct I/O, and the checksum of all our own formats.

/// What direct writes begin and end on, in bytes.
pub(crate) const BLOCK_BYTES: usize = 4096;

/// `len` rounded up to whole blocks.
pub(crate) fn padded(len: usize) -> usize {
    len.next_multiple_of(BLOCK_BYTES)
}

/// CRC-32C (Castagnoli).
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}
