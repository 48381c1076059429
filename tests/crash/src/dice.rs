//! The campaign's random numbers: SplitMix64, so that a seed names a campaign for ever.

use std::ops::RangeInclusive;

/// A generator; the same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// A number of `range`. The bias of the remainder is below 2^-40 for ranges of milliseconds.
    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = range.end() - range.start() + 1;
        range.start() + self.next() % width
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_published_numbers() {
        // The first outputs of SplitMix64 for seed 0.
        let mut dice = Dice::new(0);
        assert_eq!(dice.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(dice.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn numbers_stay_within_the_range() {
        let mut dice = Dice::new(7);
        let rolled: Vec<u64> = (0..1000).map(|_| dice.within(300..=302)).collect();
        assert!((300..=302).all(|number| rolled.contains(&number)));
        assert!(rolled.iter().all(|number| (300..=302).contains(number)));
    }
}
