//! Walks a buffer of batches: a segment, a fetch response, a replicated run.

use crate::batch::BatchView;
use crate::error::BatchError;

/// The batches of a buffer in order; see [`split`].
#[derive(Clone, Debug)]
pub struct Split<'a> {
    rest: &'a [u8],
    failed: Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    Yes,
    No,
}

/// The batches of `records`, front to back, each with its frame checked and nothing else.
///
/// The first failure ends the walk. [`BatchError::Partial`] is the ordinary end of a buffer that
/// was cut at a size: [`Split::rest`] then holds the part.
pub fn split(records: &[u8]) -> Split<'_> {
    Split { rest: records, failed: Failed::No }
}

impl<'a> Split<'a> {
    /// The bytes that no batch has been taken from: behind a failure, from the failing batch on.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.failed == Failed::Yes {
            return None;
        }
        match BatchView::parse(self.rest) {
            Ok((batch, rest)) => {
                self.rest = rest;
                Some(Ok(batch))
            }
            Err(error) => {
                self.failed = Failed::Yes;
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compression, testing};

    #[test]
    fn batches_come_in_order_and_the_cut_one_is_named() {
        let first = testing::sample_batch(Compression::None, 3);
        let second = testing::sample_batch(Compression::None, 5);
        let buffer = [first.clone(), second.clone()].concat();
        for cut in 0..=buffer.len() {
            let mut walk = split(&buffer[..cut]);
            let whole = walk.by_ref().take_while(Result::is_ok).flatten().count();
            let expect = usize::from(cut >= first.len()) + usize::from(cut == buffer.len());
            assert_eq!(whole, expect, "cut at {cut}");
            let taken = [0, first.len(), buffer.len()][expect];
            assert_eq!(walk.rest(), &buffer[taken..cut]);
            assert!(walk.next().is_none(), "a failure ends the walk");
            if taken != cut {
                let last = split(&buffer[..cut]).last().expect("something was there");
                let Err(BatchError::Partial { needed_bytes, available_bytes }) = last else {
                    panic!("cut at {cut}: {last:?}");
                };
                assert_eq!(available_bytes, cut - taken);
                assert!(needed_bytes > available_bytes);
            }
        }
    }

    #[test]
    fn empty_buffer_has_no_batch() {
        assert!(split(&[]).next().is_none());
    }
}
