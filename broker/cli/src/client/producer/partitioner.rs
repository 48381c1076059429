//! Which partition a record goes to: by its key as Kafka's Java producer does it, else in turn.

/// Chooses partitions of one topic.
#[derive(Debug)]
pub struct Partitioner {
    count: usize,
    /// Where records without a key go until their batch is full.
    current: usize,
}

impl Partitioner {
    /// For `count` partitions, at least one. Records without a key begin at one that `start`
    /// chooses, so that many short runs do not all fill the first.
    pub fn new(count: usize, start: u64) -> Self {
        assert!(count > 0, "a topic has a partition");
        // The remainder is below a usize.
        Self { count, current: (start % count as u64) as usize }
    }

    /// The partition of a record with this key.
    pub fn partition(&self, key: Option<&[u8]>) -> usize {
        match key {
            Some(key) => (murmur2(key) & 0x7fff_ffff) as usize % self.count,
            None => self.current,
        }
    }

    /// Moves on from a partition whose batch is closed, so that records without a key fill one
    /// batch after the other and not all at once (KIP-480).
    pub fn closed(&mut self, partition: usize) {
        if partition == self.current {
            self.current = (self.current + 1) % self.count;
        }
    }
}

/// MurmurHash2 of 32 bits with the seed of Kafka's clients.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    // Kafka's length is an int, too.
    let mut hash = SEED ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        let mixed = (mixed ^ (mixed >> 24)).wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed;
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_kafkas() {
        // From the tests of Kafka's own clients, in Java and in C.
        let known: [(&[u8], i32); 9] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"kafka", 0xd067_cf64_u32.cast_signed()),
            (b"giberish123456789", 0x8f55_2b0c_u32.cast_signed()),
            (b"", 0x106e_08d9),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key).cast_signed(), hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn an_empty_key_is_a_key_and_none_is_not() {
        let mut partitioner = Partitioner::new(6, 8);
        assert_eq!(partitioner.partition(None), 2);
        assert_eq!(partitioner.partition(Some(b"")), 0x106e_08d9 % 6);
        partitioner.closed(0);
        assert_eq!(partitioner.partition(None), 2, "another one was closed");
        partitioner.closed(2);
        assert_eq!(partitioner.partition(None), 3);
    }
}
