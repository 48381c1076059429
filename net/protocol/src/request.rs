//! The server's entry: one frame to one request.

use crate::error::DecodeError;
use crate::generated::request_body::RequestBody;
use crate::header::RequestHeader;
use crate::primitive::reader::Reader;

/// One request; what it holds of records and names may borrow from the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    /// The header, of a served API in a served version.
    pub header: RequestHeader<'a>,
    /// The body.
    pub body: RequestBody<'a>,
}

/// Reads a request from a frame without its size prefix.
///
/// Bytes behind the body are ignored, as Kafka does. [`DecodeError`] says what to do on failure.
pub fn decode_request(frame: &[u8]) -> Result<Request<'_>, DecodeError> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader)?;
    let body = RequestBody::decode(&mut reader, header.api_key, header.api_version)?;
    Ok(Request { header, body })
}

#[cfg(test)]
mod tests;
