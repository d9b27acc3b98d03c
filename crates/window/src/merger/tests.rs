use super::*;
use crate::{Counting, Shard, ShardConfig};
use model::{NameId, Span, SpanId, SpanKind, TraceId};

const SECOND: u64 = 1_000_000_000;

fn parts(shard: u64, seconds: &[u64]) -> Vec<Part> {
    let mut one = Shard::new(ShardConfig::default());
    for second in seconds {
        let span = Span {
            trace: TraceId(u128::from(shard * 1000 + second)),
            id: SpanId(1),
            kind: SpanKind::Server,
            service: NameId(7),
            start_ns: second * SECOND,
            end_ns: second * SECOND + 5,
            ..Span::default()
        };
        one.observe(&[span], &[], Counting::PROMPT);
    }
    one.close_until(100 * SECOND)
}

fn ends(windows: &[Window]) -> Vec<u64> {
    windows.iter().map(|window| window.end_ns / SECOND).collect()
}

#[test]
fn a_window_waits_for_every_shard() {
    let mut merger = Merger::new(2);
    assert!(merger.push(0, parts(0, &[10, 12]), 20 * SECOND).is_empty());
    let windows = merger.push(1, parts(1, &[10]), 11 * SECOND);
    assert_eq!((ends(&windows), windows[0].spans), (vec![11], 2));
    assert_eq!(windows[0].services.len(), 1);
    assert_eq!(ends(&merger.push(1, Vec::new(), 15 * SECOND)), [12, 13, 14, 15]);
}

#[test]
fn the_order_of_pushes_does_not_matter() {
    let shares = [parts(0, &[10, 12]), parts(1, &[11]), parts(2, &[10, 14])];
    let mut expected = None;
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut merger = Merger::new(3);
        let windows: Vec<Window> =
            order.iter().flat_map(|at| merger.push(*at, shares[*at].clone(), 20 * SECOND)).collect();
        assert_eq!(&windows, expected.get_or_insert(windows.clone()));
    }
    assert_eq!(ends(&expected.unwrap_or_default()), (11..=20).collect::<Vec<_>>());
}

#[test]
fn a_part_survives_the_wire() {
    let part = parts(0, &[10]).remove(0);
    assert_eq!(part.window().spans, 1);
    let bytes = postcard::to_stdvec(&part).expect("plain data");
    assert_eq!(postcard::from_bytes(&bytes), Ok(part));
}

#[test]
fn a_shard_that_does_not_exist_is_ignored() {
    assert!(Merger::new(1).push(5, parts(0, &[10]), 20 * SECOND).is_empty());
}
