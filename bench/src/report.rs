//! The table of one scenario: medians of every subject, and ratios with their spread.

use std::collections::BTreeSet;

use crate::measure::Measure;
use crate::results::Round;
use crate::spread::Spread;

/// Prints the table, as Markdown: a line a measure, a column a subject, then the first subject to
/// each other.
///
/// A ratio is that of the two medians; behind it, in brackets, stand the median and the middle half
/// of the ratios within each round, in which the machine was the same for both.
pub fn print(subjects: &[&'static str], rounds: &[Round]) {
    let (Some(first), Some(round)) = (subjects.first(), rounds.first()) else { return };
    // Some measures only one subject has.
    let measures: BTreeSet<_> = rounds.iter().flat_map(|round| round.measures.keys()).collect();
    println!("\n{} ({} rounds, medians)\n", round.scenario, count(first, rounds));
    let mut heading = vec![String::new()];
    heading.extend(subjects.iter().map(|subject| subject.to_string()));
    heading.extend(subjects[1..].iter().map(|other| format!("{first} / {other}")));
    println!("{}", row(&heading));
    println!("{}", row(&vec!["---".to_string(); heading.len()]));
    for measure in measures {
        println!("{}", row(&cells(*measure, subjects, rounds)));
    }
}

/// Cells of equal width, so that the table reads well in a terminal, too.
fn row(cells: &[String]) -> String {
    let mut row = "|".to_string();
    for (index, cell) in cells.iter().enumerate() {
        let width = if index == 0 { 22 } else { 14 };
        row.push_str(&format!(" {cell:width$} |"));
    }
    row
}

fn cells(measure: Measure, subjects: &[&'static str], rounds: &[Round]) -> Vec<String> {
    let mut cells = vec![measure.name().to_string()];
    for subject in subjects {
        let own = rounds.iter().filter(|round| round.subject == *subject);
        let numbers: Vec<f64> = own.filter_map(|round| round.number(measure)).collect();
        let spread = Spread::of(&numbers);
        cells.push(spread.map_or("-".to_string(), |spread| number(spread.median)));
    }
    for other in &subjects[1..] {
        let pairs = pairs(measure, subjects[0], other, rounds);
        cells.push(ratio(&pairs).unwrap_or("-".to_string()));
    }
    cells
}

fn ratio(pairs: &[(f64, f64)]) -> Option<String> {
    let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let of_medians = Spread::of_ratios(&[(Spread::of(&ours)?.median, Spread::of(&theirs)?.median)]);
    let Spread { lower, median, upper } = Spread::of_ratios(pairs)?;
    let [of_medians, lower, median, upper] = [of_medians?.median, lower, median, upper].map(number);
    Some(format!("{of_medians} ({median}, {lower}-{upper})"))
}

/// The two subjects' numbers of each round in which both have one.
fn pairs(measure: Measure, ours: &str, theirs: &str, rounds: &[Round]) -> Vec<(f64, f64)> {
    let own = rounds.iter().filter(|round| round.subject == ours);
    let pairs = own.filter_map(|own| {
        let other = |round: &&Round| round.subject == theirs && round.index == own.index;
        Some((own.number(measure)?, rounds.iter().find(other)?.number(measure)?))
    });
    pairs.collect()
}

fn count(subject: &str, rounds: &[Round]) -> usize {
    rounds.iter().filter(|round| round.subject == subject).count()
}

/// Three significant digits.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::{cells, number};
    use crate::measure::{Measure, Measures};
    use crate::results::Round;

    fn round(subject: &'static str, index: u32, value: f64) -> Round {
        let measures = Measures::from([(Measure::FirstAckMs, value)]);
        Round { scenario: "start", subject, index, idle_share: 1.0, measures }
    }

    #[test]
    fn a_row_has_every_median_and_the_middle_half_of_the_ratios() {
        // The second round goes backwards.
        let rounds =
            [round("a", 1, 10.0), round("b", 1, 40.0), round("b", 2, 40.0), round("a", 2, 30.0)];
        let row = cells(Measure::FirstAckMs, &["a", "b"], &rounds);
        assert_eq!(row, ["first_ack_ms", "20.0", "40.0", "0.500 (0.500, 0.375-0.625)"]);
        assert_eq!(cells(Measure::PortOpenMs, &["a", "b"], &rounds)[1..], ["-", "-", "-"]);
    }

    #[test]
    fn the_ratio_of_the_medians_stands_beside_the_median_of_the_ratios() {
        // The medians are 20 and 50, from different rounds.
        let rounds: Vec<Round> = [(10.0, 20.0), (20.0, 60.0), (30.0, 50.0)]
            .into_iter()
            .zip(1..)
            .flat_map(|((ours, theirs), index)| {
                [round("a", index, ours), round("b", index, theirs)]
            })
            .collect();
        let row = cells(Measure::FirstAckMs, &["a", "b"], &rounds);
        assert_eq!(row, ["first_ack_ms", "20.0", "50.0", "0.400 (0.500, 0.417-0.550)"]);
    }

    #[test]
    fn a_round_without_a_measure_shifts_no_other() {
        let mut blind = round("a", 1, 0.0);
        blind.measures.clear();
        let rounds = [blind, round("b", 1, 7.0), round("a", 2, 30.0), round("b", 2, 60.0)];
        let row = cells(Measure::FirstAckMs, &["a", "b"], &rounds);
        assert_eq!(row[3], "0.500 (0.500, 0.500-0.500)");
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([1234.0, 12.345, 1.2345, 0.1234].map(number), ["1234", "12.3", "1.23", "0.123"]);
    }
}
