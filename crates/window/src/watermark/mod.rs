//! Watermarks: how far event time has come on each partition, and so which windows may close.
//!
//! Lateness is judged against a span's own partition, so the verdict depends only on that partition's order.

mod lateness;
mod partition;
#[cfg(test)]
mod tests;

use crate::tick::Tick;
use crate::{Grace, GraceChange, Patience};
use model::NameId;
use partition::Partition;
use serde::{Deserialize, Serialize};

/// A partition of a telemetry topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId {
    /// The topic's place in the configuration.
    pub topic: u16,
    /// The partition.
    pub partition: i32,
}

/// What became of a span's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// Count it: [`crate::Counting::Count`].
    OnTime,
    /// Count it, but it comes after its time, although its window is open: [`crate::Counting::Slow`].
    Slow {
        /// The beginning of the slice that the partition's watermark has reached, Unix nanoseconds: the same for many spans.
        watermark_ns: u64,
    },
    /// Its window has closed as far as its own partition is concerned: [`crate::Counting::Late`] with this watermark.
    Late {
        /// The partition's watermark, Unix nanoseconds.
        watermark_ns: u64,
    },
    /// Dated further in the future than clocks differ: not to be counted at all.
    Future,
}

/// Bounds of [`Watermarks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatermarkConfig {
    /// The length of a window, nanoseconds.
    pub width_ns: u64,
    /// A span dated further after its arrival than this is refused; without an arrival time, a jump further ahead than
    /// this must be confirmed by more spans before it advances the watermark. Milliseconds.
    pub jump_ms: u32,
    /// Exporters whose lateness is measured apart, per partition; the rest is measured together.
    pub exporters_max: usize,
}

impl Default for WatermarkConfig {
    fn default() -> Self {
        WatermarkConfig { width_ns: 1_000_000_000, jump_ms: 60_000, exporters_max: 64 }
    }
}

/// The watermarks of all assigned partitions.
#[derive(Clone, Debug)]
pub struct Watermarks {
    grace: Grace,
    config: WatermarkConfig,
    /// Sorted by id; few, and a finger on the last one used.
    partitions: Vec<(PartitionId, Partition)>,
    finger: usize,
    /// The partition that held a window back when that was last asked.
    holder: usize,
    low_ns: Option<u64>,
    changes: Vec<GraceChange>,
}

impl Watermarks {
    /// Without partitions.
    pub fn new(grace: Grace, config: WatermarkConfig) -> Watermarks {
        let config = WatermarkConfig { width_ns: Tick::even_ns(config.width_ns), ..config };
        Watermarks { grace, config, partitions: Vec::new(), finger: 0, holder: 0, low_ns: None, changes: Vec::new() }
    }

    /// A span that ended at `end_ns` was read from `partition`; `exporter` names who sent it (its instance, or its
    /// service), `arrival_ms` is the record's timestamp. A partition that is not assigned is assigned by this, an idle one
    /// becomes active.
    #[inline]
    pub fn observe(&mut self, partition: PartitionId, exporter: NameId, end_ns: u64, arrival_ms: Option<u64>) -> Admit {
        let low_ns = self.low_ns.unwrap_or(0);
        let (config, grace) = (self.config, self.grace);
        let found = self.partition(partition);
        if found.idle {
            found.idle = false;
            found.catch_up(low_ns);
        }
        let admit = found.observe(exporter, end_ns, arrival_ms, &config);
        if found.is_due()
            && let Some(before_ms) = found.judge(grace, config.width_ns)
        {
            let grace_ms = found.grace_ms();
            self.changes.push(GraceChange { partition, before_ms, grace_ms });
        }
        admit
    }

    #[inline]
    fn partition(&mut self, id: PartitionId) -> &mut Partition {
        if self.partitions.get(self.finger).is_none_or(|known| known.0 != id) {
            self.point_at(id);
        }
        &mut self.partitions[self.finger].1
    }

