//! `stopbank bench`: how much this machine can take, measured from outside, as an operator would.
//!
//! This process is the one that is measured: it runs the same pipeline as `run` and nothing else, so the operating system's
//! count of its CPU time and memory is the pipeline's. The load, and the embedded broker, are a child process.

mod child;
mod compare;
mod live;
mod load;
mod replayed;
mod report;
mod search;

pub(crate) use compare::{compare, read};
pub(crate) use load::serve;
pub(crate) use report::Report;

use crate::exit::Failure;
use lab::Mix;
use report::MixReport;
use std::time::Duration;

/// What is to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// These brokers; `None` for the embedded one.
    pub(crate) brokers: Option<String>,
    /// Each with its name.
    pub(crate) mixes: Vec<(&'static str, Mix)>,
    /// How long each trial lasts.
    pub(crate) window: Duration,
    /// How many rates are tried.
    pub(crate) trials: u32,
    /// Spans of the backlog, and of the replay.
    pub(crate) spans: u64,
    /// The pipeline's `runtime.memory_mib`.
    pub(crate) memory_mib: usize,
}

/// A mix by its name on the command line.
pub(crate) fn mix(name: &str) -> Option<(&'static str, Mix)> {
    [("plain", Mix::PLAIN), ("hard", Mix::HARD)].into_iter().find(|(known, _)| *known == name)
}

/// Measures everything; `progress` is told what goes on.
///
/// # Errors
/// When the load cannot be started, or the pipeline does not run.
pub(crate) fn run(plan: &Plan, progress: &dyn Fn(&str)) -> Result<Report, Failure> {
    let mut report = Report::new(plan);
    for (name, mix) in &plan.mixes {
        let tell = |what: &str| progress(&format!("{name}: {what}"));
        let live = live::measure(plan, name, &tell)?;
        tell("replay alone");
        let replay = replayed::measure(mix, plan.spans);
        report.mixes.push(MixReport { mix: (*name).to_owned(), span_bytes: mix.span_bytes, replay, live });
    }
    Ok(report)
}
