//! The quantities that a round yields.

use std::collections::BTreeMap;

/// A quantity. Of all but the rates and shares, less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Processor time of the broker, all its threads, for one record.
    ProcessorUsPerRecord,
    /// Run time of the kernel's own threads for one record, above what they take when idle.
    KernelUsPerRecord,
    /// How often a thread of the broker was put on a processor, for one record.
    TurnsPerRecord,
    /// Values' bytes a second, in MB (10^6).
    MegabytesPerSecond,
    /// How many records a Produce request carried.
    RecordsPerRequest,
    /// From sending to the acknowledgement, or to the consumer.
    LatencyP50Us,
    /// The same; one in a hundred is slower.
    LatencyP99Us,
    /// The same; one in a thousand is slower.
    LatencyP999Us,
    /// Resident memory of the broker after the load.
    MemoryAfterLoadMib,
    /// From exec until a connection is accepted.
    PortOpenMs,
    /// From exec until a record that was produced to a new topic is acknowledged.
    FirstAckMs,
    /// Resident memory of the broker that has nothing to do.
    MemoryIdleMib,
    /// Processor time of the broker that has nothing to do, in percent of one core.
    ProcessorIdlePercent,
    /// Bytes that the broker wrote to the disk, each of them, in MB (10^6) a second.
    DiskMegabytesPerSecond,
    /// What `fio` writes durably to the same disk, in MB (10^6) a second.
    FioMegabytesPerSecond,
    /// The one divided by the other; more is better.
    ShareOfFio,
    /// Processor time of `fio` for a durable write of 4 KiB, at the rate of the load.
    FioProcessorUsPerWrite,
    /// From such a write's beginning until it is durable.
    FioLatencyP50Us,
    /// The same; one in a hundred is slower.
    FioLatencyP99Us,
    /// Records a second, divided by those of a topic with one partition; more is better.
    ShareOfOnePartition,
}

/// What one round of one subject yielded.
pub type Measures = BTreeMap<Measure, f64>;

impl Measure {
    /// The name in results and tables, with its unit.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProcessorUsPerRecord => "cpu_us_per_record",
            Self::KernelUsPerRecord => "kernel_us_per_record",
            Self::TurnsPerRecord => "turns_per_record",
            Self::MegabytesPerSecond => "mb_per_second",
            Self::RecordsPerRequest => "records_per_request",
            Self::LatencyP50Us => "latency_p50_us",
            Self::LatencyP99Us => "latency_p99_us",
            Self::LatencyP999Us => "latency_p999_us",
            Self::MemoryAfterLoadMib => "memory_after_load_mib",
            Self::PortOpenMs => "port_open_ms",
            Self::FirstAckMs => "first_ack_ms",
            Self::MemoryIdleMib => "memory_idle_mib",
            Self::ProcessorIdlePercent => "cpu_idle_percent",
            Self::DiskMegabytesPerSecond => "disk_mb_per_second",
            Self::FioMegabytesPerSecond => "fio_mb_per_second",
            Self::ShareOfFio => "share_of_fio",
            Self::FioProcessorUsPerWrite => "fio_cpu_us_per_write",
            Self::FioLatencyP50Us => "fio_latency_p50_us",
            Self::FioLatencyP99Us => "fio_latency_p99_us",
            Self::ShareOfOnePartition => "share_of_one_partition",
        }
    }
}
