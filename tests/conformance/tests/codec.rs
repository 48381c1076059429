//! Our messages and Kafka's own classes agree byte for byte, in every served version.
//!
//! A value made up from the schema goes as neutral JSON to both sides. Four things must hold:
//! both write the same bytes; we read theirs as the value; they read ours as the value; and
//! tagged fields that no schema knows change nothing in what we read.
#![allow(clippy::disallowed_methods, reason = "a test outside of the broker starts a process")]

#[path = "codec/by_hand.rs"]
mod by_hand;

use std::collections::BTreeMap;

use conformance::oracle::values::{Seed, Shape, make, normal};
use conformance::oracle::{Oracle, UnknownTags};
use protocol::header::{RequestHeader, encode_response_header};
use protocol::oracle::{Encoded, Entry, JsonError};
use protocol::primitive::reader::Reader;
use protocol::primitive::writer::Writer;
use protocol::{ApiKey, ErrorCode};
use serde_json::{Value, json};

/// Values of each shape for each version of each message.
const SEEDS_PER_SHAPE: u64 = 5;

/// One value of one message, with the bytes that Kafka's classes make of it.
struct Sample<'a> {
    schema: &'a Value,
    version: i16,
    value: Value,
    theirs: Vec<u8>,
    /// The same with unknown tagged fields, in versions that can carry them.
    tagged: Option<Vec<u8>>,
}

/// What the two sides do not agree about.
#[derive(Debug)]
#[expect(dead_code, reason = "a failing test prints it")]
enum Disagreement {
    Json(JsonError),
    WeCannotWrite(protocol::EncodeError),
    Bytes { ours: Vec<u8>, theirs: Vec<u8> },
    WeCannotRead { bytes: Vec<u8>, error: protocol::Malformed },
    WeRead { found: Value, expected: Value },
    TheyRead { found: Value, expected: Value },
}

fn sample<'a>(
    oracle: &mut Oracle,
    entry: &Entry,
    schema: &'a Value,
    version: i16,
    shape: Shape,
    seed: u64,
) -> Sample<'a> {
    let mut seed = Seed(seed << 16 | version as u64);
    let value = make(schema, version, shape, &mut seed);
    let mut encode = |unknown_tags| {
        let bytes = oracle.encode(entry.name, version, &value, unknown_tags);
        bytes.unwrap_or_else(|error| panic!("{} {version}: {error}\n{value}", entry.name))
    };
    let theirs = encode(UnknownTags::None);
    let is_flexible = version >= entry.flexible_from;
    let tagged = is_flexible.then(|| encode(UnknownTags::Everywhere));
    Sample { schema, version, value, theirs, tagged }
}

/// Compares `entry` with Kafka's classes on one value.
fn compare(oracle: &mut Oracle, entry: &Entry, sample: &Sample<'_>) -> Result<(), Disagreement> {
    let &Sample { schema, version, ref value, ref theirs, ref tagged } = sample;
    let ours = (entry.encode)(value, version)
        .map_err(Disagreement::Json)?
        .map_err(Disagreement::WeCannotWrite)?;
    if ours != *theirs {
        return Err(Disagreement::Bytes { ours, theirs: theirs.clone() });
    }
    let expected = normal(schema, version, value);
    for bytes in [Some(theirs), tagged.as_ref()].into_iter().flatten() {
        let read = (entry.decode)(bytes, version);
        let read =
            read.map_err(|error| Disagreement::WeCannotRead { bytes: bytes.clone(), error })?;
        let found = normal(schema, version, &read);
        if found != expected {
            return Err(Disagreement::WeRead { found, expected });
        }
    }
    let read = oracle.decode(entry.name, version, &ours).expect("they read what they would write");
    let found = normal(schema, version, &read);
    if found != expected {
        return Err(Disagreement::TheyRead { found, expected });
    }
    Ok(())
}

