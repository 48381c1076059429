//! The least of an HTTP client: one request, one answer, the connection's end.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any page of these tests takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number in the first line.
    pub status: u16,
    /// All lines before the body.
    pub head: String,
    /// What comes behind the head.
    pub body: String,
}

/// Fetches a page.
pub fn get(address: SocketAddr, target: &str) -> io::Result<Answer> {
    // An answer of this version is never cut into chunks.
    ask(address, format!("GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())
}

/// Sends these bytes, and reads what comes until the server closes.
pub fn ask(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(|_| broken("it is no text"))?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| broken("it has no head"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| broken("it has no status"))?;
    Ok(Answer { status, head: head.to_string(), body: body.to_string() })
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
