//! The one source of chance in a simulated world: a small generator that can be split.

use super::Rng;

impl Rng {
    /// A generator whose sequence follows from `seed` alone.
    pub fn new(seed: u64) -> Rng {
        Rng { state: mix(seed ^ 0x5851_f42d_4c95_7f2d) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number in `0..bound`. `bound` must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a choice among nothing");
        // Widening multiplication: the bias is below 2^-32 for every bound a test uses.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// An index into something of `len` elements. `len` must not be 0.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// True `hits` times out of `of`.
    pub fn chance(&mut self, hits: u64, of: u64) -> bool {
        self.below(of) < hits
    }

    /// A new generator that shares nothing with what this one gives from now on.
    pub fn split(&mut self) -> Rng {
        Rng::new(self.next_u64())
    }

    /// Fills `bytes` with chance.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            piece.copy_from_slice(&word[..piece.len()]);
        }
    }
}

/// Scatters every bit of `x` over the whole word.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_sequences_and_others_differ() {
        let take = |seed| -> Vec<u64> {
            let mut rng = Rng::new(seed);
            (0..32).map(|_| rng.next_u64()).collect()
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
        assert_ne!(take(0), take(1));
    }

    #[test]
    fn a_bound_is_kept_and_every_value_comes_up() {
        let mut rng = Rng::new(1);
        let mut seen = [0u32; 5];
        for _ in 0..1000 {
            seen[rng.index(5)] += 1;
        }
        assert!(seen.iter().all(|count| (120..280).contains(count)), "{seen:?}");
    }

    #[test]
    fn a_split_generator_goes_its_own_way() {
        let mut parent = Rng::new(3);
        let mut child = parent.split();
        assert_ne!(parent.next_u64(), child.next_u64());
    }
}
