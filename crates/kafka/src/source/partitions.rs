//! What the source knows of each partition: the next offset, the log's end, and since when it gives nothing.

use super::PartitionState;
use crate::heard::Seen;
use crate::{Isolation, TopicPartition};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Every partition, by topic (in the configuration's order) and number.
pub(super) struct Partitions {
    topics: Vec<(String, BTreeMap<i32, One>)>,
}

/// A partition that gives nothing although there is something.
pub(super) struct Stall {
    pub(super) partition: TopicPartition,
    pub(super) silent_ms: u64,
}

struct One {
    /// The offset after the last record handed over.
    next: i64,
    /// The readable end at the last look.
    end: Option<i64>,
    /// Everything before the end has been handed over, or is no record (transaction markers, compacted away).
    at_end: bool,
    /// At the last look the fetcher had passed the end and nothing of it was queued.
    passed: bool,
    /// `next` at the last look.
    seen_next: i64,
    /// Since when there was lag and no record.
    silent_since: Option<Instant>,
}

impl Partitions {
    pub(super) fn new(topics: &[String]) -> Partitions {
        Partitions { topics: topics.iter().map(|topic| (topic.clone(), BTreeMap::new())).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.topics.iter().all(|(_, partitions)| partitions.is_empty())
    }

    pub(super) fn has(&self, wanted: &TopicPartition) -> bool {
        self.topics.iter().any(|(topic, ones)| *topic == wanted.topic && ones.contains_key(&wanted.partition))
    }

    /// Adds a partition; gives its topic's index.
    pub(super) fn add(&mut self, partition: &TopicPartition, next: i64) -> u16 {
        let index = self.topics.iter().position(|(topic, _)| *topic == partition.topic).unwrap_or_default();
        let one = One { next, end: None, at_end: false, passed: false, seen_next: next, silent_since: None };
        self.topics[index].1.insert(partition.partition, one);
        u16::try_from(index).unwrap_or(u16::MAX)
    }

    /// A record is handed over: gives the topic's index, or `None` if the record was handed over before.
    pub(super) fn advance(&mut self, topic: &str, partition: i32, offset: i64) -> Option<u16> {
        let index = self.topics.iter().position(|(name, _)| name == topic)?;
        let one = self.topics[index].1.get_mut(&partition)?;
        if offset < one.next {
            return None;
        }
        one.next = offset + 1;
        // Whether there is more will be seen at the next look.
        one.at_end = false;
        u16::try_from(index).ok()
    }

    /// Takes the client's statistics over. With `patience`, gives a partition that has stalled for so long.
    pub(super) fn learn(&mut self, seen: &[Seen], isolation: Isolation, patience: Option<Duration>) -> Option<Stall> {
        let now = Instant::now();
        let mut worst: Option<Stall> = None;
        for seen in seen {
            let Some((topic, ones)) = self.topics.iter_mut().find(|(topic, _)| *topic == seen.topic) else { continue };
            let Some(one) = ones.get_mut(&seen.partition) else { continue };
            let Some(silent) = one.look(seen, isolation, now, patience.is_some()).filter(|_| patience.is_some()) else {
                continue;
            };
            if patience.is_some_and(|patience| silent >= patience) {
                let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
                if worst.as_ref().is_none_or(|worst| worst.silent_ms < silent_ms) {
                    worst = Some(Stall { partition: TopicPartition::new(topic, seen.partition), silent_ms });
                }
            }
        }
        if worst.is_some() {
            self.excuse();
        }
        worst
    }

    /// Forgets since when partitions were silent: after a pause, an outage or a new assignment it says nothing.
    pub(super) fn excuse(&mut self) {
        for one in self.topics.iter_mut().flat_map(|(_, ones)| ones.values_mut()) {
            (one.silent_since, one.passed) = (None, false);
        }
    }

    pub(super) fn at_end(&self) -> bool {
        !self.is_empty() && self.topics.iter().flat_map(|(_, ones)| ones.values()).all(|one| one.at_end())
    }

    pub(super) fn next_offsets(&self) -> Vec<(TopicPartition, i64)> {
        self.each().map(|(_, partition, one)| (partition, one.next)).collect()
    }

    pub(super) fn set_next(&mut self, partition: &TopicPartition, next: i64) {
        let found = self.topics.iter_mut().find(|(topic, _)| *topic == partition.topic);
        if let Some(one) = found.and_then(|(_, ones)| ones.get_mut(&partition.partition)) {
            one.next = next;
            one.at_end = false;
        }
    }

    /// All partitions.
    pub(super) fn list(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (_, partition, _) in self.each() {
            list.add_partition(&partition.topic, partition.partition);
        }
        list
    }

    /// All partitions with their next offsets.
    pub(super) fn list_at_next(&self) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (_, partition, one) in self.each() {
            list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(one.next))?;
        }
        Ok(list)
    }

    pub(super) fn states(&self, paused: bool) -> Vec<PartitionState> {
        let state = |(topic_index, partition, one): (u16, TopicPartition, &One)| PartitionState {
            partition,
            topic_index,
            next_offset: one.next,
            end_offset: one.end,
            lag: one.lag(),
            at_end: one.at_end(),
            paused,
        };
        self.each().map(state).collect()
    }

    fn each(&self) -> impl Iterator<Item = (u16, TopicPartition, &One)> {
        self.topics.iter().enumerate().flat_map(|(index, (topic, ones))| {
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            ones.iter().map(move |(number, one)| (index, TopicPartition::new(topic, *number), one))
        })
    }
}

