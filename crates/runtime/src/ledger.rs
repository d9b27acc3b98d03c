//! Which records are still needed: the positions that go into each step's transaction, and what a record that is read
//! again after a restart still counts for.
//!
//! Pure: offsets and times in, positions out. Invariant: every record below a committed position is counted in a
//! journalled window and can pair with nothing any more; nothing that a journalled window has counted is counted again.

use kafka::{Position, Positions, TopicPartition};
use std::collections::{BTreeMap, VecDeque};
use window::PartitionId;

/// Neighbouring records whose newest ends fall into the same stretch are kept as one, nanoseconds.
const STRETCH_NS: u64 = 100_000_000;
/// Stretches kept per partition; past it neighbours are joined (the position then is older than it had to be).
const STRETCHES_MAX: usize = 2048;

/// How a span of a record is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Never counted before.
    First,
    /// A journalled window has counted it already.
    Counted,
}

/// Where reading stood when the last journalled window closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resumed {
    /// The end of the last journalled window, Unix nanoseconds.
    pub(crate) closed_ns: u64,
    /// The offset after the last record that had been read by then.
    pub(crate) reached: i64,
}

impl Resumed {
    /// As it stands in a position's note.
    fn note(self) -> String {
        format!("1 {} {}", self.closed_ns, self.reached)
    }

    /// Reads a note; `None` for one of another writer or version.
    pub(crate) fn parse(note: &str) -> Option<Resumed> {
        let mut words = note.split(' ');
        let (version, closed, reached) = (words.next()?, words.next()?, words.next()?);
        (version == "1" && words.next().is_none()).then_some(())?;
        Some(Resumed { closed_ns: closed.parse().ok()?, reached: reached.parse().ok()? })
    }
}

/// A run of neighbouring records, by the first one's offset and the newest span end among them.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: i64,
    newest_ns: u64,
}

#[derive(Clone, Debug, Default)]
struct Track {
    reached: i64,
    resumed: Resumed,
    held: VecDeque<Stretch>,
}

/// The ledger of all partitions.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    topics: Vec<String>,
    pair_ttl_ns: u64,
    tracks: BTreeMap<PartitionId, Track>,
}

impl Ledger {
    /// The ledger after the committed `positions`. A span can pair until `pair_ttl_ns` after its end.
    pub(crate) fn new(topics: &[String], pair_ttl_ns: u64, positions: &Positions) -> Ledger {
        let mut ledger = Ledger { topics: topics.to_vec(), pair_ttl_ns, tracks: BTreeMap::new() };
        for (partition, position) in positions {
            let topic = topics.iter().position(|topic| *topic == partition.topic).and_then(|at| u16::try_from(at).ok());
            let (Some(topic), Some(resumed)) = (topic, Resumed::parse(&position.note)) else { continue };
            let track = Track { reached: resumed.reached, resumed, held: VecDeque::new() };
            ledger.tracks.insert(PartitionId { topic, partition: partition.partition }, track);
        }
        ledger
    }

    /// The end of the last window that was journalled before the restart, 0 if there was none.
    pub(crate) fn closed_ns(&self) -> u64 {
        self.tracks.values().map(|track| track.resumed.closed_ns).max().unwrap_or(0)
    }

    /// Was this span, of the record at `offset`, counted before the restart?
    pub(crate) fn seen(&self, partition: PartitionId, offset: i64, end_ns: u64) -> Seen {
        let resumed = self.tracks.get(&partition).map(|track| track.resumed).unwrap_or_default();
        if offset < resumed.reached && end_ns <= resumed.closed_ns { Seen::Counted } else { Seen::First }
    }

    /// Can a span of the record at `offset` have been counted before the restart at all?
    pub(crate) fn is_new(&self, partition: PartitionId, offset: i64) -> bool {
        self.tracks.get(&partition).is_none_or(|track| offset >= track.resumed.reached)
    }

    /// The record at `offset` was read; its newest span ends at `newest_ns` (0 if it has no span).
    pub(crate) fn read(&mut self, partition: PartitionId, offset: i64, newest_ns: u64) {
        let track = self.tracks.entry(partition).or_default();
        track.reached = track.reached.max(offset + 1);
        match track.held.back_mut() {
            Some(last) if last.newest_ns / STRETCH_NS == newest_ns / STRETCH_NS => {
                last.newest_ns = last.newest_ns.max(newest_ns);
            }
            _ => track.held.push_back(Stretch { first: offset, newest_ns }),
        }
        if track.held.len() > STRETCHES_MAX {
            join_neighbours(&mut track.held);
        }
    }

