//! A bounded sample of spans by whole traces.

use model::Span;

/// The spans of those traces whose hash lies below a threshold. When there are too many, the threshold is halved and what
/// lies above it is let go, so that a trace is kept whole or not at all.
#[derive(Clone, Debug)]
pub struct Sample {
    spans: Vec<Span>,
    spans_max: usize,
    /// A trace is kept if its hash, shifted right by so much, is the sample's: one in 2^halvings.
    halvings: u32,
}

impl Sample {
    /// An empty sample of at most so many spans (about 150 bytes each).
    pub fn new(spans_max: usize) -> Sample {
        Sample { spans: Vec::new(), spans_max: spans_max.max(1), halvings: 0 }
    }

    /// Keeps the span if its trace is in the sample.
    pub fn take(&mut self, span: &Span) {
        if !self.keeps(span) {
            return;
        }
        self.spans.push(*span);
        while self.spans.len() > self.spans_max && self.halvings < 63 {
            self.halvings += 1;
            let halvings = self.halvings;
            self.spans.retain(|span| is_below(span, halvings));
        }
        // One trace alone may be larger than the sample.
        self.spans.truncate(self.spans_max);
    }

    /// One trace in so many was kept.
    pub fn one_in(&self) -> u64 {
        1 << self.halvings
    }

    /// What was kept, in the order of arrival.
    pub fn into_spans(self) -> Vec<Span> {
        self.spans
    }

    fn keeps(&self, span: &Span) -> bool {
        is_below(span, self.halvings)
    }
}

/// Not the low bits of the hash: those choose shards. Not the id itself: samplers look at that.
fn is_below(span: &Span, halvings: u32) -> bool {
    halvings == 0 || span.trace.hash() >> (64 - halvings) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{SpanId, TraceId};

    #[test]
    fn traces_are_kept_whole_or_not_at_all() {
        let mut sample = Sample::new(500);
        for round in 0..4u64 {
            for trace in 0..1000u128 {
                let id = SpanId(round * 1000 + trace as u64 + 1);
                sample.take(&Span { trace: TraceId(trace + 1), id, ..Span::default() });
            }
        }
        let one_in = sample.one_in();
        let spans = sample.into_spans();
        assert!(one_in > 1 && spans.len() <= 500 && spans.len() > 100, "{} spans, one in {one_in}", spans.len());
        let mut traces: Vec<u128> = spans.iter().map(|span| span.trace.0).collect();
        traces.sort_unstable();
        traces.chunk_by(|a, b| a == b).for_each(|spans| assert_eq!(spans.len(), 4));
    }

    #[test]
    fn one_trace_cannot_outgrow_the_sample() {
        let mut sample = Sample::new(10);
        (1..100).for_each(|id| sample.take(&Span { trace: TraceId(7), id: SpanId(id), ..Span::default() }));
        assert!(sample.into_spans().len() <= 10);
    }
}
