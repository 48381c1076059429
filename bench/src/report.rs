//! The table of one scenario: medians of every subject, and ratios with their spread.

use crate::measure::Measure;
use crate::results::Round;
use crate::spread::Spread;

/// Prints the table, as Markdown: a line a measure, a column a subject, then the first subject to
/// each other.
///
/// A ratio is the ratio of the medians; in brackets stands the middle half of the ratios of the
/// single rounds.
pub fn print(subjects: &[&'static str], rounds: &[Round]) {
    let (Some(first), Some(round)) = (subjects.first(), rounds.first()) else { return };
    println!("\n{} ({} rounds, medians)\n", round.scenario, count(first, rounds));
    let mut heading = vec![String::new()];
    heading.extend(subjects.iter().map(|subject| subject.to_string()));
    heading.extend(subjects[1..].iter().map(|other| format!("{first} / {other}")));
    println!("{}", row(&heading));
    println!("{}", row(&vec!["---".to_string(); heading.len()]));
    for measure in round.measures.keys() {
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
    let ours = numbers(measure, subjects[0], rounds);
    for subject in subjects {
        let spread = Spread::of(&numbers(measure, subject, rounds));
        cells.push(spread.map_or("-".to_string(), |spread| number(spread.median)));
    }
    for other in &subjects[1..] {
        let theirs = numbers(measure, other, rounds);
        let medians = Spread::of(&ours).zip(Spread::of(&theirs));
        let ratio = medians.zip(Spread::of_ratios(&ours, &theirs));
        cells.push(ratio.map_or("-".to_string(), |((ours, theirs), ratios)| {
            format!(
                "{} ({}-{})",
                number(ours.median / theirs.median),
                number(ratios.lower),
                number(ratios.upper)
            )
        }));
    }
    cells
}

fn numbers(measure: Measure, subject: &str, rounds: &[Round]) -> Vec<f64> {
    let own = rounds.iter().filter(|round| round.subject == subject);
    own.filter_map(|round| round.measures.get(&measure).copied()).collect()
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

    fn round(subject: &'static str, value: f64) -> Round {
        let measures = Measures::from([(Measure::FirstAckMs, value)]);
        Round { scenario: "start", subject, index: 1, load_average: 0.0, measures }
    }

    #[test]
    fn a_row_has_every_median_and_the_ratio_with_its_middle_half() {
        let rounds = [round("a", 10.0), round("b", 40.0), round("a", 30.0), round("b", 40.0)];
        let cells = cells(Measure::FirstAckMs, &["a", "b"], &rounds);
        assert_eq!(cells, ["first_ack_ms", "20.0", "40.0", "0.500 (0.375-0.625)"]);
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([1234.0, 12.345, 1.2345, 0.1234].map(number), ["1234", "12.3", "1.23", "0.123"]);
    }
}
