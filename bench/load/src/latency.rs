//! Latencies of single records, kept as a histogram.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Longer ones are counted as this one.
const LATENCY_MAX_NS: u64 = 120_000_000_000;

/// Nanoseconds since the load's start: fits into a record and through librdkafka's opaque pointer.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts at zero.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Now.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).expect("a load ends within 584 years")
    }
}

/// A histogram with three significant digits.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

impl Latencies {
    /// Empty.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1_000, LATENCY_MAX_NS, 3);
        Self { histogram: histogram.expect("these bounds are valid") }
    }

    /// Counts one record.
    pub fn record(&mut self, latency: Duration) {
        let latency_ns = u64::try_from(latency.as_nanos()).unwrap_or(LATENCY_MAX_NS);
        self.histogram.saturating_record(latency_ns);
    }

    /// The percentiles that are reported, in microseconds.
    pub fn to_json(&self) -> Value {
        let at = |quantile| self.histogram.value_at_quantile(quantile) as f64 / 1e3;
        json!({
            "p50": at(0.5),
            "p99": at(0.99),
            "p999": at(0.999),
            "max": self.histogram.max() as f64 / 1e3,
            "count": self.histogram.len(),
        })
    }
}
