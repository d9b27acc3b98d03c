//! Watermarks, one shard and a merger together: the whole way from spans to windows for those who read everything in one
//! thread (replay, the lab).

use crate::{
    Counting, Grace, Merger, MergerConfig, Part, PartitionId, Shard, ShardConfig, ShardCounters, WatermarkConfig,
    Watermarks,
};
use model::{NameId, Named, Span, SpanFlags, Window};

/// Spans in, closed windows out.
pub struct Lane {
    watermarks: Watermarks,
    shard: Shard,
    merger: Merger,
    width_ns: u64,
    closed_ns: u64,
    future: u64,
}

impl Lane {
    /// A lane that has seen nothing.
    pub fn new(grace: Grace, watermark: WatermarkConfig, config: ShardConfig) -> Lane {
        let width_ns = config.width_ns;
        Lane {
            watermarks: Watermarks::new(grace, watermark),
            shard: Shard::new(config),
            merger: Merger::with(1, MergerConfig { width_ns, ..MergerConfig::default() }),
            width_ns,
            closed_ns: 0,
            future: 0,
        }
    }

    /// Takes the spans of one record of `partition`, and the names they bring. `arrival_ms` is the record's timestamp, if it
    /// has one.
    pub fn observe(&mut self, partition: PartitionId, names: &[Named], spans: &[Span], arrival_ms: Option<u64>) {
        self.shard.observe(&[], names, Counting::PROMPT);
        let mut run = Counting::PROMPT;
        let mut from = 0;
        for (at, span) in spans.iter().enumerate() {
            let exporter: NameId = if span.instance.is_some() { span.instance } else { span.service };
            let admit = self.watermarks.observe(partition, exporter, span.end_ns, arrival_ms);
            let patience = self.watermarks.patience(partition);
            let how = Counting::of(admit, patience);
            if how.is_none() {
                self.future += u64::from(!span.flags.has(SpanFlags::LINKED));
            }
            if how != Some(run) {
                self.shard.observe(&spans[from..at], &[], run);
                from = at + usize::from(how.is_none());
                run = how.unwrap_or(run);
            }
        }
        self.shard.observe(&spans[from..], &[], run);
    }

    /// The windows that the low watermark has passed since the last call.
    pub fn close(&mut self) -> Vec<Window> {
        let Some(low_ns) = self.watermarks.low_ns() else { return Vec::new() };
        let windows = self.close_until(low_ns / self.width_ns * self.width_ns, Shard::close_until);
        self.shard.pass(low_ns);
        windows
    }

    /// The input has ended: every window.
    pub fn drain(&mut self) -> Vec<Window> {
        let end_ns = self.watermarks.drain().div_ceil(self.width_ns).saturating_mul(self.width_ns);
        self.close_until(end_ns, Shard::close_all)
    }

    /// Spans dated too far ahead of the others, which were not counted.
    pub fn future(&self) -> u64 {
        self.future
    }

    /// What the shard counted.
    pub fn counters(&self) -> ShardCounters {
        self.shard.counters()
    }

    fn close_until(&mut self, until_ns: u64, close: impl FnOnce(&mut Shard, u64) -> Vec<Part>) -> Vec<Window> {
        if until_ns <= self.closed_ns {
            return Vec::new();
        }
        self.closed_ns = until_ns;
        let parts = close(&mut self.shard, until_ns);
        self.merger.push(0, parts, until_ns)
    }
}
