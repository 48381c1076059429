//! What every request and response body can do.

use crate::error::{EncodeError, Malformed};
use crate::primitive::Form;
use crate::primitive::reader::Reader;
use crate::primitive::writer::Writer;

/// A message body of the Kafka protocol, generated from its schema.
///
/// A decoded message holds the schema's default in every field that its version lacks. Encoding
/// leaves out such fields where the schema calls them ignorable, and refuses them otherwise.
pub trait Message: Sized {
    /// Kafka's name of the message.
    const NAME: &'static str;
    /// The first version that Kafka 4.3 knows.
    const MIN_VERSION: i16;
    /// The last version that Kafka 4.3 holds stable.
    const MAX_VERSION: i16;
    /// The first version in the flexible form (KIP-482), `i16::MAX` for none.
    const FLEXIBLE_FROM: i16;

    /// Reads the body in `version`, which must be one of the message's.
    fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, Malformed>;

    /// Writes the body in `version`, which must be one of the message's.
    fn encode(&self, writer: &mut Writer, version: i16);

    /// The form of the lengths in `version`.
    fn form(version: i16) -> Form {
        assert!(
            (Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version),
            "{} has no version {version}",
            Self::NAME
        );
        if version >= Self::FLEXIBLE_FROM { Form::Flexible } else { Form::Plain }
    }

    /// Reads the body from bytes that hold it alone; bytes behind it are ignored, as Kafka does.
    fn from_bytes(bytes: &[u8], version: i16) -> Result<Self, Malformed> {
        Self::decode(&mut Reader::new(bytes), version)
    }

    /// The body alone as bytes.
    fn to_bytes(&self, version: i16) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new();
        self.encode(&mut writer, version);
        writer.finish()
    }
}
