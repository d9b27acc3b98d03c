//! What a benchmark found: as JSON, and as a table.

use super::Plan;
use runtime::Quantiles;
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The program's version.
    pub(crate) version: String,
    /// The broker, or `embedded`.
    pub(crate) broker: String,
    /// Cores that the process may use.
    pub(crate) cores: usize,
    /// How long each trial lasted, seconds.
    pub(crate) window_s: f64,
    /// One per mix.
    pub(crate) mixes: Vec<MixReport>,
}

/// One mix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MixReport {
    pub(crate) mix: String,
    pub(crate) span_bytes: usize,
    /// The core alone, one thread, from memory.
    pub(crate) replay: Work,
    pub(crate) live: Live,
}

/// Spans and what they cost.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) spans: u64,
    pub(crate) seconds: f64,
    /// All threads, as the operating system counts it.
    pub(crate) cpu_s: f64,
    /// By the wall clock.
    pub(crate) spans_per_s: f64,
    pub(crate) spans_per_cpu_s: f64,
    pub(crate) cpu_s_per_million: f64,
}

impl Work {
    pub(super) fn new(spans: u64, seconds: f64, cpu_s: f64) -> Work {
        let per = |amount: f64| if amount > 0.0 { spans as f64 / amount } else { 0.0 };
        let cpu_s_per_million = if spans > 0 { cpu_s * 1e6 / spans as f64 } else { 0.0 };
        let (spans_per_s, spans_per_cpu_s) = (per(seconds), per(cpu_s));
        Work { spans, seconds, cpu_s, spans_per_s, spans_per_cpu_s, cpu_s_per_million }
    }
}

/// The whole pipeline, from a broker to a broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Live {
    /// Reading back what lay there.
    pub(crate) backlog: Work,
    /// The highest rate at which lag did not grow; zero if none of the trials was sustained.
    pub(crate) sustained_spans_per_s: f64,
    /// The generator could not send more: the pipeline may take more.
    pub(crate) limited_by_load: bool,
    pub(crate) trials: Vec<Trial>,
    /// What a steady load costs, at seven tenths of what was sustained.
    pub(crate) steady: Work,
    /// Polling the record that closes a window → the acknowledged commit, at that load.
    pub(crate) step: Latency,
    /// The broker's part of it.
    pub(crate) commit: Latency,
    /// Window end → the acknowledged command, grace included; no count where no command was needed.
    pub(crate) command: Latency,
    /// Receipt of an order to disarm → its releases acknowledged, under that load.
    pub(crate) disarm_ms: f64,
    /// The most memory that was resident, MiB.
    pub(crate) max_rss_mib: f64,
    /// Distinct edges seen.
    pub(crate) edges: u64,
}

/// One rate that was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) offered_per_s: f64,
    pub(crate) read_per_s: f64,
    /// Spans not yet read at the end.
    pub(crate) lag_spans: u64,
    /// Lag did not grow.
    pub(crate) sustained: bool,
    /// The generator was this late at most.
    pub(crate) load_late_ms: u64,
}

/// Quantiles, milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    #[serde(default)]
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl From<Quantiles> for Latency {
    fn from(of: Quantiles) -> Latency {
        Latency { count: of.count, p50_ms: of.p50_ms, p90_ms: of.p90_ms, p99_ms: of.p99_ms, max_ms: of.max_ms }
    }
}

impl Report {
    pub(super) fn new(plan: &Plan) -> Report {
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            broker: plan.brokers.clone().unwrap_or_else(|| "embedded".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            window_s: plan.window.as_secs_f64(),
            mixes: Vec::new(),
        }
    }

    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let mut out = format!(
            "stopbank {} on {} cores, broker: {}, {:.0} s a trial\n\n{:<46}",
            self.version, self.cores, self.broker, self.window_s, ""
        );
        self.mixes.iter().for_each(|mix| out.push_str(&format!("{:>14}", mix.mix)));
        for row in ROWS {
            out.push_str(&format!("\n{:<46}", row.label));
            self.mixes.iter().for_each(|mix| out.push_str(&format!("{:>14}", (row.show)((row.of)(mix)))));
        }
        out
    }
}

/// A line of the table.
pub(super) struct Row {
    pub(super) label: &'static str,
    pub(super) of: fn(&MixReport) -> f64,
    pub(super) show: fn(f64) -> String,
    /// More is better.
    pub(super) more_is_better: bool,
}

const fn row(label: &'static str, of: fn(&MixReport) -> f64, show: fn(f64) -> String, more_is_better: bool) -> Row {
    Row { label, of, show, more_is_better }
}

/// Everything that is shown and compared.
pub(super) const ROWS: &[Row] = &[
    row("sustained, spans/s (lag does not grow)", |mix| mix.live.sustained_spans_per_s, count, true),
    row("backlog, spans/s", |mix| mix.live.backlog.spans_per_s, count, true),
    row("backlog, spans per CPU-second", |mix| mix.live.backlog.spans_per_cpu_s, count, true),
    row("backlog, CPU seconds per million spans", |mix| mix.live.backlog.cpu_s_per_million, plain, false),
    row("steady at 70 %, spans/s", |mix| mix.live.steady.spans_per_s, count, true),
    row("steady at 70 %, CPU seconds per million spans", |mix| mix.live.steady.cpu_s_per_million, plain, false),
    row("  record polled → commit, p50 ms", |mix| mix.live.step.p50_ms, plain, false),
    row("  record polled → commit, p90 ms", |mix| mix.live.step.p90_ms, plain, false),
    row("  record polled → commit, p99 ms", |mix| mix.live.step.p99_ms, plain, false),
    row("  of that the commit, p50 ms", |mix| mix.live.commit.p50_ms, plain, false),
    row("  window end → command, p50 ms", |mix| mix.live.command.p50_ms, plain, false),
    row("  window end → command, p99 ms", |mix| mix.live.command.p99_ms, plain, false),
    row("  order to disarm → acknowledged, ms", |mix| mix.live.disarm_ms, plain, false),
    row("replay alone, spans per CPU-second", |mix| mix.replay.spans_per_cpu_s, count, true),
    row("replay alone, CPU seconds per million spans", |mix| mix.replay.cpu_s_per_million, plain, false),
    row("memory at most, MiB", |mix| mix.live.max_rss_mib, plain, false),
    row("edges", |mix| mix.live.edges as f64, count, true),
];

fn count(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{:.2} M", value / 1e6),
        _ if value >= 1e4 => format!("{:.0} k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}

fn plain(value: f64) -> String {
    if value == 0.0 { "-".to_owned() } else { format!("{value:.2}") }
}
