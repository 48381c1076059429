//! Fetches that wait: for what, for how long, and what ends it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use protocol::generated::fetch::{FetchRequest, FetchResponse};
use protocol::response::decode_response;
use protocol::{ApiKey, ErrorCode};
use runtime::TaskClass;

use crate::client::{
    Client, FETCH_VERSION, PRODUCE_VERSION, batch, fetch_request, one, produce_request, values,
};
use crate::cluster::{Cluster, Peer};
use crate::hostile::wide_fetch;

const MINUTE_MS: i32 = 60_000;

#[test]
fn a_long_poll_is_woken_by_a_produce_whatever_shard_it_is_on() {
    for seed in 0..8 {
        Cluster::start(seed, &[]).run(|peer| async move {
            let mut producer = peer.connect().await;
            producer.create_topic("t", 2).await;
            for partition in 0..2 {
                let mut consumer = peer.connect().await;
                let began = peer.shard.now();
                let poll = peer.shard.spawn(TaskClass::Foreground, "poll", async move {
                    consumer.fetch(&fetch_request("t", &[(0, 0), (1, 0)], MINUTE_MS)).await
                });
                peer.shard.sleep(Duration::from_millis(100 * (1 - partition as u64))).await;
                producer.produce("t", partition, batch(&["x"])).await;
                let found = one(poll.await.expect("not aborted").responses);
                let bytes: usize =
                    found.partitions.iter().map(|p| p.records.as_ref().map_or(0, Vec::len)).sum();
                assert!(bytes > 0);
                assert!(peer.shard.now().since(began) < Duration::from_secs(10));
            }
        });
    }
}

#[test]
fn a_long_poll_without_news_ends_in_time_and_empty() {
    Cluster::start(1, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let began = peer.shard.now();
        let found = one(client.fetch(&fetch_request("t", &[(0, 0)], 500)).await.responses);
        let waited = peer.shard.now().since(began);
        assert!((500..600).contains(&waited.as_millis()), "{waited:?}");
        let partition = one(found.partitions);
        assert_eq!((partition.error_code, partition.records), (0, Some(Vec::new())));
    });
}

#[test]
fn a_long_poll_waits_for_as_many_bytes_as_were_asked_for() {
    Cluster::start(2, &[]).run(|peer| async move {
        let mut producer = peer.connect().await;
        producer.create_topic("t", 2).await;
        let size = batch(&["x"]).len();
        let mut consumer = peer.connect().await;
        let poll = peer.shard.spawn(TaskClass::Foreground, "poll", async move {
            let mut request = fetch_request("t", &[(0, 0), (1, 0)], MINUTE_MS);
            request.min_bytes = 3 * size as i32;
            consumer.fetch(&request).await
        });
        for round in 0..3 {
            assert!(!poll.is_finished(), "after {round} batches");
            producer.produce("t", round % 2, batch(&["x"])).await;
            peer.shard.sleep(Duration::from_secs(1)).await;
        }
        assert!(poll.is_finished());
    });
}

/// Each such fetch used to wait for all of its time, however much there was.
#[test]
fn a_long_poll_waits_for_no_more_than_it_may_get() {
    Cluster::start(5, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let size = batch(&["x"]).len() as i32;
        client.produce("t", 0, batch(&["x"])).await;
        for (batches, waits) in [(2, true), (1, false)] {
            let mut request = fetch_request("t", &[(0, 0)], 500);
            (request.min_bytes, request.max_bytes) = (3 * size, batches * size);
            let began = peer.shard.now();
            client.fetch(&request).await;
            let waited = peer.shard.now().since(began);
            assert_eq!(waited >= Duration::from_millis(500), waits, "{waited:?}");
        }
    });
}

/// It used to be answered at once, so that a consumer that did not know yet of a deletion asked
/// without a pause.
#[test]
fn what_does_not_exist_leaves_the_others_their_wait() {
    for seed in 0..4 {
        Cluster::start(seed, &[]).run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 2).await;
            client.produce("t", 0, batch(&["x"])).await;
            let unknown = || fetch_request("gone", &[(0, 0)], 0).topics;
            let both = |mut request: FetchRequest| {
                request.topics.extend(unknown());
                request
            };
            for (request, waits) in [
                (both(fetch_request("t", &[(0, 1), (1, 0)], 500)), true),
                (fetch_request("t", &[(1, 0), (9, 0)], 500), true),
                // With nobody to wait for, with an owner's error, and with something to read.
                (FetchRequest { topics: unknown(), ..fetch_request("t", &[], 500) }, false),
                (both(fetch_request("t", &[(0, 7), (1, 0)], 500)), false),
                (both(fetch_request("t", &[(0, 0), (1, 0)], 500)), false),
            ] {
                let began = peer.shard.now();
                client.fetch(&request).await;
                let waited = peer.shard.now().since(began);
                assert_eq!(waited >= Duration::from_millis(500), waits, "{waited:?}: {request:?}");
            }
        });
    }
}

#[test]
fn a_deleted_topic_ends_a_long_poll() {
    Cluster::start(3, &[]).run(|peer| async move {
        let mut admin = peer.connect().await;
        admin.create_topic("t", 2).await;
        let mut consumer = peer.connect().await;
        let began = peer.shard.now();
        let poll = peer.shard.spawn(TaskClass::Foreground, "poll", async move {
            consumer.fetch(&fetch_request("t", &[(0, 0), (1, 0)], MINUTE_MS)).await
        });
        peer.shard.sleep(Duration::from_millis(100)).await;
        crate::admin::delete(&mut admin, "t").await;
        let found = one(poll.await.expect("not aborted").responses);
        let gone = ErrorCode::UnknownTopicOrPartition.number();
        assert!(found.partitions.iter().any(|partition| partition.error_code == gone));
        assert!(peer.shard.now().since(began) < Duration::from_secs(10));
    });
}

