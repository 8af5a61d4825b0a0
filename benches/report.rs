//! The output of a measurement: a table row for people and a JSON line for programs.

use std::borrow::Cow;
use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::samples::Samples;
use crate::stage::StoreKind;

/// One result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) workload: Cow<'static, str>,
    /// The part of the workload, if it has several.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub(crate) case: Cow<'static, str>,
    pub(crate) store: Cow<'static, str>,
    pub(crate) value: f64,
    pub(crate) unit: Cow<'static, str>,
    /// The goal, or `None` if the value is only reported.
    pub(crate) goal: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) goal_is: Option<Direction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) met: Option<bool>,
    /// What plain rusqlite achieves on the same disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raw_limit: Option<f64>,
    /// The value divided by the raw limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raw_ratio: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ms: Option<f64>,
}

/// Whether the goal is a minimum or a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Direction {
    #[serde(rename = "at_least")]
    AtLeast,
    #[serde(rename = "at_most")]
    AtMost,
}

impl Figure {
    /// Creates a result without a goal.
    pub(crate) fn new(workload: &'static str, store: StoreKind, value: f64, unit: &'static str) -> Self {
        Self {
            workload: workload.into(),
            case: "".into(),
            store: store.name().into(),
            value,
            unit: unit.into(),
            goal: None,
            goal_is: None,
            met: None,
            raw_limit: None,
            raw_ratio: None,
            p50_ms: None,
            p99_ms: None,
        }
    }

    /// Sets the part of the workload.
    pub(crate) fn case(mut self, case: impl Into<Cow<'static, str>>) -> Self {
        self.case = case.into();
        self
    }

    /// Sets a goal that the value should reach or exceed.
    pub(crate) fn at_least(mut self, goal: f64) -> Self {
        (self.goal, self.goal_is, self.met) = (Some(goal), Some(Direction::AtLeast), Some(self.value >= goal));
        self
    }

    /// Sets a goal that the value should not exceed.
    pub(crate) fn at_most(mut self, goal: f64) -> Self {
        (self.goal, self.goal_is, self.met) = (Some(goal), Some(Direction::AtMost), Some(self.value <= goal));
        self
    }

    /// Sets what plain rusqlite achieves on the same disk, in the same unit.
    pub(crate) fn raw(mut self, limit: f64) -> Self {
        (self.raw_limit, self.raw_ratio) = (Some(limit), Some(self.value / limit));
        self
    }

    /// Adds the times of the single operations behind the value.
    pub(crate) fn times(mut self, samples: &Samples) -> Self {
        (self.p50_ms, self.p99_ms) = (Some(samples.percentile(0.5)), Some(samples.percentile(0.99)));
        self
    }

    fn cells(&self) -> [String; 11] {
        let optional = |value: Option<f64>| value.map_or_else(String::new, number);
        let goal = match (self.goal_is, self.goal) {
            (Some(Direction::AtLeast), Some(goal)) => format!(">= {}", number(goal)),
            (Some(Direction::AtMost), Some(goal)) => format!("<= {}", number(goal)),
            _ => "reported".to_owned(),
        };
        let met = match self.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        [
            self.workload.to_string(),
            self.case.to_string(),
            self.store.to_string(),
            number(self.value),
            self.unit.to_string(),
            goal,
            met.to_owned(),
            optional(self.raw_limit),
            self.raw_ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            optional(self.p50_ms),
            optional(self.p99_ms),
        ]
    }
}

/// The title and the width of each column. Columns with a negative width are aligned to the left.
const COLUMNS: [(&str, isize); 11] = [
    ("workload", -9),
    ("case", -44),
    ("store", -6),
    ("value", 11),
    ("unit", -16),
    ("goal", -11),
    ("", -6),
    ("raw limit", 10),
    ("ratio", 6),
    ("p50 ms", 8),
    ("p99 ms", 8),
];

/// Prints results as they arrive: the table immediately and the JSON lines at the end, or only the JSON lines
/// immediately.
#[derive(Debug)]
pub(crate) struct Report {
    json_only: bool,
    lines: Vec<String>,
}

impl Report {
    pub(crate) fn new(json_only: bool) -> Self {
        Self { json_only, lines: Vec::new() }
    }

    /// Prints a result.
    pub(crate) fn add(&mut self, figure: &Figure) -> Result<(), serde_json::Error> {
        let json = serde_json::to_string(figure)?;
        if self.json_only {
            print_line(&json);
            return Ok(());
        }
        if self.lines.is_empty() {
            print_line(&row(&COLUMNS.map(|(title, _)| title.to_owned())));
        }
        print_line(&row(&figure.cells()));
        self.lines.push(json);
        Ok(())
    }

    /// Prints the JSON lines that were kept for the end.
    pub(crate) fn finish(&mut self) {
        if !self.lines.is_empty() {
            print_line("");
        }
        self.lines.drain(..).for_each(|line| print_line(&line));
    }
}

fn row(cells: &[String; 11]) -> String {
    let padded = cells.iter().zip(COLUMNS).map(|(cell, (_, width))| match width {
        left if left < 0 => format!("{cell:<0$}", left.unsigned_abs()),
        right => format!("{cell:>0$}", right.unsigned_abs()),
    });
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// Formats a number with three significant digits, and with separators if it is large.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1_000.0 => {
            let digits = format!("{value:.0}");
            let (sign, digits) = digits.strip_prefix('-').map_or(("", &*digits), |digits| ("-", digits));
            let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
            format!("{sign}{}", groups.join(","))
        }
        middle if middle >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small == small.trunc() => format!("{value:.0}"),
        _ => format!("{value:.3}"),
    }
}

/// Prints a line. The reader may have seen enough and gone, as `head` does.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
