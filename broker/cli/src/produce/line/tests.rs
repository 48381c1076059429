//! Which records lines become.

use super::*;

fn text(key_separator: Option<&str>, null: Null) -> Lines {
    let key_separator = key_separator.map(|text| text.as_bytes().to_vec());
    lines(Form::Text { key_separator, key: None, null })
}

fn lines(form: Form) -> Lines {
    Lines {
        form,
        delimiter: b"\n".to_vec(),
        headers: Vec::new(),
        timestamp_ms: None,
        partition: Partition::OfLine,
    }
}

type KeyAndValue = (Option<Vec<u8>>, Option<Vec<u8>>);

fn key_and_value(lines: &Lines, line: &str) -> KeyAndValue {
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let read = lines.read(line.as_bytes(), 0, |record, _| (owned(record.key), owned(record.value)));
    read.expect("a record")
}

fn pair(key: Option<&str>, value: Option<&str>) -> KeyAndValue {
    let owned = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    (owned(key), owned(value))
}

#[test]
fn a_line_is_a_value_or_a_key_and_a_value() {
    let plain = text(None, Null::Never);
    assert_eq!(key_and_value(&plain, "a:b"), pair(None, Some("a:b")));
    assert_eq!(key_and_value(&plain, ""), pair(None, Some("")));
    let keyed = text(Some(":"), Null::Never);
    assert_eq!(key_and_value(&keyed, "a:b:c"), pair(Some("a"), Some("b:c")));
    assert_eq!(key_and_value(&keyed, ":"), pair(Some(""), Some("")));
    assert_eq!(key_and_value(&keyed, "a"), pair(None, Some("a")));
    let long = text(Some("::"), Null::Empty);
    assert_eq!(key_and_value(&long, "a:::b"), pair(Some("a"), Some(":b")));
    assert_eq!(key_and_value(&long, "a::"), pair(Some("a"), None));
    assert_eq!(key_and_value(&long, "::b"), pair(None, Some("b")));
    assert_eq!(key_and_value(&long, ""), pair(None, None));
    let fixed = Form::Text { key_separator: None, key: Some(b"k".into()), null: Null::Empty };
    assert_eq!(key_and_value(&lines(fixed), ""), pair(Some("k"), None));
}

#[test]
fn json_has_what_kcat_writes() {
    let line = r#"{"topic":"t","partition":3,"offset":9,"tstype":"create","ts":5,"broker":1,
        "headers":["a","b","c",null,"a",{"hex":"ff"}],"key":"k","payload":null}"#;
    let mut reader = lines(Form::Json);
    reader.headers = vec![(b"all".to_vec(), None)];
    let found = reader.read(line.as_bytes(), 77, |record, partition| {
        let names: Vec<_> =
            record.headers.iter().map(|h| (h.key.to_vec(), h.value.is_some())).collect();
        (record.timestamp.0, partition, record.key == Some(b"k"), record.value, names.len())
            == (5, Some(3), true, None, 4)
            && names[0] == (b"all".to_vec(), false)
            && record.headers[3].value == Some(b"\xff")
    });
    assert_eq!(found, Ok(true));
    let least = r#"{"payload":"v","ts":-1}"#;
    let read = |reader: &Lines| {
        reader.read(least.as_bytes(), 77, |record, partition| (record.timestamp.0, partition))
    };
    assert_eq!(read(&reader), Ok((77, None)));
    reader.timestamp_ms = Some(8);
    reader.partition = Partition::Always(2);
    assert_eq!(read(&reader), Ok((8, Some(2))));
}

#[test]
fn only_among_json_an_empty_line_is_no_record() {
    for line in [&b""[..], b" \t\r"] {
        assert!(lines(Form::Json).is_passed_over(line));
        assert!(!text(None, Null::Never).is_passed_over(line));
        assert!(!text(Some(":"), Null::Empty).is_passed_over(line));
    }
    assert!(!lines(Form::Json).is_passed_over(b"{}"));
}

#[test]
fn what_is_no_record_says_what_to_do() {
    let reader = lines(Form::Json);
    let error = |line: &str| reader.read(line.as_bytes(), 0, |_, _| ()).expect_err("no record");
    assert!(matches!(error("{"), LineError::NotJson(_)));
    for line in ["[]", "1", "{}", r#"{"value":"v"}"#] {
        assert_eq!(error(line), LineError::NoPayload, "{line}");
    }
    let fields = [
        (r#"{"payload":{"a":1}}"#, "payload"),
        (r#"{"payload":"v","key":1}"#, "key"),
        (r#"{"payload":"v","ts":"now"}"#, "ts"),
        (r#"{"payload":"v","partition":1.5}"#, "partition"),
        (r#"{"payload":"v","partition":3000000000}"#, "partition"),
        (r#"{"payload":"v","headers":["a"]}"#, "headers"),
        (r#"{"payload":"v","headers":[null,"a"]}"#, "headers"),
    ];
    for (line, field) in fields {
        assert_eq!(error(line), LineError::Field(field), "{line}");
    }
    // Only kcat's -1 stands for none.
    for before in [-2, -5, i64::MIN] {
        let refused = error(&format!(r#"{{"payload":"v","ts":{before}}}"#));
        assert_eq!(refused, LineError::Timestamp(before));
        assert!(refused.to_string().contains("since 1970"), "{refused}");
    }
}
