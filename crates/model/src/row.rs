//! A closed window and its three kinds of row. Integers only: two windows of the same end merge in any order.

use crate::{Count, Criticality, FAILURES, Failure, LEVELS, NameId, Named, SparseHistogram, TraceId};
use serde::{Deserialize, Serialize};

/// Counts of failures by [`Failure`].
type Failures = [Count; FAILURES];

/// Which service row: the sub-dimensions are bounded, past their caps they are [`NameId::NONE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    /// The service's identity.
    pub service: NameId,
    /// Its operation.
    pub operation: NameId,
    /// Its version.
    pub version: NameId,
    /// Its zone.
    pub zone: NameId,
    /// Its instance.
    pub instance: NameId,
}

/// What a service did in a window, seen from its own server and consumer spans, counted at their end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// Which.
    pub key: ServiceKey,
    /// Requests that ended.
    pub calls: Count,
    /// Of these, roots: requests that came from outside the observed fleet.
    pub entries: Count,
    /// Requests that failed, by kind.
    pub failures: Failures,
    /// How long they took, µs.
    pub duration: SparseHistogram,
    /// The part of it not spent waiting for children, nor in a queue that a guard tells of, µs.
    pub exclusive: SparseHistogram,
    /// Summed duration, µs: divided by the window it is the mean number in flight (Little's law).
    pub busy_us: u64,
    /// Requests that went on after their caller had given up (the server span outlasts its client's): wasted work, a
    /// clock-free sign of a storm.
    pub wasted: Count,
    /// Requests that went well here, in time, and failed for the caller all the same: the answer was lost.
    pub lost: Count,
    /// Requests by criticality.
    pub criticality: [Count; LEVELS],
    /// Spans whose sampling weight is not known.
    pub unweighted: Count,
    /// Spans behind `calls`, whatever they stand for: how sure the counts are. Zero where it was not counted.
    pub spans: u64,
}

/// How an edge was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum EdgeKind {
    /// A call between two services that both emit spans.
    #[default]
    Call = 0,
    /// A call to a database.
    Database = 1,
    /// A message through a broker.
    Messaging = 2,
    /// A call to a named peer that emits no spans.
    External = 3,
    /// A call to an address that no paired call has resolved: shown, never the target of a command.
    Unresolved = 4,
}

/// Which edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EdgeKey {
    /// Who calls; [`NameId::NONE`] for the outside world.
    pub caller: NameId,
    /// In which of its operations; [`NameId::NONE`] where the enclosing server span had not ended when the window closed.
    pub caller_operation: NameId,
    /// Who is called.
    pub callee: NameId,
    /// Which operation.
    pub callee_operation: NameId,
    /// How the edge was seen.
    pub kind: EdgeKind,
}

/// What went over an edge in a window. The caller's facts count at the client span's end, the callee's at the server
/// span's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeRow {
    /// Which.
    pub key: EdgeKey,
    /// Calls that ended, seen by the caller (where only the callee emits spans: by the callee).
    pub calls: Count,
    /// Of these, first attempts.
    pub first_attempts: Count,
    /// Of these, retries: said by the span, or inferred (same parent, callee and operation after a failed one).
    pub retries: Count,
    /// Failures that the caller saw, by kind.
    pub failures: Failures,
    /// What the caller waited, µs. Timeouts are in it as censored values.
    pub client: SparseHistogram,
    /// What the callee says it took, µs, by server spans that ended in this window.
    pub server: SparseHistogram,
    /// Client minus server duration, µs: network and whatever queue lies before the server span starts; where a guard says how
    /// long a request lay in its queue, that too.
    pub gap: SparseHistogram,
    /// Summed client duration, µs (mean in flight by Little's law).
    pub busy_us: u64,
    /// Server spans that outlasted their client's.
    pub wasted: Count,
    /// Client spans whose server half was not seen by the close: censored delay or lost telemetry.
    pub unpaired: Count,
    /// The value at which durations of failed calls pile up, µs: the client's timeout; 0 where none is visible.
    pub timeout_us: u64,
    /// Calls by criticality.
    pub criticality: [Count; LEVELS],
    /// Up to four traces, those with the smallest hash; failed and slow ones are preferred.
    pub exemplars: Vec<TraceId>,
    /// Sampling that cannot be reconciled: no rate or capacity evidence, no action.
    pub biased: bool,
    /// Spans behind `calls`, whatever they stand for: how sure the counts are. Zero where it was not counted.
    pub spans: u64,
    /// A callee's clock is certainly ahead of a caller's by so much, µs: it ended after the caller had its answer.
    pub ahead_us: u64,
    /// A callee's clock is certainly behind a caller's by so much, µs: it began before it was asked.
    pub behind_us: u64,
}

