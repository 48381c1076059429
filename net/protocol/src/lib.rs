//! Kafka's wire protocol as values: requests and responses from bytes and back, with no I/O.
//!
//! A server calls [`request::decode_request`] on one frame and [`response::encode_response`] for
//! the answer; [`produce::Response`] and [`fetch::response::Response`], which leaves gaps for the
//! records, encode themselves. A client or a tool uses the [`message::Message`]s under
//! [`generated`]: each encodes and decodes itself in every served version.

pub mod api;
pub mod request;
pub mod response;

pub mod fetch;
pub mod produce;

pub mod generated;
pub mod message;

pub mod frame;
pub mod header;

pub mod error_code;
pub mod uuid;

pub mod error;
pub mod primitive;

#[cfg(feature = "oracle")]
pub mod oracle;

pub use error::{DecodeError, EncodeError, Malformed};
pub use error_code::ErrorCode;
pub use generated::api_key::ApiKey;
pub use message::Message;
pub use request::{Request, decode_request};
pub use response::{Answered, encode_response};
pub use uuid::Uuid;
