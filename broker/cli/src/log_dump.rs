//! `ringmain log dump`: shows what stands in a broker's files, byte for byte, and what is wrong.

mod batch;
mod data_folder;
mod index;
mod journal;
mod layout;
mod manifest;
mod missing;
mod paths;
mod pieces;
mod report;
mod segment;
mod text;

use crate::fault::{self, Fault};
use crate::options::Reader;
use data_folder::DataFolders;
use paths::{Kind, Named};
use pieces::Pieces;
use report::{Format, Report, Stop};
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Show what stands in journal, manifest, layout and segment files
///
/// Reads, and changes nothing: journal files (journal-*.rj), manifests (manifest-*.rm), the data
/// folder's layout, and Kafka's segments (.log, .index, .timeindex), Ringmain's or Apache Kafka's.
/// Of a whole data folder it also says which files are missing.
/// In the files of a running broker the very end may look torn.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct LogDump {
    /// Files, or folders: then everything below them
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Show every record of every batch: key, value, headers, timestamp
    #[arg(long)]
    pub records: bool,
    /// Write one JSON object a line, for programs
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  ringmain log dump data
      everything that a broker has written; ends with a line that says whether all is well
  ringmain log dump --records data/partitions/flights-0.*/00000000000000000000.log
      what was produced to a partition, record by record, as far as it has settled
  ringmain log dump --records data/shard-000/journal-00000.rj
      the newest records, which have not settled yet
  ringmain log dump --json data/shard-000 | jq 'select(.fault)'
      only what is damaged
  ringmain log dump /var/lib/kafka/data/flights-0/00000000000000000000.timeindex
      an index of Apache Kafka, held against the .log beside it

What a person sees:
  position of a thing in its file, in bytes; what it is; its fields; behind '!!' what is wrong.

Exit status:
  0  all is well
  1  damage was found, or something that must be there is missing
  2  a file could not be read, or is nothing that Ringmain knows (then the dump is not complete)";

/// What is wanted beside the files' own structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Batches by their headers.
    Batches,
    /// Every record in them.
    Records,
}

/// Writes the dump to the standard output. The exit status is 0 if all is well, 1 for damage, 2
/// for files that cannot be read or are unknown.
pub fn run(args: &LogDump) -> ExitCode {
    let format = if args.json { Format::Json } else { Format::Text };
    let mut report = Report::new(BufWriter::new(io::stdout().lock()), format);
    match dump(args, &mut report) {
        // Whoever reads no further has seen what he wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let reader = if args.json { Reader::Program } else { Reader::Person };
            fault::say(&Unwritten(error), reader);
            ExitCode::from(2)
        }
        Ok(()) => ExitCode::from(report.status()),
    }
}

/// The dump can't be written out.
struct Unwritten(io::Error);

impl Fault for Unwritten {}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the dump cannot be written: {}", self.0)
    }
}

fn dump<W: Write>(args: &LogDump, report: &mut Report<W>) -> io::Result<()> {
    let depth = if args.records { Depth::Records } else { Depth::Batches };
    let mut folders = DataFolders::default();
    for path in &args.paths {
        let files = paths::below(path);
        let is_empty = files.is_empty();
        if is_empty {
            report.begin(path);
            report.unreadable("there is no file in it: is it a broker's data folder?")?;
        }
        for named in files {
            let outcome = match named {
                Ok(named) => dump_file(&named, depth, &mut folders, report),
                Err((path, error)) => {
                    report.begin(&path);
                    Err(Stop::Read(error))
                }
            };
            match outcome {
                Ok(()) => {}
                Err(Stop::Read(error)) => report.unreadable(&error.to_string())?,
                Err(Stop::Output(error)) => return Err(error),
            }
        }
        if path.is_dir() && !is_empty {
            match missing::report(path, &folders, report) {
                Ok(()) => {}
                Err(Stop::Read(error)) => report.unreadable(&error.to_string())?,
                Err(Stop::Output(error)) => return Err(error),
            }
        }
    }
    report.finish()
}

fn dump_file<W: Write>(
    named: &Named,
    depth: Depth,
    folders: &mut DataFolders,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    let path = &named.path;
    report.begin(path);
    let mut file = Pieces::open(path).map_err(Stop::Read)?;
    let kind = match named.kind {
        Kind::Unknown => paths::kind_by_content(&mut file).map_err(Stop::Read)?,
        kind => kind,
    };
    report.file(kind.name(), file.size_bytes())?;
    match kind {
        Kind::Journal => journal::dump(path, &mut file, depth, folders, report),
        Kind::Manifest => manifest::dump(path, &mut file, report),
        Kind::Layout => layout::dump(&mut file, report),
        Kind::Log => segment::dump(path, &mut file, depth, folders, report),
        Kind::OffsetIndex => index::dump_offsets(path, &mut file, folders, report),
        Kind::TimeIndex => index::dump_times(path, &mut file, folders, report),
        Kind::NotShown => Ok(()),
        Kind::Unknown => {
            Ok(report.unreadable("it is no journal, manifest, layout or segment: leave it out")?)
        }
    }
}
