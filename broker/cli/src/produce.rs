//! `ringmain produce`: writes lines, or JSON, to a topic.

mod input;
mod line;
mod writing;

use std::fmt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use record::Compression;
use serde_json::{Map, Value, json};

use crate::calendar;
use crate::client::error::ClientError;
use crate::client::producer::{ProduceError, ProducerConfig};
use crate::ending::Ending;
use crate::escapes::Bytes;
use crate::fault::{Fault, with_errors};
use crate::options::{Reach, Reader, whole};
use input::{InputError, Source};
use line::{Form, LineError, Lines};
use writing::{Outcome, Writing};

/// The least and the most that a batch may have, in bytes: a broker as it is shipped takes requests
/// of up to 100 MiB, and closes the connection of a longer one without a word.
const BATCH_SIZE_BYTES: std::ops::RangeInclusive<u64> = 1..=96 << 20;

/// Write records to a topic
///
/// Reads files, or the standard input; every line becomes a record. Sends what there is as soon as
/// nothing more can be read, in batches as large as the brokers' pace allows; each record is
/// written once and in order, and acknowledged (acks=all) before the command ends.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = with_errors(EXAMPLES))]
pub struct Produce {
    /// The topic; `ringmain topic create` makes one
    pub topic: String,
    /// Files to read; without any, or for -, the standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Take the lines for JSON with the fields of `kcat -J`: payload, key, headers, ts, partition;
    /// what was written is answered as JSON, too
    #[arg(long, help_heading = "What a line is")]
    #[arg(conflicts_with_all = ["key_separator", "key", "header", "empty_as_null"])]
    json: bool,
    /// The key stands before the first SEPARATOR of a line, the value behind it
    #[arg(short = 'K', long, value_name = "SEPARATOR", help_heading = "What a line is")]
    key_separator: Option<Bytes>,
    /// The key of lines that have none of their own
    #[arg(short = 'k', long, value_name = "KEY", help_heading = "What a line is")]
    key: Option<String>,
    /// What ends a record; with '' each file is one record
    #[arg(short = 'D', long, value_name = "DELIMITER", default_value = "\\n")]
    #[arg(help_heading = "What a line is")]
    delimiter: Bytes,
    /// An empty key or value is null (a value of null is a tombstone in a compacted topic)
    #[arg(short = 'Z', long, help_heading = "What a line is")]
    empty_as_null: bool,
    /// A header for every record; may be given several times. Without `=` its value is null
    #[arg(short = 'H', long, value_name = "NAME=VALUE", help_heading = "What a line is")]
    header: Vec<String>,
    /// The timestamp of records that have none of their own, UTC or @ms; else it is now
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "What a line is")]
    timestamp: Option<i64>,
    /// Write to this partition; else the key chooses as in Kafka's Java producer (murmur2), and
    /// records without a key fill one batch for one partition after the other
    #[arg(short, long, value_name = "NUMBER", help_heading = "How")]
    #[arg(value_parser = whole(0_i32..), allow_negative_numbers = true)]
    partition: Option<i32>,
    /// Let the key choose the partition even where JSON names one
    #[arg(long, requires = "json", conflicts_with = "partition", help_heading = "How")]
    by_key: bool,
    /// Compress: none, gzip, snappy, lz4 or zstd
    #[arg(short = 'z', long, value_name = "CODEC", default_value = "none", help_heading = "How")]
    #[arg(value_parser = codec)]
    compression: Compression,
    /// Where a batch ends, before compression
    #[arg(long, value_name = "BYTES", default_value_t = 1_000_000, help_heading = "How")]
    #[arg(value_parser = whole(BATCH_SIZE_BYTES), allow_negative_numbers = true)]
    batch_size: u64,
    #[command(flatten)]
    reach: Reach,
}

const EXAMPLES: &str = "\
Examples:
  seq 1 1000 | ringmain produce numbers         a record for each line
  ringmain produce flights -K '\\t' flights.tsv  key, tab, value
  ringmain produce flights                      what you type, line by line, until Ctrl-D
  ringmain produce flights -K : -Z <<< N14228:  a tombstone: the value is null
  ringmain produce images -D '' *.png            a record for each file
  ringmain produce flights -z zstd -H source=import --timestamp 2013-01-01 flights.tsv
      compressed, with a header and one timestamp for all
  echo '{\"key\":\"N14228\",\"payload\":\"EWR-IAH\",\"headers\":[\"carrier\",\"UA\"]}' |
      ringmain produce flights --json
  ringmain consume flights --json -e | ringmain produce copy --json
      a copy with keys, headers, timestamps and partitions

