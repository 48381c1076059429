//! The headers of requests and responses.
//!
//! ```text
//! request   v1  api key i16 | api version i16 | correlation id i32 | client id nullable string
//!           v2  the same, then tagged fields; the client id stays in the plain form
//! response  v0  correlation id i32
//!           v1  the same, then tagged fields
//! ```

use crate::error::{DecodeError, Malformed};
use crate::generated::api_key::ApiKey;
use crate::primitive::Form;
use crate::primitive::reader::Reader;
use crate::primitive::writer::Writer;

/// What stands before every request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API that is asked for.
    pub api_key: ApiKey,
    /// Its version, one that is served.
    pub api_version: i16,
    /// What the response must carry.
    pub correlation_id: i32,
    /// The client's name for itself, for logs and quotas.
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Reads a header; the reader then stands at the body.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let api_key = reader.i16()?;
        let api_version = reader.i16()?;
        let correlation_id = reader.i32()?;
        let Some(api_key) = ApiKey::from_number(api_key) else {
            return Err(DecodeError::UnknownApiKey { api_key, correlation_id });
        };
        if !api_key.is_served_in(api_version) {
            return Err(DecodeError::UnsupportedVersion { api_key, api_version, correlation_id });
        }
        let client_id = reader.nullable_str()?;
        reader.set_form(api_key.form(api_version));
        reader.skip_tagged_fields()?;
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }

    /// Writes the header, as a client does.
    pub fn encode(&self, writer: &mut Writer) {
        writer.set_form(Form::Plain);
        writer.i16(self.api_key.number());
        writer.i16(self.api_version);
        writer.i32(self.correlation_id);
        writer.nullable_string("client_id", self.client_id);
        writer.set_form(self.api_key.form(self.api_version));
        writer.tagged_field_count(0);
    }
}

/// Reads a response's header, as a client does, and gives the correlation id.
pub fn decode_response_header(
    reader: &mut Reader<'_>,
    api_key: ApiKey,
    api_version: i16,
) -> Result<i32, Malformed> {
    let correlation_id = reader.i32()?;
    reader.set_form(api_key.response_header_form(api_version));
    reader.skip_tagged_fields()?;
    Ok(correlation_id)
}

/// Writes a response's header.
pub fn encode_response_header(
    writer: &mut Writer,
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
) {
    writer.i32(correlation_id);
    writer.set_form(api_key.response_header_form(api_version));
    writer.tagged_field_count(0);
}
