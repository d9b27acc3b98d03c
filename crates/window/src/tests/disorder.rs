//! Partitions that are read in any interleaving close the same windows.

use super::fixture::{config, edge, edges, n, spans};
use super::properties::fleet;
use crate::{Admit, Counting, Grace, Lane, Merger, PartitionId, Shard, WatermarkConfig, Watermarks};
use model::{NameId, Span, Window};

/// Reads partitions in turns of `stride` spans (0: one after the other) and closes after each turn.
fn read(partitions: &[Vec<Span>], strides: &[usize]) -> Vec<Window> {
    let mut marks = Watermarks::new(Grace::Fixed { grace_ms: 300 }, WatermarkConfig::default());
    let ids: Vec<PartitionId> =
        (0..partitions.len()).map(|at| PartitionId { topic: 0, partition: at as i32 }).collect();
    ids.iter().for_each(|id| marks.assigned(*id));
    let (mut shard, mut merger, mut windows) = (Shard::new(config()), Merger::new(1), Vec::new());
    let mut read = vec![0; partitions.len()];
    while read.iter().zip(partitions).any(|(at, spans)| *at < spans.len()) {
        for (which, spans) in partitions.iter().enumerate() {
            let end = (read[which] + strides[which % strides.len()]).min(spans.len());
            for span in &spans[read[which]..end] {
                let how = match marks.observe(ids[which], span.service, span.end_ns, None) {
                    Admit::OnTime => Counting::Count,
                    Admit::Late { watermark_ns } => Counting::Late { watermark_ns },
                    Admit::Future => continue,
                };
                shard.observe(&[*span], &[], how);
            }
            read[which] = end;
            if let Some(low_ns) = marks.low_ns() {
                windows.extend(merger.push(0, shard.close_until(low_ns), low_ns));
            }
        }
    }
    let end_ns = marks.drain();
    windows.extend(merger.push(0, shard.close_until(end_ns), end_ns));
    windows
}

#[test]
fn interleaving_partitions_otherwise_changes_nothing_not_even_what_is_late() {
    let mut all = fleet(11, 400);
    all.sort_by_key(|span| (span.end_ns, span.id.0));
    let mut partitions = vec![Vec::new(), Vec::new(), Vec::new()];
    for (at, span) in all.into_iter().enumerate() {
        partitions[at % 3].push(span);
    }
    // One in twenty of the second partition comes very late.
    let late: Vec<Span> = partitions[1].iter().step_by(20).copied().collect();
    partitions[1].retain(|span| !late.contains(span));
    let middle = partitions[1].len() * 2 / 3;
    partitions[1].splice(middle..middle, late);
    let expected = read(&partitions, &[1]);
    assert!(expected.iter().map(|window| window.late).sum::<u64>() > 0, "something must be late");
    for strides in [[7usize, 3, 50], [1, 200, 1], [1000, 1, 1], [1, 1, 10_000]] {
        assert_eq!(read(&partitions, &strides), expected, "{strides:?}");
    }
}

#[test]
fn a_whole_fleet_survives_a_partition_per_service() {
    let all = fleet(3, 300);
    let services: std::collections::BTreeSet<NameId> = all.iter().map(|span| span.service).collect();
    let mut partitions: Vec<Vec<Span>> =
        services.iter().map(|name| all.iter().filter(|span| span.service == *name).copied().collect()).collect();
    partitions.iter_mut().for_each(|spans| spans.sort_by_key(|span| span.end_ns));
    assert_eq!(read(&partitions, &[1]), read(&partitions, &[13, 1, 90]));
    assert!(!spans("1 - server web home 0..1").is_empty());
}

/// Calls of `web` to `cart`, ten a second, whose halves come at once, in batches of 5 s, or after a tail sampler's 30 s, all
/// nine combinations, on one partition; with when they come.
fn three_ways(calls: u64) -> Vec<(u64, Span)> {
    const MS: u64 = 1_000_000;
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
    }
    all.sort_by_key(|(at_ms, span)| (*at_ms, span.end_ns, span.id.0));
    all
}

fn three_ways_read(calls: u64) -> Vec<Window> {
    let mut lane = Lane::new(Grace::default(), WatermarkConfig::default(), config());
    let (mut windows, mut at) = (Vec::new(), 0);
    for (at_ms, span) in three_ways(calls) {
        lane.observe(PartitionId { topic: 0, partition: 0 }, &[], &[span], Some(at_ms));
        if at_ms / 1000 > at {
            at = at_ms / 1000;
            windows.extend(lane.close());
        }
    }
    windows.extend(lane.drain());
    windows
}

#[test]
fn fast_exporters_batches_and_a_tail_sampler_on_one_partition_lose_no_half_of_a_call() {
    let lost = [900, 1800].map(|calls| {
        let windows = three_ways_read(calls);
        let row = edge(&windows, "web", "cart");
        assert_eq!((row.calls, row.retries), (n(calls), n(0)), "each call once, whichever half came first");
        let named = edges(&windows, &["web", "cart"]);
        assert!(named.iter().all(|line| line.starts_with("web>cart call ")), "and nothing else: {named:?}");
        assert!(windows.iter().map(|window| window.late).sum::<u64>() > calls / 2, "the tail sampler's spans are late");
        assert!(windows.iter().any(|window| window.completeness_permille < 950), "and the windows say so");
        calls - row.server.total().0 / 1024
    });
    assert!(lost[0] < 200, "server halves without their calls, until it is known how late spans come: {lost:?}");
    assert_eq!(lost[0], lost[1], "none from then on");
}
