//! `ringmain consume`: reads a topic and writes its records out.

mod format;
mod place;
mod reading;

use std::fmt;
use std::io::{self, BufWriter};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::ErrorCode;
use record::{BatchError, RecordsError};

use crate::client::error::ClientError;
use crate::client::offsets::Isolation;
use crate::ending::Ending;
use crate::escapes::Bytes;
use crate::fault::{Fault, with_errors};
use crate::options::{Reach, Reader, whole};
use format::{Format, Piece, Pieces};
use place::{Place, Range};
use reading::{Reading, Wanted};

/// Bytes that are gathered for one write to the standard output.
const OUTPUT_BUFFER_BYTES: usize = 256 << 10;

/// Read a topic's records
///
/// Writes each record's value and a newline, from the first record on, and waits for more until it
/// is interrupted; --to, -e or -n say where it ends. Partitions are read side by side; each in its
/// order.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = with_errors(EXAMPLES))]
pub struct Consume {
    /// The topic
    pub topic: String,
    /// Read only these partitions, numbers with commas between
    #[arg(
        short,
        long,
        value_name = "NUMBER",
        value_delimiter = ',',
        help_heading = "Which records"
    )]
    #[arg(value_parser = whole(0_i32..), allow_negative_numbers = true)]
    pub partition: Vec<i32>,
    /// Where to begin: beginning, end, an offset, -10 (before the end), a time, -15m (ago)
    #[arg(short = 'o', long, value_name = "PLACE", default_value = "beginning")]
    #[arg(allow_hyphen_values = true, help_heading = "Which records")]
    from: Place,
    /// Where to end, the record there not included: end (as it is now), an offset, a time
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    #[arg(help_heading = "Which records")]
    to: Option<Place>,
    /// The same as --to end
    #[arg(short = 'e', long, conflicts_with = "to", help_heading = "Which records")]
    exit_at_end: bool,
    /// End after so many records
    #[arg(short = 'n', long, value_name = "NUMBER", help_heading = "Which records")]
    #[arg(value_parser = whole(0_u64..), allow_negative_numbers = true)]
    pub count: Option<u64>,
    /// Read records of open and aborted transactions, too
    #[arg(long, help_heading = "Which records")]
    uncommitted: bool,
    /// Write JSON lines with the fields of `kcat -J`, as `ringmain produce --json` takes them
    #[arg(long, help_heading = "How")]
    #[arg(conflicts_with_all = ["format", "key_separator", "delimiter"])]
    json: bool,
    /// Write this for each record: %s value, %k key, %h headers, %T timestamp (ms), %t topic,
    /// %p partition, %o offset, %S %K sizes; \n \t \xNN. The letters of `kcat -f`
    #[arg(short, long, value_name = "FORMAT", help_heading = "How")]
    #[arg(conflicts_with_all = ["key_separator", "delimiter"])]
    format: Option<Pieces>,
    /// Write the key and this before each value
    #[arg(short = 'K', long, value_name = "SEPARATOR", help_heading = "How")]
    key_separator: Option<Bytes>,
    /// Write this behind each record
    #[arg(
        short = 'D',
        long,
        value_name = "DELIMITER",
        default_value = "\\n",
        help_heading = "How"
    )]
    delimiter: Bytes,
    /// Write NULL for a key or value that is null, instead of nothing
    #[arg(short = 'Z', long, help_heading = "How")]
    show_null: bool,
    #[command(flatten)]
    reach: Reach,
}

const EXAMPLES: &str = "\
Examples:
  ringmain consume flights -e                  all values that there are, then end
  ringmain consume flights --from end          what comes from now on, like tail -f
  ringmain consume flights -o -10 -e           the last ten records of each partition
  ringmain consume flights -K '\\t' -Z -e       key, tab, value; NULL where there is none
  ringmain consume flights --json -n 1         one record with all that is known of it
  ringmain consume flights --from 2026-11-21T09:00 --to 2026-11-21T10:00
      an hour of records by their timestamps (of each partition up to the first later one), UTC
  ringmain consume flights --from -15m -f '%T %p/%o %k %s\\n'
      a quarter of an hour and what comes, with timestamp, partition and offset
  ringmain consume flights --json -e | ringmain produce copy --json
      a copy with keys, headers, timestamps and partitions

