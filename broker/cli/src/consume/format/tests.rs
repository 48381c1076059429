//! What each format makes of a record.

use super::*;
use record::{BatchBuilder, BatchView, Header, ReadLimits, Record, Timestamp};

const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 1 << 20 };

fn written(format: &Format, record: &Record<'_>, null: NullText) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.push(record);
    let batch = builder.build().expect("it is small");
    let (view, _) = BatchView::parse(&batch).expect("it was built");
    let records = record::records(&view, &LIMITS).expect("it was built");
    let record = records.iter().next().expect("one").expect("it was built");
    let timestamp_type = view.timestamp_type();
    let read = Read { topic: "flights", partition: 3, broker: 1, timestamp_type, record };
    let mut out = Vec::new();
    format.write(&mut out, &read, null).expect("memory");
    out
}

fn pieces(text: &str) -> Format {
    Format::Pieces(text.parse::<Pieces>().expect("a format").0)
}

const HEADERS: [Header<'static>; 2] =
    [Header { key: b"carrier", value: Some(b"UA") }, Header { key: b"gate", value: None }];

#[test]
fn pieces_are_those_of_kcat() {
    let record = Record {
        timestamp: Timestamp(1_357_035_300_000),
        key: Some(b"N14228"),
        value: Some(b"EWR-IAH"),
        headers: &HEADERS,
    };
    let format = pieces(r"%p\t%o\t%T\t%K\t%k\t%h\t%s\n");
    let expected = b"3\t0\t1357035300000\t6\tN14228\tcarrier=UA,gate=NULL\tEWR-IAH\n";
    assert_eq!(written(&format, &record, b""), expected);
    assert_eq!(written(&pieces("%t 100%% %S %R"), &record, b""), b"flights 100% 7 \0\0\0\x07");
}

#[test]
fn null_and_nothing_can_be_told_apart() {
    let null = Record { timestamp: Timestamp(0), ..Record::default() };
    let empty = Record { key: Some(b""), value: Some(b""), ..null };
    let format = pieces("[%k|%s|%K|%S]");
    assert_eq!(written(&format, &null, b""), b"[||-1|-1]");
    assert_eq!(written(&format, &null, b"NULL"), b"[NULL|NULL|-1|-1]");
    assert_eq!(written(&format, &empty, b"NULL"), b"[||0|0]");
}

#[test]
fn json_has_the_fields_of_kcat() {
    let record = Record {
        timestamp: Timestamp(5),
        key: Some(b"\xff\x00"),
        value: Some("\u{fc}\"".as_bytes()),
        headers: &HEADERS,
    };
    let expected = concat!(
        r#"{"topic":"flights","partition":3,"offset":0,"tstype":"create","ts":5,"broker":1,"#,
        r#""headers":["carrier","UA","gate",null],"key":{"hex":"ff00"},"payload":"ü\""}"#,
        "\n"
    );
    assert_eq!(String::from_utf8_lossy(&written(&Format::Json, &record, b"")), expected);
    let expected = concat!(
        r#"{"topic":"flights","partition":3,"offset":0,"tstype":"unknown","ts":-1,"broker":1,"#,
        r#""key":null,"payload":null}"#,
        "\n"
    );
    let nothing = Record::default();
    assert_eq!(String::from_utf8_lossy(&written(&Format::Json, &nothing, b"NULL")), expected);
}

#[test]
fn other_pieces_are_refused() {
    for text in ["%", "%q", "a%"] {
        assert_eq!(text.parse::<Pieces>(), Err(WrongFormat::Piece), "{text}");
    }
    assert_eq!(r"\q".parse::<Pieces>(), Err(WrongFormat::Escape(WrongEscape)));
}
