//! Messages in the place of calls: services that call nobody are asked through a broker.
//!
//! Producers send and go on; consumers take what came as children of the producer (as most agents have it), or in a trace
//! of their own with a link to it, or several at once with a link to each (opentelemetry.io/docs/specs/semconv/messaging).

use super::batch::{Attributes, Span};
use super::{Batch, Bend, chance, chance_of};
use crate::Topology;
use crate::topology::Protocol;
use model::{SpanId, SpanKind, TraceId};
use std::collections::{BTreeMap, BTreeSet};
use telemetry::emit::LinkOut;

/// How long sending takes at most.
const SEND_NS: u64 = 300_000;
/// Messages that a consumer takes at once at most.
const BATCH_MAX: usize = 16;

/// How a service takes its messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taking {
    ByParent,
    ByLink,
    InBatches,
}

pub(super) struct Messages {
    seed: u64,
    asked: BTreeSet<String>,
}

impl Messages {
    pub(super) fn new(seed: u64, topology: &Topology) -> Messages {
        let entries: BTreeSet<&str> = topology.client.iter().map(|client| &*client.to).collect();
        let services = topology.service.iter().filter(|service| {
            service.protocol != Protocol::Database
                && !entries.contains(&*service.name)
                && service.operation.iter().all(|operation| operation.call.is_empty())
        });
        Messages { seed, asked: services.map(|service| service.name.to_string()).collect() }
    }

    fn taking(&self, service: &str) -> Taking {
        match chance_of(self.seed, 0x3e55, service) % 3 {
            0 => Taking::ByParent,
            1 => Taking::ByLink,
            _ => Taking::InBatches,
        }
    }

    fn send(&self, span: &mut Span) {
        let to = span.attributes.text("peer.service").to_owned();
        if !self.asked.contains(&to) {
            return;
        }
        span.kind = SpanKind::Producer;
        span.name = format!("send {to}");
        span.end_ns = span.end_ns.min(span.start_ns + SEND_NS);
        span.failed = false;
        span.attributes = message("send", &to);
    }

    fn take(&self, spans: Vec<Span>, service: &str) -> Vec<Span> {
        let taking = self.taking(service);
        let (mut taken, mut batches) = (Vec::new(), BTreeMap::<String, Span>::new());
        for mut span in spans {
            if span.kind == SpanKind::Internal && taking != Taking::ByParent {
                span.trace = self.own_trace(span.trace, span.parent);
            }
            if span.kind != SpanKind::Server {
                taken.push(span);
                continue;
            }
            span.kind = SpanKind::Consumer;
            span.attributes = message("process", service);
            if taking == Taking::ByParent {
                taken.push(span);
                continue;
            }
            span.links = vec![LinkOut { trace: TraceId(span.trace), id: SpanId(span.parent) }];
            span.trace = self.own_trace(span.trace, span.id);
            span.parent = 0;
            if taking == Taking::ByLink || span.failed {
                taken.push(span);
                continue;
            }
            let batch = batches.entry(span.name.clone()).or_insert_with(|| Span { links: Vec::new(), ..span.clone() });
            batch.links.append(&mut span.links);
            batch.end_ns = batch.end_ns.max(span.end_ns);
            if batch.links.len() >= BATCH_MAX {
                taken.extend(batches.remove(&span.name));
            }
        }
        taken.extend(batches.into_values());
        taken
    }

    /// The trace in which a message is taken, of the one in which it was sent.
    fn own_trace(&self, sent: u128, consumer: u64) -> u128 {
        let low = chance(self.seed, 0x7ace, sent as u64 ^ consumer);
        u128::from(consumer) << 64 | u128::from(low)
    }
}

impl Bend for Messages {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        for span in batch.spans.iter_mut().filter(|span| span.kind == SpanKind::Client) {
            self.send(span);
        }
        let service = batch.service().to_owned();
        if self.asked.contains(&service) {
            batch.spans = self.take(batch.spans, &service);
        }
        out.push(batch);
    }
}

fn message(doing: &str, destination: &str) -> Attributes {
    Attributes::texts(&[
        ("messaging.system", "kafka"),
        ("messaging.destination.name", destination),
        ("messaging.operation.type", doing),
        ("messaging.operation.name", doing),
    ])
}