Places (--from and --to):
  beginning, end      as they are when the command starts
  1000                an offset; outside of a partition, the nearer end of it
  -10                 so many records before the end
  2013-01-01T05:15    the first record with this timestamp or a later one; UTC, or with a zone
                      (+02:00); @1357017300000 says the same in ms since 1970
  -90s -15m -2h -7d   so long ago

Exit status:
  0    all that was wanted was written, or nobody wants to read any more (a closed pipe)
  1    something went wrong; the message says what to do
  130  interrupted";

/// Why a topic could not be read to its end.
#[derive(Debug)]
pub enum ConsumeError {
    /// The cluster can't be asked, or refuses.
    Client(ClientError),
    /// The records can't be written out.
    Output(io::Error),
    /// A batch is damaged.
    Batch {
        /// Where.
        partition: i32,
        /// Its first offset.
        offset: i64,
        /// How.
        error: BatchError,
    },
    /// The records in a batch can't be read.
    Records {
        /// Where.
        partition: i32,
        /// The batch's first offset.
        offset: i64,
        /// Why.
        error: RecordsError,
    },
}

/// Reads until the end that the arguments say.
pub fn run(args: &Consume) -> Result<Ending, ConsumeError> {
    let mut cluster = args.reach.cluster()?;
    let topic = cluster.topic_with_leaders(&args.topic)?;
    let mut partitions: Vec<i32> = match args.partition.is_empty() {
        true => topic.partitions.iter().map(|partition| partition.index).collect(),
        false => args.partition.clone(),
    };
    partitions.sort_unstable();
    partitions.dedup();
    let range = args.range();
    let positions = range.find(&mut cluster, &topic, &partitions, now_ms())?;
    let out = BufWriter::with_capacity(OUTPUT_BUFFER_BYTES, io::stdout().lock());
    let wanted = Wanted {
        positions,
        isolation: range.isolation,
        count: args.count.unwrap_or(u64::MAX),
        format: args.format(),
        null: if args.show_null { &b"NULL"[..] } else { b"" },
        reader: args.reader(),
    };
    match Reading::new(cluster, topic, wanted, out)?.run() {
        // Whoever reads no further has seen what he wanted.
        Err(ConsumeError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Ending::Done)
        }
        outcome => outcome,
    }
}

impl Consume {
    /// Who reads what goes wrong.
    pub fn reader(&self) -> Reader {
        if self.json { Reader::Program } else { Reader::Person }
    }

    fn range(&self) -> Range {
        let isolation = match self.uncommitted {
            true => Isolation::ReadUncommitted,
            false => Isolation::ReadCommitted,
        };
        let to = if self.exit_at_end { Some(Place::End) } else { self.to };
        Range { from: self.from, to, isolation }
    }

    fn format(&self) -> Format {
        if self.json {
            return Format::Json;
        }
        if let Some(Pieces(pieces)) = &self.format {
            return Format::Pieces(pieces.clone());
        }
        let mut pieces = Vec::new();
        if let Some(Bytes(separator)) = &self.key_separator {
            pieces.extend([Piece::Key, Piece::Text(separator.clone())]);
        }
        pieces.extend([Piece::Value, Piece::Text(self.delimiter.0.clone())]);
        Format::Pieces(pieces)
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl From<ClientError> for ConsumeError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for ConsumeError {
    /// The writing side uses `?`; what is read comes in other errors.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Fault for ConsumeError {
    fn kafka_code(&self) -> Option<i16> {
        match self {
            Self::Client(error) => error.kafka_code(),
            Self::Batch { .. } | Self::Records { .. } => Some(ErrorCode::CorruptMessage.number()),
            Self::Output(_) => None,
        }
    }
}

impl fmt::Display for ConsumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Output(error) => write!(f, "the records cannot be written out: {error}"),
            Self::Batch { partition, offset, error } => write!(
                f,
                "partition {partition} holds a damaged batch at offset {offset}: {}; read the \
                 others with --partition, or go on behind it with --from",
                error.fact()
            ),
            Self::Records { partition, offset, error } => write!(
                f,
                "partition {partition} holds a batch at offset {offset} whose records cannot be \
                 read: {}; go on behind it with --from",
                error.fact()
            ),
        }
    }
}
