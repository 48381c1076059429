//! Peers that do not read what they are answered: they hold up themselves, and nobody else.

use std::time::Duration;

use protocol::generated::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::generated::produce::{PartitionProduceData, ProduceRequest, ProduceResponse};
use protocol::{ApiKey, Message};
use runtime::TaskClass;

use crate::client::{
    Client, FETCH_VERSION, PRODUCE_VERSION, batch, fetch_request, one, produce_request,
};
use crate::cluster::{Cluster, Peer};

/// Every request here is to be answered within that, if its peer reads.
const SOON: Duration = Duration::from_millis(500);
/// A tenth of the memory that a broker has which is told nothing: 10 MiB for the largest request, 9
/// for all others.
const LITTLE: &[&str] = &["ringmain.request.bytes=20132659", "socket.request.max.bytes=10485760"];

/// A produce of one record to each of so many partitions of `t`.
fn wide_produce(partitions: i32) -> ProduceRequest {
    let mut request = produce_request("t", 0, batch(&["x"]));
    let data = |index| PartitionProduceData { index, records: Some(batch(&["x"])) };
    request.topic_data[0].partition_data = (0..partitions).map(data).collect();
    request
}

async fn produce_wide(client: &mut Client, partitions: i32) {
    let request = wide_produce(partitions);
    let told: ProduceResponse = client.ask(ApiKey::Produce, PRODUCE_VERSION, &request).await;
    let told = one(told.responses).partition_responses;
    assert!(told.iter().all(|partition| partition.error_code == 0), "{told:?}");
}

/// A Metadata request about topics that don't exist, and aren't to.
fn metadata_of(count: usize, length: usize) -> MetadataRequest {
    let name = |index| Some(format!("{index:0>length$}"));
    let topic = |index| MetadataRequestTopic { name: name(index), ..Default::default() };
    let topics = Some((0..count).map(topic).collect());
    MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() }
}

/// A fetch of all that partition 0 of `t` has.
fn fetch_all() -> protocol::generated::fetch::FetchRequest {
    let mut request = fetch_request("t", &[(0, 0)], 0);
    request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
    request
}

/// Connects and sends, and reads nothing for as long as the test runs.
async fn deaf(peer: &Peer, requests: &[&[u8]]) {
    let client = peer.connect().await;
    let bytes = requests.concat();
    let send = async move {
        client.try_send_raw(bytes).await;
        // Whoever drops a connection closes it.
        std::future::pending::<()>().await;
    };
    peer.shard.spawn(TaskClass::Foreground, "deaf", send).detach();
}

fn encoded(api: ApiKey, version: i16, body: &impl Message) -> Vec<u8> {
    Client::encode((api, version), 1, body)
}

/// Produces and fetches for a while, narrow and wide, and by who is there and who comes.
async fn is_served_soon(peer: &Peer, honest: &mut Client, what: &str) {
    for second in 0..40 {
        let mut newcomer = peer.connect().await;
        for client in [&mut *honest, &mut newcomer] {
            let began = peer.shard.now();
            produce_wide(client, 6).await;
            client.produce("t", 0, batch(&[&"x".repeat(30_000)])).await;
            client.fetch(&fetch_request("t", &[(0, 0), (1, 0)], 0)).await;
            let told: MetadataResponse =
                client.ask(ApiKey::Metadata, 12, &metadata_of(3, 10)).await;
            assert_eq!(told.topics.len(), 3);
            let took = peer.shard.now().since(began);
            assert!(took < SOON, "{what}, second {second}: {took:?}");
        }
        peer.shard.sleep(Duration::from_secs(1)).await;
    }
}

/// Produces used to wait in one line with them, half a minute for each that nobody read.
#[test]
fn wide_metadata_that_nobody_reads_stops_no_produce() {
    Cluster::start(1, &[]).run(|peer| async move {
        let mut honest = peer.connect().await;
        honest.create_topic("t", 6).await;
        let wide = encoded(ApiKey::Metadata, 12, &metadata_of(32_000, 249));
        for _ in 0..12 {
            deaf(&peer, &[&wide]).await;
        }
        is_served_soon(&peer, &mut honest, "wide metadata").await;
    });
}

/// The requests that waited for room used to fill the memory that produces are read into.
#[test]
fn requests_that_wait_for_room_stop_no_produce() {
    Cluster::start(2, LITTLE).run(|peer| async move {
        let mut honest = peer.connect().await;
        honest.create_topic("t", 6).await;
        let from: Vec<(i32, i64)> = (0..35_000).map(|partition| (partition, 0)).collect();
        let wide = encoded(ApiKey::Fetch, FETCH_VERSION, &fetch_request("t", &from, 0));
        for _ in 0..40 {
            deaf(&peer, &[&wide]).await;
        }
        is_served_soon(&peer, &mut honest, "wide fetches").await;
    });
}

/// Such a request used to hold its memory for ten minutes.
#[test]
fn large_requests_behind_an_answer_that_nobody_reads_stop_no_other() {
    Cluster::start(3, LITTLE).run(|peer| async move {
        let mut honest = peer.connect().await;
        honest.create_topic("t", 6).await;
        for _ in 0..20 {
            honest.produce("t", 0, batch(&[&"x".repeat(60_000)])).await;
        }
        let unread = encoded(ApiKey::Fetch, FETCH_VERSION, &fetch_all());
        let large = encoded(ApiKey::Metadata, 12, &metadata_of(4_000, 249));
        let small = encoded(ApiKey::Metadata, 12, &metadata_of(60, 249));
        let produce = encoded(ApiKey::Produce, PRODUCE_VERSION, &wide_produce(3_000));
        let mut produces: Vec<&[u8]> = vec![&unread];
        produces.resize(60, &produce);
        for behind in [&[&unread[..], &large][..], &[&unread, &small], &produces] {
            for _ in 0..24 {
                deaf(&peer, behind).await;
            }
        }
        is_served_soon(&peer, &mut honest, "behind an answer").await;
    });
}

#[test]
fn a_small_request_waits_for_as_long_as_its_peer_is_busy_with_what_it_has() {
    Cluster::start(4, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 6).await;
        for _ in 0..20 {
            client.produce("t", 0, batch(&[&"x".repeat(60_000)])).await;
        }
        let mut client = peer.connect().await;
        client.send(ApiKey::Fetch, FETCH_VERSION, &fetch_all()).await;
        client.send(ApiKey::Metadata, 12, &metadata_of(3, 10)).await;
        peer.shard.sleep(Duration::from_secs(300)).await;
        let found: protocol::generated::fetch::FetchResponse =
            client.receive(1, ApiKey::Fetch, FETCH_VERSION).await;
        let records = one(one(found.responses).partitions).records.expect("never null");
        assert!(records.len() > 20 * 60_000);
        let told: MetadataResponse = client.receive(2, ApiKey::Metadata, 12).await;
        assert_eq!(told.topics.len(), 3);
    });
}
