//! Which records are still needed: the positions that go into each step's transaction, and what a record that is read
//! again after a restart still counts for.
//!
//! Pure: offsets and times in, positions out. Invariant: every span below a committed position is counted in a journalled
//! window and can pair with nothing any more; nothing that a journalled window has counted is counted again.
//!
//! Why one frontier per partition is enough: a partition's own watermark only rises. Before it reaches the end E of a
//! window, every span that ends before E counts in a window that ends at E or before (its own, or as late the one that
//! held the watermark); from then on every such span is late and counts in a later window. So the frontier of E is the
//! first late span that counted in a window after E, or, if there is none, the first span that had not been read.

mod resumed;

use kafka::{Position, Positions, TopicPartition};
pub(crate) use resumed::Frontier;
use resumed::Resumed;
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

/// A run of neighbouring records, by the first one's offset and the newest span end among them.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: i64,
    newest_ns: u64,
}

/// From here on late spans count in the window that ends at `end_ns` or later.
#[derive(Clone, Copy, Debug)]
struct LateFrom {
    at: Frontier,
    end_ns: u64,
}

#[derive(Clone, Debug, Default)]
struct Track {
    /// The offset after the last record read; `None` before the first one.
    reached: Option<i64>,
    /// The committed position.
    position: i64,
    resumed: Resumed,
    held: VecDeque<Stretch>,
    late: VecDeque<LateFrom>,
}

/// The ledger of all partitions.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    topics: Vec<String>,
    width_ns: u64,
    pair_ttl_ns: u64,
    tracks: BTreeMap<PartitionId, Track>,
}

impl Ledger {
    /// The ledger after the committed `positions`. A span can pair until `pair_ttl_ns` after its end.
    pub(crate) fn new(topics: &[String], width_ns: u64, pair_ttl_ns: u64, positions: &Positions) -> Ledger {
        let mut ledger = Ledger { topics: topics.to_vec(), width_ns, pair_ttl_ns, tracks: BTreeMap::new() };
        for (partition, position) in positions {
            let topic = topics.iter().position(|topic| *topic == partition.topic).and_then(|at| u16::try_from(at).ok());
            let (Some(topic), Some(resumed)) = (topic, Resumed::parse(&position.note)) else { continue };
            let track = Track { position: position.offset, resumed, ..Track::default() };
            ledger.tracks.insert(PartitionId { topic, partition: partition.partition }, track);
        }
        ledger
    }

    /// The end of the last window that was journalled before the restart, 0 if there was none.
    pub(crate) fn closed_ns(&self) -> u64 {
        self.tracks.values().map(|track| track.resumed.closed_ns).max().unwrap_or(0)
    }

    /// Was this span counted before the restart?
    pub(crate) fn seen(&self, partition: PartitionId, at: Frontier, end_ns: u64) -> Seen {
        let resumed = self.tracks.get(&partition).map(|track| track.resumed).unwrap_or_default();
        if at < resumed.frontier && end_ns < resumed.closed_ns { Seen::Counted } else { Seen::First }
    }

    /// Can no span of the record at `offset` have been counted before the restart?
    pub(crate) fn is_new(&self, partition: PartitionId, offset: i64) -> bool {
        self.tracks.get(&partition).is_none_or(|track| Frontier { offset, index: 0 } >= track.resumed.frontier)
    }

    /// Partitions that have not been read again up to where they were before the restart, and up to which offset they
    /// have to be. No window may close before that: what it would leave out would pass for counted at the next restart.
    pub(crate) fn behind(&self) -> impl Iterator<Item = (PartitionId, i64)> + '_ {
        let behind = self.tracks.iter().filter(|(_, track)| track.reached.unwrap_or(0) < track.resumed.frontier.offset);
        behind.map(|(partition, track)| (*partition, track.resumed.frontier.offset))
    }

    /// The record at `offset` was read; its newest span ends at `newest_ns` (0 if it has no span).
    pub(crate) fn read(&mut self, partition: PartitionId, offset: i64, newest_ns: u64) {
        let track = self.tracks.entry(partition).or_default();
        track.reached = Some(offset + 1);
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

    /// The next record to read of every partition of which any was read.
    pub(crate) fn next(&self) -> impl Iterator<Item = (PartitionId, i64)> + '_ {
        self.tracks.iter().filter_map(|(partition, track)| Some((*partition, track.reached?)))
    }

    /// The span at `at` was late: it counts in the window that holds its partition's watermark.
    pub(crate) fn late(&mut self, partition: PartitionId, at: Frontier, watermark_ns: u64) {
        let end_ns = (watermark_ns / self.width_ns + 1).saturating_mul(self.width_ns);
        let late = &mut self.tracks.entry(partition).or_default().late;
        if late.back().is_none_or(|last| last.end_ns < end_ns) {
            late.push_back(LateFrom { at, end_ns });
        }
    }

    /// The positions to commit together with the window that ends at `closed_ns`, all partitions.
    pub(crate) fn positions(&mut self, closed_ns: u64) -> Positions {
        let horizon_ns = closed_ns.saturating_sub(self.pair_ttl_ns);
        let topics = &self.topics;
        let position = |(partition, track): (&PartitionId, &mut Track)| {
            let key = TopicPartition::new(&topics[usize::from(partition.topic)], partition.partition);
            (key, track.position(closed_ns, horizon_ns))
        };
        self.tracks.iter_mut().map(position).collect()
    }
}

impl Track {
    fn position(&mut self, closed_ns: u64, horizon_ns: u64) -> Position {
        while self.held.front().is_some_and(|stretch| stretch.newest_ns <= horizon_ns) {
            self.held.pop_front();
        }
        while self.late.front().is_some_and(|late| late.end_ns <= closed_ns) {
            self.late.pop_front();
        }
        // Nothing read since the start: all stands as it did.
        let unread = self.reached.map_or(self.resumed.frontier, |offset| Frontier { offset, index: 0 });
        let frontier = self.late.front().map_or(unread, |late| late.at);
        let needed = self.held.front().map(|stretch| stretch.first).or(self.reached).unwrap_or(self.position);
        let resumed = Resumed { closed_ns: closed_ns.max(self.resumed.closed_ns), frontier };
        Position { offset: needed.min(frontier.offset), note: resumed.note() }
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
mod tests;
