//! Traces as text, and what the merged windows say of them.
//!
//! A line is `id parent kind service operation start..end [options]`, times in milliseconds; `trace N` begins the next trace.

use crate::{Counting, Merger, Part, Shard, ShardConfig};
use model::{
    Count, Criticality, EdgeKind, EdgeRow, Failure, FlowRow, NameId, Named, Outcome, ServiceRow, Span, SpanFlags,
    SpanId, SpanKind, SparseHistogram, TraceId, Weight, Window,
};

/// The second in which all traces begin.
pub(super) const BASE_NS: u64 = 1_000_000_000_000;

/// Spans of the traces in `text`.
pub(super) fn spans(text: &str) -> Vec<Span> {
    let (mut trace, mut all) = (1u128, Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "trace" {
            trace = words[1].parse().expect("a trace number");
        } else {
            all.push(span(trace, &words));
        }
    }
    all
}

fn span(trace: u128, words: &[&str]) -> Span {
    let id = |word: &str| SpanId(if word == "-" { 0 } else { word.parse().expect("a span number") });
    let (start, end) = words[5].split_once("..").expect("start..end");
    let at = |ms: &str| BASE_NS + (ms.parse::<f64>().expect("milliseconds") * 1e6) as u64;
    let mut span = Span {
        trace: TraceId(trace * 0x9e37_79b9_7f4a_7c15),
        id: id(words[0]),
        parent: id(words[1]),
        kind: match words[2] {
            "server" => SpanKind::Server,
            "client" => SpanKind::Client,
            "producer" => SpanKind::Producer,
            "consumer" => SpanKind::Consumer,
            _ => SpanKind::Internal,
        },
        service: NameId::of(words[3]),
        operation: NameId::of(words[4]),
        start_ns: at(start),
        end_ns: at(end),
        ..Span::default()
    };
    words[6..].iter().for_each(|option| apply(&mut span, option));
    span
}

fn apply(span: &mut Span, option: &str) {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let number = || value.parse::<u32>().expect("a number");
    let mut flag = |flag| span.flags = span.flags.with(flag);
    match name {
        "error" => span.outcome = Outcome::Failed(Failure::Error),
        "timeout" if value.is_empty() => span.outcome = Outcome::Failed(Failure::Timeout),
        "timeout" => span.timeout_ms = number(),
        "unavailable" => span.outcome = Outcome::Failed(Failure::Unavailable),
        "shed" => span.outcome = Outcome::Failed(Failure::Shed),
        "proxy" => flag(SpanFlags::PROXY),
        "sidecar" => flag(SpanFlags::PROXY.with(SpanFlags::SIDECAR)),
        "linked" => flag(SpanFlags::LINKED),
        "database" => flag(SpanFlags::DATABASE),
        "address" => flag(SpanFlags::ADDRESS),
        "messaging" => flag(SpanFlags::MESSAGING),
        "streaming" => flag(SpanFlags::STREAMING),
        "root-says" => flag(SpanFlags::FOR_TRACE),
        "biased" => flag(SpanFlags::BIASED),
        "peer" => span.peer = NameId::of(value),
        "instance" => span.instance = NameId::of(value),
        "attempt" => span.attempt = number() as u8,
        "queued" => span.queued = model::Queued::of_ms(u64::from(number())),
        "cohort" => span.cohort = number() as u8,
        "weight" => span.weight = Weight(number() * 1024),
        "criticality" => span.criticality = Criticality::parse(value),
        other => panic!("unknown option {other}"),
    }
}

/// Every trace is followed.
pub(super) fn config() -> ShardConfig {
    ShardConfig { flow_sample: 1, ..ShardConfig::default() }
}

/// The merged windows of `spans`, all closed at the end.
pub(super) fn windows_of(spans: &[Span], config: &ShardConfig, shards: usize, names: &[Named]) -> Vec<Window> {
    let mut all: Vec<Shard> = (0..shards).map(|_| Shard::new(config.clone())).collect();
    for shard in &mut all {
        shard.observe(&[], names, Counting::PROMPT);
    }
    for span in spans {
        all[(span.trace.hash() % shards as u64) as usize].observe(&[*span], &[], Counting::PROMPT);
    }
    let until_ns = close_ns(spans, config);
    let mut merger = Merger::new(shards);
    let mut windows = Vec::new();
    for (at, shard) in all.iter_mut().enumerate() {
        windows.extend(merger.push(at, shard.close_until(until_ns), until_ns));
    }
    windows
}

