//! Medians, ratios and how they are shown.

use crate::wrk::Run;
use serde::Serialize;

/// One subject and its peer, in turns.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What was asked for.
    pub(crate) name: &'static str,
    /// The bytes of the body.
    pub(crate) bytes: usize,
    /// The turns of Tropos.
    pub(crate) tropos: Vec<Run>,
    /// The turns of nginx; none where it cannot do the same.
    pub(crate) nginx: Vec<Run>,
}

impl Row {
    /// Rate of Tropos by that of nginx.
    pub(crate) fn rate_ratio(&self) -> Option<f64> {
        ratio(rate(&self.tropos)?, rate(&self.nginx)?)
    }

    /// Tail of Tropos by that of nginx.
    pub(crate) fn tail_ratio(&self) -> Option<f64> {
        ratio(tail(&self.tropos)?, tail(&self.nginx)?)
    }
}

fn ratio(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| a / b)
}

fn rate(runs: &[Run]) -> Option<f64> {
    median(runs.iter().map(|run| run.rate).collect())
}

fn tail(runs: &[Run]) -> Option<f64> {
    median(runs.iter().map(|run| run.p99_ms).collect())
}

/// The middle one; of an even number, the lower of the two.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The rows as aligned columns.
pub(crate) fn show(rows: &[Row]) -> String {
    let head = ["", "bytes", "nginx/s", "tropos/s", "ratio", "nginx p99", "tropos p99", "ratio"];
    let number = |value: Option<f64>, decimals: usize, unit: &str| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}{unit}"))
    };
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        [
            row.name.to_owned(),
            row.bytes.to_string(),
            number(rate(&row.nginx), 0, ""),
            number(rate(&row.tropos), 0, ""),
            number(row.rate_ratio(), 2, ""),
            number(tail(&row.nginx), 2, " ms"),
            number(tail(&row.tropos), 2, " ms"),
            number(row.tail_ratio(), 2, ""),
        ]
    }));
    aligned(&lines)
}

/// Lines of cells in columns: the first to the left, the others to the right.
pub(crate) fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for line in lines {
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            // Names to the left, numbers to the right.
            let cell = if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            out.push_str(&cell);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(rates: &[f64]) -> Vec<Run> {
        rates.iter().map(|rate| Run { rate: *rate, p99_ms: 2.0 }).collect()
    }

    #[test]
    fn the_median_is_one_that_was_measured() {
        for (values, expected) in
            [(vec![], None), (vec![3.0, 1.0, 2.0], Some(2.0)), (vec![4.0, 1.0], Some(1.0))]
        {
            assert_eq!(median(values.clone()), expected, "{values:?}");
        }
    }

    #[test]
    fn a_row_without_a_peer_has_no_ratio() {
        let row = Row { name: "server", bytes: 9, tropos: runs(&[10.0]), nginx: vec![] };
        assert_eq!(row.rate_ratio(), None);
        assert!(
            show(&[row]).lines().nth(1).is_some_and(|line| line.starts_with("server") && line.contains('-'))
        );
    }

    #[test]
    fn a_ratio_is_that_of_the_medians() {
        let row = Row { name: "page", bytes: 9, tropos: runs(&[90.0, 1.0, 95.0]), nginx: runs(&[100.0]) };
        assert_eq!(row.rate_ratio(), Some(0.9));
        assert_eq!(row.tail_ratio(), Some(1.0));
    }
}
