//! Prometheus' text format, version 0.0.4: families of samples.
//!
//! ```text
//! # HELP ringmain_requests_total Requests that have come.
//! # TYPE ringmain_requests_total counter
//! ringmain_requests_total{shard="0",api="Produce"} 7
//! ```

use std::fmt::{self, Display, Write};
use std::time::Duration;

use runtime::DurationCounts;

/// What the samples of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, until the broker starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by upper bound, a sum and a count.
    Histogram,
}

/// Samples of one name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// One sentence for people.
    pub(super) help: &'static str,
    /// The names of its labels, in the order in which samples have them.
    pub(super) labels: &'static [&'static str],
}

/// The upper bounds of histograms, as text and as what they are: from what an idle shard takes to
/// what nobody waits for.
const BOUNDS: [(&str, Duration); 18] = [
    ("0.00005", Duration::from_micros(50)),
    ("0.0001", Duration::from_micros(100)),
    ("0.00025", Duration::from_micros(250)),
    ("0.0005", Duration::from_micros(500)),
    ("0.001", Duration::from_millis(1)),
    ("0.0025", Duration::from_micros(2500)),
    ("0.005", Duration::from_millis(5)),
    ("0.01", Duration::from_millis(10)),
    ("0.025", Duration::from_millis(25)),
    ("0.05", Duration::from_millis(50)),
    ("0.1", Duration::from_millis(100)),
    ("0.25", Duration::from_millis(250)),
    ("0.5", Duration::from_millis(500)),
    ("1", Duration::from_secs(1)),
    ("2.5", Duration::from_millis(2500)),
    ("5", Duration::from_secs(5)),
    ("10", Duration::from_secs(10)),
    ("30", Duration::from_secs(30)),
];

/// A page that grows.
pub(super) struct Text(String);

/// A family whose samples are being written.
pub(super) struct Samples<'a> {
    text: &'a mut String,
    family: &'a Family,
}

impl Text {
    /// An empty page.
    pub(super) fn new() -> Text {
        Text(String::new())
    }

    /// Begins a family; each has one place in a page.
    pub(super) fn family<'a>(&'a mut self, family: &'a Family) -> Samples<'a> {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let Family { name, help, .. } = family;
        write(&mut self.0, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Samples { text: &mut self.0, family }
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

impl Samples<'_> {
    /// One sample of a counter.
    pub(super) fn counter(&mut self, labels: &[&dyn Display], value: impl Display) {
        self.one(Kind::Counter, labels, value);
    }

    /// One sample of a gauge.
    pub(super) fn gauge(&mut self, labels: &[&dyn Display], value: impl Display) {
        self.one(Kind::Gauge, labels, value);
    }

    /// The samples of one histogram.
    pub(super) fn histogram(&mut self, labels: &[&dyn Display], counts: &DurationCounts) {
        assert_eq!(self.family.kind, Kind::Histogram, "{}", self.family.name);
        for (text, bound) in BOUNDS {
            self.sample("_bucket", labels, Some(text), counts.count_up_to(bound));
        }
        self.sample("_bucket", labels, Some("+Inf"), counts.count());
        self.sample("_sum", labels, None, counts.sum().as_secs_f64());
        self.sample("_count", labels, None, counts.count());
    }

    fn one(&mut self, kind: Kind, labels: &[&dyn Display], value: impl Display) {
        assert_eq!(self.family.kind, kind, "{}", self.family.name);
        self.sample("", labels, None, value);
    }

    fn sample(
        &mut self,
        suffix: &str,
        labels: &[&dyn Display],
        bound: Option<&str>,
        value: impl Display,
    ) {
        let Family { name, labels: names, .. } = self.family;
        assert_eq!(labels.len(), names.len(), "{name}");
        write(self.text, format_args!("{name}{suffix}"));
        let mut open = "{";
        for (name, value) in names.iter().zip(labels) {
            write(self.text, format_args!("{open}{name}=\"{}\"", Escaped(value)));
            open = ",";
        }
        if let Some(bound) = bound {
            write(self.text, format_args!("{open}le=\"{bound}\""));
            open = ",";
        }
        let close = if open == "{" { "" } else { "}" };
        write(self.text, format_args!("{close} {value}\n"));
    }
}

fn write(text: &mut String, what: fmt::Arguments<'_>) {
    text.write_fmt(what).expect("text grows");
}

/// A label's value as the format wants it.
struct Escaped<'a>(&'a dyn Display);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::Durations;

    const PLAIN: Family = Family { name: "a_bytes", kind: Kind::Gauge, help: "A.", labels: &[] };

    #[test]
    fn families_and_samples_have_the_formats_form() {
        let labelled =
            Family { name: "b_total", kind: Kind::Counter, help: "B.", labels: &["x", "y"] };
        let mut text = Text::new();
        text.family(&PLAIN).gauge(&[], 1.5);
        text.family(&labelled).counter(&[&"a\\b\"c\nd", &7], u64::MAX);
        let expect = "# HELP a_bytes A.\n# TYPE a_bytes gauge\na_bytes 1.5\n\
                      # HELP b_total B.\n# TYPE b_total counter\n\
                      b_total{x=\"a\\\\b\\\"c\\nd\",y=\"7\"} 18446744073709551615\n";
        assert_eq!(text.finish(), expect);
    }

    #[test]
    fn a_histogram_counts_up_to_each_bound_and_ends_with_all() {
        let took = Durations::new();
        for millis in [1, 2, 3, 60_000] {
            took.record(Duration::from_millis(millis));
        }
        let family =
            Family { name: "c_seconds", kind: Kind::Histogram, help: "C.", labels: &["s"] };
        let mut text = Text::new();
        text.family(&family).histogram(&[&"t"], &took.counts());
        let page = text.finish();
        for line in [
            "c_seconds_bucket{s=\"t\",le=\"0.0005\"} 0",
            "c_seconds_bucket{s=\"t\",le=\"0.001\"} 1",
            "c_seconds_bucket{s=\"t\",le=\"0.0025\"} 2",
            "c_seconds_bucket{s=\"t\",le=\"30\"} 3",
            "c_seconds_bucket{s=\"t\",le=\"+Inf\"} 4",
            "c_seconds_sum{s=\"t\"} 60.006",
            "c_seconds_count{s=\"t\"} 4",
        ] {
            assert!(page.lines().any(|written| written == line), "{line} in\n{page}");
        }
    }

    #[test]
    fn bounds_are_what_their_text_says() {
        for (text, bound) in BOUNDS {
            assert_eq!(text.parse(), Ok(bound.as_secs_f64()));
        }
        assert!(BOUNDS.is_sorted_by_key(|(_, bound)| *bound));
    }
}
