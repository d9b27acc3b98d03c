//! Spans end, and exporters send them in batches.

use super::arena::Key;
use super::record::{Answer, Export, SpanRecord};
use super::state::{Baggage, Job};
use super::{Event, Telemetry, World};
use crate::topology::{Protocol, SpanStart};
use model::SpanKind;

/// How long a producer's send takes.
const PRODUCE_NS: u64 = 300_000;

impl World {
    /// A request has been answered. Databases say nothing of it; cancelled work that never began neither.
    pub(super) fn server_span(&mut self, job: &Job, answer: Answer) {
        let edge = &self.plan.edges[job.edge as usize];
        let service = &self.plan.services[edge.callee as usize];
        if service.protocol == Protocol::Database {
            return;
        }
        let kind = if edge.kind == SpanKind::Producer { SpanKind::Consumer } else { SpanKind::Server };
        let arrival = service.span_start == SpanStart::Arrival && kind == SpanKind::Server;
        let span = SpanRecord {
            trace: job.baggage.trace,
            id: job.span,
            parent: job.parent,
            start_ns: if arrival { job.arrived_ns } else { job.started_ns },
            end_ns: self.now_ns,
            place: edge.operation,
            asked_by: job.edge,
            kind,
            answer,
            attempt: job.attempt,
            cohort: job.baggage.cohort,
            criticality: job.baggage.criticality,
        };
        self.keep(job.instance, span);
    }

    /// A request's own work is done.
    pub(super) fn internal_span(&mut self, key: Key) {
        let Some(job) = self.jobs.get(key) else { return };
        let (edge, instance) = (job.edge, job.instance);
        let span = SpanRecord {
            trace: job.baggage.trace,
            id: 0,
            parent: job.span,
            start_ns: job.started_ns,
            end_ns: self.now_ns,
            place: self.plan.edges[edge as usize].operation,
            asked_by: edge,
            kind: SpanKind::Internal,
            answer: Answer::Good,
            attempt: 1,
            cohort: job.baggage.cohort,
            criticality: job.baggage.criticality,
        };
        let id = self.ids.span();
        self.keep(instance, SpanRecord { id, ..span });
    }

    /// An attempt of a call has ended for its caller. Clients of the fleet emit no spans.
    pub(super) fn client_span(&mut self, key: Key, answer: Answer) {
        let Some(call) = self.calls.get(key) else { return };
        let Some(instance) = call.caller else { return };
        let span = SpanRecord {
            trace: call.baggage.trace,
            id: call.span,
            parent: call.parent,
            start_ns: call.started_ns,
            end_ns: self.now_ns,
            place: call.edge,
            asked_by: call.edge,
            kind: SpanKind::Client,
            answer,
            attempt: call.attempt,
            cohort: call.baggage.cohort,
            criticality: call.baggage.criticality,
        };
        self.keep(instance, span);
    }

    /// A message has been sent.
    pub(super) fn producer_span(&mut self, edge: u32, instance: u32, id: u64, parent: u64, baggage: Baggage) {
        let span = SpanRecord {
            trace: baggage.trace,
            id,
            parent,
            start_ns: self.now_ns.saturating_sub(PRODUCE_NS),
            end_ns: self.now_ns,
            place: edge,
            asked_by: edge,
            kind: SpanKind::Producer,
            answer: Answer::Good,
            attempt: 1,
            cohort: baggage.cohort,
            criticality: baggage.criticality,
        };
        self.keep(instance, span);
    }

    fn keep(&mut self, instance: u32, span: SpanRecord) {
        let sampled = (span.trace as u64) & ((1 << 56) - 1) >= self.plan.reject_below;
        if self.telemetry == Telemetry::Discarded || !sampled {
            return;
        }
        let spans = &mut self.instances[instance as usize].spans;
        spans.push(span);
        if spans.len() >= self.plan.telemetry.batch_max {
            self.flush(instance);
        }
    }

    /// An exporter sends what it has collected. It may be a while until it arrives, if it does.
    pub(super) fn flush(&mut self, place: u32) {
        let instance = &mut self.instances[place as usize];
        let spans = std::mem::take(&mut instance.spans);
        let telemetry = &self.plan.telemetry;
        if spans.is_empty() || self.export_dice.chance(telemetry.loss) {
            return;
        }
        let jitter_ms = if telemetry.jitter_ms > 0.0 { self.export_dice.exponential(telemetry.jitter_ms) } else { 0.0 };
        let delay_ns = ((telemetry.delay_ms + jitter_ms) * 1e6) as u64;
        let export = Export {
            at_ns: self.start_unix_ns + self.now_ns + delay_ns,
            instance: place,
            spans,
            plan: self.plan.clone(),
            clock_ns: self.start_unix_ns.saturating_add_signed(instance.skew_ns),
            deploy: instance.deploy,
        };
        if delay_ns == 0 {
            self.exports.push(export);
        } else {
            let export = self.exports_under_way.insert(export);
            self.agenda.put(self.now_ns + delay_ns, Event::Arrived { export });
        }
    }

    /// A batch reaches the topic.
    pub(super) fn arrived(&mut self, export: Key) {
        self.exports.extend(self.exports_under_way.remove(export));
    }
}
