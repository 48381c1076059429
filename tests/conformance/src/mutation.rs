//! Damages requests at random: most are still long enough to be looked into.

use crate::oracle::values::Seed;

const SIZE_BYTES: usize = 4;
/// What stands in front of a body, at least: size, API, version, correlation id. Damage begins
/// behind the version, so that the API's own decoder gets most of it.
const KIND_END: usize = 8;
/// Values at which lengths, counts and ids change their meaning.
const EDGES: [i64; 12] = [
    0,
    1,
    -1,
    -2,
    127,
    128,
    i16::MAX as i64,
    i16::MIN as i64,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];
const STEPS_MAX: u64 = 4;

/// A damaged copy of a whole frame. Its size is right again, but for a few.
pub fn mutated(frame: &[u8], seed: &mut Seed) -> Vec<u8> {
    let mut damaged = frame.to_vec();
    for _ in 0..=seed.below(STEPS_MAX) {
        damage(&mut damaged, seed);
    }
    if seed.below(20) != 0 {
        let size = damaged.len().saturating_sub(SIZE_BYTES) as u32;
        damaged[..SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
    }
    damaged
}

fn damage(frame: &mut Vec<u8>, seed: &mut Seed) {
    let first = if seed.below(20) == 0 { SIZE_BYTES } else { KIND_END };
    if frame.len() <= first {
        frame.push(seed.next_u64() as u8);
        return;
    }
    let at = first + seed.below((frame.len() - first) as u64) as usize;
    let some = 1 + seed.below(16) as usize;
    match seed.below(6) {
        0 => frame[at] ^= 1 << seed.below(8),
        1 => frame[at] = seed.next_u64() as u8,
        2 => {
            let edge = EDGES[seed.below(EDGES.len() as u64) as usize].to_be_bytes();
            let width = 1 << seed.below(4);
            let end = frame.len().min(at + width);
            frame[at..end].copy_from_slice(&edge[edge.len() - width..][..end - at]);
        }
        3 => frame.truncate(at),
        4 => {
            let bytes: Vec<u8> = (0..some).map(|_| seed.next_u64() as u8).collect();
            frame.splice(at..at, bytes);
        }
        _ => {
            let end = frame.len().min(at + some);
            let copy = frame[at..end].to_vec();
            frame.splice(at..at, copy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mutated;
    use crate::oracle::values::Seed;

    #[test]
    fn a_seed_gives_the_same_damage_and_others_give_other_damage() {
        let frame: Vec<u8> = (0..40).collect();
        let of = |seed: u64| mutated(&frame, &mut Seed(seed));
        assert_eq!(of(3), of(3));
        let mut all: Vec<_> = (0..100).map(of).collect();
        all.sort();
        all.dedup();
        assert!(all.len() > 90, "{}", all.len());
    }

    #[test]
    fn frames_of_any_length_can_be_damaged() {
        for length in 4..20 {
            for seed in 0..200 {
                mutated(&vec![7; length], &mut Seed(seed));
            }
        }
    }
}
