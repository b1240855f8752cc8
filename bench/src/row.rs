//! One figure with its floor, and all of them as a table.

use crate::numbers::readable;
use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured: `http added latency p50: watched`.
    pub(crate) name: String,
    /// The figure; none where it was not measured.
    pub(crate) value: Option<f64>,
    /// In what: `us`, `ms`, `s`, `MiB`, `1/s`.
    pub(crate) unit: &'static str,
    /// What the same costs where nothing but the work is done.
    pub(crate) floor: Option<f64>,
    /// The figure by its floor; the median of the rounds' own ratios where rounds are compared.
    pub(crate) ratio: Option<f64>,
    /// What is aimed at, in words.
    pub(crate) aim: Option<String>,
    /// Is the aim met?
    pub(crate) holds: Option<bool>,
    /// Why it was not measured, or what there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Row {
    /// A figure without floor and aim.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value: Some(value),
            unit,
            floor: None,
            ratio: None,
            aim: None,
            holds: None,
            note: None,
        }
    }

    /// What could not be measured, and why.
    pub(crate) fn not_measured(name: impl Into<String>, why: impl std::fmt::Display) -> Self {
        let note = Some(format!("not measured: {why}"));
        Self { value: None, note, ..Self::new(name, 0.0, "") }
    }

    /// Beside a floor.
    pub(crate) fn over(mut self, floor: f64) -> Self {
        self.floor = Some(floor);
        self.ratio = self.value.filter(|_| floor != 0.0).map(|value| value / floor);
        self
    }

    /// With the ratio that its rounds have.
    pub(crate) fn times(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    /// The figure is to be at most so much.
    pub(crate) fn at_most(mut self, most: f64) -> Self {
        self.aim = Some(format!("<= {} {}", readable(most), self.unit));
        self.holds = self.value.map(|value| value <= most);
        self
    }

    /// The ratio is to be at most so much.
    pub(crate) fn at_most_times(mut self, most: f64) -> Self {
        self.aim = Some(format!("<= {most} x floor"));
        self.holds = self.ratio.map(|ratio| ratio <= most);
        self
    }

    /// The figure is to be at most somebody else's.
    pub(crate) fn at_most_as(mut self, who: &str, theirs: f64) -> Self {
        self.aim = Some(format!("<= {who}'s {}", readable(theirs)));
        self.holds = self.value.map(|value| value <= theirs);
        self
    }

    /// With something to say.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// All rows as a table for a terminal.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = ["what", "value", "unit", "floor", "ratio", "aim", "holds"].map(str::to_owned);
    let shown = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), readable);
    let mut lines = vec![head];
    lines.extend(rows.iter().map(|row| {
        let holds = match row.holds {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        [
            row.name.clone(),
            shown(row.value),
            row.unit.to_owned(),
            shown(row.floor),
            row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            row.aim.clone().unwrap_or_default(),
            holds.to_owned(),
        ]
    }));
    let widths: Vec<usize> = (0..7)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (line, row) in lines.iter().zip(std::iter::once(None).chain(rows.iter().map(Some))) {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let is_number = matches!(column, 1 | 3 | 4);
            let cell = if is_number { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
            text.push_str(&cell);
        }
        if let Some(note) = row.and_then(|row| row.note.as_deref()) {
            text.push_str(note);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aims_are_judged() {
        for (row, holds) in [
            (Row::new("a", 2.0, "s").at_most(2.0), Some(true)),
            (Row::new("a", 2.1, "s").at_most(2.0), Some(false)),
            (Row::new("a", 3.0, "us").over(2.0).at_most_times(1.5), Some(true)),
            (Row::new("a", 3.0, "us").over(2.0).times(1.6).at_most_times(1.5), Some(false)),
            (Row::new("a", 3.0, "us").at_most_as("HAProxy", 2.9), Some(false)),
            (Row::not_measured("a", "no server").at_most(1.0), None),
            (Row::new("a", 3.0, "us").over(0.0).at_most_times(1.5), None),
        ] {
            assert_eq!(row.holds, holds, "{row:?}");
        }
    }

    #[test]
    fn what_was_not_measured_says_why() {
        let text = table(&[Row::not_measured("hurl", "it is not installed"), Row::new("a", 1.5, "s")]);
        assert!(text.contains("not measured: it is not installed"), "{text}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    }
}
