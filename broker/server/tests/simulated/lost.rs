//! What becomes of a broker of whose data folder a part was lost while it was stopped.

use std::path::{Path, PathBuf};

use protocol::generated::fetch::FetchResponse;
use protocol::{ApiKey, ErrorCode};
use runtime::Shard;
use runtime::sim::SimDisk;

use crate::client::{batch, fetch_request, one};
use crate::cluster::Cluster;
use crate::restart::End;

const PARTITIONS: i32 = 4;
/// So that a few batches fill several blocks of a segment.
const VALUE_BYTES: usize = 3_000;

/// Makes `t`, with some records in each partition.
fn fill(cluster: &Cluster) {
    cluster.run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", PARTITIONS).await;
        for partition in 0..PARTITIONS {
            for _ in 0..5 {
                let value = "x".repeat(VALUE_BYTES);
                let appended = client.produce("t", partition, batch(&[&value])).await;
                assert_eq!(appended.error_code, 0);
            }
        }
    });
}

/// A cluster with a filled `t`, settled by the stop.
fn stopped_cluster(seed: u64) -> Cluster {
    let cluster = Cluster::start(seed, &[]);
    fill(&cluster);
    cluster.stop();
    cluster
}

/// Removes a folder and its files.
pub async fn remove_all(shard: &Shard, folder: &Path) {
    for file in shard.disk().list(folder).await.expect("the folder is there") {
        shard.disk().remove_file(&folder.join(&file.name)).await.expect("removed");
    }
    shard.disk().remove_dir(folder).await.expect("removed");
}

/// Files whose path begins and ends so, and their sizes.
pub fn files_below(cluster: &Cluster, front: &str, ending: &str) -> Vec<(PathBuf, u64)> {
    files_on(&cluster.disk(), front, ending)
}

/// The same on the disk of a broker that may run.
pub fn files_on(disk: &SimDisk, front: &str, ending: &str) -> Vec<(PathBuf, u64)> {
    let mut files = disk.files();
    files.retain(|(path, _)| {
        let path = path.to_string_lossy();
        path.starts_with(front) && path.ends_with(ending)
    });
    files
}

/// The same files with their bytes.
pub fn copies_below(cluster: &Cluster, front: &str, ending: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = files_below(cluster, front, ending).into_iter();
    let read = |path: &Path| cluster.disk().read(path).expect("readable");
    files.map(|(path, _)| (path.clone(), read(&path))).collect()
}

/// Puts files back on the disk of a broker that is stopped.
pub fn put_back(cluster: &Cluster, copies: Vec<(PathBuf, Vec<u8>)>) {
    cluster.on_broker(move |shard| {
        let copies = copies.clone();
        async move {
            for (path, bytes) in copies {
                let how = runtime::Open::read().write().create();
                let file = shard.disk().open(&path, how).await.expect("made");
                file.write(bytes.into(), 0).await.expect("written");
            }
        }
    });
}

/// The lines of the broker's log that contain these words.
pub fn said(cluster: &Cluster, words: &str) -> Vec<String> {
    cluster.log_lines().into_iter().filter(|line| line.contains(words)).collect()
}

/// A broker that was started again, and its second shard's folder as it was before that.
fn cluster_with_old_shard_1(seed: u64) -> (Cluster, Vec<(PathBuf, Vec<u8>)>) {
    let cluster = Cluster::start(seed, &[]);
    cluster.run(|peer| async move {
        peer.connect().await.create_topic("other", 1).await;
    });
    cluster.stop();
    let old = copies_below(&cluster, "/data/shard-001", "");
    cluster.start_again();
    (cluster, old)
}

/// An older copy takes the place of the second shard's folder.
fn replace_shard_1(cluster: &Cluster, old: Vec<(PathBuf, Vec<u8>)>) {
    cluster.on_broker(|shard| async move {
        let folder = Path::new("/data/shard-001");
        for file in shard.disk().list(folder).await.expect("a folder") {
            shard.disk().remove_file(&folder.join(&file.name)).await.expect("removed");
        }
    });
    put_back(cluster, old);
}

