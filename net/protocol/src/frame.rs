//! The 4-byte size that stands before every request and response.

use crate::error::{EncodeError, Fault, Malformed};

/// Bytes of the size prefix.
pub const PREFIX_SIZE: usize = 4;

/// The size of the frame behind a prefix, if it is at most `frame_size_max`.
///
/// The limit is `socket.request.max.bytes` for a server. Nothing may be allocated by a size that
/// was not checked.
pub fn frame_size(prefix: [u8; PREFIX_SIZE], frame_size_max: usize) -> Result<usize, Malformed> {
    let size = i32::from_be_bytes(prefix);
    match usize::try_from(size) {
        Ok(frame_size) if frame_size <= frame_size_max => Ok(frame_size),
        _ => Err(Malformed { position: 0, fault: Fault::FrameSize { size } }),
    }
}

/// The prefix of a frame of `size_bytes`.
pub fn frame_prefix(size_bytes: usize) -> Result<[u8; PREFIX_SIZE], EncodeError> {
    match i32::try_from(size_bytes) {
        Ok(size) => Ok(size.to_be_bytes()),
        Err(_) => Err(EncodeError::FrameTooLarge { size_bytes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_held_to_the_limit() {
        assert_eq!(frame_size([0, 0, 1, 0], 256), Ok(256));
        assert!(frame_size([0, 0, 1, 1], 256).is_err());
        assert!(frame_size([0xff; 4], usize::MAX).is_err());
    }

    #[test]
    fn prefix_says_what_size_reads() {
        assert_eq!(frame_prefix(0x0102_0304), Ok([1, 2, 3, 4]));
        let size_bytes = 1 << 31;
        assert_eq!(frame_prefix(size_bytes), Err(EncodeError::FrameTooLarge { size_bytes }));
    }
}
