//! What lies in the segments of a topic, as a tool has counted it.

use std::collections::BTreeMap;

/// Of so many records in a hundred at least, a batch is compressed as its writer was told to:
/// librdkafka leaves a batch as it is that compression would not make smaller.
const COMPRESSED_PERCENT: usize = 95;
const NO_CODEC: &str = "none";

/// The records of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// How many there are, by Kafka's name of the codec that their batches are compressed with.
    pub records: BTreeMap<String, usize>,
}

impl Content {
    /// Counts one record of a batch with that codec.
    pub fn count(&mut self, codec: &str) {
        match self.records.get_mut(codec) {
            Some(records) => *records += 1,
            None => drop(self.records.insert(codec.to_string(), 1)),
        }
    }

    /// Adds what another run of the tool has counted.
    pub fn add(&mut self, other: Content) {
        for (codec, records) in other.records {
            *self.records.entry(codec).or_default() += records;
        }
    }

    /// Holds it against what was written.
    ///
    /// # Panics
    ///
    /// If there are more records or fewer, or the writer's batches did not stay as it made them: a
    /// client that misjudges the broker leaves compression away, and nobody else would see it.
    pub fn assert_written(&self, records: usize, codec: &str, topic: &str) {
        let all: usize = self.records.values().sum();
        assert_eq!(all, records, "{topic}: records in its segments, {self:?}");
        let of = |codec: &str| self.records.get(codec).copied().unwrap_or(0);
        let enough = of(codec) * 100 >= all * COMPRESSED_PERCENT;
        let others = self.records.keys().any(|found| found != codec && found != NO_CODEC);
        assert!(enough && !others, "{topic} was written with codec {codec}: {self:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::Content;

    fn content(records: &[(&str, usize)]) -> Content {
        let records = records.iter().map(|(codec, count)| (codec.to_string(), *count));
        Content { records: records.collect() }
    }

    fn fits(content: &Content, codec: &str) -> bool {
        std::panic::catch_unwind(|| content.assert_written(100, codec, "t")).is_ok()
    }

    #[test]
    fn batches_that_were_not_compressed_are_seen_but_for_a_few() {
        assert!(fits(&content(&[("gzip", 100)]), "gzip"));
        assert!(fits(&content(&[("gzip", 95), ("none", 5)]), "gzip"));
        assert!(!fits(&content(&[("gzip", 94), ("none", 6)]), "gzip"));
        assert!(!fits(&content(&[("gzip", 95), ("zstd", 5)]), "gzip"));
        assert!(!fits(&content(&[("gzip", 99)]), "gzip"));
        assert!(!fits(&content(&[("gzip", 100)]), "none"));
        assert!(!fits(&content(&[]), "none"));
    }
}
