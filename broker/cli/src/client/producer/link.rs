//! The connection of a producer to one broker: requests out, and a thread that hears the answers.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::Sender;
use std::thread;

use protocol::ApiKey;
use protocol::generated::produce::{ProduceRequest, ProduceResponse};
use protocol::response::decode_response;

use crate::client::connection::{Connection, FrameError};
use crate::client::error::ClientError;

/// What a link heard.
#[derive(Debug)]
pub struct LinkEvent {
    /// From which broker.
    pub broker: i32,
    /// On which of the connections to it, counted from 0.
    pub life: u64,
    /// An answer, or the connection's end.
    pub heard: Result<Vec<u8>, FrameError>,
}

/// A request that is on its way.
#[derive(Debug)]
pub struct InFlight {
    /// Its number on this connection, which the answer repeats.
    correlation_id: i32,
    /// Its number among all of the producer's.
    pub request: u64,
    /// The partitions that it carries batches of.
    pub partitions: Vec<i32>,
}

/// A connection to a leader.
#[derive(Debug)]
pub struct Link {
    life: u64,
    connection: Connection,
    version: i16,
    in_flight: VecDeque<InFlight>,
}

impl Link {
    /// Takes over a connection. What it hears goes to `events`, as the life `life` of its broker.
    pub fn new<E: From<LinkEvent> + Send + 'static>(
        connection: Connection,
        broker: i32,
        life: u64,
        events: Sender<E>,
    ) -> Result<Self, ClientError> {
        let version = connection.version::<ProduceRequest>()?;
        let mut answers = connection.answers()?;
        thread::spawn(move || {
            loop {
                let heard = answers.next();
                let is_over = heard.is_err();
                let event = LinkEvent { broker, life, heard };
                // Nobody listens any more: the program ends.
                if events.send(event.into()).is_err() || is_over {
                    return;
                }
            }
        });
        Ok(Self { life, connection, version, in_flight: VecDeque::new() })
    }

    /// Which of the broker's connections it is.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// How many requests are on their way.
    pub fn in_flight_count(&self) -> usize {
        self.in_flight.len()
    }

    /// Sends a request with batches of these partitions. It counts as on its way even if that
    /// fails: nobody knows how much of it has arrived.
    pub fn send(
        &mut self,
        question: &ProduceRequest,
        request: u64,
        partitions: Vec<i32>,
    ) -> Result<(), ClientError> {
        let correlation_id = self.connection.next_id();
        self.in_flight.push_back(InFlight { correlation_id, request, partitions });
        self.connection.send(self.version, question).map(drop)
    }

    /// Reads an answer: the request that it belongs to, and what it says.
    pub fn heard(&mut self, frame: &[u8]) -> Result<(InFlight, ProduceResponse), ClientError> {
        let address = || self.connection.address().to_owned();
        let decoded = decode_response::<ProduceResponse>(frame, ApiKey::Produce, self.version);
        let (correlation_id, answer) =
            decoded.map_err(|malformed| ClientError::NotKafka { address: address(), malformed })?;
        match self.in_flight.pop_front() {
            Some(sent) if sent.correlation_id == correlation_id => Ok((sent, answer)),
            _ => {
                let error = io::Error::new(io::ErrorKind::InvalidData, "an answer to no question");
                Err(ClientError::Lost { address: address(), error })
            }
        }
    }

    /// What the end of the connection was.
    pub fn broken(&self, error: FrameError) -> ClientError {
        let address = self.connection.address().to_owned();
        match error {
            FrameError::Io(error) => ClientError::Lost { address, error },
            FrameError::Malformed(malformed) => ClientError::NotKafka { address, malformed },
        }
    }

    /// Closes the connection, and gives what has got no answer on it.
    pub fn end(self) -> VecDeque<InFlight> {
        self.connection.close();
        self.in_flight
    }
}
