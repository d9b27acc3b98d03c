use super::*;

const MS: u64 = 1_000_000;
const BASE_MS: u64 = 1_000_000_000;
const AUTO: Grace = Grace::Auto { min_ms: 200, max_ms: 10_000 };

fn p(partition: i32) -> PartitionId {
    PartitionId { topic: 0, partition }
}

fn fixed(grace_ms: u32) -> Watermarks {
    Watermarks::new(Grace::Fixed { grace_ms }, WatermarkConfig::default())
}

/// A span that ended that many milliseconds after the base, read from a partition when it arrived.
fn at(marks: &mut Watermarks, partition: i32, end_ms: u64, arrival_ms: Option<u64>) -> Admit {
    let arrival_ms = arrival_ms.map(|after| BASE_MS + after);
    marks.observe(p(partition), NameId(1), (BASE_MS + end_ms) * MS, arrival_ms)
}

fn low_ms(marks: &mut Watermarks) -> Option<i64> {
    marks.low_ns().map(|low_ns| (low_ns / MS) as i64 - BASE_MS as i64)
}

#[test]
fn the_slowest_partition_holds_the_watermark() {
    let mut marks = fixed(500);
    marks.assigned(p(0));
    marks.assigned(p(1));
    at(&mut marks, 0, 10_000, Some(10_000));
    assert_eq!(low_ms(&mut marks), None, "the other may still bring anything");
    at(&mut marks, 1, 4_000, Some(4_000));
    assert_eq!(low_ms(&mut marks), Some(3_500));
    at(&mut marks, 1, 20_000, Some(20_000));
    assert_eq!(low_ms(&mut marks), Some(9_500));
}

#[test]
fn an_idle_partition_holds_nothing_back_and_what_it_brings_later_is_late() {
    let mut marks = fixed(0);
    marks.assigned(p(1));
    at(&mut marks, 0, 10_000, Some(10_000));
    marks.idle(p(1));
    assert_eq!(low_ms(&mut marks), Some(10_000));
    let late = at(&mut marks, 1, 3_000, Some(11_000));
    assert_eq!(late, Admit::Late { watermark_ns: (BASE_MS + 10_000) * MS });
    at(&mut marks, 0, 20_000, Some(20_000));
    assert_eq!(low_ms(&mut marks), Some(10_000), "it is active again");
    marks.idle(p(0));
    marks.idle(p(1));
    assert_eq!(low_ms(&mut marks), Some(10_000), "when nobody is live nothing moves");
    marks.active(p(1));
    marks.revoked(p(0));
    at(&mut marks, 1, 12_000, Some(20_000));
    assert_eq!(low_ms(&mut marks), Some(12_000));
}

#[test]
fn the_watermark_never_falls_when_a_partition_is_assigned() {
    let mut marks = fixed(0);
    at(&mut marks, 0, 10_000, Some(10_000));
    assert_eq!(low_ms(&mut marks), Some(10_000));
    marks.assigned(p(1));
    assert_eq!(low_ms(&mut marks), Some(10_000));
    assert!(matches!(at(&mut marks, 1, 2_000, Some(10_000)), Admit::Late { .. }));
    assert_eq!(low_ms(&mut marks), Some(10_000));
}

/// Late within its window: the watermark stands in the slice that begins there.
#[test]
fn a_window_may_close_when_the_watermark_has_come_so_far() {
    let (mut marks, mut dice, mut closed) = (fixed(0), 1u64, 0);
    for step in 0..20_000 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (partition, what) = ((dice >> 60) as i32 % 5, dice >> 40 & 63);
        match what {
            0 => marks.idle(p(partition)),
            1 => marks.active(p(partition)),
            2 => marks.assigned(p(partition)),
            3 => marks.revoked(p(partition)),
            _ => drop(at(&mut marks, partition, step + (dice >> 50 & 7), None)),
        }
        let end_ns = (low_ms(&mut marks.clone()).unwrap_or(0) + BASE_MS as i64 + (dice >> 30 & 1) as i64) as u64 * MS;
        let before_ns = marks.low_ns.unwrap_or(0);
        let (may_close, low_ns) = (marks.may_close(end_ns), marks.clone().low_ns().unwrap_or(0));
        // Nobody asks again for what may have been closed already.
        assert!(end_ns <= before_ns || may_close == (low_ns >= end_ns), "{step}: {end_ns} {low_ns} {marks:?}");
        closed += u64::from(may_close);
    }
    assert!(closed > 1_000, "{closed}");
}

fn slow(slice_ms: u64) -> Admit {
    Admit::Slow { watermark_ns: (BASE_MS + 10_000 + slice_ms) * MS }
}

#[test]
fn lateness_is_judged_by_windows() {
    let mut marks = fixed(0);
    at(&mut marks, 0, 10_500, None);
    at(&mut marks, 0, 10_500, None);
    assert_eq!(at(&mut marks, 0, 10_001, None), slow(496), "its window is still open");
    assert!(matches!(at(&mut marks, 0, 9_999, None), Admit::Late { .. }));
}

#[test]
fn a_span_from_the_future_is_refused_and_one_ahead_of_its_arrival_does_not_advance_time() {
    let mut marks = fixed(0);
    at(&mut marks, 0, 10_000, Some(10_000));
    assert_eq!(at(&mut marks, 0, 90_000, Some(10_100)), Admit::Future);
    assert_eq!(at(&mut marks, 0, 40_000, Some(10_100)), Admit::OnTime);
    assert_eq!(low_ms(&mut marks), Some(10_101));
}

