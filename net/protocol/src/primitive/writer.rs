//! Writes Kafka's primitive types into one growing buffer.

use crate::error::EncodeError;
use crate::primitive::{Form, STRING_SIZE_MAX};
use crate::uuid::Uuid;

/// The bytes of one message as they are written.
///
/// Writing never fails on the spot: the first value that the wire cannot carry is remembered, and
/// [`Self::finish`] reports it in place of the bytes.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    form: Form,
    error: Option<EncodeError>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty writer, in the plain form.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty writer that has room for `size_bytes`.
    pub fn with_capacity(size_bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(size_bytes), form: Form::Plain, error: None }
    }

    /// The bytes, or the first value that could not be written.
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.bytes),
        }
    }

    /// Chooses how the lengths that follow are written.
    pub fn set_form(&mut self, form: Form) {
        self.form = form;
    }

    /// Number of bytes written.
    pub fn position(&self) -> usize {
        self.bytes.len()
    }

    /// Remembers that the message cannot be written, unless something did so before.
    pub fn refuse(&mut self, error: EncodeError) {
        self.error.get_or_insert(error);
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes a bool.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// Writes an int8.
    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an int16.
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an uint16.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an int32.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an uint32.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an int64.
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes a float64.
    pub fn f64(&mut self, value: f64) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes a uuid.
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(&value.0);
    }

    /// Writes an unsigned variable-length integer.
    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value > 0x7f {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Writes the string of `field`.
    pub fn string(&mut self, field: &'static str, value: &str) {
        self.nullable_string(field, Some(value));
    }

    /// Writes the string of `field`, which may be null.
    pub fn nullable_string(&mut self, field: &'static str, value: Option<&str>) {
        if let Some(text) = value
            && text.len() > STRING_SIZE_MAX
        {
            return self.refuse(EncodeError::TooLong { field, length: text.len() });
        }
        match self.form {
            // STRING_SIZE_MAX is the largest int16.
            Form::Plain => self.i16(value.map_or(-1, |text| text.len() as i16)),
            Form::Flexible => self.unsigned_varint(value.map_or(0, |text| text.len() as u32 + 1)),
        }
        self.raw(value.unwrap_or_default().as_bytes());
    }

    /// Writes the string of `field` in a version that has no null for it.
    pub fn non_null_string(&mut self, field: &'static str, value: Option<&str>) {
        match value {
            Some(text) => self.string(field, text),
            None => self.refuse(EncodeError::Null { field }),
        }
    }

    /// Writes the byte array of `field`.
    pub fn byte_array(&mut self, field: &'static str, value: &[u8]) {
        self.nullable_bytes(field, Some(value));
    }

    /// Writes the byte array of `field`, which may be null.
    pub fn nullable_bytes(&mut self, field: &'static str, value: Option<&[u8]>) {
        self.length(field, value.map(<[u8]>::len));
        self.raw(value.unwrap_or_default());
    }

    /// Writes the byte array of `field` in a version that has no null for it.
    pub fn non_null_bytes(&mut self, field: &'static str, value: Option<&[u8]>) {
        match value {
            Some(bytes) => self.byte_array(field, bytes),
            None => self.refuse(EncodeError::Null { field }),
        }
    }

    /// Writes the array of `field`, each element by `element`.
    pub fn array<T>(
        &mut self,
        field: &'static str,
        values: &[T],
        element: impl FnMut(&mut Self, &T),
    ) {
        self.nullable_array(field, Some(values), element);
    }

    /// Writes the array of `field`, which may be null, each element by `element`.
    pub fn nullable_array<T>(
        &mut self,
        field: &'static str,
        values: Option<&[T]>,
        mut element: impl FnMut(&mut Self, &T),
    ) {
        self.length(field, values.map(<[T]>::len));
        for value in values.unwrap_or_default() {
            element(self, value);
        }
    }

    /// Writes the array of `field` in a version that has no null for it.
    pub fn non_null_array<T>(
        &mut self,
        field: &'static str,
        values: Option<&[T]>,
        element: impl FnMut(&mut Self, &T),
    ) {
        match values {
            Some(values) => self.array(field, values, element),
            None => self.refuse(EncodeError::Null { field }),
        }
    }

    /// Writes a struct that may be null, by `write`.
    pub fn nullable_struct<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        match value {
            Some(value) => {
                self.i8(1);
                write(self, value);
            }
            None => self.i8(-1),
        }
    }

    /// Writes the length of a byte array or the count of an array, `None` for null.
    pub fn length(&mut self, field: &'static str, length: Option<usize>) {
        let Ok(wire) = length.map_or(Ok(-1), i32::try_from) else {
            let length = length.unwrap_or_default();
            return self.refuse(EncodeError::TooLong { field, length });
        };
        match self.form {
            Form::Plain => self.i32(wire),
            // From 0 for null to 2^31 for the longest: an uint32 holds them all.
            Form::Flexible => self.unsigned_varint((i64::from(wire) + 1) as u32),
        }
    }

    /// Writes how many tagged fields follow, one for each that is not at its default: librdkafka
    /// 2.0 fails on a tagged field that says what its absence says. The plain form has none.
    pub fn tagged_field_count(&mut self, count: u32) {
        if self.form == Form::Flexible {
            self.unsigned_varint(count);
        }
    }

    /// Writes one tagged field, its value by `write`. Tags must ascend.
    pub fn tagged_field(&mut self, tag: u32, write: impl FnOnce(&mut Self)) {
        assert!(
            self.form == Form::Flexible,
            "tagged field {tag} in a version that is not flexible"
        );
        self.unsigned_varint(tag);
        let start = self.bytes.len();
        write(self);
        let end = self.bytes.len();
        // The size stands before the value and is known behind it: write it there, then turn the
        // two around.
        self.unsigned_varint(u32::try_from(end - start).unwrap_or(u32::MAX));
        let size_len = self.bytes.len() - end;
        self.bytes[start..].rotate_right(size_len);
    }
}
