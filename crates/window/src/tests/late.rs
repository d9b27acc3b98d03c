//! Exporters of every pace on one partition: each call counts once, and nobody enters where nobody enters.

use super::fixture::{config, edge, edges, flows, n, service, spans};
use crate::{Counting, Grace, Merger, PartitionId, Shard, WatermarkConfig, Watermarks};
use model::{Span, Window};

const MS: u64 = 1_000_000;
const HERE: PartitionId = PartitionId { topic: 0, partition: 0 };

/// Calls of `web` to `cart`, ten a second, whose halves come at once, in batches of 5 s, or after a tail sampler's 30 s, all
/// nine combinations, on one partition; with when they come. A browser that sends no spans asks `cart` too, once a second.
fn three_ways(calls: u64) -> Vec<(u64, Span)> {
    let comes_ms = |way: u64, end_ms: u64| match way {
        0 => end_ms,
        1 => end_ms.next_multiple_of(5000),
        _ => end_ms + 30_000,
    };
    let mut all = Vec::new();
    for call in 0..calls {
        let start_ms = 100_000 + call * 100;
        let text = format!(
            "trace {}
             1 - server web  home {}..{} instance=web{}
             2 1 client web  get  {}..{} instance=web{}
             3 2 server cart read {}..{} instance=cart{}",
            call + 1,
            start_ms,
            start_ms + 60,
            call % 3,
            start_ms + 5,
            start_ms + 50,
            call % 3,
            start_ms + 10,
            start_ms + 40,
            call / 3 % 3,
        );
        let ways = [call % 3, call % 3, call / 3 % 3];
        all.extend(spans(&text).into_iter().zip(ways).map(|(span, way)| (comes_ms(way, span.end_ns / MS), span)));
        if call.is_multiple_of(10) {
            let text = format!(
                "trace {} \n 5 4 server cart sell {start_ms}..{} instance=cart0",
                call + 1_000_001,
                start_ms + 20
            );
            all.extend(spans(&text).into_iter().map(|span| (span.end_ns / MS, span)));
        }
    }
    all.sort_by_key(|(at_ms, span)| (*at_ms, span.end_ns, span.id.0));
    all
}

/// What so many shards make of spans that come at these times (milliseconds).
fn read(coming: &[(u64, Span)], shards: usize) -> Vec<Window> {
    let mut marks = Watermarks::new(Grace::default(), WatermarkConfig::default());
    let mut all: Vec<Shard> = (0..shards).map(|_| Shard::new(config())).collect();
    let (mut merger, mut windows, mut closed_s) = (Merger::new(shards), Vec::new(), 0);
    for (at_ms, span) in coming {
        let admit = marks.observe(HERE, span.instance, span.end_ns, Some(*at_ms));
        let patience = marks.patience(HERE);
        let how = Counting::of(admit, patience).expect("nothing is from the future");
        all[(span.trace.hash() % shards as u64) as usize].observe(&[*span], &[], how);
        if at_ms / 1000 > closed_s {
            closed_s = at_ms / 1000;
            let low_ns = marks.low_ns().unwrap_or(0);
            for (at, shard) in all.iter_mut().enumerate() {
                windows.extend(merger.push(at, shard.close_until(low_ns), low_ns));
            }
        }
    }
    let end_ns = marks.drain();
    for (at, shard) in all.iter_mut().enumerate() {
        windows.extend(merger.push(at, shard.close_all(end_ns), end_ns));
    }
    windows
}

#[test]
fn fast_exporters_batches_and_a_tail_sampler_on_one_partition_lose_no_half_of_a_call() {
    for calls in [900, 1800] {
        let windows = read(&three_ways(calls), 1);
        let row = edge(&windows, "web", "cart");
        assert_eq!((row.calls, row.retries), (n(calls), n(0)), "each call once, whichever half came first");
        assert_eq!(row.server.total(), n(calls), "with both halves");
        let named = edges(&windows, &["web", "cart"]);
        assert!(named.iter().all(|line| line.starts_with("web>cart call ")), "and nothing else: {named:?}");
        assert!(windows.iter().map(|window| window.late).sum::<u64>() > calls / 2, "the tail sampler's spans are late");
        assert!(windows.iter().any(|window| window.completeness_permille < 950), "and the windows say so");
    }
}

#[test]
fn a_request_whose_callers_half_comes_late_never_entered_the_fleet() {
    for calls in [300, 900] {
        let windows = read(&three_ways(calls), 1);
        assert_eq!(service(&windows, "web").entries, n(calls));
        assert_eq!(service(&windows, "cart").calls, n(calls + calls / 10));
        assert_eq!(service(&windows, "cart").entries, n(calls / 10), "only what the browser asked");
        let flows = flows(&windows, "cart");
        assert!(flows.iter().all(|row| row.key.operation == model::NameId::of("sell")), "{flows:?}");
    }
}

#[test]
fn what_is_held_back_does_not_depend_on_the_number_of_shards() {
    let coming = three_ways(900);
    let one = read(&coming, 1);
    for shards in [2, 5] {
        assert_eq!(read(&coming, shards), one, "{shards} shards");
    }
}

#[test]
fn where_nobody_is_late_a_request_of_a_caller_without_spans_is_not_held_back() {
    let mut coming = three_ways(1200);
    coming.iter_mut().for_each(|(at_ms, span)| *at_ms = span.end_ns / MS);
    coming.sort_by_key(|(at_ms, span)| (*at_ms, span.id.0));
    let windows = read(&coming, 1);
    let asked = |from_s: u64, until_s: u64| {
        let inside = |window: &&Window| (from_s..until_s).contains(&(window.end_ns / 1_000_000_000 - 1_100));
        let rows = windows.iter().filter(inside).flat_map(|window| &window.services);
        let cart = rows.filter(|row| row.key.service == model::NameId::of("cart"));
        cart.map(|row| row.entries.calls()).sum::<f64>()
    };
    assert_eq!(service(&windows, "cart").entries, n(120), "none is lost");
    assert_eq!(asked(85, 105), 20.0, "one each second");
}