JSON, one object a line:
  payload    the value: a string, null, or {\"hex\":\"ff00\"} for bytes that are no text; required
  key        the same; without it null
  headers    [\"name\",\"value\",\"name\",\"value\"], a value as the payload
  ts         the timestamp, ms since 1970; without it, or with -1, --timestamp, or now
  partition  without it --partition, or the key chooses
  Other fields, such as topic and offset, mean nothing here. Empty lines are passed over.

Exit status:
  0    all was written and acknowledged
  1    something went wrong; the message says what to do, and how much is acknowledged
  130  interrupted; what was read until then was written and acknowledged";

/// Why not everything could be written.
#[derive(Debug)]
pub struct ProduceFailure {
    /// Why.
    why: Box<Failure>,
    /// Records that are acknowledged.
    acknowledged: u64,
    /// Records that were read, and may or may not be written.
    open: u64,
}

#[derive(Debug)]
enum Failure {
    Client(ClientError),
    Produce(ProduceError),
    /// A record is refused; this is where it stood.
    Refused {
        line: String,
        error: ProduceError,
    },
    Line {
        line: String,
        error: LineError,
    },
    Input(InputError),
    Header {
        text: String,
    },
}

/// Writes all that can be read.
pub fn run(args: &Produce) -> Result<Ending, ProduceFailure> {
    let early = |why| ProduceFailure { why: Box::new(why), acknowledged: 0, open: 0 };
    let lines = args.lines().map_err(early)?;
    let sources = args.sources();
    input::check(&sources).map_err(|error| early(Failure::Input(error)))?;
    let cluster = args.reach.cluster().map_err(|error| early(Failure::Client(error)))?;
    let config = ProducerConfig {
        compression: args.compression,
        // The parser has seen to the range.
        batch_size_bytes: args.batch_size as usize,
    };
    let writing = Writing::begin(cluster, &args.topic, config, (lines, args.reader()), sources);
    let outcome = writing.map_err(early)?.run()?;
    report(args, &outcome);
    Ok(outcome.ending)
}

impl Produce {
    fn lines(&self) -> Result<Lines, Failure> {
        let form = match (self.json, &self.key_separator) {
            (true, _) => Form::Json,
            (false, separator) => Form::Text {
                key_separator: separator.clone().map(|Bytes(bytes)| bytes),
                key: self.key.clone().map(String::into_bytes),
                null: if self.empty_as_null { line::Null::Empty } else { line::Null::Never },
            },
        };
        let header = |text: &String| match text.split_once('=') {
            Some(("", _)) => Err(Failure::Header { text: text.clone() }),
            Some((name, value)) => Ok((name.into(), Some(value.into()))),
            None => Ok((text.clone().into_bytes(), None)),
        };
        let partition = match (self.partition, self.by_key) {
            (Some(partition), _) => line::Partition::Always(partition),
            (None, true) => line::Partition::ByKey,
            (None, false) => line::Partition::OfLine,
        };
        Ok(Lines {
            form,
            delimiter: self.delimiter.0.clone(),
            headers: self.header.iter().map(header).collect::<Result<_, _>>()?,
            timestamp_ms: self.timestamp,
            partition,
        })
    }

    fn sources(&self) -> Vec<Source> {
        let source = |path: &PathBuf| match path.as_os_str() == "-" {
            true => Source::Stdin,
            false => Source::File(path.clone()),
        };
        if self.files.is_empty() {
            vec![Source::Stdin]
        } else {
            self.files.iter().map(source).collect()
        }
    }

    /// Who reads what is answered.
    pub fn reader(&self) -> Reader {
        if self.json { Reader::Program } else { Reader::Person }
    }
}

/// A person hears it on the terminal, a program on the standard output.
fn report(args: &Produce, outcome: &Outcome) {
    use std::io::{IsTerminal, Write};
    match args.reader() {
        Reader::Person if std::io::stderr().is_terminal() => {
            eprintln!("wrote to {}: {}", args.topic, outcome.sum);
        }
        Reader::Person => {}
        Reader::Program => {
            let partitions = outcome.written.iter().map(|(partition, written)| {
                json!({
                    "partition": partition,
                    "records": written.records,
                    "first_offset": written.first_offset,
                    "last_offset": written.last_offset,
                })
            });
            let line = json!({
                "topic": args.topic,
                "records": outcome.records,
                "partitions": partitions.collect::<Vec<_>>(),
            });
            // The records are written, whoever hears of it.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

fn codec(text: &str) -> Result<Compression, String> {
    let found = (0..=u8::MAX).map_while(Compression::from_id).find(|codec| codec.name() == text);
    found.ok_or_else(|| "write none, gzip, snappy, lz4 or zstd".to_owned())
}

fn time(text: &str) -> Result<i64, String> {
    let ms = text.strip_prefix('@').map_or_else(|| calendar::parse(text), |ms| ms.parse().ok());
    ms.filter(|ms| *ms >= 0).ok_or_else(|| {
        "write a time since 1970, as 2013-01-01T05:15 (UTC), or @1357017300000 (ms)".to_owned()
    })
}

/// What a record is stamped with that has no timestamp of its own.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Fault for ProduceFailure {
    fn kafka_code(&self) -> Option<i16> {
        match &*self.why {
            Failure::Client(error) => error.kafka_code(),
            Failure::Produce(error) | Failure::Refused { error, .. } => error.kafka_code(),
            Failure::Line { .. } | Failure::Input(_) | Failure::Header { .. } => None,
        }
    }

    fn fields(&self) -> Map<String, Value> {
        let fields = [("acknowledged", self.acknowledged), ("perhaps_written", self.open)];
        fields.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect()
    }
}

impl fmt::Display for ProduceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.why {
            Failure::Client(error) => error.fmt(f)?,
            Failure::Produce(error) => error.fmt(f)?,
            Failure::Refused { line, error } => write!(f, "{line}: {error}")?,
            Failure::Line { line, error } => write!(f, "{line}: {error}")?,
            Failure::Input(error) => error.fmt(f)?,
            Failure::Header { text } => write!(f, "--header {text}: write NAME=VALUE")?,
        }
        match (self.acknowledged, self.open) {
            (0, 0) => Ok(()),
            (acknowledged, 0) => write!(f, " (records acknowledged before: {acknowledged})"),
            (acknowledged, open) => write!(
                f,
                " (records acknowledged: {acknowledged}; read, and perhaps written: {open})"
            ),
        }
    }
}
