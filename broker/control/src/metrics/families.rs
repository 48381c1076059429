//! Every metric that there is: its name, kind, labels and meaning. `docs/metrics.md` has the same
//! list, for people; a test compares the two.

use super::text::{Family, Kind};

const SHARD: &[&str] = &["shard"];
const API: &[&str] = &["shard", "api"];
const TOPIC: &[&str] = &["shard", "topic", "api"];

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { name, kind: Kind::Histogram, labels, help }
}

/// Declares the families, and the list of them all.
macro_rules! families {
    ($($name:ident = $family:expr;)*) => {
        $(pub(super) const $name: Family = $family;)*

        /// Every family, in the order in which they are documented.
        #[cfg(test)]
        const ALL: &[Family] = &[$($name,)*];
    };
}

families! {
    BUILD = gauge("ringmain_build_info", &["version"], "1, with the version of the broker.");
    STATE = gauge("ringmain_shard_state", &["shard", "state"], "1 for the state of the shard.");
    CPU = counter("ringmain_shard_cpu_seconds_total", SHARD, "Processor time of its thread.");

    REQUESTS = counter("ringmain_requests_total", API, "Requests that have come.");
    REQUEST_BYTES = counter("ringmain_request_bytes_total", API, "Their bytes.");
    RESPONSE_BYTES = counter("ringmain_response_bytes_total", API, "Bytes of their answers.");
    REQUEST_DURATION = histogram(
        "ringmain_request_duration_seconds",
        API,
        "From a request's last byte until its answer was made.",
    );
    STAGE_DURATION = histogram(
        "ringmain_stage_duration_seconds",
        &["shard", "stage"],
        "What requests, journal commits and answers took in each stage.",
    );
    REFUSED = counter(
        "ringmain_refused_partitions_total",
        &["shard", "api", "error"],
        "Partitions of requests that got an error.",
    );

    PARTITION_REQUESTS = counter(
        "ringmain_partition_requests_total",
        API,
        "Batches that partitions took, and reads that they answered.",
    );
    RECORDS = counter("ringmain_records_total", API, "Records of these.");
    RECORD_BYTES = counter("ringmain_record_bytes_total", API, "Bytes of their batches.");
    TOPIC_REQUESTS = counter(
        "ringmain_topic_requests_total",
        TOPIC,
        "Batches that the topic's partitions took, and reads that they answered.",
    );
    TOPIC_RECORDS = counter("ringmain_topic_records_total", TOPIC, "Records of these.");
    TOPIC_BYTES = counter("ringmain_topic_bytes_total", TOPIC, "Bytes of their batches.");
    TOPICS = gauge("ringmain_topics", &[], "Topics in the cluster.");
    PARTITIONS = gauge("ringmain_partitions", SHARD, "Partitions that are led here.");
    PRODUCERS =
        gauge("ringmain_producers", SHARD, "Idempotent producers that partitions remember.");
    PRODUCERS_LIMIT =
        gauge("ringmain_producers_limit", SHARD, "Producers that they may remember.");

    CONNECTIONS = gauge(
        "ringmain_connections",
        &["shard", "state"],
        "Clients' connections by what they are doing.",
    );
    CONNECTIONS_LIMIT =
        gauge("ringmain_connections_limit", SHARD, "Connections that there may be.");
    CONNECTED = counter("ringmain_connections_accepted_total", SHARD, "Connections let in.");
    TURNED_AWAY = counter(
        "ringmain_connections_rejected_total",
        &["shard", "reason"],
        "Connections turned away.",
    );
    ACCEPT_PAUSES = counter(
        "ringmain_accept_pauses_total",
        SHARD,
        "Pauses of the listener, as connections came too fast.",
    );
    CLOSED = counter(
        "ringmain_connections_closed_total",
        &["shard", "reason"],
        "Connections that have ended.",
    );

    PARKED_FETCHES = gauge("ringmain_parked_fetches", SHARD, "Fetches that wait for records.");
    QUEUED_BATCHES = gauge(
        "ringmain_queued_batches",
        SHARD,
        "Batches that wait for room in journal or tail.",
    );
    MEMORY_USED =
        gauge("ringmain_memory_used_bytes", &["shard", "budget"], "What is held of a budget.");
    MEMORY_LIMIT =
        gauge("ringmain_memory_limit_bytes", &["shard", "budget"], "What a budget has.");

    JOURNAL_USED =
        gauge("ringmain_journal_used_bytes", SHARD, "Journal that is not free for new commits.");
    JOURNAL_CAPACITY = gauge("ringmain_journal_capacity_bytes", SHARD, "Journal that there is.");
    JOURNAL_COMMITS =
        counter("ringmain_journal_commits_total", SHARD, "Commits written and synced.");
    JOURNAL_WRITTEN =
        counter("ringmain_journal_written_bytes_total", SHARD, "Their bytes, padding included.");
    SETTLE_LAG = gauge(
        "ringmain_settle_lag_commits",
        SHARD,
        "Synced commits that segments do not reflect yet.",
    );
    SETTLE_DURATION =
        histogram("ringmain_settle_duration_seconds", SHARD, "What rounds of the settler took.");
    QUARANTINED = gauge("ringmain_quarantined_logs", SHARD, "Logs of which a file is lost.");
    SEGMENT_FILES = gauge("ringmain_open_segment_files", SHARD, "Open files of segments.");

    PROCESS_CPU = counter("process_cpu_seconds_total", &[], "Processor time of all threads.");
    PROCESS_RESIDENT = gauge("process_resident_memory_bytes", &[], "Memory that is resident.");
    PROCESS_VIRTUAL = gauge("process_virtual_memory_bytes", &[], "Address space.");
    PROCESS_OPEN_FDS = gauge("process_open_fds", &[], "Open file descriptors.");
    PROCESS_MAX_FDS = gauge("process_max_fds", &[], "File descriptors that there may be.");
    PROCESS_START =
        gauge("process_start_time_seconds", &[], "Unix time of the start of the process.");
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/metrics.md");

    #[test]
    fn the_page_for_people_has_every_family_with_its_kind_and_labels_and_no_other() {
        let row = |family: &Family| {
            let Family { name, kind, labels, .. } = family;
            let kind = format!("{kind:?}").to_lowercase();
            let labels = match labels.is_empty() {
                true => "–".to_string(),
                false => labels.iter().map(|l| format!("`{l}`")).collect::<Vec<_>>().join(", "),
            };
            format!("| `{name}` | {kind} | {labels} | ")
        };
        let rows: Vec<&str> = PAGE.lines().filter(|line| is_row(line)).collect();
        for (family, line) in ALL.iter().zip(&rows) {
            assert!(line.starts_with(&row(family)), "{} is not\n{line}", row(family));
        }
        assert_eq!(rows.len(), ALL.len());
    }

    fn is_row(line: &str) -> bool {
        line.starts_with("| `ringmain_") || line.starts_with("| `process_")
    }

    #[test]
    fn names_follow_the_conventions() {
        for Family { name, kind, help, .. } in ALL {
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(*kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
            assert!(help.ends_with('.') && !help.contains(['\\', '\n']), "{name}: {help}");
        }
    }
}