impl One {
    /// Compares with the client's statistics; gives how long there was lag and no record, once seen often enough.
    fn look(&mut self, seen: &Seen, isolation: Isolation, now: Instant, reading: bool) -> Option<Duration> {
        let end = match isolation {
            Isolation::ReadCommitted if seen.stable >= 0 => seen.stable,
            _ => seen.high,
        };
        let moved = self.next != self.seen_next;
        if end >= 0 {
            self.end = Some(end);
            // What lies between the last record and the end may be markers of transactions: the fetcher has passed them. A
            // pause throws away what is queued, and for a moment that looks the same: so it must be seen twice, undisturbed.
            let passed = reading && seen.queued == 0 && seen.next_fetch >= end;
            self.at_end = self.next >= end || (passed && self.passed && !moved);
            self.passed = passed;
        }
        self.seen_next = self.next;
        if moved || self.at_end || self.passed || end < 0 {
            self.silent_since = None;
            return None;
        }
        let since = *self.silent_since.get_or_insert(now);
        Some(now - since).filter(|silent| *silent > Duration::ZERO)
    }

    fn at_end(&self) -> bool {
        self.at_end
    }

    fn lag(&self) -> Option<u64> {
        let end = self.end?;
        Some(if self.at_end() { 0 } else { u64::try_from(end - self.next).unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Option<Duration> = Some(Duration::from_millis(20));

    fn seen(next_fetch: i64, queued: i64, high: i64, stable: i64) -> Vec<Seen> {
        vec![Seen { topic: "t".to_owned(), partition: 0, next_fetch, queued, high, stable }]
    }

    fn partitions() -> Partitions {
        let mut partitions = Partitions::new(&["t".to_owned()]);
        partitions.add(&TopicPartition::new("t", 0), 10);
        partitions
    }

    #[test]
    fn lag_without_records_for_long_is_a_stall_and_is_told_once() {
        let mut partitions = partitions();
        let isolation = Isolation::ReadUncommitted;
        assert!(partitions.learn(&seen(10, 0, 50, 50), isolation, PATIENCE).is_none());
        std::thread::sleep(Duration::from_millis(30));
        let stall = partitions.learn(&seen(10, 0, 50, 50), isolation, PATIENCE).expect("silent for 30 ms");
        assert!(stall.partition == TopicPartition::new("t", 0) && stall.silent_ms >= 30);
        assert!(partitions.learn(&seen(10, 0, 50, 50), isolation, PATIENCE).is_none(), "it starts anew");
    }

    #[test]
    fn records_an_excuse_or_no_lag_end_the_silence() {
        let isolation = Isolation::ReadUncommitted;
        for end_it in [
            |all: &mut Partitions| assert_eq!(all.advance("t", 0, 10), Some(0)),
            |all: &mut Partitions| all.excuse(),
            |all: &mut Partitions| {
                assert!(all.learn(&seen(50, 0, 50, 50), Isolation::ReadUncommitted, PATIENCE).is_none())
            },
        ] {
            let mut partitions = partitions();
            partitions.learn(&seen(10, 0, 50, 50), isolation, PATIENCE);
            std::thread::sleep(Duration::from_millis(30));
            end_it(&mut partitions);
            assert!(partitions.learn(&seen(11, 0, 50, 50), isolation, PATIENCE).is_none());
        }
    }

    #[test]
    fn an_open_transaction_is_no_lag_and_markers_behind_the_last_record_are_the_end() {
        let mut partitions = partitions();
        partitions.learn(&seen(10, 0, 50, 10), Isolation::ReadCommitted, PATIENCE);
        assert!(partitions.at_end(), "what is undecided cannot be read");
        partitions.learn(&seen(12, 0, 12, 12), Isolation::ReadCommitted, PATIENCE);
        assert!(partitions.at_end() && partitions.states(false)[0].lag == Some(0));
        partitions.learn(&seen(12, 1, 12, 12), Isolation::ReadCommitted, PATIENCE);
        assert!(!partitions.at_end() && partitions.states(false)[0].lag == Some(2), "one is still queued");
    }

    #[test]
    fn what_a_pause_threw_away_is_not_the_end() {
        let mut partitions = partitions();
        let thrown_away = seen(50, 0, 50, 50);
        let isolation = Isolation::ReadUncommitted;
        partitions.learn(&thrown_away, isolation, None);
        partitions.learn(&thrown_away, isolation, None);
        assert!(!partitions.at_end(), "while it is paused");
        partitions.excuse();
        partitions.learn(&thrown_away, isolation, PATIENCE);
        assert!(!partitions.at_end(), "statistics from before it went on");
        partitions.learn(&seen(30, 20, 50, 50), isolation, PATIENCE);
        assert!(!partitions.at_end() && partitions.states(false)[0].lag == Some(40));
    }

    #[test]
    fn a_record_that_was_handed_over_is_not_handed_over_again() {
        let mut partitions = partitions();
        assert_eq!(partitions.advance("t", 0, 9), None);
        assert_eq!(partitions.advance("t", 0, 12), Some(0));
        assert_eq!(partitions.advance("t", 0, 12), None);
        assert_eq!(partitions.advance("other", 0, 0), None);
    }
}
