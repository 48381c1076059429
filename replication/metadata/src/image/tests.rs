//! What records do to the image, one property each.

use super::*;

const ID: TopicId = TopicId([7; 16]);
const ONE: BrokerId = BrokerId(1);

struct Log {
    image: MetadataImage,
    next: u64,
}

impl Log {
    fn new() -> Log {
        Log { image: MetadataImage::default(), next: 0 }
    }

    fn apply(&mut self, record: MetadataRecord) -> Result<Applied, Refused> {
        let position = LogPosition { term: 1, index: self.next };
        self.next += 1;
        self.image.apply(position, &record)
    }

    fn create(&mut self, name: &str, id: TopicId) -> Result<Applied, Refused> {
        self.apply(MetadataRecord::TopicCreated {
            name: name.into(),
            id,
            partitions: vec![vec![ONE], vec![ONE]],
            configs: BTreeMap::new(),
        })
    }

    fn register(&mut self, broker: BrokerId) {
        let record = MetadataRecord::BrokerRegistered { broker, host: "h".into(), port: 1 };
        assert_eq!(self.apply(record), Ok(Applied::Changed));
    }
}

#[test]
fn a_created_topic_is_found_by_name_and_id() {
    let mut log = Log::new();
    assert_eq!(log.create("a", ID), Ok(Applied::Changed));
    let topic = log.image.topic("a").unwrap();
    assert_eq!(log.image.topic_by_id(&ID), Some(topic));
    assert_eq!((topic.partitions.len(), topic.partitions[0].leader), (2, ONE));
}

#[test]
fn a_name_is_taken_until_its_topic_is_removed() {
    let mut log = Log::new();
    log.create("a", ID).unwrap();
    assert_eq!(log.create("a", TopicId([8; 16])), Err(Refused::TopicExists("a".into())));
    log.apply(MetadataRecord::TopicRemoved { id: ID }).unwrap();
    assert_eq!(log.image.topic("a"), None);
    assert_eq!(log.create("a", TopicId([8; 16])), Ok(Applied::Changed));
    assert_eq!(log.image.removed_topics().collect::<Vec<_>>(), [(ID, 2)]);
    log.apply(MetadataRecord::TopicForgotten { id: ID }).unwrap();
    assert_eq!(log.image.removed_topics().count(), 0);
}

#[test]
fn colliding_and_impossible_names_are_refused() {
    let mut log = Log::new();
    log.create("a.b", ID).unwrap();
    let collides = Refused::NameCollides { name: "a_b".into(), with: "a.b".into() };
    assert_eq!(log.create("a_b", TopicId([8; 16])), Err(collides));
    assert!(matches!(log.create("a/b", TopicId([9; 16])), Err(Refused::Name(_))));
}

#[test]
fn a_restarted_leader_leads_in_a_new_epoch() {
    let mut log = Log::new();
    log.register(ONE);
    log.create("a", ID).unwrap();
    log.register(BrokerId(2));
    assert_eq!(log.image.topic("a").unwrap().partitions[1].leader_epoch, 0);
    log.register(ONE);
    assert_eq!(log.image.topic("a").unwrap().partitions[1].leader_epoch, 1);
}

#[test]
fn added_partitions_stand_behind_the_ones_that_were_there() {
    let mut log = Log::new();
    log.create("a", ID).unwrap();
    let add = |first, partitions| MetadataRecord::PartitionsAdded { id: ID, first, partitions };
    assert_eq!(log.apply(add(2, vec![vec![ONE]])), Ok(Applied::Changed));
    let added = &log.image.topic("a").unwrap().partitions;
    assert_eq!((added.len(), added[2].leader, added[2].leader_epoch), (3, ONE, 0));
    assert_eq!(log.apply(add(2, vec![vec![ONE]])), Err(Refused::PartitionsExist { count: 3 }));
    assert_eq!(log.apply(add(3, vec![])), Err(Refused::NoPartitions));
    assert_eq!(log.apply(add(3, vec![vec![]])), Err(Refused::NoPartitions));
    log.apply(MetadataRecord::TopicRemoved { id: ID }).unwrap();
    assert_eq!(log.apply(add(3, vec![vec![ONE]])), Err(Refused::UnknownTopic(ID)));
    assert_eq!(log.image.removed_topics().collect::<Vec<_>>(), [(ID, 3)]);
}

#[test]
fn changed_settings_replace_the_old_ones_and_null_takes_them_away() {
    let mut log = Log::new();
    log.create("a", ID).unwrap();
    let mut change = |changes: &[(&str, Option<&str>)]| {
        let owned =
            |(name, value): &(&str, Option<&str>)| (name.to_string(), value.map(Into::into));
        let changes = changes.iter().map(owned).collect();
        log.apply(MetadataRecord::TopicConfigsChanged { id: ID, changes }).unwrap();
        log.image.topic("a").unwrap().configs.clone()
    };
    let set = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    };
    let changed: BTreeMap<String, String> = change(&[("x", Some("1")), ("y", Some("2"))]);
    assert_eq!(changed, set(&[("x", "1"), ("y", "2")]));
    assert_eq!(change(&[("x", Some("3")), ("y", None), ("z", None)]), set(&[("x", "3")]));
}

#[test]
fn producer_ids_are_never_given_twice() {
    let mut log = Log::new();
    let ask = MetadataRecord::ProducerIdsAllocated { broker: ONE, count: 1000 };
    assert_eq!(log.apply(ask.clone()), Ok(Applied::ProducerIds { first: 0, count: 1000 }));
    assert_eq!(log.apply(ask), Ok(Applied::ProducerIds { first: 1000, count: 1000 }));
}

#[test]
fn the_same_records_give_the_same_image() {
    let run = || {
        let mut log = Log::new();
        log.register(ONE);
        log.create("a", ID).unwrap();
        log.apply(MetadataRecord::TopicRemoved { id: ID }).unwrap();
        log.create("a", TopicId([9; 16])).unwrap();
        log.image
    };
    assert_eq!(run(), run());
}
