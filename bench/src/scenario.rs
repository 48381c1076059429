//! What is measured: the loads, how large they are, and what warms a broker up for them.

use clap::ValueEnum;

use crate::subject::SubjectName;

/// The size of a record's value in bytes.
pub const RECORD_SIZE: usize = 1024;
/// Partitions of most loads.
const PARTITIONS: i32 = 6;
/// Partitions where there are to be a good number.
const PARTITIONS_1000: i32 = 1000;

/// A JVM takes three times the processor for its first 300,000 records, and its compilers are at
/// work until about twice as many.
const WARM_UP_RECORDS: u64 = 600_000;
/// Single-record requests are another path, with code of its own to be compiled.
const WARM_UP_REQUESTS: u64 = 50_000;

/// What Ringmain takes in four seconds: shorter rounds scatter.
const RECORDS_16K: u64 = 1_000_000;
/// A Kafka that syncs each request takes some 20 MB/s: this lasts a quarter of a minute.
const FLUSHED_RECORDS_16K: u64 = 300_000;

/// Over 1,000 partitions hardly two records meet in a request: Kafka takes half a minute.
const SPREAD_RECORDS: u64 = 200_000;

/// Records a second of the loads with a rate.
pub const RATE: u64 = 2_000;
/// How long such a load lasts, in seconds.
const PACED_SECONDS: u64 = 10;

/// librdkafka's properties for requests of 16 KiB: 15 records each. The wait is long enough for a
/// batch to fill on a slow machine.
const BATCH_16K: [&str; 2] = ["batch.size=16384", "linger.ms=20"];
/// Requests of as near to 1 MB as brokers take without being told so.
const BATCH_1M: [&str; 3] = ["batch.size=1000000", "batch.num.messages=10000", "linger.ms=100"];
/// One record a request, at once.
const SINGLE: [&str; 2] = ["batch.num.messages=1", "linger.ms=0"];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// From exec to an open port and to the first acknowledged record; memory when idle
    Start,
    /// Produce in requests of 16 KiB, as fast as possible
    #[value(name = "produce-16k")]
    Produce16k,
    /// Produce in requests of 1 MB, as fast as possible
    #[value(name = "produce-1m")]
    Produce1m,
    /// Produce at 2,000 records a second, each in a request of its own
    ProduceSingle,
    /// The same, and consume the records at once
    EndToEnd,
    /// Consume a full topic from the beginning
    Replay,
    /// Produce over 1,000 partitions with librdkafka's own idea of batches
    Spread,
    /// Nothing to do, with 1,000 partitions: processor time and memory
    Idle,
    /// From exec to an open port and an acknowledged record after kill -9, with 5 GB in 1,000
    /// partitions
    Restart,
    /// Sixteen requests of 64 KiB in flight: what reaches the disk, beside what fio writes to it
    Durable,
    /// Requests of 16 KiB to 10,000 partitions in turn, beside the same to one partition
    Many,
}

/// One run of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    kind: &'static str,
    partitions: i32,
    records: u64,
    rate: Option<u64>,
    properties: &'static [&'static str],
}

impl Scenario {
    /// The name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Produce16k => "produce-16k",
            Self::Produce1m => "produce-1m",
            Self::ProduceSingle => "produce-single",
            Self::EndToEnd => "end-to-end",
            Self::Replay => "replay",
            Self::Spread => "spread",
            Self::Idle => "idle",
            Self::Restart => "restart",
            Self::Durable => "durable",
            Self::Many => "many",
        }
    }

    /// Partitions of the topic.
    pub fn partitions(self) -> i32 {
        match self {
            Self::Spread | Self::Idle | Self::Restart => PARTITIONS_1000,
            _ => PARTITIONS,
        }
    }

    /// The load by librdkafka that is measured, if it is one.
    pub fn measured(self, subject: SubjectName) -> Option<Run> {
        let flushes = subject == SubjectName::KafkaFlush;
        let records_16k = if flushes { FLUSHED_RECORDS_16K } else { RECORDS_16K };
        match self {
            Self::Start | Self::Idle | Self::Restart | Self::Durable | Self::Many => None,
            Self::Spread => {
                let records = if flushes { SPREAD_RECORDS / 10 } else { SPREAD_RECORDS };
                Some(Run { partitions: PARTITIONS_1000, ..produce(records, &[]) })
            }
            Self::Produce16k => Some(produce(records_16k, &BATCH_16K)),
            Self::Produce1m => Some(produce(500_000, &BATCH_1M)),
            Self::ProduceSingle => Some(paced("produce")),
            Self::EndToEnd => Some(paced("end-to-end")),
            Self::Replay => Some(Run { kind: "replay", ..produce(0, &[]) }),
        }
    }

    /// The loads before the first round: they warm up, and for a replay they are what is consumed.
    pub fn warm_up(self) -> Vec<Run> {
        let single = produce(WARM_UP_REQUESTS, &SINGLE);
        match self {
            Self::Start | Self::Idle | Self::Restart | Self::Durable | Self::Many => Vec::new(),
            Self::Spread => {
                let records = WARM_UP_RECORDS / 4;
                vec![Run { partitions: PARTITIONS_1000, ..produce(records, &[]) }]
            }
            Self::Produce16k | Self::Produce1m => vec![produce(WARM_UP_RECORDS, &BATCH_16K)],
            Self::ProduceSingle => vec![produce(WARM_UP_RECORDS, &BATCH_16K), single],
            Self::EndToEnd => {
                // Faster than what is measured: fetches have to be compiled, too.
                let rate = Some(RATE * 3);
                let both = Run { rate, ..paced("end-to-end") };
                vec![produce(WARM_UP_RECORDS, &BATCH_16K), single, both]
            }
            Self::Replay => vec![produce(1_000_000, &BATCH_16K)],
        }
    }
}

impl Run {
    /// The arguments of the load's command line, with the number of records multiplied.
    pub fn arguments(&self, bootstrap: &str, topic: &str, scale: f64) -> Vec<String> {
        let mut arguments = vec![self.kind.to_string()];
        let mut add = |key: &str, value: String| {
            arguments.push(key.to_string());
            arguments.push(value);
        };
        add("--bootstrap", bootstrap.to_string());
        add("--topic", topic.to_string());
        add("--partitions", self.partitions.to_string());
        for property in self.properties {
            add("--set", property.to_string());
        }
        if self.records > 0 {
            let records = (self.records as f64 * scale).max(1.0) as u64;
            add("--records", records.to_string());
            add("--record-size", RECORD_SIZE.to_string());
        }
        if let Some(rate) = self.rate {
            add("--rate", rate.to_string());
        }
        arguments
    }
}

fn produce(records: u64, properties: &'static [&'static str]) -> Run {
    Run { kind: "produce", partitions: PARTITIONS, records, rate: None, properties }
}

fn paced(kind: &'static str) -> Run {
    Run { kind, rate: Some(RATE), ..produce(RATE * PACED_SECONDS, &SINGLE) }
}
