//! What becomes of connections: strange requests, hostile bytes, the broker's end.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use protocol::generated::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::response::decode_response;
use protocol::{ApiKey, ErrorCode};
use runtime::TaskClass;

use crate::client::{Client, FETCH_VERSION, batch, fetch_request, one};
use crate::cluster::Cluster;

async fn is_served(client: &mut Client) {
    let response: ApiVersionsResponse =
        client.ask(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default()).await;
    assert_eq!(response.error_code, 0);
}

#[test]
fn an_api_versions_request_from_the_future_is_answered_in_version_0() {
    Cluster::start(1, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        // Key 18, version 99, correlation 7, and bytes that nobody here understands.
        client.send_raw(vec![0, 0, 0, 12, 0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xfe, 0xfd, 0xfc]).await;
        let frame = client.next_frame().await.expect("an answer");
        let (id, response): (i32, ApiVersionsResponse) =
            decode_response(&frame, ApiKey::ApiVersions, 0).expect("version 0");
        assert_eq!((id, response.error_code), (7, ErrorCode::UnsupportedVersion.number()));
        assert!(response.api_keys.iter().any(|api| api.api_key == 18));
        is_served(&mut client).await;
    });
}

#[test]
fn every_version_of_api_versions_is_answered() {
    Cluster::start(2, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let request = ApiVersionsRequest {
            client_software_name: "test".into(),
            client_software_version: "1.0".into(),
        };
        for version in 0..=4 {
            let response: ApiVersionsResponse =
                client.ask(ApiKey::ApiVersions, version, &request).await;
            assert_eq!((response.error_code, response.api_keys.len()), (0, ApiKey::ALL.len()));
            // An old librdkafka leaves compression away where Produce does not begin with 0.
            let produce = &response.api_keys[0];
            assert_eq!((produce.api_key, produce.min_version, produce.max_version), (0, 0, 13));
            let features = response.supported_features.len() + response.finalized_features.len();
            assert_eq!((features, response.finalized_features_epoch), (0, -1));
        }
    });
}

/// A request as its bytes, with a length in front.
fn framed(body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    [&u32::try_from(body.len()).expect("short").to_be_bytes()[..], &body].concat()
}

/// ApiVersions has the header that ends with tagged fields from version 3 on; 3 of 2 bytes, tag 9.
const TAGGED: &[u8] = &[1, 9, 2, 0xab, 0xcd];

#[test]
fn an_api_versions_request_may_have_fields_that_nobody_here_knows() {
    Cluster::start(4, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        for version in [3, 4] {
            let header: &[u8] = &[0, 18, 0, version, 0, 0, 0, 7, 0, 1, b'c'];
            let names: &[u8] = b"\x05name\x041.0";
            client.send_raw(framed(&[header, TAGGED, names, TAGGED])).await;
            let frame = client.next_frame().await.expect("an answer");
            let (id, response): (i32, ApiVersionsResponse) =
                decode_response(&frame, ApiKey::ApiVersions, version.into()).expect("a response");
            assert_eq!((id, response.error_code), (7, 0), "version {version}");
            assert_eq!(response.api_keys.len(), ApiKey::ALL.len());
        }
        is_served(&mut client).await;
    });
}

/// The connection lives on, whatever is wrong with an ApiVersions request: it is the first that a
/// client sends, and it may send another.
#[test]
fn a_client_that_misnames_itself_is_told_so_and_may_try_again() {
    Cluster::start(5, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        for (name, code) in [("a b", ErrorCode::InvalidRequest), ("", ErrorCode::InvalidRequest)] {
            for version in [3, 4] {
                let request = ApiVersionsRequest {
                    client_software_name: name.into(),
                    client_software_version: "1.0".into(),
                };
                let response: ApiVersionsResponse =
                    client.ask(ApiKey::ApiVersions, version, &request).await;
                assert_eq!(response.error_code, code.number(), "{name:?}, version {version}");
            }
            is_served(&mut client).await;
        }
        // Version -1 is none of ours either.
        client.send_raw(framed(&[&[0, 18, 0xff, 0xff, 0, 0, 0, 7]])).await;
        let frame = client.next_frame().await.expect("an answer");
        let (id, response): (i32, ApiVersionsResponse) =
            decode_response(&frame, ApiKey::ApiVersions, 0).expect("version 0");
        assert_eq!((id, response.error_code), (7, ErrorCode::UnsupportedVersion.number()));
        let mut next = peer.connect().await;
        is_served(&mut next).await;
    });
}

