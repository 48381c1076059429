//! Tests of the primitive types: each form leads back, each broken length is refused.

use super::Form;
use super::reader::{Known, Reader};
use super::writer::Writer;
use crate::error::{EncodeError, Fault, Malformed};
use crate::uuid::Uuid;

const FORMS: [Form; 2] = [Form::Plain, Form::Flexible];

fn written(form: Form, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.set_form(form);
    write(&mut writer);
    writer.finish().expect("the test writes what the wire can carry")
}

fn reader(form: Form, bytes: &[u8]) -> Reader<'_> {
    let mut reader = Reader::new(bytes);
    reader.set_form(form);
    reader
}

#[test]
fn values_lead_back_in_both_forms() {
    for form in FORMS {
        let bytes = written(form, |writer| {
            writer.bool(true);
            writer.i8(-1);
            writer.i16(i16::MIN);
            writer.u16(u16::MAX);
            writer.i32(i32::MIN);
            writer.u32(u32::MAX);
            writer.i64(i64::MIN);
            writer.f64(0.5);
            writer.uuid(Uuid::ONE);
            writer.string("field", "grüße");
            writer.nullable_string("field", None);
            writer.byte_array("field", &[1, 2, 3]);
            writer.nullable_bytes("field", None);
            writer.array("field", &[7, 8], |writer, element| writer.i32(*element));
            writer.nullable_array("field", None, |writer, element| writer.i32(*element));
            writer.nullable_struct(Some(&9), |writer, value| writer.i32(*value));
            writer.nullable_struct(None, |writer, value| writer.i32(*value));
        });
        let mut reader = reader(form, &bytes);
        assert_eq!(reader.bool(), Ok(true));
        assert_eq!(reader.i8(), Ok(-1));
        assert_eq!(reader.i16(), Ok(i16::MIN));
        assert_eq!(reader.u16(), Ok(u16::MAX));
        assert_eq!(reader.i32(), Ok(i32::MIN));
        assert_eq!(reader.u32(), Ok(u32::MAX));
        assert_eq!(reader.i64(), Ok(i64::MIN));
        assert_eq!(reader.f64(), Ok(0.5));
        assert_eq!(reader.uuid(), Ok(Uuid::ONE));
        assert_eq!(reader.str(), Ok("grüße"));
        assert_eq!(reader.nullable_str(), Ok(None));
        assert_eq!(reader.bytes(), Ok(&[1, 2, 3][..]));
        assert_eq!(reader.nullable_bytes(), Ok(None));
        assert_eq!(reader.array(4, Reader::i32), Ok(vec![7, 8]));
        assert_eq!(reader.nullable_array(4, Reader::i32), Ok(None));
        assert_eq!(reader.nullable_struct(Reader::i32), Ok(Some(9)));
        assert_eq!(reader.nullable_struct(Reader::i32), Ok(None));
        assert_eq!(reader.left(), 0);
    }
}

#[test]
fn varints_lead_back_and_longer_ones_are_refused() {
    for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x0fff_ffff, 0x1000_0000, u32::MAX] {
        let bytes = written(Form::Flexible, |writer| writer.unsigned_varint(value));
        assert_eq!(Reader::new(&bytes).unsigned_varint(), Ok(value));
    }
    let varint = Malformed { position: 0, fault: Fault::Varint };
    for bytes in [[0xff, 0xff, 0xff, 0xff, 0x1f], [0x80, 0x80, 0x80, 0x80, 0x80]] {
        assert_eq!(Reader::new(&bytes).unsigned_varint(), Err(varint));
    }
}

#[test]
fn count_beyond_the_bytes_left_is_refused_before_memory_is_taken() {
    // 2^31 - 1 elements in twenty bytes.
    let mut plain = vec![0x7f, 0xff, 0xff, 0xff];
    plain.resize(20, 0);
    let most = 16 / 4;
    let too_many = Fault::TooMany { count: i32::MAX as usize, most };
    assert_eq!(
        reader(Form::Plain, &plain).array_len(4),
        Err(Malformed { position: 0, fault: too_many })
    );

    let mut flexible = written(Form::Flexible, |writer| writer.unsigned_varint(1 << 31));
    flexible.resize(20, 0);
    let too_many = Fault::TooMany { count: i32::MAX as usize, most: 15 };
    assert_eq!(
        reader(Form::Flexible, &flexible).array_len(1),
        Err(Malformed { position: 0, fault: too_many })
    );
}

#[test]
fn capacity_follows_the_elements_not_the_count() {
    let count = 1 << 20;
    let bytes = written(Form::Plain, |writer| {
        writer.length("field", Some(count));
        writer.raw(&vec![0; count]);
    });
    let whole = reader(Form::Plain, &bytes).array(1, Reader::i8).expect("all are there");
    assert_eq!(whole.len(), count);
    let few = reader(Form::Plain, &[0, 0, 0, 2, 1, 2]).array(1, Reader::i8).expect("two are there");
    assert_eq!(few.len(), 2);
    assert!(few.capacity() < 1024);
}

