//! What a broker tells of itself: the samples of its page of metrics, as they stand there.

use std::net::SocketAddr;

use crate::http;

/// One page.
#[derive(Clone, Debug)]
pub struct Samples {
    page: String,
}

impl Samples {
    /// Asks the broker with this address for those who watch.
    ///
    /// # Panics
    ///
    /// If it does not serve the page.
    pub fn of(admin: SocketAddr) -> Self {
        let answer = http::get(admin, "/metrics");
        let answer = answer.unwrap_or_else(|error| panic!("/metrics: {error}"));
        assert_eq!(answer.status, 200, "/metrics: {}", answer.body);
        Self { page: answer.body }
    }

    /// The sum of a family over all shards, of those samples that have this label, as `name="x"`;
    /// of all if it is empty. 0 if there are none.
    ///
    /// # Panics
    ///
    /// If a value is no number.
    pub fn sum(&self, family: &str, label: &str) -> f64 {
        let mut sum = 0.0;
        for line in self.page.lines() {
            let Some(rest) = line.strip_prefix(family) else { continue };
            // Behind a family's name come its labels or its value, else it is a longer name.
            if !rest.starts_with(['{', ' ']) || !rest.contains(label) {
                continue;
            }
            let value = rest.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
            sum += value.unwrap_or_else(|| panic!("no value: {line}"));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn samples_of_a_family_and_a_label_are_summed_and_no_others() {
        let lines = [
            "# HELP open Connections.",
            "open{shard=\"0\",state=\"idle\"} 3",
            "open{shard=\"0\",state=\"busy\"} 5",
            "open{shard=\"1\",state=\"idle\"} 4",
            "open_limit{shard=\"0\"} 100",
            "resident 2.5",
        ];
        let samples = Samples { page: lines.join("\n") };
        assert_eq!(samples.sum("open", "state=\"idle\""), 7.0);
        assert_eq!(samples.sum("open", ""), 12.0);
        assert_eq!(samples.sum("resident", ""), 2.5);
        assert_eq!(samples.sum("nothing", ""), 0.0);
    }
}
