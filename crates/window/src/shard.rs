//! A shard: remembers the spans of its traces, pairs them into calls, and closes windows.

use crate::{Counting, Part, ShardConfig};
use model::{Named, Span};

/// What a shard has met since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardCounters {
    /// Spans offered.
    pub offered: u64,
    /// Of these, seen before: not counted again.
    pub duplicates: u64,
    /// Counted as late.
    pub late: u64,
    /// Refused: too far ahead.
    pub future: u64,
    /// Forgotten before their time because memory was short; counted first.
    pub evicted: u64,
    /// Times that a row was folded into a coarser one.
    pub folded: u64,
    /// Spans remembered now.
    pub remembered: u64,
}

/// One shard: all spans of a trace come to the same one (`trace.hash() % shards`).
#[derive(Debug)]
pub struct Shard {}

#[allow(clippy::todo, unused_variables)]
impl Shard {
    /// An empty shard.
    pub fn new(config: ShardConfig) -> Shard {
        Shard {}
    }

    /// Everything up to `closed_until_ns` was closed before a restart: it is not given again.
    pub fn resume(&mut self, closed_until_ns: u64) {
        todo!()
    }

    /// Takes a batch of spans of this shard's traces, in the order of arrival, and names that were announced (all names go
    /// to all shards: a name is announced once, and any shard may need it).
    pub fn observe(&mut self, spans: &[Span], names: &[Named], how: Counting) {
        todo!()
    }

    /// Closes every window that ends at or before `watermark_ns`, ascending; also empty ones in between. Rows are sorted.
    pub fn close_until(&mut self, watermark_ns: u64) -> Vec<Part> {
        todo!()
    }

    /// Up to where this shard has closed, Unix nanoseconds: a multiple of the width.
    pub fn closed_until_ns(&self) -> u64 {
        todo!()
    }

    /// What it holds in memory, bytes (capacity, not length).
    pub fn bytes(&self) -> usize {
        todo!()
    }

    /// What it has met.
    pub fn counters(&self) -> ShardCounters {
        todo!()
    }
}
