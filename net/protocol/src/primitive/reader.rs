//! Reads Kafka's primitive types from one frame, checking every length against the bytes left.

use crate::error::{Fault, Malformed};
use crate::primitive::{Form, STRING_SIZE_MAX};
use crate::uuid::Uuid;

/// Elements that an array reserves memory for before the first is read; more grow with the bytes.
const CAPACITY_UP_FRONT_MAX: usize = 1024;

/// The memory that arrays may take for each byte of the frame. A Fetch partition is 72 bytes here
/// and 16 on the wire; an array of empty names would be 24 for 1.
const ARRAY_BYTES_PER_BYTE_MAX: usize = 8;

/// The memory that arrays may take in any case, so that small frames need no arithmetic.
const ARRAY_BYTES_MIN: usize = 64 * 1024;

/// A position in the bytes of one frame. Strings and bytes that it hands out borrow from the frame.
///
/// No call panics, loops or allocates by more than the bytes left can justify. All arrays of a
/// frame together take at most eight times its size and 64 KiB, their spare capacity not counted.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    form: Form,
    /// What arrays may still take, in bytes.
    array_bytes_left: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start, in the plain form.
    pub fn new(bytes: &'a [u8]) -> Self {
        let array_bytes_left = bytes.len() * ARRAY_BYTES_PER_BYTE_MAX + ARRAY_BYTES_MIN;
        Self { bytes, position: 0, form: Form::Plain, array_bytes_left }
    }

    /// Chooses how the lengths that follow are written.
    pub fn set_form(&mut self, form: Form) {
        self.form = form;
    }

    /// Index of the next byte.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Number of bytes that are not read yet.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next `size` bytes.
    pub fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let rest = &self.bytes[self.position..];
        let Some(taken) = rest.get(..size) else {
            return Err(self.fault(Fault::Truncated { needed: size, left: rest.len() }));
        };
        self.position += size;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut fixed = [0; N];
        fixed.copy_from_slice(self.take(N)?);
        Ok(fixed)
    }

    fn fault(&self, fault: Fault) -> Malformed {
        Malformed { position: self.position, fault }
    }

    /// Reads a bool; every byte but 0 is true.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.i8()? != 0)
    }

    /// Reads an int8.
    pub fn i8(&mut self) -> Result<i8, Malformed> {
        self.fixed().map(i8::from_be_bytes)
    }

    /// Reads an int16.
    pub fn i16(&mut self) -> Result<i16, Malformed> {
        self.fixed().map(i16::from_be_bytes)
    }

    /// Reads an uint16.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.fixed().map(u16::from_be_bytes)
    }

    /// Reads an int32.
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        self.fixed().map(i32::from_be_bytes)
    }

    /// Reads an uint32.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// Reads an int64.
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        self.fixed().map(i64::from_be_bytes)
    }

    /// Reads a float64.
    pub fn f64(&mut self) -> Result<f64, Malformed> {
        self.fixed().map(f64::from_be_bytes)
    }

    /// Reads a uuid.
    pub fn uuid(&mut self) -> Result<Uuid, Malformed> {
        self.fixed().map(Uuid)
    }

    /// Reads an unsigned variable-length integer of at most 32 bits.
    pub fn unsigned_varint(&mut self) -> Result<u32, Malformed> {
        let start = self.position;
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed()?;
            // The fifth byte has room for four bits.
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed { position: start, fault: Fault::Varint })
    }

    /// Reads a string.
    pub fn str(&mut self) -> Result<&'a str, Malformed> {
        let start = self.position;
        self.nullable_str()?.ok_or(Malformed { position: start, fault: Fault::Null })
    }

    /// Reads a string that may be null.
    pub fn nullable_str(&mut self) -> Result<Option<&'a str>, Malformed> {
        let start = self.position;
        let length = match self.form {
            Form::Plain => i32::from(self.i16()?),
            Form::Flexible => self.compact_length()?,
        };
        let Some(length) = self.checked_length(length, start)? else {
            return Ok(None);
        };
        if length > STRING_SIZE_MAX {
            return Err(Malformed { position: start, fault: Fault::StringTooLong { length } });
        }
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Malformed { position: start, fault: Fault::NotUtf8 }),
        }
    }

    /// Reads a string into one of its own.
    pub fn string(&mut self) -> Result<String, Malformed> {
        self.str().map(str::to_owned)
    }

    /// Reads a string that may be null into one of its own.
    pub fn nullable_string(&mut self) -> Result<Option<String>, Malformed> {
        Ok(self.nullable_str()?.map(str::to_owned))
    }

    /// Reads a byte array.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.position;
        self.nullable_bytes()?.ok_or(Malformed { position: start, fault: Fault::Null })
    }

    /// Reads a byte array that may be null.
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.length()? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the count of an array whose elements take at least `min_element_bytes` each.
    ///
    /// A count that the bytes left cannot hold is refused before anything is allocated.
    pub fn array_len(&mut self, min_element_bytes: usize) -> Result<usize, Malformed> {
        let start = self.position;
        let count = self.nullable_array_len(min_element_bytes)?;
        count.ok_or(Malformed { position: start, fault: Fault::Null })
    }

    /// As [`Self::array_len`], of an array that may be null.
    pub fn nullable_array_len(
        &mut self,
        min_element_bytes: usize,
    ) -> Result<Option<usize>, Malformed> {
        assert!(min_element_bytes > 0, "an element of no bytes would allow any count");
        let start = self.position;
        let Some(count) = self.length()? else {
            return Ok(None);
        };
        let most = self.left() / min_element_bytes;
        if count > most {
            return Err(Malformed { position: start, fault: Fault::TooMany { count, most } });
        }
        Ok(Some(count))
    }

    /// Reads an array, each element by `element`. Its memory is charged to the frame.
    pub fn array<T>(
        &mut self,
        min_element_bytes: usize,
        element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.array_len(min_element_bytes)?;
        self.elements(count, element)
    }

    /// Reads an array that may be null, each element by `element`.
    pub fn nullable_array<T>(
        &mut self,
        min_element_bytes: usize,
        element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<Vec<T>>, Malformed> {
        match self.nullable_array_len(min_element_bytes)? {
            Some(count) => self.elements(count, element).map(Some),
            None => Ok(None),
        }
    }

    fn elements<T>(
        &mut self,
        count: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let most = self.array_bytes_left / size_of::<T>().max(1);
        if count > most {
            return Err(self.fault(Fault::TooMany { count, most }));
        }
        self.array_bytes_left -= count * size_of::<T>();
        let mut elements = Vec::with_capacity(count.min(CAPACITY_UP_FRONT_MAX));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// Reads a struct that may be null.
    pub fn nullable_struct<T>(
        &mut self,
        value: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.i8()? < 0 { Ok(None) } else { value(self).map(Some) }
    }

    /// Reads the tagged fields behind a struct: `field` gets each tag and a reader of its value,
    /// and says whether it knew the tag. The values of unknown tags are skipped, as KIP-482 asks.
    /// The plain form has none.
    pub fn tagged_fields(
        &mut self,
        mut field: impl FnMut(u32, &mut Self) -> Result<Known, Malformed>,
    ) -> Result<(), Malformed> {
        if self.form == Form::Plain {
            return Ok(());
        }
        let count = self.unsigned_varint()?;
        // The loop is bounded by the bytes left: each turn reads at least two or fails.
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            let size = self.unsigned_varint()? as usize;
            let start = self.position;
            self.take(size)?;
            let bytes = &self.bytes[..self.position];
            let mut value = Self { bytes, position: start, ..*self };
            if field(tag, &mut value)? == Known::Yes && value.left() > 0 {
                return Err(value.fault(Fault::TaggedFieldSize { unread: value.left() }));
            }
            self.array_bytes_left = value.array_bytes_left;
        }
        Ok(())
    }

    /// Skips the tagged fields behind a struct that has none of its own.
    pub fn skip_tagged_fields(&mut self) -> Result<(), Malformed> {
        self.tagged_fields(|_, _| Ok(Known::No))
    }

    /// The length of a byte array or the count of an array.
    fn length(&mut self) -> Result<Option<usize>, Malformed> {
        let start = self.position;
        let length = match self.form {
            Form::Plain => self.i32()?,
            Form::Flexible => self.compact_length()?,
        };
        self.checked_length(length, start)
    }

    fn compact_length(&mut self) -> Result<i32, Malformed> {
        let start = self.position;
        let length = i64::from(self.unsigned_varint()?) - 1;
        i32::try_from(length).map_err(|_| Malformed { position: start, fault: Fault::Varint })
    }

    fn checked_length(&self, length: i32, start: usize) -> Result<Option<usize>, Malformed> {
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(Malformed { position: start, fault: Fault::Negative { length } }),
        }
    }
}

/// Whether a struct knows a tagged field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Its value was read.
    Yes,
    /// It is to be skipped.
    No,
}
