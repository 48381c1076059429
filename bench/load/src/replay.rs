//! Replay: a consumer without a group reads all partitions from the beginning to their ends.

use rdkafka::consumer::Consumer;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::Offset;

use crate::Target;
use crate::client::{self, PATIENCE};
use crate::error::LoadError;
use crate::gate::Span;
use crate::outcome::Outcome;

/// Consumes every record that is there at the start.
pub fn run(target: &Target) -> Result<Outcome, LoadError> {
    let records = record_count(target)?;
    let span = Span::begin()?;
    let consumer = client::consumer(target, Offset::Beginning)?;
    let mut value_bytes = 0;
    let mut missing = records;
    while missing > 0 {
        let Some(message) = consumer.poll(PATIENCE) else {
            return Err(LoadError::Silence { missing });
        };
        let message = message.map_err(LoadError::Consume)?;
        value_bytes += message.payload().map_or(0, |value| value.len() as u64);
        missing -= 1;
    }
    let length = span.end()?;
    Ok(Outcome { records, value_bytes, length, latencies: None, records_per_request: None })
}

/// How many records the partitions hold together.
fn record_count(target: &Target) -> Result<u64, LoadError> {
    let consumer = client::consumer(target, Offset::End)?;
    let mut records = 0;
    for partition in 0..target.partitions {
        let (low, high) = consumer
            .fetch_watermarks(&target.topic, partition, PATIENCE)
            .map_err(LoadError::Consume)?;
        records += u64::try_from(high - low).expect("a log does not end before its start");
    }
    Ok(records)
}
