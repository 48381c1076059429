//! How large a batch may be, and who still gets one that is larger.

use protocol::ErrorCode;
use record::{BatchBuilder, Compression, Record, Timestamp};

use crate::client::{batch, fetch_request, one, values};
use crate::cluster::Cluster;
use crate::topic_settings::set;

#[test]
fn a_batch_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
    Cluster::start(1, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        for compression in [Compression::None, Compression::Gzip] {
            let mut builder = BatchBuilder::new().compression(compression);
            let (timestamp, value) = (Timestamp(1_767_225_600_000), [b'x'; 5_000]);
            builder.push(&Record { timestamp, value: Some(&value), ..Record::default() });
            let bytes = builder.build().expect("a small batch");
            // What is stored counts, not what it may become.
            assert_eq!(bytes.len() > 5_000, compression == Compression::None);
            for (limit, code) in [
                (bytes.len() - 1, ErrorCode::MessageTooLarge),
                (bytes.len(), ErrorCode::None),
                (bytes.len() + 1, ErrorCode::None),
            ] {
                set(&mut client, "t", "max.message.bytes", &limit.to_string()).await;
                let answer = client.produce("t", 0, bytes.clone()).await;
                assert_eq!(answer.error_code, code.number(), "{compression:?}, limit {limit}");
            }
        }
    });
}

#[test]
fn what_is_larger_than_a_later_limit_is_read_all_the_same() {
    let cluster = Cluster::start(26, &[]);
    let value = "x".repeat(5000);
    let sent = batch(&[value.as_str()]);
    cluster.run(move |peer| {
        let sent = sent.clone();
        async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 1).await;
            assert_eq!(client.produce("t", 0, sent).await.error_code, 0);
            set(&mut client, "t", "max.message.bytes", "100").await;
        }
    });
    let read = |cluster: &Cluster| {
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            let mut request = fetch_request("t", &[(0, 0)], 0);
            request.max_bytes = 100;
            request.topics[0].partitions[0].partition_max_bytes = 100;
            let found = one(one(client.fetch(&request).await.responses).partitions);
            values(&found.records.expect("never null"))
        })
    };
    assert_eq!(read(&cluster), [(0, value.clone())]);
    // From its segment, too.
    cluster.stop();
    cluster.start_again();
    assert_eq!(read(&cluster), [(0, value)]);
}
