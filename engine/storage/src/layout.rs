//! The data folder's `layout`: who it belongs to and how many shards it has, as one block of bytes.

use crate::block::{BLOCK_BYTES, crc};
use crate::fields::Fields;
use std::fmt;

const MAGIC: [u8; 8] = *b"RMLAYOUT";
const FORMAT_VERSION: u16 = 1;
const SHARD_COUNT_MAX: u16 = 1_024;
const CRC_AT: usize = BLOCK_BYTES - 4;

/// What a data folder's `layout` says.
///
/// ```text
///  0 magic "RMLAYOUT"   8    12 broker id           4     40 zero  4052
///  8 format version     2    16 layout generation   8   4092 CRC      4
/// 10 shard count        2    24 cluster id         16
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many shards the data is spread over.
    pub shard_count: u16,
    /// Whose data it is: `node.id`.
    pub broker_id: i32,
    /// Rises by one at each change of the count.
    pub generation: u64,
    /// The cluster's id.
    pub cluster_id: [u8; 16],
}

/// Why bytes are no layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutFault {
    /// Not one block.
    Size {
        /// So many bytes.
        size_bytes: usize,
    },
    /// It does not begin with the magic.
    Magic,
    /// The bytes are not the ones that were written.
    Crc,
    /// A newer version wrote it.
    Newer {
        /// The version that it states.
        version: u16,
    },
    /// Its CRC is right, and yet a field has a value that none may have.
    Field,
}

impl Layout {
    /// The whole file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; BLOCK_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.shard_count.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.broker_id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.cluster_id);
        let own_crc = crc(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&own_crc.to_le_bytes());
        bytes
    }

    /// Reads the whole file.
    pub fn decode(bytes: &[u8]) -> Result<Layout, LayoutFault> {
        let size_bytes = bytes.len();
        if !bytes.starts_with(&MAGIC) {
            return Err(LayoutFault::Magic);
        }
        if size_bytes != BLOCK_BYTES {
            return Err(LayoutFault::Size { size_bytes });
        }
        if crc(&bytes[..CRC_AT]).to_le_bytes() != bytes[CRC_AT..] {
            return Err(LayoutFault::Crc);
        }
        let mut fields = Fields::new(&bytes[MAGIC.len()..CRC_AT]);
        match fields.u16() {
            Some(version) if version > FORMAT_VERSION => Err(LayoutFault::Newer { version }),
            _ => Layout::decode_fields(&mut fields).ok_or(LayoutFault::Field),
        }
    }

    fn decode_fields(fields: &mut Fields<'_>) -> Option<Layout> {
        let shard_count = fields.u16()?;
        let broker_id = fields.i32()?;
        let generation = fields.u64()?;
        let cluster_id = fields.array()?;
        let is_sound = (1..=SHARD_COUNT_MAX).contains(&shard_count)
            && fields.rest().iter().all(|byte| *byte == 0);
        is_sound.then_some(Layout { shard_count, broker_id, generation, cluster_id })
    }
}

impl fmt::Display for LayoutFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutFault::Size { size_bytes } => {
                write!(f, "{size_bytes} bytes instead of {BLOCK_BYTES}: restore it from a backup")
            }
            LayoutFault::Magic => write!(f, "it is no layout file: look for the right one"),
            LayoutFault::Crc => write!(f, "its CRC is wrong: restore it from a backup"),
            LayoutFault::Newer { version } => {
                write!(f, "format version {version}: use the newer ringmain that wrote it")
            }
            LayoutFault::Field => write!(f, "a field is impossible: restore it from a backup"),
        }
    }
}

impl std::error::Error for LayoutFault {}