/// The broker used to start without a word, took the segments for orphans and cut them to nothing.
#[test]
fn a_start_without_a_shard_or_the_layout_is_refused_and_changes_no_segment() {
    for (seed, lost) in (0..).zip(["shard-000", "shard-001", "layout", "manifest-", "journal-"]) {
        let cluster = stopped_cluster(seed);
        let before = files_below(&cluster, "/data/partitions", "");
        assert!(before.len() >= 4, "{before:?}");
        cluster.on_broker(move |shard| async move {
            let data = Path::new("/data");
            match lost {
                "layout" => shard.disk().remove_file(&data.join(lost)).await.expect("removed"),
                "shard-000" | "shard-001" => remove_all(&shard, &data.join(lost)).await,
                prefix => {
                    let folder = data.join("shard-001");
                    let files = shard.disk().list(&folder).await.expect("a folder");
                    for file in files.iter().filter(|file| file.name.starts_with(prefix)) {
                        shard.disk().remove_file(&folder.join(&file.name)).await.expect("removed");
                    }
                }
            }
        });
        cluster.start_again();
        let reason = cluster.fatal_reason();
        assert!(reason.contains(lost) && reason.contains("missing"), "{lost}: {reason}");
        assert!(reason.contains("restore") && reason.contains("log.dirs"), "{lost}: {reason}");
        assert_eq!(files_below(&cluster, "/data/partitions", ""), before, "{lost}");
    }
}

#[test]
fn a_first_start_that_is_cut_anywhere_can_be_started_again() {
    let points = {
        let cluster = Cluster::start(7, &[]);
        cluster.run(|peer| async move {
            peer.connect().await;
        });
        cluster.disk().sync_points()
    };
    assert!(points > 8, "{points} sync points");
    for point in 0..points {
        for end in [End::Kill, End::PowerCut] {
            let cluster = Cluster::cut_first_start(7, point, end);
            cluster.run(|peer| async move {
                let mut client = peer.connect().await;
                assert_eq!(one(client.create_topic("t", 1).await.topics).error_code, 0);
            });
        }
    }
}

/// A shard's folder from an older copy does not know of the topic: its segments were cut.
#[test]
fn segments_that_no_shard_knows_of_quarantine_their_partition_and_stay() {
    let (cluster, old) = cluster_with_old_shard_1(3);
    fill(&cluster);
    cluster.stop();
    let before = files_below(&cluster, "/data/partitions", ".log");
    replace_shard_1(&cluster, old);
    cluster.start_again();
    cluster.run(|peer| async move {
        let mut client = peer.connect().await;
        let mut refused = 0;
        for partition in 0..PARTITIONS {
            let appended = client.produce("t", partition, batch(&["new"])).await;
            if appended.error_code != 0 {
                assert_eq!(appended.error_code, ErrorCode::KafkaStorageError.number());
                refused += 1;
            }
        }
        assert!((1..PARTITIONS).contains(&refused), "{refused}");
    });
    cluster.stop();
    let after = files_below(&cluster, "/data/partitions", ".log");
    for ((path, size), (after, size_after)) in before.iter().zip(&after) {
        assert!(path == after && size <= size_after, "{path:?}: {size} then {size_after}");
    }
    let lines = cluster.log_lines();
    let said = lines.iter().filter(|line| line.contains("no log for t-")).count();
    assert!(said > 0 && lines.iter().any(|line| line.contains("restore the data")), "{lines:#?}");
}

/// Without segments there is nothing to refuse: an older copy lost what had not settled.
#[test]
fn a_log_that_a_start_makes_anew_is_said_and_none_that_a_client_makes() {
    let (cluster, old) = cluster_with_old_shard_1(4);
    cluster.run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", PARTITIONS).await;
        for partition in 0..PARTITIONS {
            let appended = client.produce("t", partition, batch(&["x"])).await;
            assert_eq!((appended.error_code, appended.base_offset), (0, 0));
        }
    });
    cluster.kill();
    assert_eq!(said(&cluster, "had no log"), Vec::<String>::new());
    replace_shard_1(&cluster, old);
    cluster.start_again();
    let anew: Vec<i32> = cluster.run(|peer| async move {
        let mut client = peer.connect().await;
        let mut anew = Vec::new();
        for partition in 0..PARTITIONS {
            let appended = client.produce("t", partition, batch(&["y"])).await;
            assert_eq!(appended.error_code, 0);
            anew.extend((appended.base_offset == 0).then_some(partition));
        }
        anew
    });
    let lines = said(&cluster, "had no log: it begins with an empty one");
    assert_eq!(lines.len(), anew.len(), "{lines:#?}");
    for partition in &anew {
        let name = format!("t-{partition} had no log");
        assert!(lines.iter().any(|line| line.contains(&name)), "{name}: {lines:#?}");
    }
    assert!((1..PARTITIONS as usize).contains(&anew.len()), "the other shard has lost nothing");
}

