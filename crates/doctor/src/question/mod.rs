//! The questions, one file each: what is asked of the evidence, and how the answer is graded.

mod attributes;
mod clocks;
mod coverage;
mod duplicates;
mod encodings;
mod lateness;
mod metrics;
mod names;
mod orphans;
mod pairing;
mod sampling;
mod topics;
mod versions;

pub(crate) use coverage::of_service;
pub(crate) use metrics::judged;

use crate::seen::Seen;
use crate::{Grade, Remedy};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Does anything come, and from every partition?
    Topics,
    /// Can every record be read?
    Encodings,
    /// Do the two halves of a call meet?
    Pairing,
    /// Do parents come?
    Orphans,
    /// What does a span stand for?
    Sampling,
    /// Do the spans show what services count themselves? Asked where there are metrics.
    Metrics,
    /// Does it come in time?
    Lateness,
    /// Do the hosts' clocks agree?
    Clocks,
    /// Is anything there twice?
    Duplicates,
    /// Do spans say what is needed?
    Attributes,
    /// Are there few enough names?
    Names,
    /// Can deploys be told?
    Versions,
    /// How well is each service seen?
    Coverage,
}

impl Question {
    /// All of them.
    pub const ALL: [Question; 13] = [
        Question::Topics,
        Question::Encodings,
        Question::Pairing,
        Question::Orphans,
        Question::Sampling,
        Question::Metrics,
        Question::Lateness,
        Question::Clocks,
        Question::Duplicates,
        Question::Attributes,
        Question::Names,
        Question::Versions,
        Question::Coverage,
    ];

    /// Its name in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Question::Topics => "topics",
            Question::Encodings => "encodings",
            Question::Pairing => "pairing",
            Question::Orphans => "orphans",
            Question::Sampling => "sampling",
            Question::Metrics => "metrics",
            Question::Lateness => "lateness",
            Question::Clocks => "clocks",
            Question::Duplicates => "duplicates",
            Question::Attributes => "attributes",
            Question::Names => "names",
            Question::Versions => "versions",
            Question::Coverage => "coverage",
        }
    }
}

/// An answer with its grade, its evidence and what mends it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// How good it is.
    pub grade: Grade,
    /// The answer in one sentence.
    pub summary: String,
    /// More of it, a line each, the worst first.
    pub details: Vec<String>,
    /// The figures behind it: shares are 0..1, times are milliseconds (`_ms`).
    pub figures: BTreeMap<&'static str, f64>,
    /// What mends it.
    pub remedies: Vec<Remedy>,
}

impl Answer {
    pub(crate) fn new(question: Question, grade: Grade, summary: impl Into<String>) -> Answer {
        let summary = summary.into();
        Answer { question, grade, summary, details: Vec::new(), figures: BTreeMap::new(), remedies: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: f64) -> Answer {
        self.figures.insert(name, value);
        self
    }

    fn say(&mut self, grade: Grade, detail: impl Into<String>) {
        self.grade = self.grade.max(grade);
        self.details.push(detail.into());
    }
}

/// All answers, the worst first.
pub(crate) fn ask(seen: &Seen, live: bool) -> Vec<Answer> {
    let topics = topics::ask(seen, live);
    let encodings = encodings::ask(seen);
    if seen.spans == 0 {
        let mut answers = vec![topics, encodings];
        answers.sort_by_key(|answer| (std::cmp::Reverse(answer.grade), answer.question));
        return answers;
    }
    let mut answers = vec![
        topics,
        encodings,
        pairing::ask(seen),
        orphans::ask(seen),
        sampling::ask(seen),
        lateness::ask(seen),
        clocks::ask(seen),
        duplicates::ask(seen),
        attributes::ask(seen),
        names::ask(seen),
        versions::ask(seen),
        coverage::ask(seen),
    ];
    answers.extend(metrics::ask(seen));
    answers.sort_by_key(|answer| (std::cmp::Reverse(answer.grade), answer.question));
    answers
}

/// `part` of `whole`, 0 where there is nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A share in percent, with as many digits as it deserves.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || percent >= 99.995 {
        format!("{percent:.0} %")
    } else if percent < 1.0 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// A number with its thousands apart.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Milliseconds for people.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{:.1} s", ms as f64 / 1e3),
        _ => format!("{} min", ms / 60_000),
    }
}

/// The first few of a list, and how many more there are.
pub(crate) fn few<'a>(all: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 4;
    let all: Vec<&str> = all.collect();
    let shown = all.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if all.len() > SHOWN { format!("{shown} and {} more", all.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(12), "12");
        assert_eq!([0.0, 0.000_4, 0.123, 1.0].map(percent), ["0 %", "0.04 %", "12.3 %", "100 %"]);
        assert_eq!([15, 1_500, 180_000].map(duration), ["15 ms", "1.5 s", "3 min"]);
        assert_eq!(few(["a", "b", "c", "d", "e", "f"].into_iter()), "a, b, c, d and 2 more");
    }
}
