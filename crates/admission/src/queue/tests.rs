use super::*;
use proptest::prelude::*;

fn entry(item: u32, criticality: Criticality, enqueued_ms: u64, deadline_ms: Option<u64>) -> Entry<u32> {
    Entry { item, enqueued_ms, deadline_ms, work_us: 10_000, criticality }
}

fn items(dropped: &[Dropped<u32>]) -> Vec<(u32, Reason)> {
    dropped.iter().map(|dropped| (dropped.entry.item, dropped.reason)).collect()
}

#[test]
fn expired_work_goes_first_then_the_oldest_of_the_lowest_class() {
    let mut queue = QueuePolicy::new(30, 1, QueueOrder::Fifo);
    let mut dropped = Vec::new();
    queue.push(entry(1, Criticality::Critical, 0, None), 0, &mut dropped);
    queue.push(entry(2, Criticality::Sheddable, 1, None), 1, &mut dropped);
    queue.push(entry(3, Criticality::Critical, 2, Some(50)), 2, &mut dropped);
    assert!(dropped.is_empty());
    queue.push(entry(4, Criticality::Critical, 60, None), 60, &mut dropped);
    assert_eq!(items(&dropped), [(3, Reason::Expired)]);
    queue.push(entry(5, Criticality::Critical, 61, None), 61, &mut dropped);
    assert_eq!(items(&dropped)[1..], [(2, Reason::QueueFull)]);
    queue.push(entry(6, Criticality::Critical, 62, None), 62, &mut dropped);
    assert_eq!(items(&dropped)[2..], [(1, Reason::QueueFull)]);
    queue.push(entry(7, Criticality::Sheddable, 63, None), 63, &mut dropped);
    assert_eq!(items(&dropped)[3..], [(7, Reason::QueueFull)], "it may not push out what is above it");
}

#[test]
fn it_turns_to_newest_first_of_the_most_important_while_it_is_overloaded() {
    let mut queue = QueuePolicy::new(1000, 1, QueueOrder::AdaptiveLifo { after_ms: 100 });
    let mut dropped = Vec::new();
    for item in 0..4 {
        let criticality = if item == 2 { Criticality::Sheddable } else { Criticality::Critical };
        queue.push(entry(item, criticality, u64::from(item), None), u64::from(item), &mut dropped);
    }
    assert_eq!(queue.pop(50, &mut dropped).map(|entry| entry.item), Some(0));
    assert_eq!(queue.pop(150, &mut dropped).map(|entry| entry.item), Some(3));
    assert_eq!(queue.pop(151, &mut dropped).map(|entry| entry.item), Some(1));
    assert_eq!(queue.pop(152, &mut dropped).map(|entry| entry.item), Some(2));
    assert_eq!(queue.pop(153, &mut dropped), None);
}

#[test]
fn a_purge_answers_do_not_retry() {
    let mut queue = QueuePolicy::new(1000, 1, QueueOrder::Fifo);
    let mut dropped = Vec::new();
    (0..10).for_each(|item| {
        queue.push(entry(item, Criticality::CriticalPlus, u64::from(item) * 10, None), 90, &mut dropped)
    });
    queue.purge(50, 100, &mut dropped);
    assert_eq!(items(&dropped), (0..5).map(|item| (item, Reason::Purged)).collect::<Vec<_>>());
    assert!(dropped.iter().all(|dropped| dropped.retry == Retry::Never));
    assert_eq!((queue.len(), queue.work_ms(), queue.delay_ms(100)), (5, 50, 50));
}

proptest! {
    #[test]
    fn nothing_is_lost_the_bound_holds_and_nothing_expired_is_served(
        bound_ms in 0u32..200, workers in 1u32..4, lifo: bool,
        steps in prop::collection::vec((0u64..30, 0usize..4, prop::option::of(0u64..100), 1u32..40_000, 0u8..8), 1..200),
    ) {
        let order = if lifo { QueueOrder::AdaptiveLifo { after_ms: 20 } } else { QueueOrder::Fifo };
        let mut queue = QueuePolicy::new(bound_ms, workers, order);
        let (mut now_ms, mut pushed, mut served, mut dropped) = (0, 0u32, 0u32, Vec::new());
        for (gap_ms, level, patience_ms, work_us, what) in steps {
            now_ms += gap_ms;
            match what {
                0 | 1 => if let Some(entry) = queue.pop(now_ms, &mut dropped) {
                    prop_assert!(!is_expired(&entry, now_ms));
                    served += 1;
                },
                2 => queue.purge(30, now_ms, &mut dropped),
                _ => {
                    let deadline_ms = patience_ms.map(|patience_ms| now_ms + patience_ms);
                    let criticality = Criticality::ALL[level];
                    let entry = Entry { item: pushed, enqueued_ms: now_ms, deadline_ms, work_us, criticality };
                    queue.push(entry, now_ms, &mut dropped);
                    pushed += 1;
                }
            }
            prop_assert!(queue.work_ms() <= u64::from(bound_ms) || queue.len() == 1);
            prop_assert_eq!(pushed as usize, served as usize + dropped.len() + queue.len());
            let waiting: u64 = queue.lanes.iter().flatten().map(|(_, entry)| u64::from(entry.work_us)).sum();
            prop_assert_eq!(queue.work_us, waiting);
        }
    }
}