/// The operator used to be told to send the batch again.
#[test]
fn a_damaged_metadata_log_tells_the_operator_what_to_do() {
    let cluster = Cluster::start(5, &[]);
    cluster.run(|peer| async move {
        let mut client = peer.connect().await;
        for i in 0..40 {
            assert_eq!(one(client.create_topic(&format!("t{i}"), 1).await.topics).error_code, 0);
        }
    });
    cluster.stop();
    let path = files_below(&cluster, "/data/partitions", ".log").remove(0).0;
    assert!(path.to_string_lossy().contains("__cluster_metadata-0."), "{path:?}");
    cluster.disk().flip(&path, 1_000);
    cluster.start_again();
    let reason = cluster.fatal_reason();
    assert!(reason.contains("is damaged") && reason.contains("restore the data"), "{reason}");
    assert!(!reason.contains("send it"), "{reason}");
}

/// Its consumers used to hang without a line in the log, or the whole broker ended at the next
/// settle, saying that nothing was lost.
#[test]
fn a_lost_segment_quarantines_its_partition_alone_and_is_said_once() {
    for (seed, cut) in (0..).zip([false, true]) {
        let cluster = stopped_cluster(seed);
        let path = files_below(&cluster, "/data/partitions/t-0.", ".log").remove(0).0;
        let victim = path.clone();
        cluster.on_broker(move |shard| {
            let path = victim.clone();
            async move {
                if cut {
                    let how = runtime::Open::read().write();
                    let file = shard.disk().open(&path, how).await.expect("there");
                    file.truncate(4_096).await.expect("cut");
                } else {
                    shard.disk().remove_file(&path).await.expect("removed");
                }
            }
        });
        cluster.start_again();
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            let storage_error = ErrorCode::KafkaStorageError.number();
            let before = client.produce("t", 0, batch(&["behind"])).await;
            assert_eq!((before.error_code, before.base_offset), (0, 5), "nobody has looked yet");
            for _ in 0..3 {
                let request = fetch_request("t", &[(0, 2)], 0);
                let found = one(one(client.fetch(&request).await.responses).partitions);
                assert_eq!(found.error_code, storage_error);
            }
            let refused = client.produce("t", 0, batch(&["refused"])).await;
            assert_eq!(refused.error_code, storage_error);
            let request = fetch_request("t", &[(0, 5)], 0);
            let found = one(one(client.fetch(&request).await.responses).partitions);
            assert_eq!(found.error_code, 0, "what is there is read");
            for partition in 1..PARTITIONS {
                let appended = client.produce("t", partition, batch(&["on"])).await;
                assert_eq!(appended.error_code, 0, "the others live on");
            }
        });
        // The stop settles: it used to end in a fatal error.
        cluster.stop();
        let said: Vec<String> = cluster.log_lines();
        let said = said.iter().filter(|line| line.contains(path.to_str().expect("UTF-8")));
        let said: Vec<_> = said.collect();
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].contains("t-0 takes no more records"), "{said:#?}");
        assert!(said[0].contains("restore the partition's folder"), "{said:#?}");
    }
}

/// Who had the old topic must not take the new one for it.
#[test]
fn a_broker_whose_data_was_removed_is_another_cluster_with_other_topics() {
    for seed in 0..4 {
        let cluster = Cluster::start(seed, &["auto.create.topics.enable=false"]);
        let make = |cluster: &Cluster| {
            cluster.run(|peer| async move {
                let mut client = peer.connect().await;
                let topic = one(client.create_topic("t", 1).await.topics);
                assert_eq!((topic.error_code, topic.num_partitions), (0, 1));
                let told = client.metadata("t").await;
                let (cluster_id, topic) = (told.cluster_id.expect("never null"), one(told.topics));
                let epoch = one(topic.partitions).leader_epoch;
                (cluster_id, topic.topic_id, epoch)
            })
        };
        let before = make(&cluster);
        cluster.stop();
        cluster.start_again();
        cluster.stop();
        cluster.on_broker(|shard| async move {
            for folder in shard.disk().list(Path::new("/data/partitions")).await.expect("there") {
                remove_all(&shard, &Path::new("/data/partitions").join(&folder.name)).await;
            }
            for folder in ["shard-000", "shard-001", "partitions"] {
                remove_all(&shard, &Path::new("/data").join(folder)).await;
            }
            for file in shard.disk().list(Path::new("/data")).await.expect("there") {
                let path = Path::new("/data").join(&file.name);
                shard.disk().remove_file(&path).await.expect("removed");
            }
        });
        cluster.start_again();
        let after = make(&cluster);
        assert!(before.0 != after.0 && before.1 != after.1, "{before:?}, now {after:?}");
        assert_eq!((before.2, after.2), (0, 0));
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            let mut request = fetch_request("", &[(0, 0)], 0);
            request.topics[0].topic_id = before.1;
            let told: FetchResponse = client.ask(ApiKey::Fetch, 18, &request).await;
            let told = one(one(told.responses).partitions).error_code;
            assert_eq!(told, ErrorCode::UnknownTopicId.number());
        });
    }
}
