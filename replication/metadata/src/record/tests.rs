//! The form of the metadata log is held still by golden text.

use super::*;

fn at_3_7(record: &str) -> String {
    format!(r#"{{"version":1,"term":3,"index":7,"record":{record}"#)
}

fn golden() -> Vec<(MetadataRecord, String)> {
    let id = TopicId::from_random(1, 2);
    vec![
        (
            MetadataRecord::BrokerRegistered { broker: BrokerId(1), host: "h".into(), port: 9092 },
            at_3_7(r#"{"type":"broker_registered","broker":1,"host":"h","port":9092}}"#),
        ),
        (
            MetadataRecord::TopicCreated {
                name: "flights".into(),
                id,
                partitions: vec![vec![BrokerId(1)]],
                configs: BTreeMap::from([("retention.ms".into(), "-1".into())]),
            },
            at_3_7(concat!(
                r#"{"type":"topic_created","name":"flights","#,
                r#""id":"00000000000040018000000000000002","#,
                r#""partitions":[[1]],"configs":{"retention.ms":"-1"}}}"#
            )),
        ),
        (
            MetadataRecord::TopicRemoved { id },
            at_3_7(r#"{"type":"topic_removed","id":"00000000000040018000000000000002"}}"#),
        ),
        (
            MetadataRecord::TopicForgotten { id },
            at_3_7(r#"{"type":"topic_forgotten","id":"00000000000040018000000000000002"}}"#),
        ),
        (
            MetadataRecord::ProducerIdsAllocated { broker: BrokerId(1), count: 1000 },
            at_3_7(r#"{"type":"producer_ids_allocated","broker":1,"count":1000}}"#),
        ),
        (
            MetadataRecord::PartitionsAdded { id, first: 1, partitions: vec![vec![BrokerId(1)]] },
            at_3_7(concat!(
                r#"{"type":"partitions_added","id":"00000000000040018000000000000002","#,
                r#""first":1,"partitions":[[1]]}}"#
            ))
            .replace(r#""version":1"#, r#""version":2"#),
        ),
        (
            MetadataRecord::TopicConfigsChanged {
                id,
                changes: BTreeMap::from([
                    ("retention.ms".into(), None),
                    ("segment.ms".into(), Some("5".into())),
                ]),
            },
            at_3_7(concat!(
                r#"{"type":"topic_configs_changed","id":"00000000000040018000000000000002","#,
                r#""changes":{"retention.ms":null,"segment.ms":"5"}}}"#
            ))
            .replace(r#""version":1"#, r#""version":2"#),
        ),
    ]
}

#[test]
fn the_written_form_stays() {
    for (record, text) in golden() {
        let entry = MetadataEntry::new(LogPosition { term: 3, index: 7 }, record);
        assert_eq!(String::from_utf8(entry.encode()).unwrap(), text);
        assert_eq!(MetadataEntry::decode(text.as_bytes()).unwrap(), entry);
    }
}

#[test]
fn a_newer_form_is_refused_by_its_version() {
    let newer = br#"{"version":3,"term":"another form"}"#;
    assert!(matches!(MetadataEntry::decode(newer), Err(DecodeError::Version(3))));
}

#[test]
fn every_truncation_is_refused() {
    for (_, text) in golden() {
        for cut in 0..text.len() {
            assert!(MetadataEntry::decode(&text.as_bytes()[..cut]).is_err(), "{cut} of {text}");
        }
    }
}
