//! Samplers that look at whole traces before they decide: the Collector's tail sampler, and one that keeps errors.
//!
//! The Collector's `tail_sampling` processor waits, then keeps a trace by the first policy that wants it; with the gate
//! `recordpolicy` it names that policy in the attributes of the instrumentation scope
//! (github.com/open-telemetry/opentelemetry-collector-contrib, processor/tailsamplingprocessor).

use super::batch::{Attributes, Span};
use super::{Batch, Bend, chance};
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;
/// A trace that took longer is slow.
const SLOW_NS: u64 = 1_500 * MS;
/// One in so many of what no other policy wants is kept.
const REST: u64 = 10;

/// A part of a trace: the spans of one exporter.
struct Part {
    exporter: Batch,
    spans: Vec<Span>,
}

/// A trace that waits for its decision.
#[derive(Default)]
struct Held {
    parts: Vec<Part>,
    failed: bool,
    slow: bool,
}

pub(super) struct Tail {
    seed: u64,
    wait_ns: u64,
    /// Does it keep slow traces, and say in the scope why it kept one?
    collector: bool,
    held: BTreeMap<u128, Held>,
    /// Traces by the time of their decision.
    due: BTreeMap<u64, Vec<u128>>,
}

impl Tail {
    /// The Collector's: 30 s, errors, slow traces, a tenth of the rest.
    pub(super) fn collector(seed: u64) -> Tail {
        Tail { seed, wait_ns: 30_000 * MS, collector: true, held: BTreeMap::new(), due: BTreeMap::new() }
    }

    /// Errors and a tenth of the rest, after 3 s, with a mark on each span.
    pub(super) fn errors(seed: u64) -> Tail {
        Tail { wait_ns: 3_000 * MS, collector: false, ..Tail::collector(seed) }
    }

    fn decide(&mut self, now_ns: u64, out: &mut Vec<Batch>) {
        while let Some(entry) = self.due.first_entry().filter(|entry| *entry.key() <= now_ns) {
            let (at_ns, traces) = entry.remove_entry();
            let mut batches: BTreeMap<(String, &'static str), Batch> = BTreeMap::new();
            for trace in traces {
                let Some(held) = self.held.remove(&trace) else { continue };
                let Some(policy) = self.policy(trace, &held) else { continue };
                for part in held.parts {
                    let key = (part.exporter.instance().to_owned(), policy);
                    let batch = batches.entry(key).or_insert_with(|| Batch { at_ns, ..part.exporter });
                    batch.spans.extend(part.spans);
                }
            }
            for ((_, policy), mut batch) in batches {
                if self.collector {
                    batch.scope_attributes = Attributes::texts(&[("tailsampling.policy", policy)]);
                } else {
                    batch.spans.iter_mut().for_each(|span| span.attributes.set_text("sampling.policy", policy));
                }
                out.push(batch);
            }
        }
    }

    fn policy(&self, trace: u128, held: &Held) -> Option<&'static str> {
        if held.failed {
            return Some("errors");
        }
        if held.slow && self.collector {
            return Some("slow");
        }
        chance(self.seed, 0x7a11, trace as u64).is_multiple_of(REST).then_some("rest")
    }
}

impl Bend for Tail {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        self.decide(batch.at_ns, out);
        let spans = std::mem::take(&mut batch.spans);
        let exporter = batch;
        for span in spans {
            let known = self.held.contains_key(&span.trace);
            let held = self.held.entry(span.trace).or_default();
            if !known {
                // decisions are made twice a second
                let due_ns = (exporter.at_ns + self.wait_ns).div_ceil(500 * MS) * 500 * MS;
                self.due.entry(due_ns).or_default().push(span.trace);
            }
            held.failed |= span.failed;
            held.slow |= span.end_ns.saturating_sub(span.start_ns) > SLOW_NS;
            match held.parts.iter_mut().find(|part| part.exporter.instance() == exporter.instance()) {
                Some(part) => part.spans.push(span),
                None => held.parts.push(Part { exporter: exporter.without_spans(), spans: vec![span] }),
            }
        }
    }

    fn end(&mut self, out: &mut Vec<Batch>) {
        self.decide(u64::MAX, out);
    }
}
