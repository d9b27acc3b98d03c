//! Partitions that are read in any interleaving close the same windows.

use super::fixture::{config, spans};
use super::properties::fleet;
use crate::{Counting, Grace, Merger, PartitionId, Shard, WatermarkConfig, Watermarks};
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
                let admit = marks.observe(ids[which], span.service, span.end_ns, None);
                let patience = marks.patience(ids[which]);
                let Some(how) = Counting::of(admit, patience) else { continue };
                shard.observe(&[*span], &[], how);
            }
            read[which] = end;
            if let Some(low_ns) = marks.low_ns() {
                windows.extend(merger.push(0, shard.close_until(low_ns), low_ns));
            }
        }
    }
    let end_ns = marks.drain();
    windows.extend(merger.push(0, shard.close_all(end_ns), end_ns));
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