#[test]
fn bytes_that_are_no_request_close_their_connection_and_no_other() {
    let no_requests: [&[u8]; 7] = [
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff, 1],
        b"GET / HTTP/1.1\r\n\r\n",
        // An unknown API; Metadata in an unknown version; Metadata with 2^31 topics; a frame
        // without a header.
        &[0, 0, 0, 8, 0, 99, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff],
        &[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
        &[0, 0, 0, 1, 0],
    ];
    for (seed, bytes) in (0..).zip(no_requests) {
        Cluster::start(seed, &[]).run(move |peer| async move {
            let mut good = peer.connect().await;
            is_served(&mut good).await;
            let mut bad = peer.connect().await;
            bad.send_raw(bytes.to_vec()).await;
            assert_eq!(bad.next_frame().await, None, "{bytes:?}");
            is_served(&mut good).await;
        });
    }
}

#[test]
fn a_parked_fetch_holds_back_what_comes_behind_it() {
    Cluster::start(3, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let began = peer.shard.now();
        client.send(ApiKey::Fetch, 12, &fetch_request("t", &[(0, 0)], 700)).await;
        client.send(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default()).await;
        let _fetched: protocol::generated::fetch::FetchResponse =
            client.receive(2, ApiKey::Fetch, 12).await;
        assert!(peer.shard.now().since(began) >= Duration::from_millis(700));
        let _versions: ApiVersionsResponse = client.receive(3, ApiKey::ApiVersions, 0).await;
    });
}

#[test]
fn a_stop_answers_what_was_begun_and_keeps_what_was_acknowledged() {
    for seed in 0..4 {
        let cluster = Cluster::start(seed, &[]);
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 2).await;
            for partition in 0..2 {
                client.produce("t", partition, batch(&["x"])).await;
            }
            let mut waiting = peer.connect().await;
            // It outlives this script; the broker must not wait for its minute.
            let poll = async move { waiting.fetch(&fetch_request("t", &[(0, 1)], 60_000)).await };
            peer.shard.spawn(TaskClass::Foreground, "poll", poll).detach();
            peer.shard.sleep(Duration::from_millis(50)).await;
        });
        cluster.stop();
        cluster.start_again();
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            let found =
                one(client.fetch(&fetch_request("t", &[(0, 0), (1, 0)], 0)).await.responses);
            assert!(found.partitions.iter().all(|p| p.high_watermark == 1), "{found:?}");
        });
    }
}

/// One that looked for records while the others were released used to wait on, until it was aborted
/// without an answer.
#[test]
fn a_stop_waits_for_no_fetch_whenever_it_came() {
    for seed in 0..4 {
        let cluster = Cluster::start(seed, &[]);
        for step in 0..40 {
            cluster.run(move |peer| async move {
                let mut client = peer.connect().await;
                client.create_topic("t", 2).await;
                // It outlives this script.
                let poll = async move {
                    let request = fetch_request("t", &[(0, 0), (1, 0)], 60_000);
                    client.send(ApiKey::Fetch, FETCH_VERSION, &request).await;
                    client.next_frame().await
                };
                peer.shard.spawn(TaskClass::Foreground, "poll", poll).detach();
                peer.shard.sleep(Duration::from_micros(25 * step)).await;
            });
            let took = cluster.stop();
            assert!(took < Duration::from_secs(4), "seed {seed}, step {step}: {took:?}");
            cluster.start_again();
        }
    }
}

/// Whether a connection is served that was just made.
async fn is_let_in(client: &mut Client) -> bool {
    client.send(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default()).await;
    client.next_frame().await.is_some()
}