#[test]
fn without_arrival_times_a_lone_far_jump_does_not_advance_time() {
    let mut marks = fixed(0);
    at(&mut marks, 0, 10_000, None);
    at(&mut marks, 0, 10_100, None);
    at(&mut marks, 0, 999_000_000, None);
    at(&mut marks, 0, 10_200, None);
    assert_eq!(low_ms(&mut marks), Some(10_200));
    for ahead in 0..3 {
        at(&mut marks, 0, 600_000 + ahead, None);
    }
    assert_eq!(low_ms(&mut marks), Some(600_002), "several agree: it is a gap in the file");
}

#[test]
fn even_a_first_span_from_the_future_closes_nothing() {
    let mut marks = fixed(0);
    at(&mut marks, 0, 999_000_000, None);
    at(&mut marks, 0, 10_000, None);
    at(&mut marks, 0, 10_001, None);
    assert_eq!(low_ms(&mut marks), Some(10_001));
    let mut lone = fixed(0);
    at(&mut lone, 0, 10_000, None);
    assert!(lone.drain() > (BASE_MS + 10_000) * MS, "a lone span is closed in the end");
}

#[test]
fn a_slow_exporter_loses_nothing_to_a_fast_one_on_the_same_partition() {
    let mut marks = Watermarks::new(AUTO, WatermarkConfig::default());
    let (fast, slow) = (NameId(1), NameId(2));
    let mut late = 0;
    for tick in 0..6_000u64 {
        let now_ms = BASE_MS + tick * 20;
        for _ in 0..20 {
            marks.observe(p(0), fast, (now_ms - 30) * MS, Some(now_ms));
        }
        // A batch every four seconds: its first spans are four seconds old.
        if tick % 200 == 199 {
            for back in 0..50 {
                let end_ms = now_ms - 4_000 + back * 80;
                late += u64::from(marks.observe(p(0), slow, end_ms * MS, Some(now_ms)) != Admit::OnTime);
            }
        }
    }
    assert_eq!(late, 0);
    let grace_ms = marks.grace_ms(p(0));
    assert!((4_000..=6_500).contains(&grace_ms), "{grace_ms}");
    let changes = marks.changes();
    assert!(!changes.is_empty() && changes.len() < 6, "{changes:?}");
    assert_eq!(changes[0].before_ms, 10_000);
    assert!(marks.changes().is_empty());
}

#[test]
fn prompt_exporters_bring_the_grace_down_to_its_least_and_slow_ones_up_again() {
    let mut marks = Watermarks::new(AUTO, WatermarkConfig::default());
    assert_eq!(marks.grace_ms(p(0)), 10_000);
    let mut run = |from_s: u64, until_s: u64, behind_ms: u64| {
        for ms in (from_s * 1000..until_s * 1000).step_by(10) {
            marks.observe(p(0), NameId(1), (BASE_MS + ms) * MS, Some(BASE_MS + ms));
            marks.observe(p(0), NameId(2), (BASE_MS + ms - behind_ms) * MS, Some(BASE_MS + ms));
        }
        marks.grace_ms(p(0))
    };
    assert_eq!(run(20, 60, 5), 200);
    let slow = run(60, 90, 2_000);
    assert!((2_500..3_500).contains(&slow), "{slow}");
}

#[test]
fn exporters_are_bounded() {
    let mut marks = Watermarks::new(AUTO, WatermarkConfig { exporters_max: 8, ..WatermarkConfig::default() });
    for exporter in 0..100_000u64 {
        marks.observe(p(0), NameId(exporter), (BASE_MS + exporter) * MS, Some(BASE_MS + exporter));
    }
    assert!(format!("{marks:?}").matches("Lateness").count() <= 9);
}

/// Three exporters, one span a second each; the first sends at once, the others once in five seconds, the last of them only
/// after `joins_s` seconds. Gives how many spans were late.
fn sparse(joins_s: u64, until_s: u64) -> u64 {
    let mut marks = Watermarks::new(AUTO, WatermarkConfig::default());
    let mut late = 0;
    for second in 1..=until_s {
        let arrival_ms = BASE_MS + second * 1000;
        let mut observe = |exporter, end_ms: u64| {
            let admit = marks.observe(p(0), NameId(exporter), end_ms * MS, Some(arrival_ms));
            late += u64::from(matches!(admit, Admit::Late { .. }));
        };
        observe(1, arrival_ms - 5);
        for (exporter, phase, from_s) in [(2, 0, 0), (3, 2, joins_s)] {
            if second % 5 == phase {
                let batch = (0..5).rev().filter(|back| second >= from_s + back);
                batch.for_each(|back| observe(exporter, arrival_ms - back * 1000 - 100));
            }
        }
    }
    late
}

#[test]
fn the_first_minute_waits_for_batches_of_exporters_that_send_little_and_begin_later() {
    for joins_s in [0, 8, 15, 24] {
        assert_eq!(sparse(joins_s, 60), 0, "it begins after {joins_s} s");
    }
}

#[test]
fn other_halves_are_waited_for_as_late_as_they_come() {
    let mut marks = Watermarks::new(AUTO, WatermarkConfig::default());
    assert_eq!(marks.patience(p(0)), Patience(35), "at the start for the longest");
    let mut run = |from_s: u64, until_s: u64, behind_ms: u64| {
        for ms in (from_s * 1000..until_s * 1000).step_by(10) {
            marks.observe(p(0), NameId(1), (BASE_MS + ms) * MS, Some(BASE_MS + ms));
            marks.observe(p(0), NameId(2), (BASE_MS + ms - behind_ms) * MS, Some(BASE_MS + ms));
        }
        marks.patience(p(0)).0
    };
    assert_eq!(run(50, 100, 5), 0, "nobody is late");
    let slow = run(100, 160, 30_000);
    assert!((22..=30).contains(&slow), "30 s with a margin, less the grace of 10 s: {slow}");
    assert_eq!(run(160, 1_000, 5), 0, "that is forgotten");
}
