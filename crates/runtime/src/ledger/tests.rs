use super::*;

const SECOND: u64 = 1_000_000_000;
const P0: PartitionId = PartitionId { topic: 0, partition: 0 };

fn ledger(ttl_s: u64, positions: &Positions) -> Ledger {
    Ledger::new(&["spans".to_owned()], SECOND, ttl_s * SECOND, positions)
}

fn offset(positions: &Positions) -> i64 {
    positions[&TopicPartition::new("spans", 0)].offset
}

fn at(offset: i64) -> Frontier {
    Frontier { offset, index: 0 }
}

#[test]
fn the_position_is_the_earliest_record_that_is_still_needed() {
    let mut ledger = ledger(2, &Positions::new());
    for (offset, end_s) in [(10, 1), (11, 2), (12, 5), (13, 3), (14, 6)] {
        ledger.read(P0, offset, end_s * SECOND);
    }
    assert_eq!(offset(&ledger.positions(3 * SECOND)), 11, "10 ends at 1 s and pairs with nothing after 3 s");
    assert_eq!(offset(&ledger.positions(5 * SECOND)), 12, "13 is not needed, but it lies behind 12, which is");
    assert_eq!(offset(&ledger.positions(9 * SECOND)), 15, "nothing is needed any more");
}

#[test]
fn what_a_journalled_window_has_counted_is_not_counted_again() {
    let mut before = ledger(10, &Positions::new());
    for (offset, end_s) in [(0, 1), (1, 2), (2, 4)] {
        before.read(P0, offset, end_s * SECOND);
    }
    let committed = before.positions(3 * SECOND);
    let after = ledger(10, &committed);
    assert_eq!((offset(&committed), after.closed_ns()), (0, 3 * SECOND));
    assert_eq!(after.seen(P0, at(1), 2 * SECOND), Seen::Counted);
    assert_eq!(after.seen(P0, at(1), 3 * SECOND), Seen::First, "a window's end belongs to the next one");
    assert_eq!(after.seen(P0, at(2), 4 * SECOND), Seen::First, "its window was still open");
    assert_eq!(after.seen(P0, at(3), 2 * SECOND), Seen::First, "it had not been read: it is late");
    assert!(after.is_new(P0, 3) && !after.is_new(P0, 2));
}

#[test]
fn a_late_span_that_counted_in_an_open_window_is_read_again() {
    let mut before = ledger(2, &Positions::new());
    before.read(P0, 0, 9 * SECOND);
    before.late(P0, Frontier { offset: 1, index: 3 }, 8 * SECOND);
    before.read(P0, 1, SECOND);
    before.read(P0, 2, 10 * SECOND);
    let committed = before.positions(5 * SECOND);
    let after = ledger(2, &committed);
    assert_eq!(
        after.seen(P0, Frontier { offset: 1, index: 2 }, 4 * SECOND),
        Seen::Counted,
        "on time, before the late one"
    );
    assert_eq!(after.seen(P0, Frontier { offset: 1, index: 3 }, SECOND), Seen::First, "it counts in the window 8..9 s");
    assert!(offset(&committed) <= 1, "and must be read again although it is old");
    assert_eq!(
        ledger(2, &before.positions(9 * SECOND)).seen(P0, at(2), SECOND),
        Seen::Counted,
        "now that window is closed"
    );
}

#[test]
fn no_window_closes_before_everything_is_read_again() {
    let mut before = ledger(10, &Positions::new());
    (0..5).for_each(|offset| before.read(P0, offset, 4 * SECOND));
    let mut after = ledger(10, &before.positions(3 * SECOND));
    assert_eq!(after.behind().collect::<Vec<_>>(), [(P0, 5)]);
    after.read(P0, 3, 4 * SECOND);
    assert_eq!(after.behind().count(), 1);
    after.read(P0, 4, 4 * SECOND);
    assert_eq!(after.behind().count(), 0);
}

#[test]
fn a_partition_that_gives_nothing_after_a_restart_keeps_its_position() {
    let mut before = ledger(1, &Positions::new());
    (0..5).for_each(|offset| before.read(P0, offset, 4 * SECOND));
    let committed = before.positions(9 * SECOND);
    let mut after = ledger(1, &committed);
    let again = after.positions(20 * SECOND);
    assert_eq!((offset(&committed), offset(&again)), (5, 5));
    assert_eq!(ledger(1, &again).seen(P0, at(5), 6 * SECOND), Seen::First);
}

#[test]
fn a_partition_without_a_position_is_all_new() {
    let ledger = ledger(1, &Positions::new());
    assert_eq!(ledger.seen(PartitionId { topic: 0, partition: 7 }, at(0), 0), Seen::First);
    assert_eq!((ledger.closed_ns(), ledger.behind().count()), (0, 0));
}

#[test]
fn the_ledger_stays_small_and_errs_towards_reading_again() {
    let mut ledger = ledger(10, &Positions::new());
    for record in 0..100_000u64 {
        let jumping_ns = SECOND * (100 + record / 100 + (record % 7));
        ledger.read(P0, i64::try_from(record).expect("small"), jumping_ns);
    }
    assert!(ledger.tracks[&P0].held.len() <= STRETCHES_MAX);
    let at = offset(&ledger.positions(600 * SECOND));
    assert!((0..=49_500).contains(&at), "records from 49,500 on may be needed, the position is {at}");
}
