//! Which few of many inputs see most, by what libFuzzer's merge has written down of each.
//!
//! ```text
//! 3                     inputs
//! 0                     of which so many stood in the first folder
//! a/path                of each
//! ...
//! STARTED 0 96          number and size
//! FT 0 12 19 ...        what it sees, as numbers
//! ```

use std::collections::{BTreeMap, BTreeSet};

/// The paths of at most `most` inputs, each seeing more that is new than any left behind it.
pub fn chosen(control: &str, most: usize) -> Vec<String> {
    let mut lines = control.lines();
    let count = lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(0);
    let paths: Vec<&str> = lines.by_ref().skip(1).take(count).collect();
    let mut seen: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for line in lines {
        let Some(rest) = line.strip_prefix("FT ") else { continue };
        let mut numbers = rest.split(' ').filter_map(|number| number.parse::<u64>().ok());
        let Some(input) = numbers.next().and_then(|input| usize::try_from(input).ok()) else {
            continue;
        };
        seen.entry(input).or_default().extend(numbers);
    }
    let mut covered = BTreeSet::new();
    let mut chosen = Vec::new();
    while chosen.len() < most {
        let news = |features: &BTreeSet<u64>| features.difference(&covered).count();
        // Of equals the first: libFuzzer has put them in the order of their sizes.
        let best = seen.iter().map(|(input, features)| (news(features), *input));
        let best = best.max_by_key(|(news, input)| (*news, usize::MAX - input));
        let Some((1.., input)) = best else { break };
        covered.extend(seen.remove(&input).into_iter().flatten());
        chosen.extend(paths.get(input).map(|path| path.to_string()));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::chosen;

    const CONTROL: &str = "4\n0\na\nb\nc\nd\nSTARTED 0 1\nFT 0 1 2\nCOV 0 7 8\nSTARTED 1 2\n\
                           FT 1 2 3 4\nSTARTED 2 3\nFT 2 1\nSTARTED 3 9\nFT 3 4 3 2\n";

    #[test]
    fn who_sees_most_comes_first_and_who_sees_nothing_new_is_left() {
        assert_eq!(chosen(CONTROL, 9), ["b", "a"]);
        assert_eq!(chosen(CONTROL, 1), ["b"]);
    }

    #[test]
    fn a_file_of_another_form_names_nothing() {
        assert_eq!(chosen("", 9), [""; 0]);
        assert_eq!(chosen("2\n0\na\n", 9), [""; 0]);
    }
}
