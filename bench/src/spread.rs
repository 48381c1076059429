//! Medians, ratios and how far they scatter: single runs on a shared machine vary by a third.

/// The middle and the quarters of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// A quarter of the numbers are below.
    pub lower: f64,
    /// Half of them are below.
    pub median: f64,
    /// Three quarters are below.
    pub upper: f64,
}

impl Spread {
    /// Of these numbers, with linear steps between two; none if there are none.
    pub fn of(numbers: &[f64]) -> Option<Self> {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |quantile: f64| {
            let place = last as f64 * quantile;
            let below = sorted[place.floor() as usize];
            let above = sorted[place.ceil() as usize];
            below + (above - below) * place.fract()
        };
        Some(Self { lower: at(0.25), median: at(0.5), upper: at(0.75) })
    }

    /// Of the ratios of two subjects' numbers, each pair from the same round.
    ///
    /// Its median is not the ratio of the medians, which may even lie outside of its quarters.
    pub fn of_ratios(pairs: &[(f64, f64)]) -> Option<Self> {
        let pairs = pairs.iter().filter(|(_, theirs)| *theirs > 0.0);
        let ratios: Vec<f64> = pairs.map(|(ours, theirs)| ours / theirs).collect();
        Self::of(&ratios)
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn quarters_lie_between_neighbours() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { lower: 1.75, median: 2.5, upper: 3.25 });
        let one = Spread::of(&[7.0]).unwrap();
        assert_eq!(one, Spread { lower: 7.0, median: 7.0, upper: 7.0 });
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // A machine that becomes twice as slow between two rounds changes no ratio.
        let spread = Spread::of_ratios(&[(1.0, 2.0), (2.0, 4.0), (4.0, 8.0)]).unwrap();
        assert_eq!(spread, Spread { lower: 0.5, median: 0.5, upper: 0.5 });
        // Nothing is a multiple of nothing.
        assert_eq!(Spread::of_ratios(&[(1.0, 0.0)]), None);
    }
}
