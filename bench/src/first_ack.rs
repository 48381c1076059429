//! How soon a broker serves: a topic and a record are tried again and again until they succeed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::ErrorCode;

use crate::error::BenchError;
use crate::wire::Wire;

/// How long a broker may say that it is not ready.
const DEADLINE: Duration = Duration::from_secs(60);

/// Between two tries: small beside what is measured.
const STEP: Duration = Duration::from_millis(1);

/// Creates a topic with `partitions`; waits while the broker is not ready.
pub fn create_topic(address: SocketAddr, name: &str, partitions: i32) -> Result<(), BenchError> {
    insist("create a topic", address, |wire| wire.create_topic(name, partitions))
}

/// Produces one record with acks=all; waits while the broker is not ready.
pub fn produce(address: SocketAddr, topic: &str, value: &[u8]) -> Result<(), BenchError> {
    insist("produce", address, |wire| wire.produce(topic, value))
}

/// Tries until the answer is good; a broken connection or a retriable error means: once more.
fn insist(
    what: &'static str,
    address: SocketAddr,
    mut request: impl FnMut(&mut Wire) -> Result<i16, BenchError>,
) -> Result<(), BenchError> {
    let deadline = Instant::now() + DEADLINE;
    let mut wire = Wire::connect(address)?;
    loop {
        let answer = request(&mut wire);
        let late = Instant::now() > deadline;
        match answer {
            Ok(0) => return Ok(()),
            // An earlier try may have succeeded after all.
            Ok(number) if number == ErrorCode::TopicAlreadyExists.number() => return Ok(()),
            Ok(number) if late || !may_pass(number) => {
                return Err(BenchError::Refused { what, error_code: number });
            }
            Ok(_) => {}
            Err(error) if late => return Err(error),
            Err(_) => wire = Wire::connect(address)?,
        }
        std::thread::sleep(STEP);
    }
}

/// Whether the broker only is not ready: one without a controller yet says so, and one that knows
/// no other broker counts replicas.
pub fn may_pass(number: i16) -> bool {
    ErrorCode::from_number(number).is_some_and(|code| {
        code.is_retriable()
            || code == ErrorCode::InvalidReplicationFactor
            || code == ErrorCode::BrokerNotAvailable
    })
}
