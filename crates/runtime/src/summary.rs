//! What a pipeline did, said once at its end.

use crate::state::{Quantiles, State, locked};
use crate::usage::Usage;
use serde::Serialize;

/// How a pipeline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It still runs: the numbers are of now.
    Running,
    /// Everything that was read up to the watermark is committed.
    Drained,
    /// It was forced, or the drain's time was over: what was under way will be read again.
    Forced,
}

/// The numbers of a run. Serialises as the summary line that scripts read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How it ended.
    pub ended: Ended,
    /// How long it ran, seconds.
    pub seconds: f64,
    /// Telemetry records read.
    pub records: u64,
    /// Spans read.
    pub spans: u64,
    /// Of these, counted in closed windows.
    pub spans_counted: u64,
    /// Calls counted.
    pub calls: u64,
    /// Distinct edges (caller, callee, kind of connection) seen.
    pub edges: u64,
    /// Windows closed.
    pub windows: u64,
    /// Records that could not be read.
    pub poison: u64,
    /// Spans that came after their window had closed.
    pub late: u64,
    /// Spans dated too far in the future.
    pub future: u64,
    /// Spans seen twice.
    pub duplicates: u64,
    /// Findings that opened.
    pub findings: u64,
    /// Records on the control topic, renewals and releases included.
    pub commands: u64,
    /// Records on the proposals topic, renewals and releases included.
    pub proposals: u64,
    /// Steps committed.
    pub commits: u64,
    /// Generations of actors; more than one means that something died.
    pub generations: u64,
    /// Records not yet read.
    pub lag: u64,
    /// CPU time of the process, seconds.
    pub cpu_s: f64,
    /// The most memory that was resident, MiB.
    pub max_rss_mib: f64,
    /// Polling the record that closes a window → the acknowledged commit.
    pub step_latency: Quantiles,
    /// Window end → the acknowledged command, grace included.
    pub command_latency: Quantiles,
    /// Receipt of an order → the acknowledged commit of its effects.
    pub order_latency: Quantiles,
}

impl Summary {
    /// The summary of `state` as it is now.
    pub fn of(state: &State, ended: Ended, seconds: f64) -> Summary {
        let (counters, usage) = (&state.counters, Usage::now());
        let latencies = locked(&state.latencies);
        Summary {
            ended,
            seconds,
            records: counters.records.get(),
            spans: counters.spans.get(),
            spans_counted: counters.spans_counted.get(),
            calls: counters.calls.get(),
            edges: locked(&state.service_graph).edges() as u64,
            windows: counters.windows.get(),
            poison: counters.poison.get(),
            late: counters.late.get(),
            future: counters.future.get(),
            duplicates: counters.duplicates.get(),
            findings: counters.findings_opened.get(),
            commands: counters.commands.get(),
            proposals: counters.proposals.get(),
            commits: counters.commits.get(),
            generations: counters.generations.get(),
            lag: state.partitions.get().iter().filter_map(|one| one.lag).sum(),
            cpu_s: usage.cpu_s,
            max_rss_mib: usage.max_rss_mib,
            step_latency: latencies.step.quantiles(),
            command_latency: latencies.command.quantiles(),
            order_latency: latencies.order.quantiles(),
        }
    }
}
