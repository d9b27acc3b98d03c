//! Watermarks: how far event time has come on each partition, and so which windows may close.

use crate::{Grace, GraceChange};
use model::NameId;
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
pub struct Watermarks {}

#[allow(clippy::todo, unused_variables, clippy::missing_const_for_fn)]
impl Watermarks {
    /// Without partitions.
    pub fn new(grace: Grace, config: WatermarkConfig) -> Watermarks {
        Watermarks {}
    }

    /// A span that ended at `end_ns` was read from `partition`; `exporter` names who sent it (its instance, or its
    /// service), `arrival_ms` is the record's timestamp. A partition that is not assigned is assigned by this, an idle one
    /// becomes active.
    pub fn observe(&mut self, partition: PartitionId, exporter: NameId, end_ns: u64, arrival_ms: Option<u64>) -> Admit {
        todo!()
    }

    /// Everything that ends at or before this may close: the lowest watermark of the live partitions. Never falls. `None`
    /// while a live partition has not been heard of yet.
    pub fn low_ns(&mut self) -> Option<u64> {
        todo!()
    }

    /// The partition has been read to its end and nothing came for a while: it no longer holds windows back.
    pub fn idle(&mut self, partition: PartitionId) {
        todo!()
    }

    /// The partition holds windows back again.
    pub fn active(&mut self, partition: PartitionId) {
        todo!()
    }

    /// The partition is ours: windows wait for it until it is heard of or idle.
    pub fn assigned(&mut self, partition: PartitionId) {
        todo!()
    }

    /// The partition is no longer ours.
    pub fn revoked(&mut self, partition: PartitionId) {
        todo!()
    }

    /// The watermark that closes everything seen, for the end of the input, Unix nanoseconds.
    pub fn drain(&mut self) -> u64 {
        todo!()
    }

    /// The partition's grace, milliseconds.
    pub fn grace_ms(&self, partition: PartitionId) -> u32 {
        todo!()
    }

    /// What changed since the last call, for the journal.
    pub fn changes(&mut self) -> Vec<GraceChange> {
        todo!()
    }
}
