//! Who holds a place, and who gives it up when all are taken.

use std::collections::BTreeMap;

/// Places of connections, each with what ends it.
pub(crate) struct Places<T> {
    max: usize,
    /// In the order in which they came.
    taken: BTreeMap<u64, Place<T>>,
}

struct Place<T> {
    end: T,
    /// A whole request is there, and its answer is made or sent.
    is_asked: bool,
}

/// All places are taken by those who have asked and wait for their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AllBusy;

impl<T> Places<T> {
    /// So many places, and nobody there.
    pub(crate) fn new(max: usize) -> Places<T> {
        Places { max, taken: BTreeMap::new() }
    }

    /// Makes a place free for the next one. If all are taken, whoever has been there longest
    /// without asking anything loses the place: what ends that one is returned.
    pub(crate) fn free_one(&mut self) -> Result<Option<T>, AllBusy> {
        if self.taken.len() < self.max {
            return Ok(None);
        }
        let idle = self.taken.iter().find(|(_, place)| !place.is_asked);
        let id = idle.map(|(id, _)| *id).ok_or(AllBusy)?;
        Ok(self.taken.remove(&id).map(|place| place.end))
    }

    /// Somebody comes, whose number is above all earlier ones'.
    pub(crate) fn take(&mut self, id: u64, end: T) {
        assert!(self.taken.len() < self.max, "{id} comes, and all {} places are taken", self.max);
        self.taken.insert(id, Place { end, is_asked: false });
    }

    /// The request of that one is there. It keeps its place until it leaves.
    pub(crate) fn ask(&mut self, id: u64) {
        if let Some(place) = self.taken.get_mut(&id) {
            place.is_asked = true;
        }
    }

    /// That one is gone. It may have lost its place before.
    pub(crate) fn leave(&mut self, id: u64) {
        self.taken.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_asked_nothing_for_longest_makes_room_and_who_has_asked_never() {
        let mut places = Places::new(3);
        for id in 1..=3 {
            assert_eq!(places.free_one(), Ok(None));
            places.take(id, id);
        }
        places.ask(1);
        assert_eq!(places.free_one(), Ok(Some(2)));
        places.leave(2);
        places.take(4, 4);
        places.ask(4);
        assert_eq!(places.free_one(), Ok(Some(3)));
        places.take(5, 5);
        places.ask(5);
        assert_eq!(places.free_one(), Err(AllBusy));
        places.leave(1);
        assert_eq!(places.free_one(), Ok(None));
    }
}
