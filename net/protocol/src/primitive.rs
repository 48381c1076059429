//! The types that every Kafka message is made of, read with checks and written.
//!
//! ```text
//! type              plain form                    flexible form (KIP-482)
//! int8 … int64      big-endian                    the same
//! bool              one byte, not 0 is true       the same
//! float64, uuid     8 and 16 bytes                the same
//! string            int16 length, UTF-8           varint length + 1, UTF-8
//! bytes, records    int32 length, bytes           varint length + 1, bytes
//! array             int32 count, elements         varint count + 1, elements
//! null              length or count -1            length or count 0
//! nullable struct   int8 -1, or 1 and the struct  the same
//! end of a struct   nothing                       varint count, then tag, size, value each
//! ```

pub mod reader;
pub mod writer;

/// Kafka's longest string in bytes, in both forms.
pub const STRING_SIZE_MAX: usize = i16::MAX as usize;

/// The two ways in which lengths are written; a message's version decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Fixed-size lengths, no tagged fields.
    Plain,
    /// Variable-size lengths, and tagged fields behind every struct.
    Flexible,
}

#[cfg(test)]
mod tests;
