//! Memory is bounded for any input, and heavy names survive a flood.

use super::fixture::{BASE_NS, config, n};
use crate::{Counting, Shard, ShardConfig};
use model::{NameId, Named, Span, SpanFlags, SpanId, SpanKind, TraceId};

const SECOND: u64 = 1_000_000_000;

fn noise(step: u64) -> u64 {
    model::stable_hash(&step.to_le_bytes())
}

/// A request of a service that never comes again, to a peer that never comes again.
fn light(step: u64) -> [Span; 2] {
    let end_ns = BASE_NS + step * 20_000;
    let server = Span {
        trace: TraceId(u128::from(noise(step))),
        id: SpanId(noise(step) | 1),
        kind: SpanKind::Server,
        service: NameId(noise(step << 20)),
        operation: NameId(noise(step << 21)),
        instance: NameId(noise(step << 22)),
        start_ns: end_ns - 1_000_000,
        end_ns,
        ..Span::default()
    };
    let client = Span {
        id: SpanId(noise(step) | 2),
        parent: server.id,
        kind: SpanKind::Client,
        peer: NameId(noise(step << 23)),
        flags: SpanFlags::ADDRESS,
        ..server
    };
    [server, client]
}

fn heavy(step: u64) -> Span {
    let end_ns = BASE_NS + step * 20_000;
    Span {
        trace: TraceId(u128::from(noise(step | 1 << 62))),
        id: SpanId(9),
        kind: SpanKind::Server,
        service: NameId::of(["web", "cart"][(step / 100 % 2) as usize]),
        operation: NameId::of("get"),
        start_ns: end_ns - 1_000_000,
        end_ns,
        ..Span::default()
    }
}

#[test]
fn a_flood_of_a_million_names_stays_within_the_budget_and_keeps_the_real_ones() {
    const BUDGET: usize = 16 << 20;
    let mut shard = Shard::new(ShardConfig {
        budget_bytes: BUDGET,
        services_max: 500,
        edges_max: 500,
        flows_max: 500,
        names_max: 4096,
        ..config()
    });
    let (mut most, mut windows) = (0, Vec::new());
    for step in 0..500_000u64 {
        let [server, client] = light(step);
        let text = Named { id: server.service, text: format!("random-{step}") };
        shard.observe(&[server, client], &[text], Counting::PROMPT);
        if step % 100 == 0 {
            shard.observe(&[heavy(step)], &[], Counting::PROMPT);
        }
        if step % 10_000 == 0 {
            most = most.max(shard.bytes());
            windows.extend(shard.close_until(server.end_ns.saturating_sub(SECOND)));
            most = most.max(shard.bytes());
        }
    }
    windows.extend(shard.close_until(BASE_NS + 20 * SECOND));
    assert!(most <= BUDGET + BUDGET / 4, "{most}");
    assert!(most > BUDGET / 8, "the flood must have pressed: {most}");
    assert!(shard.counters().evicted > 0 && shard.counters().folded > 0);
    let calls: model::Count = windows.iter().flat_map(|part| &part.window().services).map(|row| row.calls).sum();
    assert_eq!(calls, n(500_000 + 5_000), "folded rows still count");
    let named = |name: &str| -> model::Count {
        let rows = windows.iter().flat_map(|part| &part.window().services);
        rows.filter(|row| row.key.service == NameId::of(name)).map(|row| row.calls).sum()
    };
    assert!(named("web") >= n(2_300) && named("cart") >= n(2_000), "{:?} {:?}", named("web"), named("cart"));
    let widest = windows.iter().map(|part| part.window().services.len().max(part.window().edges.len())).max();
    assert!(widest <= Some(505), "{widest:?}");
}

#[test]
fn internal_spans_are_forgotten_before_the_halves_of_calls() {
    let mut shard = Shard::new(ShardConfig { budget_bytes: 4 << 20, ..config() });
    let [server, client] = light(1);
    shard.observe(&[client], &[], Counting::PROMPT);
    for step in 0..100_000u64 {
        let leaf = Span { id: SpanId(noise(step) | 1 << 40), kind: SpanKind::Internal, ..client };
        shard.observe(&[leaf], &[], Counting::PROMPT);
    }
    shard.observe(&[client, server], &[], Counting::PROMPT);
    assert_eq!(shard.counters().duplicates, 1, "the client half is still known");
    assert!(shard.counters().evicted > 50_000);
}

#[test]
fn memory_falls_back_after_a_while_without_spans() {
    let mut shard = Shard::new(ShardConfig { pair_ttl_ns: 5 * SECOND, ..config() });
    for step in 0..50_000 {
        shard.observe(&light(step), &[], Counting::PROMPT);
    }
    for second in 0..30 {
        shard.close_until(BASE_NS + second * SECOND);
    }
    assert_eq!(shard.counters().remembered, 0);
}
