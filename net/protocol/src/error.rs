//! What can be wrong with bytes from the wire, and with a value that is to go onto it.

use std::fmt;

use crate::generated::api_key::ApiKey;

/// Why a frame is not a request that this broker serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The API key is not served. Close the connection, as Kafka does.
    UnknownApiKey {
        /// The key on the wire.
        api_key: i16,
        /// The request's correlation id.
        correlation_id: i32,
    },
    /// The API is served, but not in this version. An ApiVersions request of this kind is answered
    /// in version 0 with UNSUPPORTED_VERSION and the list of APIs (KIP-511); for any other API
    /// close the connection.
    UnsupportedVersion {
        /// The API that was asked for.
        api_key: ApiKey,
        /// The version on the wire.
        api_version: i16,
        /// The request's correlation id.
        correlation_id: i32,
    },
    /// The bytes do not follow the schema. Close the connection.
    Malformed(Malformed),
}

impl From<Malformed> for DecodeError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownApiKey { api_key, correlation_id } => write!(
                f,
                "request {correlation_id} asks for API key {api_key}, which is not served: \
                 the client must follow ApiVersions"
            ),
            Self::UnsupportedVersion { api_key, api_version, correlation_id } => write!(
                f,
                "request {correlation_id} asks for {} version {api_version}, served are {} to {}: \
                 the client must follow ApiVersions",
                api_key.name(),
                api_key.min_version(),
                api_key.max_version(),
            ),
            Self::Malformed(malformed) => malformed.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Bytes that do not follow the schema, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Index of the offending byte in the frame, counted behind the size prefix.
    pub position: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// The ways in which bytes can break the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes end before the value does.
    Truncated {
        /// Bytes that the value needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A null where the schema has none.
    Null,
    /// A length or count below -1.
    Negative {
        /// The length on the wire.
        length: i32,
    },
    /// More array elements are declared than the bytes left could hold, or than a frame of this
    /// size may take memory for.
    TooMany {
        /// The declared count.
        count: usize,
        /// The largest count that would do.
        most: usize,
    },
    /// A string above Kafka's limit of 32,767 bytes.
    StringTooLong {
        /// The declared length.
        length: usize,
    },
    /// A string that is not UTF-8.
    NotUtf8,
    /// A variable-length integer that does not fit 32 bits.
    Varint,
    /// A known tagged field that does not fill its declared size.
    TaggedFieldSize {
        /// Bytes that its value left over.
        unread: usize,
    },
    /// A frame above the limit, or with a negative size.
    FrameSize {
        /// The size prefix.
        size: i32,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed frame at byte {}: ", self.position)?;
        match self.fault {
            Fault::Truncated { needed, left } => {
                write!(f, "{needed} bytes are needed and {left} are left")
            }
            Fault::Null => write!(f, "null where the schema has no null"),
            Fault::Negative { length } => write!(f, "a length of {length}"),
            Fault::TooMany { count, most } => {
                write!(f, "an array of {count} where a frame of this size has room for {most}")
            }
            Fault::StringTooLong { length } => {
                write!(f, "a string of {length} bytes, above the limit of 32767")
            }
            Fault::NotUtf8 => write!(f, "a string that is not UTF-8"),
            Fault::Varint => write!(f, "a variable-length integer above 32 bits"),
            Fault::TaggedFieldSize { unread } => {
                write!(f, "a tagged field with {unread} bytes behind its value")
            }
            Fault::FrameSize { size } => write!(f, "a frame size of {size}"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Why a value cannot be written in the version asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The field is null and the version has no null there: give it a value.
    Null {
        /// The schema's name of the field, in snake case.
        field: &'static str,
    },
    /// The field is set, and the version cannot carry it: leave it at its default.
    NotInVersion {
        /// The schema's name of the field, in snake case.
        field: &'static str,
    },
    /// The string, byte array or array is longer than its length prefix can say: shorten it.
    TooLong {
        /// The schema's name of the field, in snake case.
        field: &'static str,
        /// Its length.
        length: usize,
    },
    /// The frame is longer than its 4-byte size prefix can say: send less at once.
    FrameTooLarge {
        /// Its size in bytes, without the prefix.
        size_bytes: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null { field } => {
                write!(f, "{field} is null, which this version cannot say: give it a value")
            }
            Self::NotInVersion { field } => {
                write!(f, "{field} is set, which this version cannot carry: leave the default")
            }
            Self::TooLong { field, length } => {
                write!(
                    f,
                    "{field} has a length of {length}, above what the wire can say: shorten it"
                )
            }
            Self::FrameTooLarge { size_bytes } => {
                write!(f, "a frame of {size_bytes} bytes is above 2147483647: send less at once")
            }
        }
    }
}

impl std::error::Error for EncodeError {}
