//! Which window counts what: ends, lateness, gaps, restarts.

use super::fixture::{BASE_NS, config, edge, merged, n, near, only_ms, service, spans, windows};
use crate::{Counting, Merger, Patience, Shard, ShardConfig};
use model::{Named, Span};

const SECOND: u64 = 1_000_000_000;

#[test]
fn every_second_from_the_first_to_the_last_is_given_once() {
    let seen = windows(
        "1 - server web home 0..100
         trace 2
         1 - server web home 0..3500",
    );
    let ends: Vec<u64> = seen.iter().map(|window| (window.end_ns - BASE_NS) / SECOND).collect();
    assert_eq!(ends, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(seen.iter().map(|window| window.spans).collect::<Vec<_>>(), [1, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn a_long_gap_is_skipped() {
    let gap = ShardConfig { empty_max: 5, ..config() };
    let mut shard = Shard::new(gap);
    let mut far = spans("1 - server web home 0..100 \n trace 2 \n 1 - server web home 0..100");
    far[1].end_ns += 1_000_000 * SECOND;
    shard.observe(&far, &[], Counting::PROMPT);
    assert_eq!(shard.close_until(u64::MAX).len(), 1 + 5 + 1 + 5);
}

#[test]
fn a_late_span_counts_in_the_open_window_as_late() {
    let mut shard = Shard::new(config());
    let all = spans(
        "1 - server web  home 0..100
         2 1 client web  get  10..60
         3 2 server cart read 20..50",
    );
    shard.observe(&all[..1], &[], Counting::PROMPT);
    let first = shard.close_until(BASE_NS + 3 * SECOND);
    shard.observe(&all[1..], &[], Counting::PROMPT);
    let second = shard.close_until(BASE_NS + 4 * SECOND);
    let seen = merged(first.into_iter().chain(second).collect());
    assert_eq!(seen.iter().map(|window| (window.spans, window.late)).collect::<Vec<_>>(), [(1, 0), (2, 2)]);
    assert_eq!(seen[1].end_ns, BASE_NS + 4 * SECOND);
    assert_eq!((edge(&seen, "web", "cart").calls, service(&seen, "cart").calls), (n(1), n(1)));
    assert!(seen[1].completeness_permille < 1000);
    assert_eq!(shard.counters().late, 2);
}

#[test]
fn a_span_late_on_its_own_partition_counts_where_that_partition_stands() {
    let mut shard = Shard::new(config());
    let all = spans("1 - server web home 0..100");
    shard.observe(&all, &[], Counting::Late { watermark_ns: BASE_NS + 2 * SECOND + 1, patience: Patience::default() });
    let parts = shard.close_until(BASE_NS + 5 * SECOND);
    assert_eq!((parts[0].end_ns(), parts[0].window().late), (BASE_NS + 3 * SECOND, 1));
}

#[test]
fn spans_read_again_pair_but_are_not_counted_again() {
    let mut shard = Shard::new(config());
    shard.resume(BASE_NS + SECOND);
    let all = spans(
        "2 - client web  get  10..1060
         3 2 server cart read 20..50",
    );
    shard.observe(&all[1..], &[], Counting::PairOnly);
    shard.observe(&all, &[], Counting::PROMPT);
    let seen = merged(shard.close_until(BASE_NS + 3 * SECOND));
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.unpaired, service(&seen, "cart").calls), (n(1), n(0), n(0)));
    assert_eq!(shard.counters().duplicates, 1);
}

#[test]
fn names_are_announced_once_with_the_first_row_that_uses_them() {
    let names = ["web", "home", "never", "cart"].map(Named::of);
    let mut shard = Shard::new(config());
    shard.observe(&spans("1 - server web home 0..100"), &names[..3], Counting::PROMPT);
    shard.observe(&spans("trace 2 \n 1 - server web home 0..1100"), &[], Counting::PROMPT);
    shard.observe(&spans("trace 3 \n 1 - server cart home 0..1100"), &[], Counting::PROMPT);
    let mut parts = shard.close_until(BASE_NS + 2 * SECOND);
    shard.observe(&spans("trace 4 \n 1 - server cart home 0..2100"), &names[3..], Counting::PROMPT);
    parts.extend(shard.close_until(BASE_NS + 3 * SECOND));
    let texts: Vec<Vec<String>> = Merger::new(1)
        .push(0, parts, BASE_NS + 3 * SECOND)
        .into_iter()
        .map(|window| {
            let mut texts: Vec<String> = window.names.into_iter().map(|named| named.text).collect();
            texts.sort();
            texts
        })
        .collect();
    assert_eq!(texts, [vec!["home", "web"], vec![], vec!["cart"]], "a text that came after its use is made up for");
}

#[test]
fn what_lies_absurdly_far_ahead_is_refused_before_it_crowds_out_the_rest() {
    let mut shard = Shard::new(ShardConfig { open_max: 4, ..config() });
    let one = spans("1 - server web home 0..100")[0];
    for step in 1..100u64 {
        let far = Span { trace: model::TraceId(u128::from(step)), end_ns: one.end_ns + step * 1000 * SECOND, ..one };
        shard.observe(&[far], &[], Counting::PROMPT);
    }
    shard.observe(&[one], &[], Counting::PROMPT);
    let parts = shard.close_until(BASE_NS + SECOND);
    assert_eq!(parts[0].window().spans, 1);
    assert_eq!(shard.counters().future, 96);
}

#[test]
fn a_clock_that_is_ahead_makes_no_wasted_work_of_an_answer_that_arrived() {
    let seen = windows(
        "1 - server web  home 0..100
         2 1 client web  get  10..60
         3 2 server cart read 1020..1050",
    );
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.wasted, service(&seen, "cart").wasted), (n(0), n(0)));
    assert_eq!(
        (row.ahead_us, row.behind_us),
        (990_000, 0),
        "by so much at least: it was back 10 ms later at the latest"
    );
}

#[test]
fn what_a_guard_says_of_its_queue_is_time_before_the_work_and_no_work() {
    let called = |queued: &str| {
        windows(&format!(
            "1 - server web  home  0..200
             2 1 client web  get   10..130
             3 2 server cart read  20..120 {queued}
             4 3 client cart ask   100..110 peer=db database"
        ))
    };
    for (queued, gap_ms, work_ms) in [("", 20.0, 90.0), ("queued=0", 20.0, 90.0), ("queued=64", 84.0, 26.0)] {
        let seen = called(queued);
        near(only_ms(&edge(&seen, "web", "cart").gap), gap_ms);
        near(only_ms(&service(&seen, "cart").exclusive), work_ms);
        near(only_ms(&service(&seen, "cart").duration), 100.0);
    }
    let seen = called("queued=4000");
    near(only_ms(&edge(&seen, "web", "cart").gap), 120.0);
    near(only_ms(&service(&seen, "cart").exclusive), 0.0);
}
