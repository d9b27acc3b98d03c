//! Windows are settled slice by slice as the watermark passes; what comes of it is the same however far that goes.

use super::fixture::{BASE_NS, close_ns, config, edge, flows, merged, n, service, spans, windows_of};
use super::properties::fleet;
use crate::{Counting, Patience, Shard};
use model::{NameId, Span, SpanKind, Window};
use proptest::prelude::*;

const MS: u64 = 1_000_000;

fn by_end(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.end_ns, span.id.0));
    spans
}

/// Reads spans in the order of their ends; the watermark follows by `grace_ms`, and is told at every `stride`th span.
fn follow(shard: &mut Shard, spans: &[Span], grace_ms: u64, stride: usize) -> Vec<crate::Part> {
    let mut parts = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        shard.observe(&[*span], &[], Counting::PROMPT);
        if at % stride == 0 {
            parts.extend(shard.close_until(span.end_ns - grace_ms * MS));
        }
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn how_often_the_watermark_is_told_does_not_matter(seed in 0u64..1 << 20, stride in 1usize..40, grace_ms in 0u64..900) {
        let spans = by_end(fleet(seed, 60));
        let mut shard = Shard::new(config());
        let mut parts = follow(&mut shard, &spans, grace_ms, stride);
        parts.extend(shard.close_until(close_ns(&spans, &config())));
        let windows: Vec<Window> = merged(parts);
        let at_once: Vec<Window> =
            windows_of(&spans, &config(), 1, &[]).into_iter().filter(|window| window.spans > 0).collect();
        prop_assert_eq!(windows, at_once);
    }
}

#[test]
fn of_an_orderly_fleet_little_is_left_when_a_window_closes() {
    let mut text = String::new();
    for request in 0..400u64 {
        let at = request * 5;
        text += &format!(
            "trace {request}\n 1 - server web home {at}..{}\n 2 1 client web home {}..{}\n 3 2 server cart list {}..{}\n \
             4 3 client cart query {}..{} database\n",
            at + 40,
            at + 2,
            at + 38,
            at + 4,
            at + 36,
            at + 10,
            at + 20
        );
    }
    let all = by_end(spans(&text));
    let mut shard = Shard::new(config());
    // The first window is about to close, and one of its slices has not passed.
    let parts = follow(&mut shard, &all, 0, 1);
    let before = shard.counters().early;
    assert!(before as usize * 10 >= all.len() * 9, "{before} of {}", all.len());
    let windows = merged([parts, shard.close_until(close_ns(&all, &config()))].concat());
    assert_eq!(edge(&windows, "web", "cart").calls, n(400));
    assert_eq!(edge(&windows, "web", "cart").server.total(), n(400));
    assert_eq!((service(&windows, "web").entries, service(&windows, "cart").entries), (n(400), n(0)));
    assert_eq!(service(&windows, "cart").exclusive.total(), n(400));
}

#[test]
fn a_half_that_comes_after_its_slice_is_a_further_attempt_of_a_call_that_was_settled() {
    let all = spans(
        "1 - server web home 0..300\n 2 1 client web get 10..290\n 3 2 server cart list 20..100 error\n \
         4 2 server cart list 110..280",
    );
    let slow = Counting::Slow { watermark_ns: BASE_NS + 600 * MS, patience: Patience(0) };
    let read = |late: bool| {
        let mut shard = Shard::new(config());
        for span in &all[..3] {
            shard.observe(&[*span], &[], Counting::PROMPT);
        }
        if !late {
            shard.observe(&[all[3]], &[], Counting::PROMPT);
        }
        shard.pass(BASE_NS + 600 * MS);
        assert_eq!(shard.counters().early, if late { 3 } else { 1 }, "of two halves it is not clear which one counts");
        if late {
            shard.observe(&[all[3]], &[], slow);
        }
        let windows = merged(shard.close_until(close_ns(&all, &config())));
        let row = edge(&windows, "web", "cart");
        (row.calls, row.retries, row.server.total(), service(&windows, "cart").calls, windows[0].late)
    };
    assert_eq!(read(true), (n(2), n(1), n(2), n(2), 0));
    assert_eq!(read(false), read(true));
}

#[test]
fn memory_that_is_short_counts_nothing_twice_that_was_settled_ahead() {
    let spans = by_end(fleet(7, 2500));
    let mut shard = Shard::new(crate::ShardConfig { budget_bytes: 1 << 20, ..config() });
    let mut parts = follow(&mut shard, &spans, 100, 10);
    parts.extend(shard.close_until(close_ns(&spans, &config())));
    let counted = shard.counters();
    assert!(counted.evicted > 0 && counted.early > 0, "{counted:?}");
    let clients = spans.iter().filter(|span| span.kind == SpanKind::Client).count() as u64;
    let rows = parts.iter().flat_map(|part| &part.window().edges);
    let waited: model::Count = rows.map(|row| row.client.total()).sum();
    assert_eq!(waited, n(clients), "each client span once");
}

#[test]
fn a_call_that_was_given_up_is_settled_when_its_answer_has_come() {
    let gave_up = "1 - server web home 0..120\n 2 1 client web get 10..110 timeout\n 3 2 server cart list 20..300";
    let outlasted = "1 - server web home 0..100\n 2 1 client web get 10..110 timeout\n 3 2 server cart list 20..105";
    // What ends after the request in which it was asked for waits for the close.
    for (text, early) in [(gave_up, 3), (outlasted, 1)] {
        let all = spans(text);
        let mut shard = Shard::new(config());
        shard.observe(&all, &[], Counting::PROMPT);
        shard.pass(BASE_NS + 900 * MS);
        assert_eq!(shard.counters().early, early, "{text}");
        let windows = merged(shard.close_until(close_ns(&all, &config())));
        let row = edge(&windows, "web", "cart");
        assert_eq!((row.calls, row.server.total(), row.unpaired), (n(1), n(1), n(0)), "{text}");
        assert_eq!(row.wasted, if text == gave_up { n(1) } else { n(0) });
    }
}

#[test]
fn a_flow_tells_what_went_on_after_its_request_was_answered() {
    let text = "1 - server web home 0..120\n 2 1 client web get 10..110 timeout\n 3 2 server cart list 20..400\n \
                4 1 producer web send 112..115 messaging\n 5 4 consumer mail post 500..600 messaging";
    let windows = merged({
        let mut shard = Shard::new(config());
        shard.observe(&spans(text), &[], Counting::PROMPT);
        shard.pass(BASE_NS + 900 * MS);
        shard.close_until(close_ns(&spans(text), &config()))
    });
    let rows = flows(&windows, "web");
    assert_eq!(rows.len(), 1);
    let visited: Vec<_> = ["web", "cart", "mail"].map(|name| (NameId::of(name), n(1))).into();
    assert!(visited.iter().all(|visit| rows[0].visits.contains(visit)), "{:?}", rows[0].visits);
}
