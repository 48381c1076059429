//! A vectored send as the kernel reads it: header, vector, and the leases they point into.

use crate::lease::Lease;
use crate::memory::Parked;

/// Memory that one send may borrow: a slow receiver pins no more.
pub(crate) const STEP_BYTES: usize = 256 * 1024;
/// Parts of one send; Linux allows 1024.
const STEP_PARTS: usize = 256;

/// See the module. Lives in a [`Parked`], so that its address is the kernel's too.
#[allow(dead_code, reason = "the kernel reads what the first two keep alive")]
pub(crate) struct Message {
    parts: Vec<Lease>,
    vector: Vec<libc::iovec>,
    header: libc::msghdr,
}

impl Message {
    /// The first of `parts`, up to a step's size.
    pub(crate) fn step(parts: &[Lease]) -> Parked<Message> {
        let mut room = STEP_BYTES;
        let mut step = Vec::new();
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let piece = part.slice(0..part.len().min(room));
            room -= piece.len();
            step.push(piece);
            if room == 0 || step.len() == STEP_PARTS {
                break;
            }
        }
        Message::new(step)
    }

    /// What the kernel is given. Valid as long as the message is parked.
    pub(crate) fn header(parked: &Parked<Message>) -> *const libc::msghdr {
        // SAFETY: the parked message lives, and only its address is taken.
        unsafe { &raw const (*parked.as_ptr()).header }
    }

    fn new(parts: Vec<Lease>) -> Parked<Message> {
        let mut vector: Vec<libc::iovec> = parts
            .iter()
            .map(|p| libc::iovec { iov_base: p.as_ptr().cast_mut().cast(), iov_len: p.len() })
            .collect();
        // SAFETY: a msghdr is integers and pointers; zeroes mean "none".
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = vector.as_mut_ptr();
        header.msg_iovlen = vector.len() as _;
        Parked::new(Message { parts, vector, header })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(message: &Parked<Message>) -> Vec<u8> {
        message.get().parts.iter().flat_map(|p| p.iter().copied()).collect()
    }

    #[test]
    fn a_step_has_all_parts_that_are_not_empty() {
        let parts: Vec<Lease> =
            [&b"abc"[..], b"", b"defg", b"h"].iter().map(|p| Lease::from(*p)).collect();
        let message = Message::step(&parts);
        assert_eq!(content(&message), b"abcdefgh");
        assert_eq!(message.get().vector.len(), 3);
    }

    #[test]
    fn a_step_borrows_a_bounded_amount() {
        let parts = vec![Lease::from(vec![7; 200 * 1024]); 3];
        assert_eq!(content(&Message::step(&parts)).len(), STEP_BYTES);
        let many = vec![Lease::from(vec![7; 1]); 1000];
        assert_eq!(content(&Message::step(&many)).len(), STEP_PARTS);
    }
}
