//! The manifest: what was read is written again to the byte, tools and recovery read one table, and
//! a store that opens on it finds the same at every start.

use std::path::{Path, PathBuf};

use runtime::sim::DiskImage;
use storage::inspect::manifest::{record_entries, record_size_bytes};
use storage::inspect::{BLOCK_BYTES, manifest_file_number};
use storage::{AtRecord, Manifest, ManifestEntry, RecordHeader, Table};

use crate::lives::{self, Outcome};
use crate::machine::{Machine, SHARD_DIR};
use crate::sample;
use crate::sealed::{Fields, Mending, mending, parts, push_padded};

const MAGIC: &[u8] = b"RMMANFST";
const HEADER_BYTES: usize = 96;
const SHARD_AT: usize = 10;
const NUMBER_AT: usize = 16;
const FILE_AT: usize = 24;
const POSITION_AT: usize = 32;
const LENGTH_AT: usize = 40;
const PREVIOUS_CRC_AT: usize = 44;
const REPLAY_AT: usize = 48;
const REPLAY_END: usize = 68;
const ZEROS_AT: usize = 68;
/// Above every record that the sample's journal knows as synced.
const FIRST_NUMBER: u64 = 1_000;

thread_local! {
    static STOPPED: StoppedStore = StoppedStore::new();
}

/// A stopped store, whose manifest an input stands in for.
struct StoppedStore {
    image: DiskImage,
    path: PathBuf,
    number: u64,
    /// Its records, without padding.
    records: Vec<u8>,
    /// Where its last record says that the replay begins.
    replay: [u8; REPLAY_END - REPLAY_AT],
}

impl StoppedStore {
    fn new() -> StoppedStore {
        let image = sample::settled_disk();
        let number = |path: &Path| manifest_file_number(path.file_name()?.to_str()?);
        let files = image.files().into_iter();
        let manifests = files.filter_map(|(path, _)| Some((number(&path)?, path)));
        let (number, path) = manifests.max().expect("a store has a manifest");
        let bytes = image.read(&path).expect("a readable file");
        let (mut records, mut replay) = (Vec::new(), [0; REPLAY_END - REPLAY_AT]);
        let mut position = 0;
        while let AtRecord::Header { header, .. } = RecordHeader::at(&bytes[position..]) {
            let length = usize::try_from(header.length).expect("in memory");
            let record = &bytes[position..position + length];
            records.extend_from_slice(record);
            replay.copy_from_slice(&record[REPLAY_AT..REPLAY_END]);
            position += usize::try_from(record_size_bytes(&header)).expect("in memory");
        }
        StoppedStore { image, path, number, records, replay }
    }
}

pub(crate) fn run(input: &[u8]) {
    STOPPED.with(|stopped| {
        let (mending, bytes) = mending(input);
        let file = file(stopped, mending, bytes);
        let told = inspect(stopped, &file);
        let machine = Machine::with_disk(&stopped.image);
        machine.put(vec![(stopped.path.clone(), file)]);
        is_recoverys(&machine, told);
        if let Outcome::Refused(reason) = lives::live(&machine) {
            assert!(!reason.is_empty());
        }
    });
}

/// The manifest's file: records in whole blocks.
fn file(stopped: &StoppedStore, mending: Mending, bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let (mut number, mut previous_crc) = (FIRST_NUMBER, 0);
    for part in parts(bytes, MAGIC) {
        let position = push_padded(&mut file, part);
        let mut record = Fields(&mut file[position..]);
        if mending == Mending::All && part.starts_with(MAGIC) {
            record.put(SHARD_AT, &0_u16.to_le_bytes());
            record.put(NUMBER_AT, &u64::to_le_bytes(number));
            record.put(FILE_AT, &stopped.number.to_le_bytes());
            record.put(POSITION_AT, &(position as u64).to_le_bytes());
            record.mend_length(LENGTH_AT, HEADER_BYTES, part.len());
            record.put(PREVIOUS_CRC_AT, &u32::to_le_bytes(previous_crc));
            record.put(REPLAY_AT, &stopped.replay);
            record.put(ZEROS_AT, &[0; 20]);
            number += 1;
        }
        if mending != Mending::None && part.starts_with(MAGIC) {
            previous_crc = record.seal(LENGTH_AT, HEADER_BYTES);
        }
    }
    file
}

/// What a tool reads: the table, and the last record's number. None if a record contradicts those
/// before it.
fn inspect(stopped: &StoppedStore, file: &[u8]) -> Option<(Table, u64)> {
    let (mut table, mut last_number) = (Table::default(), 0);
    let (mut position, mut previous_crc) = (0, 0);
    while position < file.len() {
        let here = &file[position..];
        let AtRecord::Header { header, crc } = RecordHeader::at(here) else { break };
        assert_eq!(header.encode(), here[..HEADER_BYTES], "{header:?}");
        assert_eq!(RecordHeader::crc_of(&header.encode()), crc);
        let is_next = header.number > 0 && (position == 0 || header.number == last_number + 1);
        let in_place = (header.shard, header.file) == (0, stopped.number)
            && header.position == position as u64
            && header.previous_crc == previous_crc;
        let Some(entries) = record_entries(&header, here).filter(|_| is_next && in_place) else {
            break;
        };
        for entry in entries {
            is_written_again(&entry);
            table.apply(entry).ok()?;
        }
        (last_number, previous_crc) = (header.number, crc);
        position += usize::try_from(record_size_bytes(&header)).expect("in memory");
    }
    Some((table, last_number))
}

fn is_written_again(entry: &ManifestEntry) {
    let mut encoded = Vec::new();
    entry.encode(&mut encoded);
    assert_eq!(encoded.len(), entry.encoded_bytes(), "{entry:?}");
    let (decoded, rest) = ManifestEntry::decode(&encoded).expect("it was decoded before");
    assert!(rest.is_empty() && decoded == *entry, "{entry:?} became {decoded:?}");
}

/// Recovery reads the table that the tool has read, or says why it reads none.
fn is_recoverys(machine: &Machine, told: Option<(Table, u64)>) {
    let read =
        machine.run(|shard| async move { Manifest::read(&shard, Path::new(SHARD_DIR)).await });
    match read {
        Ok(read) => {
            let (table, last_number) = told.expect("recovery has read all entries");
            assert_eq!((read.table, read.last_number), (table, last_number));
        }
        Err(error) => assert!(!error.to_string().is_empty(), "{error:?} says nothing"),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let golden = include_bytes!("../../../engine/storage/tests/golden/manifest-record.bin");
    let records = STOPPED.with(|stopped| stopped.records.clone());
    vec![
        Mending::None.before(golden),
        Mending::All.before(golden),
        Mending::None.before(&records),
        Mending::Checksums.before(&records),
        Mending::All.before(&records),
    ]
}

const _: () = assert!(HEADER_BYTES < BLOCK_BYTES);
