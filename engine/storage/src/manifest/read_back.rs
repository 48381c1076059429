//! Reads a manifest back: which file counts, where it ends, and what its records add up to.

use super::file::{Place, at, file_name, file_number, may_be_header};
use super::format::{
    AtRecord, ENTRY_HEADER_SIZE_BYTES, ManifestEntry, RECORD_HEADER_SIZE_BYTES, RecordHeader,
    RecordPlace,
};
use super::table::Table;
use super::{ManifestError, record_size_bytes};
use crate::block::{BLOCK_BYTES, crc};
use crate::journal::ReplayFrom;
use runtime::{Buffer, File, Lease, Open, Shard};
use std::path::{Path, PathBuf};

/// How much is read at once; a longer record is read in one piece of its own.
const WINDOW_BYTES: u64 = 1 << 20;

/// What a manifest says, before anything was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBack {
    /// All logs.
    pub table: Table,
    /// The last whole record's number, 0 if there is none. If the journal knows a higher one as
    /// synced, the manifest has rotted.
    pub last_number: u64,
    /// Where the replay of the journal begins.
    pub replay: ReplayFrom,
    /// Where the file goes on; none in a fresh folder.
    pub(super) place: Option<Place>,
}

/// A file that is read from its beginning to its end.
struct Reader {
    shard_id: u16,
    file: File,
    path: PathBuf,
    number: u64,
    /// Whole blocks of it.
    size_bytes: u64,
    window_at: u64,
    window: Lease,
}

impl ReadBack {
    /// What a folder without a manifest says.
    fn fresh() -> ReadBack {
        ReadBack {
            table: Table::default(),
            last_number: 0,
            replay: ReplayFrom { sequence: 1, file: 0, block: 0, previous_crc: 0 },
            place: None,
        }
    }

    /// Whether the folder had no manifest yet.
    pub fn is_fresh(&self) -> bool {
        self.place.is_none()
    }
}

/// See [`super::Manifest::read`].
pub(super) async fn read(shard: &Shard, dir: &Path) -> Result<ReadBack, ManifestError> {
    let names = shard.disk().list(dir).await.map_err(at(dir))?;
    // A file gets its name when it is whole and durable, so the newest counts whatever else is
    // there.
    let newest = names.iter().filter_map(|entry| file_number(&entry.name)).max();
    let Some(number) = newest else { return Ok(ReadBack::fresh()) };
    let path = dir.join(file_name(number));
    let file = shard.disk().open(&path, Open::read().direct()).await.map_err(at(&path))?;
    let size = file.size_bytes().await.map_err(at(&path))?;
    let mut reader = Reader {
        shard_id: shard.id().0,
        file,
        path,
        number,
        size_bytes: size / BLOCK_BYTES as u64 * BLOCK_BYTES as u64,
        window_at: 0,
        window: Lease::empty(),
    };
    reader.read_all().await
}

impl Reader {
    async fn read_all(&mut self) -> Result<ReadBack, ManifestError> {
        let mut read_back = ReadBack::fresh();
        let (mut end, mut previous_crc) = (0, 0);
        while let Some((header, own_crc, entries)) =
            self.record(end, previous_crc, read_back.last_number).await?
        {
            for entry in entries {
                read_back.table.apply(entry).map_err(|unknown| ManifestError::Contradiction {
                    path: self.path.clone(),
                    position: end,
                    unknown,
                })?;
            }
            read_back.last_number = header.number;
            read_back.replay = header.replay;
            end += record_size_bytes(header.length);
            previous_crc = own_crc;
        }
        let leftover_end = self.check_end(end, read_back.last_number).await?;
        let (number, size_bytes) = (self.number, self.size_bytes);
        read_back.place = Some(Place { number, end, leftover_end, size_bytes, previous_crc });
        Ok(read_back)
    }

