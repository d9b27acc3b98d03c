//! What holds for any spans.

use super::fixture::{BASE_NS, close_ns, config, windows_of};
use crate::{Counting, Shard};
use model::{Count, Failure, Named, Outcome, Span, SpanId, SpanKind, TraceId, Window};
use proptest::prelude::*;

/// A small deterministic generator, so that a failing case is a number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        model::stable_hash(&self.0.to_le_bytes()) % sides
    }
}

/// Spans of `traces` random call trees over four seconds, with failures, retries, databases and lost halves.
pub(super) fn fleet(seed: u64, traces: u64) -> Vec<Span> {
    let mut dice = Dice(seed << 32);
    let mut spans = Vec::new();
    for trace in 0..traces {
        let start_ns = BASE_NS + dice.roll(4_000_000_000);
        let id = TraceId(u128::from(model::stable_hash(&(seed << 20 | trace).to_le_bytes())) << 3 | 1);
        let mut tree = Tree { trace: id, next: 0, dice: &mut dice, spans: &mut spans };
        tree.request(SpanId::NONE, start_ns, 400_000_000, 0);
    }
    spans
}

struct Tree<'a> {
    trace: TraceId,
    next: u64,
    dice: &'a mut Dice,
    spans: &'a mut Vec<Span>,
}

impl Tree<'_> {
    fn span(&mut self, parent: SpanId, kind: SpanKind, service: u64, start_ns: u64, length_ns: u64) -> Span {
        self.next += 1;
        let name = |text: String| model::NameId::of(&text);
        Span {
            trace: self.trace,
            id: SpanId(self.next),
            parent,
            kind,
            service: name(format!("service-{service}")),
            operation: name(format!("operation-{}", service * 7 % 5)),
            start_ns,
            end_ns: start_ns + length_ns,
            outcome: if self.dice.roll(10) == 0 { Outcome::Failed(Failure::Error) } else { Outcome::Ok },
            ..Span::default()
        }
    }

    fn request(&mut self, parent: SpanId, start_ns: u64, length_ns: u64, depth: u64) {
        let service = depth * 3 + self.dice.roll(3);
        let server = self.span(parent, SpanKind::Server, service, start_ns, length_ns);
        if self.dice.roll(20) > 0 {
            self.spans.push(server);
        }
        let calls = if depth < 3 { self.dice.roll(4) } else { 0 };
        for call in 0..calls {
            let start_ns = start_ns + 1000 + call * length_ns / 5;
            let mut client = self.span(server.id, SpanKind::Client, service, start_ns, length_ns / 6);
            client.peer = model::NameId::of(&format!("peer-{}", (depth + 1) * 3));
            if self.dice.roll(8) > 0 {
                self.spans.push(client);
            }
            if self.dice.roll(8) > 0 {
                let slow = if self.dice.roll(10) == 0 { 9 } else { 1 };
                self.request(client.id, start_ns + 500, length_ns / 8 * slow, depth + 1);
            }
        }
    }
}

fn names(spans: &[Span]) -> Vec<Named> {
    let mut ids: Vec<_> = spans.iter().flat_map(|span| [span.service, span.operation, span.peer]).collect();
    ids.sort_unstable();
    ids.dedup();
    // The text does not matter here, only that it is announced once.
    ids.into_iter().map(|id| Named { id, text: format!("{:x}", id.0) }).collect()
}

fn shuffled(spans: &[Span], seed: u64) -> Vec<Span> {
    let mut keyed: Vec<(u64, Span)> = spans
        .iter()
        .enumerate()
        .map(|(at, span)| (model::stable_hash(&[seed, at as u64].map(u64::to_le_bytes).concat()), *span))
        .collect();
    keyed.sort_by_key(|pair| pair.0);
    keyed.into_iter().map(|pair| pair.1).collect()
}

fn served(windows: &[Window]) -> Count {
    windows.iter().flat_map(|window| &window.services).map(|row| row.calls).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_arrival_within_the_grace_does_not_matter(seed in 0u64..1 << 20, order in 0u64..1 << 20) {
        let spans = fleet(seed, 40);
        let expected = windows_of(&spans, &config(), 1, &names(&spans));
        prop_assert_eq!(windows_of(&shuffled(&spans, order), &config(), 1, &names(&spans)), expected);
    }

    #[test]
    fn the_number_of_shards_does_not_matter(seed in 0u64..1 << 20) {
        let spans = fleet(seed, 60);
        let names = names(&spans);
        let one = windows_of(&spans, &config(), 1, &names);
        prop_assert_eq!(&windows_of(&spans, &config(), 2, &names), &one);
        prop_assert_eq!(&windows_of(&spans, &config(), 5, &names), &one);
    }

    #[test]
    fn duplicates_do_not_matter(seed in 0u64..1 << 20, order in 0u64..1 << 20) {
        let spans = fleet(seed, 40);
        let mut twice = shuffled(&spans, order);
        twice.extend(spans.iter().step_by(3));
        prop_assert_eq!(windows_of(&twice, &config(), 1, &[]), windows_of(&spans, &config(), 1, &[]));
    }

    #[test]
    fn every_span_is_counted_exactly_once_wherever_the_closes_fall(
        seed in 0u64..1 << 20,
        closes in proptest::collection::vec((0usize..400, 0u64..8_000_000_000), 0..6),
    ) {
        let spans = shuffled(&fleet(seed, 40), seed);
        let mut shard = Shard::new(config());
        let mut parts = Vec::new();
        for (at, span) in spans.iter().enumerate() {
            shard.observe(&[*span, *span], &[], Counting::PROMPT);
            for (_, ahead_ns) in closes.iter().filter(|close| close.0 == at) {
                parts.extend(shard.close_until(BASE_NS + ahead_ns));
            }
        }
        parts.extend(shard.close_until(close_ns(&spans, &config()).max(BASE_NS + 20_000_000_000)));
        let windows: Vec<Window> = parts.iter().map(|part| part.window().clone()).collect();
        let servers = spans.iter().filter(|span| span.kind == SpanKind::Server).count() as u64;
        let clients = spans.iter().filter(|span| span.kind == SpanKind::Client).count() as u64;
        prop_assert_eq!(windows.iter().map(|window| window.spans).sum::<u64>(), spans.len() as u64);
        prop_assert_eq!(served(&windows), Count::of(servers));
        let rows = windows.iter().flat_map(|window| &window.edges);
        let waited: Count = rows.map(|row| row.client.total()).sum();
        prop_assert_eq!(waited, Count::of(clients), "each client span once");
        prop_assert_eq!(shard.counters().duplicates, spans.len() as u64);
    }

    #[test]
    fn a_tight_budget_forgets_but_still_counts_every_span_once(seed in 0u64..1 << 20) {
        let spans = fleet(seed, 2500);
        let mut shard = Shard::new(crate::ShardConfig { budget_bytes: 1 << 20, ..config() });
        for batch in spans.chunks(100) {
            shard.observe(batch, &[], Counting::PROMPT);
        }
        let windows: Vec<Window> =
            shard.close_until(close_ns(&spans, &config())).iter().map(|part| part.window().clone()).collect();
        let servers = spans.iter().filter(|span| span.kind == SpanKind::Server).count() as u64;
        let clients = spans.iter().filter(|span| span.kind == SpanKind::Client).count() as u64;
        prop_assert!(shard.counters().evicted > 0);
        prop_assert_eq!(served(&windows), Count::of(servers));
        let waited: Count = windows.iter().flat_map(|window| &window.edges).map(|row| row.client.total()).sum();
        prop_assert_eq!(waited, Count::of(clients));
    }
}
