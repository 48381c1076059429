//! Responses as frames: size prefix, header, body.

use crate::error::{EncodeError, Malformed};
use crate::frame::{PREFIX_SIZE, frame_prefix};
use crate::generated::api_key::ApiKey;
use crate::header::{RequestHeader, decode_response_header, encode_response_header};
use crate::message::Message;
use crate::primitive::reader::Reader;
use crate::primitive::writer::Writer;

/// Which request a response answers, and in which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The API of the request.
    pub api_key: ApiKey,
    /// Its version; 0 to an ApiVersions request in an unsupported version (KIP-511).
    pub api_version: i16,
    /// Its correlation id.
    pub correlation_id: i32,
}

impl From<RequestHeader<'_>> for Answered {
    fn from(header: RequestHeader<'_>) -> Self {
        let RequestHeader { api_key, api_version, correlation_id, .. } = header;
        Self { api_key, api_version, correlation_id }
    }
}

/// The whole frame of a response, its size prefix included.
pub fn encode_response(answered: Answered, body: &impl Message) -> Result<Vec<u8>, EncodeError> {
    encode_frame(answered, |writer| body.encode(writer, answered.api_version))
}

/// As [`encode_response`], with a body that `write` writes.
pub(crate) fn encode_frame(
    answered: Answered,
    write: impl FnOnce(&mut Writer),
) -> Result<Vec<u8>, EncodeError> {
    let mut writer = begin_frame(answered, 0);
    write(&mut writer);
    end_frame(writer, 0)
}

/// A writer that stands at the body of a response of about `size_bytes`.
pub(crate) fn begin_frame(answered: Answered, size_bytes: usize) -> Writer {
    let Answered { api_key, api_version, correlation_id } = answered;
    let mut writer = Writer::with_capacity(size_bytes);
    writer.raw(&[0; PREFIX_SIZE]);
    encode_response_header(&mut writer, api_key, api_version, correlation_id);
    writer.set_form(api_key.form(api_version));
    writer
}

/// The bytes of a response's frame; `elsewhere_bytes` of it are not in the writer.
pub(crate) fn end_frame(writer: Writer, elsewhere_bytes: usize) -> Result<Vec<u8>, EncodeError> {
    let mut frame = writer.finish()?;
    let prefix = frame_prefix(frame.len() - PREFIX_SIZE + elsewhere_bytes)?;
    frame[..PREFIX_SIZE].copy_from_slice(&prefix);
    Ok(frame)
}

/// The whole frame of a request, as a client sends it.
pub fn encode_request(
    header: RequestHeader<'_>,
    body: &impl Message,
) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::new();
    writer.raw(&[0; PREFIX_SIZE]);
    header.encode(&mut writer);
    body.encode(&mut writer, header.api_version);
    end_frame(writer, 0)
}

/// Reads a response from a frame without its size prefix, as a client does; gives the correlation
/// id too.
pub fn decode_response<M: Message>(
    frame: &[u8],
    api_key: ApiKey,
    api_version: i16,
) -> Result<(i32, M), Malformed> {
    let mut reader = Reader::new(frame);
    let correlation_id = decode_response_header(&mut reader, api_key, api_version)?;
    Ok((correlation_id, M::decode(&mut reader, api_version)?))
}
