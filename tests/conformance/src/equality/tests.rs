//! The comparison itself: it accepts what was written and refuses every planted difference.

use super::{Difference, Headers, Stamps, Times, check, java_partition};
use crate::flights::{Files, Flight, Flights};

const PARTITIONS: usize = 2;

fn flights() -> Flights {
    let rows = (0..6).map(|row| Flight {
        timestamp_ms: 1_000 + row,
        headers: "carrier=UA,origin=EWR".to_string(),
        key: (row != 3).then(|| format!("N{}", row % 3)),
        value: format!("{{\"row\":{row}}}"),
    });
    Flights::of(rows.collect(), Files::default())
}

/// Where an honest writer puts each row; the one without a key goes to partition 0.
fn places() -> Vec<(usize, usize)> {
    let partition = |key: &String| java_partition(key.as_bytes(), PARTITIONS);
    let rows = flights().rows().to_vec().into_iter().enumerate();
    rows.map(|(row, flight)| (row, flight.key.as_ref().map_or(0, partition))).collect()
}

/// What a reader prints of these rows in these partitions; offsets go up by one.
fn printed(places: &[(usize, usize)]) -> Vec<String> {
    let flights = flights();
    let mut offsets = [0; PARTITIONS];
    let mut lines = Vec::new();
    for &(row, partition) in places {
        let Flight { timestamp_ms, key, value, .. } = &flights.rows()[row];
        let size = key.as_ref().map_or(-1, |key| key.len() as i64);
        let (offset, key) = (offsets[partition], key.as_deref().unwrap_or(""));
        let headers = "carrier=UA,origin=EWR";
        let start = format!("{partition}\t{offset}\t{timestamp_ms}\t{size}\t{key}");
        lines.push(format!("{start}\t{headers}\t{value}"));
        offsets[partition] += 1;
    }
    lines
}

fn compare(lines: &[String]) -> Result<super::Timestamps, Difference> {
    let stamps = Stamps { times: Times::Own, headers: Headers::Own };
    check(&flights(), PARTITIONS, &stamps, lines.join("\n").as_bytes())
}

/// The honest output with one part of the line of row 4 replaced.
fn with_part(part: usize, text: &str) -> Vec<String> {
    let mut lines = printed(&places());
    let mut fields: Vec<&str> = lines[4].split('\t').collect();
    assert_ne!(fields[part], text, "this would change nothing");
    fields[part] = text;
    let line = fields.join("\t");
    lines[4] = line;
    lines
}

#[test]
fn what_was_written_is_accepted_and_its_times_are_returned() {
    let timestamps = compare(&printed(&places())).expect("nothing was changed");
    let mut all = timestamps.concat();
    all.sort();
    assert_eq!(all, [1_000, 1_001, 1_002, 1_003, 1_004, 1_005]);
    assert!(timestamps.iter().all(|times| times.is_sorted()), "{timestamps:?}");
}

#[test]
fn a_lost_record_is_refused() {
    let mut places = places();
    places.pop();
    assert_eq!(compare(&printed(&places)), Err(Difference::Lost { count: 1, first: 5 }));
}

#[test]
fn a_doubled_record_is_refused_in_the_same_partition() {
    let mut places = places();
    places.push(places[5]);
    let difference = compare(&printed(&places)).expect_err("a record came twice");
    assert!(matches!(difference, Difference::OutOfOrder { earlier: 5, later: 5, .. }));
}

#[test]
fn a_doubled_record_is_refused_in_another_partition() {
    let mut places = places();
    assert_eq!(places[3], (3, 0), "row 3 has no key and may lie anywhere");
    places.retain(|&(row, partition)| row == 3 || partition == 0);
    places.push((3, 1));
    assert_eq!(compare(&printed(&places)), Err(Difference::Doubled { row: 3 }));
}

#[test]
fn swapped_records_are_refused() {
    let mut places = places();
    // Rows 1 and 4 have the same key, so the same partition.
    places.swap(1, 4);
    let difference = compare(&printed(&places)).expect_err("row 4 stands before row 1");
    let swapped = matches!(difference, Difference::OutOfOrder { .. });
    assert!(swapped, "{difference}");
}

#[test]
fn a_record_in_a_partition_of_another_key_is_refused() {
    let mut places = places();
    let (row, partition) = places[4];
    places[4] = (row, 1 - partition);
    let difference = compare(&printed(&places)).expect_err("row 4 was moved");
    let expected = Difference::WrongPartition { row, expected: partition, found: 1 - partition };
    assert_eq!(difference, expected);
}

#[test]
fn a_hole_in_the_offsets_is_refused() {
    let difference = compare(&with_part(1, "77")).expect_err("an offset was skipped");
    assert!(matches!(difference, Difference::OffsetGap { found: 77, .. }), "{difference}");
}

#[test]
fn an_invented_record_is_refused() {
    let difference = compare(&with_part(6, "{\"row\":4,}")).expect_err("nobody wrote it");
    assert!(matches!(difference, Difference::Invented { .. }), "{difference}");
}

#[test]
fn changed_times_keys_headers_and_partitions_are_refused() {
    let time = compare(&with_part(2, "1005"));
    assert_eq!(time, Err(Difference::Timestamp { row: 4, found_ms: 1_005 }));
    let key = compare(&with_part(4, "N9"));
    assert!(matches!(key, Err(Difference::Key { row: 4, .. })), "{key:?}");
    let no_key = compare(&with_part(3, "-1"));
    assert!(matches!(no_key, Err(Difference::Key { row: 4, found: None, .. })), "{no_key:?}");
    let headers = compare(&with_part(5, "carrier=UA"));
    assert!(matches!(headers, Err(Difference::Headers { row: 4, .. })), "{headers:?}");
    let unknown = compare(&with_part(0, "2"));
    assert_eq!(unknown, Err(Difference::UnknownPartition { partition: 2 }));
    let broken = compare(&with_part(2, "soon"));
    assert!(matches!(broken, Err(Difference::NotARecord { .. })), "{broken:?}");
}

#[test]
fn send_times_are_held_against_the_time_of_writing() {
    let flights = flights();
    let output = printed(&places()).join("\n");
    let headers = Headers::Same("carrier=UA,origin=EWR");
    let between = |between_ms| Stamps { times: Times::Sending { between_ms }, headers };
    assert!(check(&flights, PARTITIONS, &between(1_000..=1_005), output.as_bytes()).is_ok());
    let late = check(&flights, PARTITIONS, &between(1_000..=1_004), output.as_bytes());
    assert_eq!(late, Err(Difference::Timestamp { row: 5, found_ms: 1_005 }));
}

#[test]
fn keys_lie_where_javas_partitioner_puts_them() {
    // From a Java client: Utils.toPositive(Utils.murmur2(key)) % 1000.
    for (key, partition) in [("21", 340), ("foobar", 166), ("N14228", 568)] {
        let found = java_partition(key.as_bytes(), 1_000);
        assert_eq!(found, partition, "of {key}");
    }
}