#[test]
fn arrays_of_a_frame_share_one_bound_of_memory() {
    // A million empty strings, one byte each, would be 24 MB of empty `String`s.
    let count = 1 << 20;
    let empty_names = |writer: &mut Writer| {
        writer.length("names", Some(count));
        writer.raw(&vec![1; count]);
    };
    let bytes = written(Form::Flexible, empty_names);
    let refused = reader(Form::Flexible, &bytes).array(1, Reader::string);
    assert!(matches!(refused, Err(Malformed { fault: Fault::TooMany { .. }, .. })), "{refused:?}");

    // Either of two arrays is within the bound, both are not, the second in a tagged field or not.
    let names = |writer: &mut Writer| {
        writer.array("names", &[""; 5000], |writer, name| writer.string("names", name));
    };
    let bytes = written(Form::Flexible, |writer| {
        names(writer);
        writer.tagged_field_count(1);
        writer.tagged_field(0, names);
    });
    let mut whole = reader(Form::Flexible, &bytes);
    assert!(whole.array(1, Reader::string).is_ok());
    let refused =
        whole.tagged_fields(|_, reader| reader.array(1, Reader::string).map(|_| Known::Yes));
    assert!(matches!(refused, Err(Malformed { fault: Fault::TooMany { .. }, .. })), "{refused:?}");

    let mut second_only = reader(Form::Flexible, &bytes);
    assert!(second_only.bytes().is_ok());
    let read =
        second_only.tagged_fields(|_, reader| reader.array(1, Reader::string).map(|_| Known::Yes));
    assert_eq!(read, Ok(()));
}

#[test]
fn null_and_negative_lengths_are_refused_where_the_schema_has_none() {
    let null = Malformed { position: 0, fault: Fault::Null };
    assert_eq!(reader(Form::Plain, &[0xff, 0xff]).str(), Err(null));
    assert_eq!(reader(Form::Flexible, &[0]).str(), Err(null));
    assert_eq!(reader(Form::Plain, &[0xff; 4]).bytes(), Err(null));
    assert_eq!(reader(Form::Plain, &[0xff; 4]).array_len(1), Err(null));
    let negative = Malformed { position: 0, fault: Fault::Negative { length: -2 } };
    assert_eq!(reader(Form::Plain, &[0xff, 0xfe]).nullable_str(), Err(negative));
    assert_eq!(reader(Form::Plain, &[0xff, 0xff, 0xff, 0xfe]).nullable_bytes(), Err(negative));
}

#[test]
fn strings_are_utf8_of_at_most_32767_bytes() {
    let not_utf8 = Malformed { position: 0, fault: Fault::NotUtf8 };
    assert_eq!(reader(Form::Flexible, &[2, 0xff]).str(), Err(not_utf8));

    let long = "x".repeat(32_768);
    for form in FORMS {
        let mut writer = Writer::new();
        writer.set_form(form);
        writer.string("name", &long);
        let too_long = EncodeError::TooLong { field: "name", length: 32_768 };
        assert_eq!(writer.finish(), Err(too_long));
        let longest = written(form, |writer| writer.string("name", &long[1..]));
        assert_eq!(reader(form, &longest).str(), Ok(&long[1..]));
    }
    let bytes = written(Form::Flexible, |writer| writer.byte_array("name", long.as_bytes()));
    let too_long = Malformed { position: 0, fault: Fault::StringTooLong { length: 32_768 } };
    assert_eq!(reader(Form::Flexible, &bytes).str(), Err(too_long));
}

#[test]
fn unknown_tagged_fields_are_skipped_and_known_ones_must_fill_their_size() {
    let bytes = written(Form::Flexible, |writer| {
        writer.tagged_field_count(3);
        writer.tagged_field(1, |writer| writer.i32(5));
        writer.tagged_field(300, |writer| writer.raw(&[0xaa; 200]));
        writer.tagged_field(301, |_| ());
        writer.i8(77);
    });
    let mut tags = Vec::new();
    let mut whole = reader(Form::Flexible, &bytes);
    let read = whole.tagged_fields(|tag, reader| {
        tags.push((tag, reader.left()));
        if tag == 1 { reader.i32().map(|_| Known::Yes) } else { Ok(Known::No) }
    });
    assert_eq!(read, Ok(()));
    assert_eq!(tags, [(1, 4), (300, 200), (301, 0)]);
    assert_eq!(whole.i8(), Ok(77));

    let too_short =
        reader(Form::Flexible, &bytes).tagged_fields(|_, reader| reader.i16().map(|_| Known::Yes));
    let fault = Fault::TaggedFieldSize { unread: 2 };
    assert_eq!(too_short, Err(Malformed { position: 5, fault }));
    let too_long =
        reader(Form::Flexible, &bytes).tagged_fields(|_, reader| reader.i64().map(|_| Known::Yes));
    let fault = Fault::Truncated { needed: 8, left: 4 };
    assert_eq!(too_long, Err(Malformed { position: 3, fault }));
}

#[test]
fn count_of_tagged_fields_is_bounded_by_the_bytes() {
    let bytes = [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0, 2, 0];
    let mut calls = 0;
    let read = reader(Form::Flexible, &bytes).tagged_fields(|_, _| {
        calls += 1;
        Ok(Known::No)
    });
    assert_eq!(
        read,
        Err(Malformed { position: 9, fault: Fault::Truncated { needed: 1, left: 0 } })
    );
    assert_eq!(calls, 2);
}

#[test]
fn first_refusal_is_reported_in_place_of_the_bytes() {
    let mut writer = Writer::new();
    writer.non_null_string("first", None);
    writer.non_null_array::<i32>("second", None, |_, _| ());
    assert_eq!(writer.finish(), Err(EncodeError::Null { field: "first" }));
}
