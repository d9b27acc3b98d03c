//! Two saved runs side by side.

use super::Report;
use super::report::ROWS;
use crate::exit::Failure;
use serde_json::{Value, json};
use std::path::Path;

/// A change of less than this share is noise on most machines.
const NOISE: f64 = 0.05;

/// A run that was saved with `--format json > FILE`.
///
/// # Errors
/// When the file cannot be read or holds no run.
pub(crate) fn read(path: &Path) -> Result<Report, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str(last)
        .map_err(|error| wrong(&format!("not the output of `stopbank bench --format json`: {error}")))
}

/// What changed from `before` to `after`: one entry per mix and row that both have.
pub(crate) struct Comparison(Vec<Change>);

struct Change {
    mix: String,
    label: &'static str,
    before: f64,
    after: f64,
    better: Option<bool>,
    show: fn(f64) -> String,
}

/// Compares the mixes that both runs have.
pub(crate) fn compare(before: &Report, after: &Report) -> Comparison {
    let mut changes = Vec::new();
    for old in &before.mixes {
        let Some(new) = after.mixes.iter().find(|new| new.mix == old.mix) else { continue };
        for row in ROWS {
            let (before, after) = ((row.of)(old), (row.of)(new));
            let moved = before > 0.0 && (after / before - 1.0).abs() >= NOISE;
            let better = moved.then_some((after > before) == row.more_is_better);
            changes.push(Change { mix: old.mix.clone(), label: row.label, before, after, better, show: row.show });
        }
    }
    Comparison(changes)
}

impl Comparison {
    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut out = format!("\n{:<8}{:<46}{:>12}{:>12}{:>9}", "", "", "before", "after", "ratio");
        for change in &self.0 {
            let ratio = change.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.2} x"));
            let judged = match change.better {
                None => "",
                Some(true) => "  better",
                Some(false) => "  WORSE",
            };
            let (before, after) = ((change.show)(change.before), (change.show)(change.after));
            out.push_str(&format!(
                "\n{:<8}{:<46}{before:>12}{after:>12}{ratio:>9}{judged}",
                change.mix,
                change.label.trim()
            ));
        }
        out
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let entry = |change: &Change| {
            json!({"mix": change.mix, "what": change.label.trim(), "before": change.before, "after": change.after,
                "ratio": change.ratio(), "better": change.better})
        };
        json!({"type": "comparison", "changes": self.0.iter().map(entry).collect::<Vec<_>>()})
    }
}

impl Change {
    fn ratio(&self) -> Option<f64> {
        (self.before > 0.0).then(|| self.after / self.before)
    }
}
