//! A fetch that names a partition more than once: as in Kafka the last mention kept, and it stands
//! where the first one stood.

use protocol::Uuid;
use protocol::fetch::{Partition, Request};

/// A partition as the request names it, and where: the topic's and the partition's place.
type Mention<'a> = ((&'a str, Uuid, i32), (usize, usize));

/// The request with one mention of each partition.
pub(super) fn last_of_each(request: Request<'_>) -> Request<'_> {
    if names_each_once(&request) { request } else { without_repeats(request) }
}

/// Whether no topic and no partition of a topic stands in it twice, as in every client's request.
fn names_each_once(request: &Request<'_>) -> bool {
    let mut topics: Vec<_> = request.topics.iter().map(|t| (t.name, t.topic_id)).collect();
    topics.sort_unstable();
    let mut indexes: Vec<i32> = Vec::new();
    topics.windows(2).all(|pair| pair[0] != pair[1])
        && request.topics.iter().all(|topic| {
            indexes.clear();
            indexes.extend(topic.partitions.iter().map(|partition| partition.index));
            indexes.sort_unstable();
            indexes.windows(2).all(|pair| pair[0] != pair[1])
        })
}

fn without_repeats(request: Request<'_>) -> Request<'_> {
    let mut mentions: Vec<Mention<'_>> = Vec::new();
    for (t, topic) in request.topics.iter().enumerate() {
        for (p, partition) in topic.partitions.iter().enumerate() {
            mentions.push(((topic.name, topic.topic_id, partition.index), (t, p)));
        }
    }
    mentions.sort_unstable();
    let same = |a: &Mention<'_>, b: &Mention<'_>| a.0 == b.0;
    let mut request = request;
    let mut kept: Vec<Vec<Option<Partition>>> = request
        .topics
        .iter()
        .map(|topic| topic.partitions.iter().cloned().map(Some).collect())
        .collect();
    for mentions in mentions.chunk_by(same) {
        let [(_, (t, p)), .., (_, (last_t, last_p))] = mentions else { continue };
        kept[*t][*p] = kept[*last_t][*last_p].take();
        for (_, (t, p)) in &mentions[1..] {
            kept[*t][*p] = None;
        }
    }
    for (topic, kept) in request.topics.iter_mut().zip(kept) {
        topic.partitions = kept.into_iter().flatten().collect();
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::fetch::Topic;

    fn request(topics: &[(&'static str, &[(i32, i64)])]) -> Request<'static> {
        let partition = |(index, fetch_offset): &(i32, i64)| Partition {
            index: *index,
            current_leader_epoch: -1,
            fetch_offset: *fetch_offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            max_bytes: 1,
            replica_directory_id: Uuid::ZERO,
            high_watermark: i64::MAX,
        };
        let topic = |(name, partitions): &(&'static str, &[(i32, i64)])| Topic {
            name,
            topic_id: Uuid::ZERO,
            partitions: partitions.iter().map(partition).collect(),
        };
        Request {
            cluster_id: None,
            replica_id: -1,
            replica_epoch: -1,
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: 0,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: topics.iter().map(topic).collect(),
            forgotten_topics: Vec::new(),
            rack_id: "",
        }
    }

    #[test]
    fn the_last_mention_kept_and_stands_at_the_first_ones_place() {
        let sent = request(&[("a", &[(0, 1), (1, 2), (0, 3)]), ("b", &[(0, 4)]), ("a", &[(1, 5)])]);
        let expect = request(&[("a", &[(0, 3), (1, 5)]), ("b", &[(0, 4)])]);
        assert_eq!(last_of_each(sent), expect);
    }

    #[test]
    fn what_is_named_once_stays_as_it_is() {
        let sent = request(&[("b", &[(1, 1), (0, 2)]), ("c", &[]), ("a", &[(0, 3)])]);
        assert_eq!(last_of_each(sent.clone()), sent);
    }
}