    /// The record at `position`, if it is whole and continues the chain.
    async fn record(
        &mut self,
        position: u64,
        previous_crc: u32,
        last_number: u64,
    ) -> Result<Option<(RecordHeader, u32, Vec<ManifestEntry>)>, ManifestError> {
        if position >= self.size_bytes {
            return Ok(None);
        }
        let Some(block) = self.bytes(position, BLOCK_BYTES as u64).await? else { return Ok(None) };
        let (header, own_crc) = match RecordHeader::at(&block) {
            AtRecord::Header { header, crc } => (header, crc),
            AtRecord::Newer { version, place } => {
                self.refuse_newer(version, place, position)?;
                return Ok(None);
            }
            AtRecord::NoHeader => return Ok(None),
        };
        // The first record of a file may have any number above 0; from there on there is no gap.
        let is_next = header.number > 0 && (position == 0 || header.number == last_number + 1);
        let fits = is_next
            && header.place() == self.place(position)
            && header.previous_crc == previous_crc
            && record_size_bytes(header.length) <= self.size_bytes - position;
        if !fits {
            return Ok(None);
        }
        let Some(bytes) = self.bytes(position, record_size_bytes(header.length)).await? else {
            return Ok(None);
        };
        let length = usize::try_from(header.length).expect("it fits the file, which fits memory");
        let entries = &bytes[RECORD_HEADER_SIZE_BYTES..length];
        if crc(entries) != header.entries_crc {
            return Ok(None);
        }
        match decode_entries(entries, header.entry_count) {
            Some(entries) => Ok(Some((header, own_crc, entries))),
            // Its CRC is right, so this was written: by another version, or by a mistake.
            None => Err(ManifestError::Rot { path: self.path.clone(), position }),
        }
    }

    /// A file begins with a whole record, and a record is written when the one before it is
    /// synced: so anything whole behind the end means that the end is rot. Returns where the last
    /// block behind the end ends that is not zeros, or can't be read.
    async fn check_end(&mut self, end: u64, last_number: u64) -> Result<u64, ManifestError> {
        let rot = ManifestError::Rot { path: self.path.clone(), position: end };
        if end == 0 {
            return Err(rot);
        }
        let (mut position, mut leftover_end) = (end, end);
        while position < self.size_bytes {
            let block = self.bytes(position, BLOCK_BYTES as u64).await?;
            if position > end
                && let Some(block) = &block
                && may_be_header(block)
            {
                match RecordHeader::at(block) {
                    AtRecord::Header { header, .. }
                        if header.number > last_number
                            && header.place() == self.place(position) =>
                    {
                        return Err(rot);
                    }
                    AtRecord::Newer { version, place } => {
                        self.refuse_newer(version, place, position)?;
                    }
                    AtRecord::Header { .. } | AtRecord::NoHeader => {}
                }
            }
            let is_blank = block.is_some_and(|block| block.iter().all(|byte| *byte == 0));
            position += BLOCK_BYTES as u64;
            if !is_blank {
                leftover_end = position;
            }
        }
        Ok(leftover_end)
    }

    /// What a newer version has written in this place, this one must not write over.
    fn refuse_newer(
        &self,
        version: u16,
        place: RecordPlace,
        position: u64,
    ) -> Result<(), ManifestError> {
        if place != self.place(position) {
            return Ok(());
        }
        Err(ManifestError::Newer { path: self.path.clone(), version })
    }

    fn place(&self, position: u64) -> RecordPlace {
        RecordPlace { shard: self.shard_id, file: self.number, position }
    }

    /// Whole blocks of the file, which holds them; none if the disk cannot read them. A write that
    /// was cut may leave that behind, and the next write to the place mends it.
    async fn bytes(&mut self, position: u64, len: u64) -> Result<Option<Lease>, ManifestError> {
        let window_end = self.window_at + self.window.len() as u64;
        if position < self.window_at || position + len > window_end {
            let wanted = len.max(WINDOW_BYTES).min(self.size_bytes - position);
            let mut read = self.read(position, wanted).await?;
            if read.is_none() && wanted > len {
                read = self.read(position, len).await?;
            }
            let Some(window) = read else { return Ok(None) };
            (self.window_at, self.window) = (position, window);
        }
        let start = usize::try_from(position - self.window_at).expect("within the window");
        let len = usize::try_from(len).expect("within the window");
        Ok(Some(self.window.slice(start..start + len)))
    }

    async fn read(&self, position: u64, len: u64) -> Result<Option<Lease>, ManifestError> {
        let size = usize::try_from(len).expect("at most the file, which fits memory");
        match self.file.read(Buffer::aligned(size), position).await {
            (Ok(got), buffer) if got == size => Ok(Some(buffer.freeze())),
            (Ok(_), _) => Err(ManifestError::Rot { path: self.path.clone(), position }),
            (Err(_), _) => Ok(None),
        }
    }
}

/// Exactly so many entries; None if the bytes are not that.
fn decode_entries(mut bytes: &[u8], count: u32) -> Option<Vec<ManifestEntry>> {
    let count = usize::try_from(count).ok()?;
    if count > bytes.len() / ENTRY_HEADER_SIZE_BYTES {
        return None;
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let (entry, rest) = ManifestEntry::decode(bytes)?;
        entries.push(entry);
        bytes = rest;
    }
    bytes.is_empty().then_some(entries)
}
