//! What a load saw, as one line of JSON.

use std::time::Duration;

use serde_json::json;

use crate::error::LoadError;
use crate::gate;
use crate::latency::Latencies;

/// What a load saw between `begin` and `end`.
#[derive(Debug)]
pub struct Outcome {
    /// How many records were acknowledged or consumed.
    pub records: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
    /// From the first record's sending to the last one's acknowledgement or arrival.
    pub length: Duration,
    /// One latency a record, if the load had a rate.
    pub latencies: Option<Latencies>,
    /// How many Produce requests carried all the client's records, the warm-up's too.
    pub records_per_request: Option<f64>,
}

impl Outcome {
    /// Writes the line.
    pub fn print(&self) -> Result<(), LoadError> {
        let line = json!({
            "records": self.records,
            "value_bytes": self.value_bytes,
            "seconds": self.length.as_secs_f64(),
            "latency_us": self.latencies.as_ref().map(Latencies::to_json),
            "records_per_request": self.records_per_request,
        });
        gate::say(&line.to_string())
    }
}