/// It was answered at once, and asked again at once, without end: just when memory was short.
#[test]
fn a_fetch_that_finds_no_place_to_wait_in_makes_a_pause() {
    // With the least memory so many partitions are more than one fetch may keep while it waits.
    let (settings, rows) = (["ringmain.memory.bytes=852819968"], 45_000);
    for (max_wait_ms, pause_ms) in [(300_000, 500), (200, 200)] {
        Cluster::start(8, &settings).run(move |peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 1).await;
            let mut request = wide_fetch(0, rows);
            request.max_wait_ms = max_wait_ms;
            let began = peer.shard.now();
            let took_ms = || peer.shard.now().since(began).as_millis();
            client.fetch(&request).await;
            assert!(took_ms() < 100, "what there is is told at once: {} ms", took_ms());
            for _ in 0..4 {
                client.fetch(&request).await;
            }
            let expect = 4 * pause_ms..4 * pause_ms + 400;
            assert!(expect.contains(&took_ms()), "{} ms of {expect:?}", took_ms());
            let mut other = peer.connect().await;
            let began = peer.shard.now();
            other.produce("t", 0, batch(&["x"])).await;
            other.fetch(&wide_fetch(0, 1)).await;
            assert!(peer.shard.now().since(began).as_millis() < 100, "nobody else waits");
            // There is something to read, so there is nothing to wait for.
            client.fetch(&request).await;
            let began = peer.shard.now();
            for _ in 0..4 {
                let found = one(client.fetch(&request).await.responses);
                assert_eq!(found.partitions[0].high_watermark, 1);
            }
            let took_ms = peer.shard.now().since(began).as_millis();
            assert!(took_ms < 200, "{took_ms} ms");
        });
    }
}

/// What a reader was told of a partition.
#[derive(Default)]
struct Seen {
    high_watermark: i64,
    values: Vec<(i64, String)>,
}

/// Reads on and on, as far as the broker lets it.
async fn read_on(mut client: Client, seen: Rc<RefCell<Seen>>) {
    loop {
        let from = seen.borrow().values.len() as i64;
        let request = fetch_request("t", &[(0, from)], MINUTE_MS);
        client.try_send_raw(Client::encode((ApiKey::Fetch, FETCH_VERSION), 1, &request)).await;
        let Some(frame) = client.next_frame().await else { return };
        let (_, told): (i32, FetchResponse) =
            decode_response(&frame, ApiKey::Fetch, FETCH_VERSION).expect("a response");
        let found = one(one(told.responses).partitions);
        let mut seen = seen.borrow_mut();
        seen.high_watermark = seen.high_watermark.max(found.high_watermark);
        seen.values.extend(values(&found.records.expect("never null")));
    }
}

/// Sends batches one after the other without waiting for answers.
async fn send_on(peer: Peer, client: Client, sent: Rc<RefCell<i64>>) {
    for number in 0..40 {
        let request = produce_request("t", 0, batch(&[&format!("value {number}")]));
        let bytes = Client::encode((ApiKey::Produce, PRODUCE_VERSION), number, &request);
        client.try_send_raw(bytes).await;
        *sent.borrow_mut() += 1;
        peer.shard.sleep(Duration::from_micros(150)).await;
    }
}

#[test]
fn a_reader_never_sees_what_a_power_cut_takes() {
    let (mut behind, mut in_front) = (0, 0);
    for step in 0..40 {
        let cluster = Cluster::start(step, &[]);
        let (seen, sent) = (Rc::new(RefCell::new(Seen::default())), Rc::new(RefCell::new(0)));
        let given = (seen.clone(), sent.clone());
        cluster.run(move |peer| {
            let (seen, sent) = given.clone();
            async move {
                let mut admin = peer.connect().await;
                admin.create_topic("t", 1).await;
                let reader = read_on(peer.connect().await, seen);
                peer.shard.spawn(TaskClass::Foreground, "reader", reader).detach();
                let producer = send_on(peer.clone(), peer.connect().await, sent);
                peer.shard.spawn(TaskClass::Foreground, "producer", producer).detach();
                peer.shard.sleep(Duration::from_micros(180 * step)).await;
            }
        });
        cluster.cut_power_and_start();
        let (sent, seen) = (*sent.borrow(), seen.take());
        behind += usize::from((seen.values.len() as i64) < sent);
        in_front += usize::from(!seen.values.is_empty());
        cluster.run(move |peer| {
            let (high_watermark, before) = (seen.high_watermark, seen.values.clone());
            async move {
                let mut client = peer.connect().await;
                let request = fetch_request("t", &[(0, 0)], 0);
                let found = one(one(client.fetch(&request).await.responses).partitions);
                assert!(high_watermark <= found.high_watermark, "step {step}: {found:?}");
                let after = values(&found.records.expect("never null"));
                assert!(after.starts_with(&before), "step {step}: {before:?}, now {after:?}");
            }
        });
    }
    // Else it would show nothing.
    assert!(behind > 10 && in_front > 10, "{behind} steps behind, {in_front} with something");
}
