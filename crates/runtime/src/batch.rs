//! What travels from the source to the shards and on to the engine: spans in runs that are counted alike, and marks that
//! close windows. Payload bytes never travel.

use crate::suspects::Origin;
use kafka::Positions;
use model::{Named, Span};
use std::sync::Arc;
use std::time::Instant;
use window::{Counting, Part};

/// Spans that are counted alike, in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) how: Counting,
    pub(crate) spans: usize,
}

/// Everything up to `closed_ns` may close; the step that counts it commits `positions`.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// The end of the last window to close, Unix nanoseconds.
    pub(crate) closed_ns: u64,
    /// Where reading goes on after it.
    pub(crate) positions: Positions,
    /// When the record that closed it was polled.
    pub(crate) polled_at: Instant,
    /// Does nothing come any more? Then nothing is waited for either.
    pub(crate) ended: bool,
}

/// What a shard takes at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) spans: Vec<Span>,
    pub(crate) runs: Vec<Run>,
    pub(crate) names: Arc<[Named]>,
    /// What ended before this has come, as far as it is on time, Unix nanoseconds.
    pub(crate) low_ns: u64,
    pub(crate) mark: Option<Arc<Mark>>,
    /// The record that all of it comes from, when records go one by one.
    pub(crate) origin: Option<Origin>,
}

impl Batch {
    /// Appends a span.
    #[inline]
    pub(crate) fn push(&mut self, span: &Span, how: Counting) {
        // From memory to memory: field by field it would be put together before it is copied, which stalls.
        self.spans.extend_from_slice(std::slice::from_ref(span));
        match self.runs.last_mut() {
            Some(run) if run.how == how => run.spans += 1,
            _ => self.runs.push(Run { how, spans: 1 }),
        }
    }

    /// Is there nothing in it?
    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.names.is_empty() && self.mark.is_none()
    }
}

/// What a shard has closed.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) shard: usize,
    pub(crate) parts: Vec<Part>,
    pub(crate) mark: Arc<Mark>,
}

/// Splits spans by the hash of their trace, so that a trace always meets the same shard.
#[derive(Clone, Debug)]
pub(crate) struct Splitter {
    open: Vec<Batch>,
    names: Vec<Named>,
    spans: usize,
}

impl Splitter {
    /// For this many shards (at least one).
    pub(crate) fn new(shards: usize) -> Splitter {
        Splitter { open: vec![Batch::default(); shards.max(1)], names: Vec::new(), spans: 0 }
    }

    /// Puts a span into its shard's open batch.
    #[inline]
    pub(crate) fn push(&mut self, span: &Span, how: Counting) {
        let shards = self.open.len() as u64;
        let shard = if shards == 1 { 0 } else { span.trace.hash() % shards };
        self.open[shard as usize].push(span, how);
        self.spans += 1;
    }

    /// Names go to every shard.
    pub(crate) fn announce(&mut self, names: &mut Vec<Named>) {
        self.names.append(names);
    }

    /// Spans in the open batches.
    pub(crate) fn spans(&self) -> usize {
        self.spans
    }

    /// The open batches, one per shard, with this mark and the low watermark behind their spans; empty ones are left out.
    pub(crate) fn take(&mut self, mark: Option<&Arc<Mark>>, low_ns: u64) -> Vec<(usize, Batch)> {
        let names: Arc<[Named]> = std::mem::take(&mut self.names).into();
        self.spans = 0;
        let finish = |batch: &mut Batch| {
            let capacity = batch.spans.capacity().min(batch.spans.len() * 2);
            let next = Batch { spans: Vec::with_capacity(capacity), ..Batch::default() };
            let full = std::mem::replace(batch, next);
            Batch { names: names.clone(), mark: mark.cloned(), low_ns, ..full }
        };
        let batches = self.open.iter_mut().map(finish).enumerate();
        batches.filter(|(_, batch)| !batch.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TraceId;

    fn span(trace: u128) -> Span {
        Span { trace: TraceId(trace), ..Span::default() }
    }

    #[test]
    fn a_trace_always_meets_the_same_shard() {
        let mut splitter = Splitter::new(4);
        (0..1000u128).for_each(|at| splitter.push(&span(at % 50), Counting::PROMPT));
        assert_eq!(splitter.spans(), 1000);
        let batches = splitter.take(None, 7);
        assert!(batches.iter().all(|(_, batch)| batch.low_ns == 7), "every shard is told how far event time has come");
        for trace in 0..50u128 {
            let holders = batches.iter().filter(|(_, batch)| batch.spans.iter().any(|span| span.trace.0 == trace));
            assert_eq!(holders.count(), 1);
        }
        assert_eq!(batches.iter().map(|(_, batch)| batch.spans.len()).sum::<usize>(), 1000);
        assert!(splitter.take(None, 0).is_empty());
    }

    #[test]
    fn neighbours_that_are_counted_alike_are_one_run() {
        let mut batch = Batch::default();
        for how in [Counting::PROMPT, Counting::PROMPT, Counting::PairOnly, Counting::PROMPT] {
            batch.push(&span(1), how);
        }
        let lengths: Vec<usize> = batch.runs.iter().map(|run| run.spans).collect();
        assert_eq!(lengths, [2, 1, 1]);
    }

    #[test]
    fn a_mark_goes_to_every_shard_also_to_idle_ones() {
        let mark =
            Arc::new(Mark { closed_ns: 5, positions: Positions::new(), polled_at: Instant::now(), ended: false });
        assert_eq!(Splitter::new(3).take(Some(&mark), 0).len(), 3);
    }
}
