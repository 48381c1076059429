//! Which of some names was meant by one that is none of them.

use server::edit_distance;

/// Names that share less than this of their letters are not meant for each other.
const LIKENESS: usize = 3;

/// The name that is most like the first of `given` that is none of `names`; nothing if all are
/// known, or none is like it.
pub fn to_unknown<'a, 'n>(
    given: impl IntoIterator<Item = &'a str>,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Option<&'n str> {
    let mut given = given.into_iter();
    let unknown = given.find(|given| !names.clone().any(|name| name == *given))?;
    to(unknown, names)
}

/// The name that takes the fewest letters to change, if those are at most a third of it.
pub fn to<'n>(given: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let measured = names.map(|name| (edit_distance(given, name), name));
    let near = measured.filter(|(distance, name)| *distance <= name.len() / LIKENESS);
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_far_ones_are_not() {
        let names = ["retention.ms", "retention.bytes", "segment.ms", "cleanup.policy"];
        let near = |given| to(given, names.into_iter());
        assert_eq!(near("retention.m"), Some("retention.ms"));
        assert_eq!(near("retentoin.ms"), Some("retention.ms"));
        assert_eq!(near("retention.byte"), Some("retention.bytes"));
        assert_eq!(near("cleanup-policy"), Some("cleanup.policy"));
        assert_eq!(near("no.such.key"), None);
        assert_eq!(near(""), None);
        let meant = |given: &[&'static str]| to_unknown(given.iter().copied(), names.into_iter());
        assert_eq!(meant(&["segment.ms", "segments.ms"]), Some("segment.ms"));
        assert_eq!(meant(&["segment.ms"]), None);
    }
}
