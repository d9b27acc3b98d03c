//! Prometheus text, format 0.0.4.

use super::service_graph::escape;
use crate::state::{Phase, State, locked};
use crate::usage::Usage;
use std::fmt::Write;

/// Everything as text.
pub(crate) fn text(state: &State) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for (name, help, value) in state.counters.list() {
        let _ = writeln!(out, "# HELP stopbank_{name}_total {help}\n# TYPE stopbank_{name}_total counter");
        let _ = writeln!(out, "stopbank_{name}_total {value}");
    }
    gauges(state, &mut out);
    partitions(state, &mut out);
    latencies(state, &mut out);
    locked(&state.service_graph).text(&mut out);
    out
}

fn gauges(state: &State, out: &mut String) {
    let (graph, usage, autonomy) = (state.graph.get(), Usage::now(), state.autonomy.get());
    let epoch = match &*state.progress.phase.get() {
        Phase::Running { epoch } => Some(*epoch as f64),
        _ => None,
    };
    let recovered = (*state.recovered.get()).unwrap_or_default();
    let following_s = (*state.following.get()).unwrap_or_default() as f64 / 1000.0;
    let in_force = state.commands.get().iter().filter(|held| held.command.mode == model::Mode::Act).count();
    let gauges = [
        ("running", "1 while this process owns the domain and decides.", f64::from(u8::from(epoch.is_some()))),
        ("epoch", "The epoch of the claim, 0 without one.", epoch.unwrap_or(0.0)),
        ("armed", "0 after a disarm order.", f64::from(u8::from(autonomy.disarmed_by.is_none()))),
        ("mode", "0 off, 1 observe, 2 propose, 3 act.", f64::from(autonomy.mode as u8)),
        ("goodput_rps", "Entry requests per second that succeeded.", graph.goodput_rps),
        ("offered_rps", "Entry requests per second.", graph.offered_rps),
        ("coverage", "The share of the telemetry that is complete, paired and of known weight.", graph.coverage),
        ("window_end_seconds", "The end of the last window, Unix seconds.", graph.at_ms as f64 / 1000.0),
        ("services", "Services in the graph.", graph.services.len() as f64),
        ("edges", "Edges in the graph.", graph.edges.len() as f64),
        ("findings_open", "Findings that are open.", state.findings.get().len() as f64),
        ("commands_in_force", "Commands in force.", in_force as f64),
        ("shard_bytes", "Memory of the shards.", state.shard_bytes() as f64),
        ("shard_spans", "Spans remembered for pairing.", state.shard_spans() as f64),
        ("recovery_seconds", "From the election to the engine's state.", recovered.took.as_secs_f64()),
        ("recovery_entries", "Journal entries that were replayed for it.", recovered.replayed as f64),
        ("journal_since_snapshot", "Journal entries that a new owner would replay.", state.since_snapshot() as f64),
        ("following_seconds", "The last window that this standby has followed, Unix seconds; 0: none.", following_s),
        ("resident_bytes", "Resident memory of the process.", usage.rss_mib * 1024.0 * 1024.0),
    ];
    for (name, help, value) in gauges {
        let _ = writeln!(out, "# HELP stopbank_{name} {help}\n# TYPE stopbank_{name} gauge\nstopbank_{name} {value}");
    }
    let cpu = "stopbank_cpu_seconds_total";
    let _ = writeln!(out, "# HELP {cpu} CPU time of the process.\n# TYPE {cpu} counter\n{cpu} {}", usage.cpu_s);
}

fn partitions(state: &State, out: &mut String) {
    let partitions = state.partitions.get();
    let mut family = |name: &str, help: &str, values: Vec<(String, f64)>| {
        let _ = writeln!(out, "# HELP stopbank_{name} {help}\n# TYPE stopbank_{name} gauge");
        for (labels, value) in values {
            let _ = writeln!(out, "stopbank_{name}{{{labels}}} {value}");
        }
    };
    let labels = |topic: &str, partition: i32| format!("topic=\"{}\",partition=\"{partition}\"", escape(topic));
    let each = |value: fn(&crate::state::PartitionStatus) -> Option<f64>| {
        let known = partitions.iter().filter_map(|one| Some((labels(&one.topic, one.partition), value(one)?)));
        known.collect::<Vec<_>>()
    };
    family("lag_records", "Records not yet read.", each(|one| one.lag.map(|lag| lag as f64)));
    family("grace_seconds", "The grace of its windows.", each(|one| Some(f64::from(one.grace_ms) / 1000.0)));
    family("partition_idle", "1 while it is silent.", each(|one| Some(f64::from(u8::from(one.idle)))));
}

fn latencies(state: &State, out: &mut String) {
    for (name, help, latency) in locked(&state.latencies).list() {
        let full = format!("stopbank_{name}_latency_seconds");
        let quantiles = latency.quantiles();
        let _ = writeln!(out, "# HELP {full} {help}\n# TYPE {full} summary");
        for (quantile, value_ms) in [("0.5", quantiles.p50_ms), ("0.9", quantiles.p90_ms), ("0.99", quantiles.p99_ms)] {
            let _ = writeln!(out, "{full}{{quantile=\"{quantile}\"}} {}", value_ms / 1000.0);
        }
        let _ = writeln!(out, "{full}_sum {}\n{full}_count {}", latency.sum_s(), quantiles.count);
    }
}
