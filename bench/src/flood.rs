//! The leanest producer there is: ready batches on a few connections. So the broker and its disk
//! are what is measured, and partitions may be more than a client library could bear.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::error::BenchError;
use crate::first_ack;
use crate::scenario::RECORD_SIZE;
use crate::usage::{self, ProcessorTime};
use crate::wire::{self, Wire};

/// How many connections share the requests.
const CONNECTIONS: usize = 4;
/// Before a request is sent again.
const PAUSE: Duration = Duration::from_millis(10);

/// Requests of one batch each, to all partitions of a topic in turn.
#[derive(Clone, Copy, Debug)]
pub struct Flood<'a> {
    /// A topic that exists.
    pub topic: &'a str,
    /// How many partitions it has.
    pub partitions: i32,
    /// Records of 1 KiB in each batch.
    pub batch_records: usize,
    /// Requests that are sent and not answered, over all connections.
    pub in_flight: usize,
    /// Requests in all.
    pub requests: usize,
}

/// What a flood took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Until the last acknowledgement.
    pub seconds: f64,
    /// What the broker wrote to the disk until then.
    pub disk_bytes: u64,
    /// The broker's processor time, in microseconds, until it had gone quiet.
    pub processor_us_per_record: f64,
}

impl Flood<'_> {
    /// Makes its topic.
    pub fn create_topic(&self, address: SocketAddr) -> Result<(), BenchError> {
        first_ack::create_topic(address, self.topic, self.partitions)
    }

    /// Runs it to the last acknowledgement and says how long that took.
    pub fn run(&self, address: SocketAddr) -> Result<Duration, BenchError> {
        let value = [b'x'; RECORD_SIZE];
        let batch = &wire::batch(&vec![&value[..]; self.batch_records])?;
        let mut wires = Vec::new();
        for _ in 0..CONNECTIONS {
            wires.push(Wire::connect(address)?);
        }
        let began = Instant::now();
        std::thread::scope(|scope| {
            let senders: Vec<_> = wires
                .into_iter()
                .enumerate()
                .map(|(first, wire)| scope.spawn(move || self.send_every(first, wire, batch)))
                .collect();
            let join = |sender: std::thread::ScopedJoinHandle<'_, _>| {
                sender.join().expect("a sender returns its errors")
            };
            senders.into_iter().try_for_each(join)
        })?;
        Ok(began.elapsed())
    }

    /// Runs it, and says what it took of the broker until that had gone quiet.
    pub fn measure(&self, broker: &Broker) -> Result<Taken, BenchError> {
        let written = || usage::written_bytes(broker.process());
        let (bytes_before, before) = (written()?, ProcessorTime::of(broker.process())?);
        let seconds = self.run(broker.address())?.as_secs_f64();
        let disk_bytes = written()? - bytes_before;
        usage::await_quiet(broker.process())?;
        let processor = ProcessorTime::of(broker.process())?.since(&before);
        let processor_us_per_record = processor.as_secs_f64() * 1e6 / self.records() as f64;
        Ok(Taken { seconds, disk_bytes, processor_us_per_record })
    }

    /// Records in all.
    pub fn records(&self) -> u64 {
        (self.requests * self.batch_records) as u64
    }

    /// Bytes of values in all.
    pub fn value_bytes(&self) -> u64 {
        self.records() * RECORD_SIZE as u64
    }

    /// Sends requests `first`, `first` + the number of connections, and so on.
    fn send_every(&self, first: usize, mut wire: Wire, batch: &[u8]) -> Result<(), BenchError> {
        let in_flight = (self.in_flight / CONNECTIONS).max(1);
        let mut unanswered = VecDeque::new();
        for index in (first..self.requests).step_by(CONNECTIONS) {
            while unanswered.len() >= in_flight {
                self.take_answer(&mut wire, &mut unanswered, batch)?;
            }
            let partition = index % usize::try_from(self.partitions).expect("a count");
            let partition = i32::try_from(partition).expect("below a 32-bit count");
            wire.send_batch(self.topic, partition, batch)?;
            unanswered.push_back(partition);
        }
        while !unanswered.is_empty() {
            self.take_answer(&mut wire, &mut unanswered, batch)?;
        }
        Ok(())
    }

    /// Takes the answer for the first of `unanswered`, the partitions that were sent to. A broker
    /// that has just started, or just made the topic, may not lead all of it yet: as clients do,
    /// the request is sent again.
    fn take_answer(
        &self,
        wire: &mut Wire,
        unanswered: &mut VecDeque<i32>,
        batch: &[u8],
    ) -> Result<(), BenchError> {
        let error_code = wire.receive_ack()?;
        let partition = unanswered.pop_front().expect("a request has no second answer");
        if error_code == 0 {
            return Ok(());
        }
        if !first_ack::may_pass(error_code) {
            return Err(BenchError::Refused { what: "produce", error_code });
        }
        std::thread::sleep(PAUSE);
        wire.send_batch(self.topic, partition, batch)?;
        unanswered.push_back(partition);
        Ok(())
    }
}
