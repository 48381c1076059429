//! Days and dates of the Gregorian calendar, and times as people write them (ISO 8601, UTC).

/// A day, in ms.
pub const DAY_MS: i64 = 86_400_000;

/// Year, month and day of the day so many days after 1970-01-01.
///
/// Years are counted from March, so that the day that is not always there comes last.
pub fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// The days from 1970-01-01 to a date; nothing if the calendar does not have it.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year_from_march = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year_from_march.div_euclid(400), year_from_march.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    // The 31st of a shorter month would have become a day of the next.
    (date(days) == (year, month, day)).then_some(days)
}

/// The ms since 1970 of `2013-01-01`, `2013-01-01T05:15`, `2013-01-01T05:15:30.25Z` or
/// `2013-01-01T05:15+02:00`; without a zone it is UTC, and a space will do for the T.
pub fn parse(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, "00:00"),
    };
    let mut parts = date.split('-');
    let mut part = |length| number(parts.next()?, length);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() {
        return None;
    }
    Some(days(year, month, day)? * DAY_MS + time_of_day(time)?)
}

/// From midnight in UTC, in ms; below 0 or above a day where a zone moves it.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, zone_minutes) = match text.find(['Z', 'z', '+', '-']) {
        None => (text, 0),
        Some(at) if text[at..].eq_ignore_ascii_case("z") => (&text[..at], 0),
        Some(at) => {
            let (hours, minutes) = text[at + 1..].split_once(':')?;
            let minutes = number(hours, 2)? * 60 + number(minutes, 2)?;
            (&text[..at], if text[at..].starts_with('-') { -minutes } else { minutes })
        }
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let (second, ms) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once(['.', ',']) {
            None => (number(seconds, 2)?, 0),
            Some((seconds, fraction)) => (number(seconds, 2)?, thousandths(fraction)?),
        },
    };
    // A leap second is the next minute's first.
    let is_clock = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    let minutes = hour * 60 + minute - zone_minutes;
    is_clock.then_some((minutes * 60 + second) * 1_000 + ms)
}

fn number(text: &str, length: usize) -> Option<i64> {
    let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// The ms of the digits behind a decimal point; what is finer is cut.
fn thousandths(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let three: String = digits.chars().chain("00".chars()).take(3).collect();
    three.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_days_and_days_become_dates() {
        for day in (-800_000..3_000_000).step_by(11) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
        for (year, month, day) in [(2013, 2, 29), (1900, 2, 29), (2013, 4, 31), (2013, 13, 1)] {
            assert_eq!(days(year, month, day), None);
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let hour = 3_600_000;
        let times = [
            ("1970-01-01", 0),
            ("1970-01-02T01:00", DAY_MS + hour),
            ("1970-01-01 01:00:02Z", hour + 2_000),
            ("1970-01-01T01:00:02.5", hour + 2_500),
            ("1970-01-01t01:00:02.123456z", hour + 2_123),
            ("1970-01-01T01:00+01:00", 0),
            ("1970-01-01T00:30-01:30", 2 * hour),
            ("2013-01-01T10:15:00Z", 1_357_035_300_000),
            ("1969-12-31T23:59:59.998Z", -2),
        ];
        for (text, ms) in times {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
        let wrong = [
            "",
            "now",
            "2013",
            "2013-1-1",
            "2013-01-01T",
            "2013-01-01T5:00",
            "2013-01-01T05",
            "2013-01-01T05:00:61",
            "2013-01-01T24:00",
            "2013-01-01T05:00+1",
            "2013-01-01-01",
            "2013-01-01T05:00:00:00",
            "2013-01-01T05:00:00.",
            "2013-01-01T05:00ZZ",
            "+013-01-01",
        ];
        for text in wrong {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