    /// The positions to commit together with the window that ends at `closed_ns`, all partitions.
    pub(crate) fn positions(&mut self, closed_ns: u64) -> Positions {
        let horizon_ns = closed_ns.saturating_sub(self.pair_ttl_ns);
        let mut positions = Positions::new();
        for (partition, track) in &mut self.tracks {
            while track.held.front().is_some_and(|stretch| stretch.newest_ns <= horizon_ns) {
                track.held.pop_front();
            }
            let offset = track.held.front().map_or(track.reached, |stretch| stretch.first);
            let resumed = Resumed { closed_ns: closed_ns.max(track.resumed.closed_ns), reached: track.reached };
            let topic = &self.topics[usize::from(partition.topic)];
            let key = TopicPartition::new(topic, partition.partition);
            positions.insert(key, Position { offset, note: resumed.note() });
        }
        positions
    }
}

/// Halves the list: two neighbours become one with the older offset and the newer end, so nothing is given up too early.
fn join_neighbours(held: &mut VecDeque<Stretch>) {
    let joined = held.make_contiguous().chunks(2).map(|pair| Stretch {
        first: pair[0].first,
        newest_ns: pair.iter().map(|stretch| stretch.newest_ns).max().unwrap_or(0),
    });
    *held = joined.collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const P0: PartitionId = PartitionId { topic: 0, partition: 0 };

    fn topics() -> Vec<String> {
        vec!["spans".to_owned()]
    }

    fn offset(positions: &Positions, partition: i32) -> i64 {
        positions[&TopicPartition::new("spans", partition)].offset
    }

    #[test]
    fn the_position_is_the_earliest_record_that_is_still_needed() {
        let mut ledger = Ledger::new(&topics(), 2 * SECOND, &Positions::new());
        for (offset, end_s) in [(10, 1), (11, 2), (12, 5), (13, 3), (14, 6)] {
            ledger.read(P0, offset, end_s * SECOND);
        }
        assert_eq!(offset(&ledger.positions(3 * SECOND), 0), 11, "10 ends at 1 s and pairs with nothing after 3 s");
        assert_eq!(offset(&ledger.positions(5 * SECOND), 0), 12, "13 is not needed, but it lies behind 12, which is");
        assert_eq!(offset(&ledger.positions(9 * SECOND), 0), 15, "nothing is needed any more");
    }

    #[test]
    fn what_a_journalled_window_has_counted_is_not_counted_again() {
        let mut before = Ledger::new(&topics(), 10 * SECOND, &Positions::new());
        for (offset, end_s) in [(0, 1), (1, 2), (2, 4)] {
            before.read(P0, offset, end_s * SECOND);
        }
        let committed = before.positions(3 * SECOND);
        let after = Ledger::new(&topics(), 10 * SECOND, &committed);
        assert_eq!(offset(&committed, 0), 0);
        assert_eq!(after.closed_ns(), 3 * SECOND);
        assert_eq!(after.seen(P0, 1, 2 * SECOND), Seen::Counted);
        assert_eq!(after.seen(P0, 2, 4 * SECOND), Seen::First, "its window was still open");
        assert_eq!(after.seen(P0, 3, 2 * SECOND), Seen::First, "it had not been read: it is late");
        assert!(after.is_new(P0, 3) && !after.is_new(P0, 2));
    }

    #[test]
    fn a_partition_without_a_position_is_all_new() {
        let ledger = Ledger::new(&topics(), SECOND, &Positions::new());
        assert_eq!(ledger.seen(PartitionId { topic: 0, partition: 7 }, 0, 0), Seen::First);
        assert_eq!(ledger.closed_ns(), 0);
    }

    #[test]
    fn the_ledger_stays_small_and_errs_towards_reading_again() {
        let mut ledger = Ledger::new(&topics(), 10 * SECOND, &Positions::new());
        for record in 0..100_000u64 {
            let jumping_ns = SECOND * (100 + record / 100 + (record % 7));
            ledger.read(P0, i64::try_from(record).expect("small"), jumping_ns);
        }
        assert!(ledger.tracks[&P0].held.len() <= STRETCHES_MAX);
        let at = offset(&ledger.positions(600 * SECOND), 0);
        assert!((0..=49_500).contains(&at), "records from 49,500 on may be needed, the position is {at}");
    }

    #[test]
    fn notes_of_other_writers_are_not_believed() {
        assert_eq!(Resumed::parse("1 5 7"), Some(Resumed { closed_ns: 5, reached: 7 }));
        for note in ["", "2 5 7", "1 5", "1 5 7 9", "1 x 7", "hello"] {
            assert_eq!(Resumed::parse(note), None, "{note}");
        }
    }
}
