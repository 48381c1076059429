//! Where reading begins and ends, as it is said on the command line.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::calendar;
use crate::client::cluster::{Cluster, Topic};
use crate::client::error::ClientError;
use crate::client::fetcher::Position;
use crate::client::offsets::{self, Isolation};

/// A place in every partition of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first record that there is.
    Beginning,
    /// Behind the last one.
    End,
    /// This offset, or the nearest that there is.
    Offset(i64),
    /// So many records before the end.
    BeforeEnd(i64),
    /// The first record with at least this timestamp, in ms since 1970; the end if there is none.
    Time(i64),
    /// The first record of the last so many ms.
    Ago(i64),
}

/// A text that says no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        match text {
            "beginning" => return Ok(Self::Beginning),
            "end" => return Ok(Self::End),
            _ => {}
        }
        if let Some(ms) = text.strip_prefix('@') {
            return digits(ms).map(Self::Time).ok_or(NoPlace);
        }
        if let Some(ms) = calendar::parse(text) {
            return Ok(Self::Time(ms));
        }
        let Some(before) = text.strip_prefix('-') else {
            return digits(text).map(Self::Offset).ok_or(NoPlace);
        };
        let ago = match before.char_indices().next_back() {
            Some((at, 's')) => Some((at, 1_000)),
            Some((at, 'm')) => Some((at, 60_000)),
            Some((at, 'h')) => Some((at, 3_600_000)),
            Some((at, 'd')) => Some((at, calendar::DAY_MS)),
            _ => None,
        };
        match ago {
            None => digits(before).map(Self::BeforeEnd).ok_or(NoPlace),
            Some((at, unit_ms)) => digits(&before[..at])
                .and_then(|count| count.checked_mul(unit_ms))
                .map(Self::Ago)
                .ok_or(NoPlace),
        }
    }
}

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "write `beginning`, `end`, an offset (1000), so many records before the end (-10), a \
             time (2013-01-01T05:15, in UTC; or @1357016400000, ms since 1970), or how long ago \
             (-90s, -15m, -2h, -7d)"
        )
    }
}

impl std::error::Error for NoPlace {}

fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Which part of each partition is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its first record.
    pub from: Place,
    /// The first record behind it; nothing for no end.
    pub to: Option<Place>,
    /// What is found there.
    pub isolation: Isolation,
}

impl Range {
    /// The range in these partitions, as offsets. What lies outside of a partition is moved to the
    /// nearer end of it, but a reading without an end may begin behind the last record.
    pub fn find(
        &self,
        cluster: &mut Cluster,
        topic: &Topic,
        partitions: &[i32],
        now_ms: i64,
    ) -> Result<Vec<Position>, ClientError> {
        let mut look = |place| offsets::find(cluster, topic, partitions, place, self.isolation);
        let earliest = look(offsets::Place::Earliest)?;
        let latest = look(offsets::Place::Latest)?;
        let mut at = |place: Place| -> Result<BTreeMap<i32, i64>, ClientError> {
            let ms = match place {
                Place::Time(ms) => Some(ms),
                Place::Ago(ms) => Some(now_ms.saturating_sub(ms)),
                _ => None,
            };
            let found = match ms {
                Some(ms) => look(offsets::Place::AtTime(ms))?,
                None => BTreeMap::new(),
            };
            let of = |map: &BTreeMap<i32, Option<i64>>, partition| {
                map.get(&partition).copied().flatten()
            };
            let offsets = partitions.iter().map(|&partition| {
                let first = of(&earliest, partition).unwrap_or(0);
                let last = of(&latest, partition).unwrap_or(first);
                let offset = match place {
                    Place::Beginning => first,
                    Place::End => last,
                    Place::Offset(offset) => offset,
                    Place::BeforeEnd(count) => last.saturating_sub(count),
                    Place::Time(_) | Place::Ago(_) => of(&found, partition).unwrap_or(last),
                };
                (partition, offset.clamp(first, last.max(first)))
            });
            Ok(offsets.collect())
        };
        let from = at(self.from)?;
        let to = self.to.map(&mut at).transpose()?;
        let positions = partitions.iter().map(|&partition| Position {
            partition,
            next: from[&partition],
            end: to.as_ref().map(|to| to[&partition]),
        });
        Ok(positions.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let places = [
            ("beginning", Place::Beginning),
            ("end", Place::End),
            ("0", Place::Offset(0)),
            ("1000", Place::Offset(1_000)),
            ("-10", Place::BeforeEnd(10)),
            ("-2h", Place::Ago(7_200_000)),
            ("-7d", Place::Ago(604_800_000)),
            ("@1357035300000", Place::Time(1_357_035_300_000)),
            ("2013-01-01T10:15", Place::Time(1_357_035_300_000)),
            ("2013-01-01", Place::Time(1_356_998_400_000)),
        ];
        for (text, place) in places {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
        let wrong = ["", "-", "@", "-h", "@-1", "start", "1h", "--1", "-99999999999999d", "+1"];
        for text in wrong {
            assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text}");
        }
    }
}
