//! The families of the shards, from what each of them tells.

use server::{ApiReading, ReasonReading, ShardReading, ShardState, Told};
use storage::{LogTraffic, StoreReading, Traffic};

use super::families;
use super::text::{Family, Text};

/// The state of a shard that gave no answer.
const SILENT: &str = "silent";
/// What a record goes through on its way in and out, as a label.
const PRODUCE: &str = "Produce";
const FETCH: &str = "Fetch";

/// Those that were read, with their numbers.
type Readings<'a> = [(usize, &'a ShardReading)];

pub(super) fn write(text: &mut Text, told: &[Option<Told>]) {
    write_states(text, told);
    let readings = told.iter().enumerate().filter_map(|(shard, told)| {
        let reading = told.as_ref()?.reading.as_deref()?;
        Some((shard, reading))
    });
    let readings: Vec<(usize, &ShardReading)> = readings.collect();
    write_requests(text, &readings);
    write_traffic(text, &readings);
    write_connections(text, &readings);
    write_memory(text, &readings);
    write_store(text, &readings);
}

fn write_states(text: &mut Text, told: &[Option<Told>]) {
    let names = ShardState::ALL.map(ShardState::name).into_iter().chain([SILENT]);
    let names: Vec<&str> = names.collect();
    let mut samples = text.family(&families::STATE);
    for (shard, told) in told.iter().enumerate() {
        let now = told.as_ref().map_or(SILENT, |told| told.state.name());
        for name in &names {
            samples.gauge(&[&shard, name], u8::from(*name == now));
        }
    }
}

fn write_requests(text: &mut Text, readings: &Readings<'_>) {
    let mut by_api = |family: &Family, value: fn(&ApiReading) -> u64| {
        let mut samples = text.family(family);
        for (shard, reading) in readings {
            for api in &reading.apis {
                samples.counter(&[shard, &api.api], value(api));
            }
        }
    };
    by_api(&families::REQUESTS, |api| api.requests);
    by_api(&families::REQUEST_BYTES, |api| api.request_bytes);
    by_api(&families::RESPONSE_BYTES, |api| api.response_bytes);
    let mut samples = text.family(&families::REQUEST_DURATION);
    for (shard, reading) in readings {
        for api in &reading.apis {
            samples.histogram(&[shard, &api.api], &api.durations);
        }
    }
    let mut samples = text.family(&families::STAGE_DURATION);
    for (shard, reading) in readings {
        for (stage, counts) in [
            ("queue", &reading.queue),
            ("journal_wait", &reading.store.journal_wait),
            ("sync", &reading.store.sync),
            ("purgatory", &reading.purgatory),
            ("response", &reading.response),
        ] {
            samples.histogram(&[shard, &stage], counts);
        }
    }
    let mut samples = text.family(&families::REFUSED);
    for (shard, reading) in readings {
        for refused in &reading.refused {
            samples.counter(&[shard, &refused.api, &refused.error], refused.count);
        }
    }
}

/// What the logs of each shard took and gave, and those of each of its topics.
fn write_traffic(text: &mut Text, readings: &Readings<'_>) {
    const VALUES: [fn(Traffic) -> u64; 3] = [|t| t.parts, |t| t.records, |t| t.bytes];
    let both_ways = |traffic: LogTraffic| [(PRODUCE, traffic.appended), (FETCH, traffic.read)];
    let all = [families::PARTITION_REQUESTS, families::RECORDS, families::RECORD_BYTES];
    for (family, value) in all.iter().zip(VALUES) {
        let mut samples = text.family(family);
        for (shard, reading) in readings {
            for (api, traffic) in both_ways(reading.store.traffic) {
                samples.counter(&[shard, &api], value(traffic));
            }
        }
    }
    let topics = [families::TOPIC_REQUESTS, families::TOPIC_RECORDS, families::TOPIC_BYTES];
    for (family, value) in topics.iter().zip(VALUES) {
        let mut samples = text.family(family);
        for (shard, reading) in readings {
            for topic in &reading.topic_traffic {
                for (api, traffic) in both_ways(topic.traffic) {
                    samples.counter(&[shard, &topic.topic, &api], value(traffic));
                }
            }
        }
    }
    let topics = readings.iter().map(|(_, reading)| reading.topics).max();
    if let Some(topics) = topics {
        text.family(&families::TOPICS).gauge(&[], topics);
    }
    gauge(text, &families::PARTITIONS, readings, |reading| reading.partitions as u64);
    gauge(text, &families::PRODUCERS, readings, |reading| reading.store.producers as u64);
    gauge(text, &families::PRODUCERS_LIMIT, readings, |r| r.store.producers_max as u64);
}

