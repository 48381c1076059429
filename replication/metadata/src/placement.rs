//! The thin coordinator's one rule, used twice: spread partitions over brokers, and on each broker
//! over shards.

use crate::types::BrokerId;

/// Gives each of `partition_count` partitions `replication_factor` brokers, the leaders spread
/// evenly. `start` shifts the first leader, so that many small topics do not all lead on the same
/// broker.
///
/// Returns none if there are fewer brokers than copies wanted.
pub fn spread_over_brokers(
    brokers: &[BrokerId],
    partition_count: u32,
    replication_factor: u16,
    start: u64,
) -> Option<Vec<Vec<BrokerId>>> {
    let copies = usize::from(replication_factor);
    if copies == 0 || copies > brokers.len() {
        return None;
    }
    let first = (start % brokers.len() as u64) as usize;
    let replicas = |partition: usize| {
        (0..copies).map(|copy| brokers[(first + partition + copy) % brokers.len()]).collect()
    };
    Some((0..partition_count as usize).map(replicas).collect())
}

/// Gives each new partition to the shard that has the fewest. `loads` is the number of partitions
/// of each shard and is brought up to date; ties go to the lower number.
///
/// # Panics
/// Without shards.
pub fn spread_over_shards(loads: &mut [u32], partition_count: u32) -> Vec<u16> {
    let mut place = || {
        let (shard, load) =
            loads.iter_mut().enumerate().min_by_key(|(_, load)| **load).expect("there are shards");
        *load += 1;
        shard as u16
    };
    (0..partition_count).map(|_| place()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaders_are_spread_and_copies_differ() {
        let brokers = [BrokerId(1), BrokerId(2), BrokerId(3)];
        let placed = spread_over_brokers(&brokers, 6, 2, 1).unwrap();
        for broker in brokers {
            assert_eq!(placed.iter().filter(|replicas| replicas[0] == broker).count(), 2);
        }
        assert!(placed.iter().all(|replicas| replicas[0] != replicas[1]));
        assert_eq!(placed[0][0], BrokerId(2));
    }

    #[test]
    fn more_copies_than_brokers_is_no_placement() {
        assert_eq!(spread_over_brokers(&[BrokerId(1)], 1, 2, 0), None);
        assert_eq!(spread_over_brokers(&[BrokerId(1)], 1, 0, 0), None);
    }

    #[test]
    fn shards_are_filled_evenly_from_what_they_have() {
        let mut loads = [3, 0, 1];
        assert_eq!(spread_over_shards(&mut loads, 5), [1, 1, 2, 1, 2]);
        assert_eq!(loads, [3, 3, 3]);
    }
}