    #[inline(never)]
    fn point_at(&mut self, id: PartitionId) {
        self.finger = match self.partitions.binary_search_by_key(&id, |known| known.0) {
            Ok(at) => at,
            Err(at) => {
                self.partitions.insert(at, (id, Partition::new(self.grace, self.config.width_ns)));
                at
            }
        };
    }

    /// Everything that ends at or before this may close: the lowest watermark of the live partitions. Never falls. `None`
    /// while a live partition has not been heard of yet.
    pub fn low_ns(&mut self) -> Option<u64> {
        let mut live = self.partitions.iter().filter(|known| !known.1.idle).map(|known| known.1.watermark_ns());
        let first = live.next();
        let lowest = live.fold(first, |low, next| low.map(|low| low.and_then(|low| next.map(|next| next.min(low)))));
        match lowest {
            // Nobody is live: nothing moves.
            None => {}
            Some(None) => return self.low_ns,
            Some(Some(low_ns)) => self.low_ns = Some(self.low_ns.map_or(low_ns, |before| before.max(low_ns))),
        }
        self.low_ns
    }

    /// May what ends at `end_ns` close, that is: has [`Watermarks::low_ns`] come so far? Cheap enough to be asked for each record,
    /// also with thousands of partitions, because whoever held it back last is asked first.
    pub fn may_close(&mut self, end_ns: u64) -> bool {
        let holds = |(_, known): &(PartitionId, Partition)| {
            !known.idle && known.watermark_ns().is_none_or(|watermark_ns| watermark_ns < end_ns)
        };
        if self.partitions.get(self.holder).is_some_and(holds) {
            return false;
        }
        match self.partitions.iter().position(holds) {
            Some(holder) => {
                self.holder = holder;
                false
            }
            None => self.low_ns().is_some_and(|low_ns| low_ns >= end_ns),
        }
    }

    /// The partition has been read to its end and nothing came for a while: it no longer holds windows back.
    pub fn idle(&mut self, partition: PartitionId) {
        self.partition(partition).idle = true;
    }

    /// The partition holds windows back again.
    pub fn active(&mut self, partition: PartitionId) {
        let low_ns = self.low_ns.unwrap_or(0);
        let found = self.partition(partition);
        found.idle = false;
        found.catch_up(low_ns);
    }

    /// The partition is ours: windows wait for it until it is heard of or idle.
    pub fn assigned(&mut self, partition: PartitionId) {
        let low_ns = self.low_ns.unwrap_or(0);
        self.partition(partition).catch_up(low_ns);
    }

    /// The partition is no longer ours.
    pub fn revoked(&mut self, partition: PartitionId) {
        self.partitions.retain(|known| known.0 != partition);
        self.finger = 0;
    }

    /// The watermark that closes everything seen, for the end of the input, Unix nanoseconds.
    pub fn drain(&mut self) -> u64 {
        let newest_ns = self.partitions.iter().map(|known| known.1.newest_ns()).max().unwrap_or(0);
        // Server spans without a parent are settled up to two windows after their own.
        let closed = (newest_ns / self.config.width_ns + 3).saturating_mul(self.config.width_ns);
        let low_ns = self.low_ns.map_or(closed, |low_ns| low_ns.max(closed));
        self.low_ns = Some(low_ns);
        low_ns
    }

    /// The partition's grace, milliseconds; of one that is not known, what it would begin with.
    pub fn grace_ms(&self, partition: PartitionId) -> u32 {
        let known = self.partitions.binary_search_by_key(&partition, |known| known.0);
        known.map_or_else(
            |_| Partition::new(self.grace, self.config.width_ns).grace_ms(),
            |at| self.partitions[at].1.grace_ms(),
        )
    }

    /// How long spans read from the partition wait for other halves that are late there: windows beyond the grace.
    #[inline]
    pub fn patience(&mut self, partition: PartitionId) -> Patience {
        self.partition(partition).patience()
    }

    /// What changed since the last call, for the journal.
    pub fn changes(&mut self) -> Vec<GraceChange> {
        std::mem::take(&mut self.changes)
    }
}
