//! One connection to a broker: the versions that both speak, one request and its answer.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use protocol::frame::{PREFIX_SIZE, frame_size};
use protocol::generated::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::header::RequestHeader;
use protocol::response::{decode_response, encode_request};
use protocol::{ApiKey, ErrorCode, Malformed};

use super::api::Question;
use super::error::ClientError;

/// The port of an address that names none.
const USUAL_PORT: u16 = 9092;
/// The longest answer that is taken, in bytes: what is fetched at once is a quarter of it at most.
const ANSWER_SIZE_MAX: usize = 256 << 20;
/// Memory for an answer before its first byte has come; more follows the bytes.
const ANSWER_ROOM_BYTES: usize = 1 << 20;
/// How long a name and a handshake may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Who we are to brokers' logs and quotas.
const CLIENT_ID: &str = "ringmain";

/// A connection on which one request at a time is asked and answered.
#[derive(Debug)]
pub struct Connection {
    address: String,
    stream: TcpStream,
    versions: BTreeMap<i16, (i16, i16)>,
    next_id: i32,
    patience: Duration,
}

impl Connection {
    /// Connects to `HOST:PORT` or `HOST`, and asks which versions the broker speaks.
    ///
    /// `patience` is how long an answer may take.
    pub fn open(address: &str, patience: Duration) -> Result<Self, ClientError> {
        let stream = dial(address)?;
        let set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(patience)))
            .and_then(|()| stream.set_write_timeout(Some(patience)));
        set.map_err(|error| ClientError::Unreachable { address: address.to_owned(), error })?;
        let mut this = Self {
            address: address.to_owned(),
            stream,
            versions: BTreeMap::new(),
            next_id: 0,
            patience,
        };
        this.versions = this.agree()?;
        Ok(this)
    }

    /// Asks, and waits for the answer.
    pub fn ask<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, ClientError> {
        let version = self.version::<Q>()?;
        self.send(version, question)?;
        let frame = self.receive(Q::API_KEY)?;
        let (_, answer) = decode_response(&frame, Q::API_KEY, version)
            .map_err(|malformed| self.not_kafka(malformed))?;
        Ok(answer)
    }

    /// The newest version of a request that both sides speak.
    pub fn version<Q: Question>(&self) -> Result<i16, ClientError> {
        let api_key = Q::API_KEY;
        let theirs = self.versions.get(&api_key.number()).copied();
        theirs
            .map(|(min, max)| (min.max(Q::MIN_VERSION), max.min(Q::NEWEST)))
            .filter(|(min, max)| min <= max)
            .map(|(_, max)| max)
            .ok_or_else(|| ClientError::Unsupported { address: self.address.clone(), api_key })
    }

    /// Sends a request and gives its correlation id; whoever calls this reads the answer.
    pub fn send<Q: Question>(&mut self, version: i16, question: &Q) -> Result<i32, ClientError> {
        let correlation_id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1) & i32::MAX;
        let header = RequestHeader {
            api_key: Q::API_KEY,
            api_version: version,
            correlation_id,
            client_id: Some(CLIENT_ID),
        };
        let frame = encode_request(header, question)?;
        self.stream.write_all(&frame).map_err(|error| self.broken(Q::API_KEY, error))?;
        Ok(correlation_id)
    }

    /// The other half, for a thread that reads the answers. It waits for them without end: who
    /// sent the requests knows what is late.
    pub fn answers(&self) -> Result<Answers, ClientError> {
        let stream = self.stream.try_clone();
        let stream = stream.and_then(|stream| stream.set_read_timeout(None).map(|()| stream));
        let stream = stream.map_err(|error| self.broken(ApiKey::Produce, error))?;
        Ok(Answers { stream })
    }

    /// The correlation id that the next request will have.
    pub fn next_id(&self) -> i32 {
        self.next_id
    }

    /// `host:port`, as it was connected to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends it for both halves.
    pub fn close(&self) {
        // A connection that is gone already is closed, too.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    fn receive(&mut self, api_key: ApiKey) -> Result<Vec<u8>, ClientError> {
        read_frame(&mut self.stream).map_err(|error| match error {
            FrameError::Malformed(malformed) => self.not_kafka(malformed),
            FrameError::Io(error) => self.broken(api_key, error),
        })
    }

    /// A broker that does not know our version of this one request answers in version 0 (KIP-511).
    fn agree(&mut self) -> Result<BTreeMap<i16, (i16, i16)>, ClientError> {
        let version = ApiVersionsRequest::NEWEST;
        let request = ApiVersionsRequest {
            client_software_name: CLIENT_ID.to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let answer = self.agree_in(version, &request)?;
        let answer = match ErrorCode::from_number(answer.error_code) {
            Some(ErrorCode::UnsupportedVersion) => {
                self.agree_in(0, &ApiVersionsRequest::default())?
            }
            _ => answer,
        };
        let keys = answer.api_keys.iter();
        Ok(keys.map(|api| (api.api_key, (api.min_version, api.max_version))).collect())
    }

    fn agree_in(
        &mut self,
        version: i16,
        request: &ApiVersionsRequest,
    ) -> Result<ApiVersionsResponse, ClientError> {
        const ERROR_CODE_AT: std::ops::Range<usize> = 4..6;
        self.send(version, request)?;
        let frame = self.receive(ApiKey::ApiVersions)?;
        let unsupported = ErrorCode::UnsupportedVersion.number().to_be_bytes();
        let version = if frame.get(ERROR_CODE_AT) == Some(&unsupported) { 0 } else { version };
        let answer = decode_response(&frame, ApiKey::ApiVersions, version);
        answer.map(|(_, answer)| answer).map_err(|malformed| self.not_kafka(malformed))
    }

    fn not_kafka(&self, malformed: Malformed) -> ClientError {
        ClientError::NotKafka { address: self.address.clone(), malformed }
    }

    fn broken(&self, api_key: ApiKey, error: io::Error) -> ClientError {
        let address = self.address.clone();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                ClientError::Late { address, api_key, after: self.patience }
            }
            _ => ClientError::Lost { address, error },
        }
    }
}

