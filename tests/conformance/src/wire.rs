//! One connection on which any request is asked as JSON by Kafka's field names, and answered so.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use protocol::ApiKey;
use protocol::header::{RequestHeader, decode_response_header};
use protocol::oracle::Entry;
use protocol::primitive::reader::Reader;
use protocol::primitive::writer::Writer;
use serde_json::Value;

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    correlation_id: i32,
    messages: Vec<Entry>,
}

impl Wire {
    /// Connects.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not 0");
        Self { stream, correlation_id: 0, messages: protocol::generated::json::entries() }
    }

    /// Asks, and returns the answer with all of its fields. What `body` leaves out is at its
    /// default.
    ///
    /// # Panics
    ///
    /// If the broker does not answer, or not in the form of this version.
    pub fn ask(&mut self, api: ApiKey, version: i16, body: &Value) -> Value {
        self.correlation_id += 1;
        let correlation_id = self.correlation_id;
        let header = RequestHeader {
            api_key: api,
            api_version: version,
            correlation_id,
            client_id: Some("answers"),
        };
        let mut writer = Writer::new();
        header.encode(&mut writer);
        let mut frame = writer.finish().expect("a header is short");
        let name = api.name();
        let body = (self.message(&format!("{name}Request")).encode)(body, version);
        let body = body.unwrap_or_else(|error| panic!("{name} {version}: {error}"));
        frame.extend(body.unwrap_or_else(|error| panic!("{name} {version}: {error}")));
        self.send(&frame);

        let frame = self.receive();
        let mut reader = Reader::new(&frame);
        let answered = decode_response_header(&mut reader, api, version);
        assert_eq!(answered, Ok(correlation_id), "{name} {version}");
        let body = &frame[frame.len() - reader.left()..];
        let read = (self.message(&format!("{name}Response")).decode)(body, version);
        read.unwrap_or_else(|error| panic!("{name} {version}: {error}"))
    }

    fn message(&self, name: &str) -> &Entry {
        let found = self.messages.iter().find(|entry| entry.name == name);
        found.unwrap_or_else(|| panic!("no message is called {name}"))
    }

    fn send(&mut self, frame: &[u8]) {
        let size = u32::try_from(frame.len()).expect("a test's request is short");
        let bytes = [&size.to_be_bytes()[..], frame].concat();
        self.stream.write_all(&bytes).expect("the broker reads");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).expect("the broker answers");
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut frame).expect("the broker sends whole answers");
        frame
    }
}
