//! The records of the flights test: 336,776 departures of New York's airports in 2013.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use launch::environment;

use crate::client::Client;
use crate::workspace;

/// How many flights there are.
pub const ALL: usize = 336_776;

/// One record as its writer has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// The scheduled departure, in ms since 1970 UTC.
    pub timestamp_ms: i64,
    /// Carrier and origin, as readers print headers.
    pub headers: String,
    /// The tail number; 2,512 flights have none.
    pub key: Option<String>,
    /// All columns as JSON; no two flights have the same.
    pub value: String,
}

/// The first flights of the year, and the files that writers read them from.
#[derive(Debug)]
pub struct Flights {
    rows: Vec<Flight>,
    places: Places,
    /// Where they lie.
    pub files: Files,
}

/// The same flights in the forms that writers take; fields have tabs between.
#[derive(Debug, Default)]
pub struct Files {
    /// Lines of timestamp, carrier, origin, key and value: all flights, however many are written.
    pub full: PathBuf,
    /// Lines of key and value: all that kcat can take from a file.
    pub keyed: PathBuf,
    /// Lines of headers, key or [`NO_KEY`], and value: what Kafka's console producer can take.
    pub headed: PathBuf,
}

/// What stands for the key of a flight without one where an empty key would be a key.
pub const NO_KEY: &str = "-";

impl Flights {
    /// All flights; they are made once a machine and read once a process.
    pub fn all() -> &'static Self {
        static FLIGHTS: OnceLock<Flights> = OnceLock::new();
        FLIGHTS.get_or_init(|| Self::load(ALL))
    }

    /// The first `count` flights.
    ///
    /// # Panics
    ///
    /// If the peers are not installed, or the data is not what it was when this test was written.
    pub fn load(count: usize) -> Self {
        let full = made_once("flights.tsv", |path| {
            let folder = workspace::fresh_folder("flights");
            let path = path.to_str().expect("paths of the workspace are UTF-8");
            Client::python(&folder, "flights", &[path]).output();
            fs::remove_dir_all(&folder).expect("its only user has ended");
        });
        let text = fs::read_to_string(&full).expect("it was made or found");
        let rows: Vec<Flight> = text.lines().take(count).map(flight).collect();
        assert_eq!(rows.len(), count, "there are fewer flights in {}", full.display());
        if count == ALL {
            assert_eq!(rows.iter().filter(|row| row.key.is_none()).count(), 2_512);
        }
        let keyed = made_of(&rows, "keyed", |row| {
            let key = row.key.as_deref().unwrap_or("");
            format!("{key}\t{}\n", row.value)
        });
        let headed = made_of(&rows, "headed", |row| {
            let headers = row.headers.replace('=', ":");
            let key = row.key.as_deref().unwrap_or(NO_KEY);
            format!("{headers}\t{key}\t{}\n", row.value)
        });
        Self::of(rows, Files { full, keyed, headed })
    }

    /// These flights, which lie in these files.
    pub fn of(rows: Vec<Flight>, files: Files) -> Self {
        let places = rows.iter().enumerate().map(|(place, row)| (row.value.clone(), place));
        let places: Places = places.collect();
        assert_eq!(places.len(), rows.len(), "two flights have the same value");
        Self { rows, places, files }
    }

    /// The records in the order in which they are written.
    pub fn rows(&self) -> &[Flight] {
        &self.rows
    }

    /// The place in that order of the record with this value.
    pub fn place(&self, value: &str) -> Option<usize> {
        self.places.get(value).copied()
    }
}

type Places = HashMap<String, usize, BuildHasherDefault<WordHasher>>;

/// A hash of long keys for a map that is asked for every record that is read: std's own takes as
/// long as all the rest of a comparison.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        for chunk in bytes.chunks(size_of::<u64>()) {
            let mut word = [0; size_of::<u64>()];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(ODD);
        }
    }

    fn finish(&self) -> u64 {
        // The map takes the lowest bits, which depend on the lowest of each word alone.
        self.0 ^ (self.0 >> 32)
    }
}

/// The file below the peers with this name; `make` is called with another name if it is missing,
/// so that an interrupted run leaves no half of it.
fn made_once(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let path = environment::target().join("peers").join(name);
    if !path.exists() {
        let unfinished = path.with_extension(format!("{}", std::process::id()));
        make(&unfinished);
        fs::rename(&unfinished, &path).expect("both names are in one folder");
    }
    path
}

/// The file of these rows in the form of this name, a line a row.
fn made_of(rows: &[Flight], form: &str, line: impl Fn(&Flight) -> String) -> PathBuf {
    made_once(&format!("flights-{form}-{}.tsv", rows.len()), |path| {
        let lines: String = rows.iter().map(line).collect();
        fs::write(path, lines).expect("target can be written");
    })
}

fn flight(line: &str) -> Flight {
    let fields: Vec<&str> = line.split('\t').collect();
    let [timestamp, carrier, origin, key, value] = fields[..] else {
        panic!("not a flight: {line}");
    };
    Flight {
        timestamp_ms: timestamp.parse().expect("flights.py writes an integer"),
        headers: format!("carrier={carrier},origin={origin}"),
        key: (!key.is_empty()).then(|| key.to_string()),
        value: value.to_string(),
    }
}