fn write_connections(text: &mut Text, readings: &Readings<'_>) {
    let mut samples = text.family(&families::CONNECTIONS);
    for (shard, reading) in readings {
        let now = reading.connections;
        for (state, count) in
            [("idle", now.idle), ("receiving", now.receiving), ("handling", now.handling)]
        {
            samples.gauge(&[shard, &state], count);
        }
    }
    gauge(text, &families::CONNECTIONS_LIMIT, readings, |r| r.connections_max as u64);
    counter(text, &families::CONNECTED, readings, |reading| reading.connected);
    by_reason(text, &families::TURNED_AWAY, readings, |reading| &reading.turned_away);
    counter(text, &families::ACCEPT_PAUSES, readings, |reading| reading.accept_pauses);
    by_reason(text, &families::CLOSED, readings, |reading| &reading.closed);
}

fn write_memory(text: &mut Text, readings: &Readings<'_>) {
    gauge(text, &families::PARKED_FETCHES, readings, |r| r.parked_fetches as u64);
    gauge(text, &families::QUEUED_BATCHES, readings, |r| r.queued_batches as u64);
    let mut samples = text.family(&families::MEMORY_USED);
    for (shard, reading) in readings {
        for budget in &reading.budgets {
            samples.gauge(&[shard, &budget.budget], budget.used_bytes);
        }
    }
    let mut samples = text.family(&families::MEMORY_LIMIT);
    for (shard, reading) in readings {
        for budget in &reading.budgets {
            samples.gauge(&[shard, &budget.budget], budget.limit_bytes);
        }
    }
}

fn write_store(text: &mut Text, readings: &Readings<'_>) {
    gauge(text, &families::JOURNAL_USED, readings, |r| r.store.pressure.used_bytes);
    gauge(text, &families::JOURNAL_CAPACITY, readings, |r| r.store.pressure.capacity_bytes);
    counter(text, &families::JOURNAL_COMMITS, readings, |r| r.store.commits);
    counter(text, &families::JOURNAL_WRITTEN, readings, |r| r.store.commit_bytes);
    gauge(text, &families::SETTLE_LAG, readings, |r| r.store.settle_lag_commits);
    let mut samples = text.family(&families::SETTLE_DURATION);
    for (shard, ShardReading { store: StoreReading { settle, .. }, .. }) in readings {
        samples.histogram(&[shard], settle);
    }
    gauge(text, &families::QUARANTINED, readings, |r| r.store.quarantined_logs as u64);
    gauge(text, &families::SEGMENT_FILES, readings, |r| r.store.open_files as u64);
}

/// A gauge of which each shard has one.
fn gauge(
    text: &mut Text,
    family: &Family,
    readings: &Readings<'_>,
    value: fn(&ShardReading) -> u64,
) {
    let mut samples = text.family(family);
    for (shard, reading) in readings {
        samples.gauge(&[shard], value(reading));
    }
}

/// The same of a counter.
fn counter(
    text: &mut Text,
    family: &Family,
    readings: &Readings<'_>,
    value: fn(&ShardReading) -> u64,
) {
    let mut samples = text.family(family);
    for (shard, reading) in readings {
        samples.counter(&[shard], value(reading));
    }
}

/// A counter of which each shard has one for each reason that there was.
fn by_reason(
    text: &mut Text,
    family: &Family,
    readings: &Readings<'_>,
    of: fn(&ShardReading) -> &[ReasonReading],
) {
    let mut samples = text.family(family);
    for (shard, reading) in readings {
        for ReasonReading { reason, count } in of(reading) {
            samples.counter(&[shard, reason], *count);
        }
    }
}