fn oracle() -> Oracle {
    Oracle::start().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_message_in_every_version_agrees_with_kafkas_classes() {
    let mut oracle = oracle();
    let mut values = 0;
    for entry in protocol::generated::json::entries() {
        let schema = oracle.schema(entry.name).expect("every served message has a schema");
        for version in entry.min_version..=entry.max_version {
            for &shape in Shape::ALL {
                for seed in 0..SEEDS_PER_SHAPE {
                    let sample = sample(&mut oracle, &entry, &schema, version, shape, seed);
                    let place = format!("{} {version}, {shape:?}, seed {seed}", entry.name);
                    if let Err(difference) = compare(&mut oracle, &entry, &sample) {
                        panic!("{place}: {difference:?}");
                    }
                    by_hand::compare(&mut oracle, entry.name, &sample, &place);
                    values += 1;
                }
            }
        }
    }
    let versions = ApiKey::ALL.iter().map(|api| api.max_version() - api.min_version() + 1);
    let versions: i64 = versions.map(i64::from).sum();
    assert_eq!(values, versions * 2 * Shape::ALL.len() as i64 * SEEDS_PER_SHAPE as i64);
}

#[test]
fn cut_and_damaged_messages_are_refused_or_read_but_never_panic() {
    let mut oracle = oracle();
    let mut seed = Seed(7);
    let (mut read, mut refused) = (0, 0);
    for entry in protocol::generated::json::entries() {
        let schema = oracle.schema(entry.name).expect("every served message has a schema");
        for version in entry.min_version..=entry.max_version {
            let sample = sample(&mut oracle, &entry, &schema, version, Shape::Mixed, 0);
            let whole = sample.tagged.unwrap_or(sample.theirs);
            for length in 0..whole.len() {
                let cut = decode_all(&entry, &whole[..length], version);
                assert!(cut.is_err(), "{} {version}: {length} bytes of {whole:?}", entry.name);
            }
            for _ in 0..200 * u64::from(!whole.is_empty()) {
                let mut damaged = whole.clone();
                for _ in 0..=seed.below(3) {
                    let place = seed.below(damaged.len() as u64) as usize;
                    match seed.below(3) {
                        0 => damaged[place] = seed.next_u64() as u8,
                        1 => damaged[place] = 0xff,
                        _ => damaged.insert(place, seed.next_u64() as u8),
                    }
                }
                match decode_all(&entry, &damaged, version) {
                    Ok(()) => read += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    // Damage to a number goes unseen, damage to a length does not: both were met.
    assert!(read > 1000 && refused > 1000, "{read} read, {refused} refused");
}

/// Decodes by all of our codecs of the message; they must agree whether it can be read.
fn decode_all(entry: &Entry, bytes: &[u8], version: i16) -> Result<(), protocol::Malformed> {
    let owned = (entry.decode)(bytes, version).map(|_| ());
    if let Some(by_hand) = by_hand::decode(entry.name, bytes, version) {
        assert_eq!(by_hand.is_ok(), owned.is_ok(), "{} {version}: {bytes:?}", entry.name);
    }
    owned
}

#[test]
fn comparison_finds_planted_bugs() {
    fn renamed(json: &Value) -> Value {
        // Two fields of one type change places, as when a codec writes them in the wrong order.
        let text = json.to_string();
        let text = text.replace("\"timestamp\"", "\"?\"").replace("\"offset\"", "\"timestamp\"");
        serde_json::from_str(&text.replace("\"?\"", "\"offset\"")).expect("it was JSON before")
    }
    fn right() -> Entry {
        Entry::of::<protocol::generated::list_offsets::ListOffsetsResponse>()
    }
    fn swapped_write(json: &Value, version: i16) -> Result<Encoded, JsonError> {
        (right().encode)(&renamed(json), version)
    }
    fn swapped_read(bytes: &[u8], version: i16) -> Result<Value, protocol::Malformed> {
        (right().decode)(bytes, version).map(|json| renamed(&json))
    }
    fn flipped_write(json: &Value, version: i16) -> Result<Encoded, JsonError> {
        let mut encoded = (right().encode)(json, version)?;
        if let Ok(bytes) = &mut encoded {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }
        Ok(encoded)
    }

    let mut oracle = oracle();
    let schema = oracle.schema(right().name).expect("it is served");
    let sample = sample(&mut oracle, &right(), &schema, 5, Shape::Many, 1);
    compare(&mut oracle, &right(), &sample).expect("the right codec agrees");
    let mut check = |entry: Entry| compare(&mut oracle, &entry, &sample);
    let bytes = check(Entry { encode: swapped_write, ..right() });
    assert!(matches!(bytes, Err(Disagreement::Bytes { .. })));
    let bytes = check(Entry { encode: flipped_write, ..right() });
    assert!(matches!(bytes, Err(Disagreement::Bytes { .. })));
    let read = check(Entry { decode: swapped_read, ..right() });
    assert!(matches!(read, Err(Disagreement::WeRead { .. })));
    // Nor may values from the wire be lost by the comparison itself.
    let blind = check(Entry { decode: |_, _| Ok(json!({})), ..right() });
    assert!(matches!(blind, Err(Disagreement::WeRead { .. })));
}

#[test]
fn versions_headers_and_error_codes_agree_with_kafkas_classes() {
    let facts = oracle().facts().expect("the oracle knows its own facts");
    let list = |name: &str| facts[name].as_array().expect("a list of facts").clone();
    let apis: BTreeMap<i64, Value> =
        list("apis").into_iter().map(|api| (api["key"].as_i64().expect("a number"), api)).collect();
    for &api in ApiKey::ALL {
        let versions = api.min_version()..=api.max_version();
        let requests = versions.clone().map(|version| api.request_header_version(version));
        let responses = versions.map(|version| api.response_header_version(version));
        let ours = json!({
            "key": api.number(),
            "name": api.name(),
            "first": api.min_version(),
            "last": api.max_version(),
            "requestHeaders": requests.collect::<Vec<_>>(),
            "responseHeaders": responses.collect::<Vec<_>>(),
        });
        let theirs = &apis[&i64::from(api.number())];
        // Kafka's table names APIs in the style of Java's fields in places.
        let name = theirs["name"].as_str().expect("a name");
        assert_eq!(name, api.name());
        assert_eq!(ours, *theirs);
    }
    let ours = ErrorCode::ALL.iter().map(|code| {
        json!({ "number": code.number(), "name": code.name(), "retriable": code.is_retriable() })
    });
    assert_eq!(ours.collect::<Vec<_>>(), list("errors"));
}

#[test]
fn headers_agree_with_kafkas_classes() {
    let mut oracle = oracle();
    for &api_key in ApiKey::ALL {
        for api_version in api_key.min_version()..=api_key.max_version() {
            for client_id in [None, Some(""), Some("client"), Some("grüße 🚀")] {
                let correlation_id = 0x0102_0304;
                let header = RequestHeader { api_key, api_version, correlation_id, client_id };
                check_request_header(&mut oracle, header);
            }
            check_response_header(&mut oracle, api_key, api_version);
        }
    }
}

fn check_request_header(oracle: &mut Oracle, header: RequestHeader<'_>) {
    let json = json!({
        "requestApiKey": header.api_key.number(),
        "requestApiVersion": header.api_version,
        "correlationId": header.correlation_id,
        "clientId": header.client_id,
    });
    let version = header.api_key.request_header_version(header.api_version);
    let mut writer = Writer::new();
    header.encode(&mut writer);
    let ours = writer.finish().expect("the header is short");
    let mut encode = |tags| oracle.encode("RequestHeader", version, &json, tags);
    let mut theirs = vec![encode(UnknownTags::None).expect("they write it too")];
    assert_eq!(ours, theirs[0], "{header:?}");
    if version == 2 {
        theirs.push(encode(UnknownTags::Everywhere).expect("they write unknown tags"));
    }
    for bytes in theirs {
        let mut reader = Reader::new(&bytes);
        assert_eq!(RequestHeader::decode(&mut reader), Ok(header));
        assert_eq!(reader.left(), 0);
    }
}

fn check_response_header(oracle: &mut Oracle, api_key: ApiKey, api_version: i16) {
    let version = api_key.response_header_version(api_version);
    let json = json!({ "correlationId": -7 });
    let theirs = oracle.encode("ResponseHeader", version, &json, UnknownTags::None);
    let mut writer = Writer::new();
    encode_response_header(&mut writer, api_key, api_version, -7);
    let ours = writer.finish().expect("the header is short");
    assert_eq!(ours, theirs.expect("they write it too"), "{} {api_version}", api_key.name());
}