#[test]
fn an_address_has_as_many_connections_as_it_may_whichever_shard_they_come_to() {
    let cluster = Cluster::start(6, &["max.connections.per.ip=3", "max.connections=5"]);
    cluster.run(|peer| async move {
        for _ in 0..4 {
            let mut let_in = Vec::new();
            for turned_away in [false, false, false, true, true] {
                let mut client = peer.connect().await;
                assert_eq!(is_let_in(&mut client).await, !turned_away);
                let_in.push(client);
            }
            // Those who leave make room.
            drop(let_in);
            peer.shard.sleep(Duration::from_millis(100)).await;
        }
    });
    let lines = cluster.log_lines();
    assert!(lines.iter().any(|line| line.contains("its address has 3 connections")), "{lines:#?}");
}

#[test]
fn a_broker_has_as_many_connections_as_it_may_wherever_they_come_from() {
    let cluster = Cluster::start(8, &["max.connections=5"]);
    let are_in = Rc::new(Cell::new(false));
    let tell = are_in.clone();
    let _first = cluster.begin(move |peer| {
        let tell = tell.clone();
        async move {
            let mut clients = Vec::new();
            for _ in 0..3 {
                let mut client = peer.connect().await;
                assert!(is_let_in(&mut client).await);
                clients.push(client);
            }
            tell.set(true);
            // They stay for as long as the other client needs.
            clients[0].next_frame().await
        }
    });
    cluster.run(move |peer| {
        let are_in = are_in.clone();
        async move {
            while !are_in.get() {
                peer.shard.sleep(Duration::from_millis(10)).await;
            }
            let mut let_in = Vec::new();
            for turned_away in [false, false, true] {
                let mut client = peer.connect().await;
                assert_eq!(is_let_in(&mut client).await, !turned_away);
                let_in.push(client);
            }
        }
    });
    let lines = cluster.log_lines();
    assert!(lines.iter().any(|line| line.contains("max.connections=5")), "{lines:#?}");
}

#[test]
fn connections_that_come_too_fast_wait_for_their_turn() {
    Cluster::start(7, &["max.connection.creation.rate=4"]).run(|peer| async move {
        let began = peer.shard.now();
        let mut clients = Vec::new();
        for _ in 0..12 {
            clients.push(peer.connect().await);
        }
        for client in &mut clients {
            assert!(is_let_in(client).await);
        }
        let took = peer.shard.now().since(began);
        // Two at once and two a second on each of two shards; chance says how many come to which.
        assert!((2..6).contains(&took.as_secs()), "{took:?}");
    });
}

#[test]
fn a_shard_has_as_many_connections_as_it_has_memory_for_and_serves_them() {
    // The least that two shards can have: 100 connections each.
    let cluster = Cluster::start(9, &["ringmain.memory.bytes=852819968"]);
    cluster.run(|peer| async move {
        let mut let_in = Vec::new();
        for _ in 0..300 {
            let mut client = peer.connect().await;
            if is_let_in(&mut client).await {
                let_in.push(client);
            }
        }
        assert_eq!(let_in.len(), 200);
        for client in &mut let_in {
            is_served(client).await;
        }
    });
    let lines = cluster.log_lines();
    assert!(lines.iter().any(|line| line.contains("raise ringmain.memory.bytes")), "{lines:#?}");
}

/// Its shards used to hold what they would on the largest machine.
#[test]
fn a_broker_on_a_small_machine_serves_and_says_what_to_set() {
    for (mib, is_small) in [(256, true), (512, true), (2048, false)] {
        let cluster = Cluster::start_on(10, mib << 20, &[]);
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 2).await;
            for partition in [0, 1] {
                client.produce("t", partition, batch(&["x"])).await;
            }
            is_served(&mut client).await;
        });
        let lines = cluster.log_lines();
        let told = |line: &&String| line.contains(&format!("three quarters of the {mib} MiB"));
        assert_eq!(lines.iter().filter(told).count(), usize::from(is_small), "{lines:#?}");
    }
}