/// A watermark that closes all of it.
pub(super) fn close_ns(spans: &[Span], config: &ShardConfig) -> u64 {
    (spans.iter().map(|span| span.end_ns).max().unwrap_or(0) / config.width_ns + 4) * config.width_ns
}

/// The merged windows of the traces in `text`.
pub(super) fn windows(text: &str) -> Vec<Window> {
    windows_of(&spans(text), &config(), 1, &[])
}

/// The first merged window of one shard's parts.
pub(super) fn merged(parts: Vec<Part>) -> Vec<Window> {
    Merger::new(1).push(0, parts, u64::MAX / 2).into_iter().filter(|window| window.spans > 0).collect()
}

/// An edge, all operations and windows together.
pub(super) fn edge(windows: &[Window], caller: &str, callee: &str) -> EdgeRow {
    let key = (NameId::of(caller), NameId::of(callee));
    let mut sum = EdgeRow::default();
    let rows = windows.iter().flat_map(|window| &window.edges);
    for row in rows.filter(|row| (row.key.caller, row.key.callee) == key) {
        sum.key = row.key;
        sum.calls += row.calls;
        sum.first_attempts += row.first_attempts;
        sum.retries += row.retries;
        sum.failures.iter_mut().zip(row.failures).for_each(|(sum, more)| *sum += more);
        sum.wasted += row.wasted;
        sum.unpaired += row.unpaired;
        sum.busy_us += row.busy_us;
        sum.client.merge(&row.client);
        sum.server.merge(&row.server);
        sum.gap.merge(&row.gap);
        sum.timeout_us = sum.timeout_us.max(row.timeout_us);
        sum.biased |= row.biased;
        sum.ahead_us = sum.ahead_us.max(row.ahead_us);
        sum.behind_us = sum.behind_us.max(row.behind_us);
        sum.exemplars.extend(&row.exemplars);
    }
    sum
}

/// A service, all operations and windows together.
pub(super) fn service(windows: &[Window], name: &str) -> ServiceRow {
    let mut sum = ServiceRow::default();
    let rows = windows.iter().flat_map(|window| &window.services);
    for row in rows.filter(|row| row.key.service == NameId::of(name)) {
        sum.key = row.key;
        sum.calls += row.calls;
        sum.entries += row.entries;
        sum.failures.iter_mut().zip(row.failures).for_each(|(sum, more)| *sum += more);
        sum.wasted += row.wasted;
        sum.lost += row.lost;
        sum.busy_us += row.busy_us;
        sum.duration.merge(&row.duration);
        sum.exclusive.merge(&row.exclusive);
        sum.unweighted += row.unweighted;
    }
    sum
}

/// The flows that enter at `entry`.
pub(super) fn flows<'a>(windows: &'a [Window], entry: &str) -> Vec<&'a FlowRow> {
    let rows = windows.iter().flat_map(|window| &window.flows);
    rows.filter(|row| row.key.entry == NameId::of(entry)).collect()
}

/// All edges as `caller>callee kind calls`, sorted.
pub(super) fn edges(windows: &[Window], names: &[&str]) -> Vec<String> {
    let name = |id: NameId| {
        let known = names.iter().find(|name| NameId::of(name) == id);
        known.map_or_else(|| if id.is_some() { "?".into() } else { "-".into() }, |name| (*name).to_owned())
    };
    let kind = |kind| match kind {
        EdgeKind::Call => "call",
        EdgeKind::Database => "database",
        EdgeKind::Messaging => "messaging",
        EdgeKind::External => "external",
        EdgeKind::Unresolved => "unresolved",
    };
    let rows = windows.iter().flat_map(|window| &window.edges);
    let mut all: Vec<String> = rows
        .filter(|row| !row.calls.is_zero())
        .map(|row| {
            format!("{}>{} {} {}", name(row.key.caller), name(row.key.callee), kind(row.key.kind), row.calls.calls())
        })
        .collect();
    all.sort();
    all
}

/// That many calls.
pub(super) fn n(calls: u64) -> Count {
    Count::of(calls)
}

/// The only value of a histogram, milliseconds, within a bucket's width.
pub(super) fn only_ms(histogram: &SparseHistogram) -> f64 {
    assert_eq!(histogram.0.len(), 1, "{histogram:?}");
    histogram.0[0].0 as f64 / 1000.0
}

/// Equal within a bucket's width.
pub(super) fn near(value: f64, expected: f64) {
    assert!(value >= expected * 0.999 && value <= expected * 1.07 + 0.001, "{value} is not near {expected}");
}