/// Which flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowKey {
    /// The service at which the request entered the fleet.
    pub entry: NameId,
    /// The operation.
    pub operation: NameId,
    /// Its criticality.
    pub criticality: Criticality,
    /// Its user cohort (0..128, or 255), coarsened to eighths past the cap.
    pub cohort: u8,
}

/// What requests of one flow touched, from a trace-hash sample: only flows say what to shed at the entry when something
/// deep is overloaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRow {
    /// Which.
    pub key: FlowKey,
    /// Requests (weighted by the sample).
    pub requests: Count,
    /// Of these, those that succeeded.
    pub good: Count,
    /// Server spans per service, sorted by service.
    pub visits: Vec<(NameId, Count)>,
}

/// Steps inside a service (INTERNAL spans), by operation: frameworks record an error on the span where it was thrown and
/// answer with success, so only these rows say in which service an error began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalRow {
    /// The service.
    pub service: NameId,
    /// The step's operation.
    pub operation: NameId,
    /// Spans that ended.
    pub calls: Count,
    /// Of these, those that failed in a way that says something about health.
    pub failed: Count,
}

/// A closed second of event time. Rows are sorted by key, each key once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The window's end, Unix nanoseconds (exclusive); a multiple of `width_ns`.
    pub end_ns: u64,
    /// How long it is.
    pub width_ns: u64,
    /// How much of what belongs here had probably arrived at the close, in 1/1000.
    pub completeness_permille: u16,
    /// Spans that came after their own window had closed and are counted in this one instead.
    pub late: u64,
    /// Spans counted in this window.
    pub spans: u64,
    /// Rows that a cap folded into `other`.
    pub folded: u64,
    /// Names that the rows use and that were not announced before, sorted by id.
    pub names: Vec<Named>,
    /// Services.
    pub services: Vec<ServiceRow>,
    /// Edges.
    pub edges: Vec<EdgeRow>,
    /// Flows.
    pub flows: Vec<FlowRow>,
    /// Steps inside services, sorted by service and operation; bounded like operations, the rest is left out.
    pub local: Vec<LocalRow>,
}

impl ServiceRow {
    /// Spans seen, which is how sure the counts are: of sampled traffic fewer than calls.
    pub fn seen(&self) -> f64 {
        seen(self.spans, self.calls)
    }

    /// Requests that failed in a way that says something about health.
    pub fn failed(&self) -> Count {
        unhealthy(&self.failures)
    }
}

impl EdgeRow {
    /// Spans seen, which is how sure the counts are: of sampled traffic fewer than calls.
    pub fn seen(&self) -> f64 {
        seen(self.spans, self.calls)
    }

    /// Calls that failed in a way that says something about the callee's health.
    pub fn failed(&self) -> Count {
        unhealthy(&self.failures)
    }

    /// Calls that failed in this way.
    pub fn failed_by(&self, failure: Failure) -> Count {
        self.failures[failure.index()]
    }
}

fn seen(spans: u64, calls: Count) -> f64 {
    if spans == 0 { calls.calls() } else { calls.calls().min(spans as f64) }
}

fn unhealthy(failures: &Failures) -> Count {
    [Failure::Error, Failure::Timeout, Failure::Unavailable].iter().map(|kind| failures[kind.index()]).sum()
}