/// The answers of a connection, for a thread of their own.
#[derive(Debug)]
pub struct Answers {
    stream: TcpStream,
}

impl Answers {
    /// Waits for the next answer, a frame without its size.
    pub fn next(&mut self) -> Result<Vec<u8>, FrameError> {
        read_frame(&mut self.stream)
    }
}

/// Why no frame could be read.
#[derive(Debug)]
pub enum FrameError {
    /// The connection broke.
    Io(io::Error),
    /// Its size can't be.
    Malformed(Malformed),
}

fn read_frame(stream: &mut TcpStream) -> Result<Vec<u8>, FrameError> {
    let mut prefix = [0; PREFIX_SIZE];
    stream.read_exact(&mut prefix).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => closed(),
        _ => FrameError::Io(error),
    })?;
    let size = frame_size(prefix, ANSWER_SIZE_MAX).map_err(FrameError::Malformed)?;
    let mut frame = Vec::with_capacity(size.min(ANSWER_ROOM_BYTES));
    let read = stream.take(size as u64).read_to_end(&mut frame).map_err(FrameError::Io)?;
    if read < size {
        return Err(closed());
    }
    Ok(frame)
}

fn closed() -> FrameError {
    FrameError::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "closed at the other end"))
}

fn dial(address: &str) -> Result<TcpStream, ClientError> {
    let unreachable = |error| ClientError::Unreachable { address: address.to_owned(), error };
    let (host, port) = split(address)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (host, port).to_socket_addrs().map_err(unreachable)? {
        match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

/// Host and port; an IPv6 address with a port has brackets around it, as in a URL.
fn split(address: &str) -> Result<(&str, u16), ClientError> {
    let wrong = || ClientError::Address { text: address.to_owned() };
    let (host, port) = match address.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(None) => return Err(wrong()),
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, rest))) => (host, Some(rest.strip_prefix(':').ok_or_else(wrong)?)),
        None => match address.split_once(':') {
            Some((_, rest)) if rest.contains(':') => (address, None),
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| wrong())?,
        None => USUAL_PORT,
    };
    if host.is_empty() { Err(wrong()) } else { Ok((host, port)) }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn an_address_is_a_host_with_or_without_a_port() {
        let good = [
            ("localhost", ("localhost", 9092)),
            ("kafka-1.example:19092", ("kafka-1.example", 19092)),
            ("127.0.0.1:1", ("127.0.0.1", 1)),
            ("::1", ("::1", 9092)),
            ("[::1]", ("::1", 9092)),
            ("[::1]:9093", ("::1", 9093)),
        ];
        for (text, expected) in good {
            assert_eq!(split(text).expect("it is one"), expected);
        }
        for text in ["", ":9092", "host:", "host:x", "host:70000", "[::1", "[::1]9", "[]:1"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
