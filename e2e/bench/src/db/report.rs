//! Medians, ratios, the table.

use super::{subjects::Subject, turn::Turn};
use crate::table::{aligned, median};
use serde::Serialize;

/// What `db.read()` may cost beside plain sqlx, as a part of it.
pub(crate) const AIM: f64 = 0.03;

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) load: String,
    pub(crate) aim: f64,
    pub(crate) rows: Vec<Row>,
}

/// One database, and how many tasks read it at the same time.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) tasks: u32,
    /// The first is the measure of the others.
    pub(crate) ways: Vec<Column>,
}

/// One way to read.
#[derive(Debug, Serialize)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) turns: Vec<Turn>,
}

impl Row {
    pub(crate) fn new(subject: &Subject, tasks: u32) -> Self {
        let ways = subject.ways.iter().map(|way| Column { name: way.name, turns: Vec::new() });
        Self { name: subject.name, tasks, ways: ways.collect() }
    }

    /// A figure of a way by that of the first: the median of the ratios of turns that followed each other. What else the
    /// machine does changes more slowly, so it is in both sides of each of these ratios; the ratio of two medians may be
    /// that of two different moments.
    fn ratio(&self, way: &Column, figure: impl Fn(&Turn) -> f64) -> Option<f64> {
        let first = self.ways.first()?;
        let pairs = way.turns.iter().zip(&first.turns);
        median(pairs.filter(|(_, b)| figure(b) > 0.0).map(|(a, b)| figure(a) / figure(b)).collect())
    }
}

impl Report {
    /// As aligned columns.
    pub(crate) fn show(&self) -> String {
        let head = ["", "tasks", "reads/s", "ratio", "p50", "ratio", "of a core", "ratio", "aim"];
        let mut lines = vec![head.map(str::to_owned)];
        for row in &self.rows {
            for (at, way) in row.ways.iter().enumerate() {
                let of = |figure: fn(&Turn) -> f64| median(way.turns.iter().map(figure).collect());
                let by = |figure: fn(&Turn) -> f64| row.ratio(way, figure).filter(|_| at > 0);
                let rate = by(|turn| turn.rate);
                lines.push([
                    format!("{}, {}", row.name, way.name),
                    row.tasks.to_string(),
                    number(of(|turn| turn.rate), 0, ""),
                    number(rate, 3, ""),
                    number(of(|turn| turn.p50_us), 1, " us"),
                    number(by(|turn| turn.p50_us), 3, ""),
                    number(of(|turn| turn.cpu_us), 1, " us"),
                    number(by(|turn| turn.cpu_us), 3, ""),
                    rate.map_or_else(String::new, |rate| verdict(rate).to_owned()),
                ]);
            }
        }
        format!(
            "{}; ratios are medians of those of neighbouring turns; the aim is a rate of at least {:.2}\n{}",
            self.load,
            1.0 - self.aim,
            aligned(&lines)
        )
    }
}

/// Whether a ratio of rates is what is aimed at. For information: nothing fails by it.
fn verdict(rate: f64) -> &'static str {
    if rate >= 1.0 - AIM { "met" } else { "missed" }
}

fn number(value: Option<f64>, decimals: usize, unit: &str) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &'static str, rates: &[f64]) -> Column {
        let turns = rates.iter().map(|rate| Turn { rate: *rate, p50_us: 1e6 / rate, cpu_us: 10.0 });
        Column { name, turns: turns.collect() }
    }

    #[test]
    fn a_machine_that_slows_down_for_a_while_does_not_change_the_ratio() {
        let (plain, ours) = (column("plain", &[100.0, 10.0, 100.0]), column("ours", &[99.0, 9.9, 99.0]));
        let row = Row { name: "x", tasks: 1, ways: vec![plain, ours] };
        let ratio = row.ratio(&row.ways[1], |turn| turn.rate).unwrap();
        assert!((ratio - 0.99).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn the_first_way_has_no_ratio_and_the_others_are_held_to_the_aim() {
        let ways = vec![column("plain", &[100.0]), column("near", &[97.0]), column("far", &[96.0])];
        let report =
            Report { load: "load".to_owned(), aim: AIM, rows: vec![Row { name: "x", tasks: 1, ways }] };
        let shown = report.show();
        let lines: Vec<_> = shown.lines().collect();
        for (line, says) in [(2, "-"), (3, "met"), (4, "missed")] {
            assert!(lines[line].trim_end().ends_with(says), "{shown}");
        }
    }
}
