//! How a record is written out: its value, a line in a form of one's own, or a line of JSON.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use record::{RecordView, TimestampType};

use crate::escapes::{Bytes, WrongEscape};
use crate::json_bytes;

/// A record and what is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// The broker that gave it.
    pub broker: i32,
    /// Who set its timestamp.
    pub timestamp_type: TimestampType,
    /// The record.
    pub record: RecordView<'a>,
}

/// The form of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Whatever the pieces say.
    Pieces(Vec<Piece>),
    /// The fields of `kcat -J`, in its order; bytes that are no text as `{"hex": "…"}`.
    Json,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Text(Vec<u8>),
    /// `%s`: the value.
    Value,
    /// `%S`: its size, -1 for null.
    ValueSize,
    /// `%R`: the same as four bytes, big-endian.
    ValueSizeBytes,
    /// `%k`: the key.
    Key,
    /// `%K`: its size, -1 for null.
    KeySize,
    /// `%T`: the timestamp, ms since 1970.
    Timestamp,
    /// `%h`: the headers, name=value with commas.
    Headers,
    /// `%t`: the topic.
    Topic,
    /// `%p`: the partition.
    Partition,
    /// `%o`: the offset.
    Offset,
}

/// What is written for a key or value that is null.
pub type NullText = &'static [u8];

/// Why a text is no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongFormat {
    /// An escape.
    Escape(WrongEscape),
    /// Behind a percent sign.
    Piece,
}

impl fmt::Display for WrongFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escape(error) => error.fmt(f),
            Self::Piece => write!(
                f,
                "behind % stands s (value), k (key), h (headers), T (timestamp), t (topic), p \
                 (partition), o (offset), S and K (sizes of value and key), R (size of the value \
                 as four bytes), or another %"
            ),
        }
    }
}

impl std::error::Error for WrongFormat {}

/// The pieces of kcat's `-f`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces(pub Vec<Piece>);

impl FromStr for Pieces {
    type Err = WrongFormat;

    fn from_str(text: &str) -> Result<Self, WrongFormat> {
        let Bytes(bytes) = text.parse().map_err(WrongFormat::Escape)?;
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut bytes = bytes.into_iter();
        while let Some(byte) = bytes.next() {
            if byte != b'%' {
                plain.push(byte);
                continue;
            }
            let piece = match bytes.next() {
                Some(b'%') => {
                    plain.push(b'%');
                    continue;
                }
                Some(b's') => Piece::Value,
                Some(b'S') => Piece::ValueSize,
                Some(b'R') => Piece::ValueSizeBytes,
                Some(b'k') => Piece::Key,
                Some(b'K') => Piece::KeySize,
                Some(b'T') => Piece::Timestamp,
                Some(b'h') => Piece::Headers,
                Some(b't') => Piece::Topic,
                Some(b'p') => Piece::Partition,
                Some(b'o') => Piece::Offset,
                _ => return Err(WrongFormat::Piece),
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece);
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }
}

impl Format {
    /// Writes a record.
    pub fn write(&self, out: &mut impl Write, read: &Read<'_>, null: NullText) -> io::Result<()> {
        match self {
            Self::Json => write_json(out, read),
            Self::Pieces(pieces) => {
                pieces.iter().try_for_each(|piece| write_piece(out, piece, read, null))
            }
        }
    }
}

fn write_piece(
    out: &mut impl Write,
    piece: &Piece,
    read: &Read<'_>,
    null: NullText,
) -> io::Result<()> {
    let record = &read.record;
    match piece {
        Piece::Text(text) => out.write_all(text),
        Piece::Value => out.write_all(record.value.unwrap_or(null)),
        Piece::ValueSize => write!(out, "{}", size(record.value)),
        Piece::ValueSizeBytes => out.write_all(&size(record.value).to_be_bytes()),
        Piece::Key => out.write_all(record.key.unwrap_or(null)),
        Piece::KeySize => write!(out, "{}", size(record.key)),
        Piece::Timestamp => write!(out, "{}", record.timestamp.0),
        Piece::Topic => out.write_all(read.topic.as_bytes()),
        Piece::Partition => write!(out, "{}", read.partition),
        Piece::Offset => write!(out, "{}", record.offset.0),
        Piece::Headers => {
            for (index, header) in record.headers.iter().enumerate() {
                out.write_all(if index == 0 { b"" } else { b"," })?;
                out.write_all(header.key)?;
                out.write_all(b"=")?;
                out.write_all(header.value.unwrap_or(b"NULL"))?;
            }
            Ok(())
        }
    }
}

/// A field of a record is below 2 GiB.
fn size(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(-1, |bytes| bytes.len() as i32)
}

fn write_json(out: &mut impl Write, read: &Read<'_>) -> io::Result<()> {
    let record = &read.record;
    let timestamp_type = match read.timestamp_type {
        _ if record.timestamp.0 < 0 => "unknown",
        TimestampType::CreateTime => "create",
        TimestampType::LogAppendTime => "logappend",
    };
    // A topic's name and the type need no escapes.
    write!(out, r#"{{"topic":"{}","partition":{},"#, read.topic, read.partition)?;
    write!(out, r#""offset":{},"tstype":"{timestamp_type}","#, record.offset)?;
    write!(out, r#""ts":{},"broker":{}"#, record.timestamp, read.broker)?;
    if record.headers.count() > 0 {
        out.write_all(br#","headers":["#)?;
        for (index, header) in record.headers.iter().enumerate() {
            out.write_all(if index == 0 { b"" } else { b"," })?;
            json_bytes::write(out, Some(header.key))?;
            out.write_all(b",")?;
            json_bytes::write(out, header.value)?;
        }
        out.write_all(b"]")?;
    }
    out.write_all(br#","key":"#)?;
    json_bytes::write(out, record.key)?;
    out.write_all(br#","payload":"#)?;
    json_bytes::write(out, record.value)?;
    out.write_all(b"}\n")
}

#[cfg(test)]
mod tests;
