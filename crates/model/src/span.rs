//! A span reduced to the facts that matter, as it travels from the decoder to a shard.

use crate::{Criticality, NameId, Queued, Weight};
use serde::{Deserialize, Serialize};

/// A W3C trace id; all spans of one trace go to the shard that its hash names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TraceId(pub u128);

/// A W3C span id. Zero means "none".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpanId(pub u64);

impl SpanId {
    /// No span.
    pub const NONE: SpanId = SpanId(0);

    /// Is there a span?
    pub fn is_some(self) -> bool {
        self != SpanId::NONE
    }
}

impl TraceId {
    /// A well-mixed 64-bit hash: shard choice, sampling of flows, exemplars by minimum hash.
    #[inline]
    pub fn hash(self) -> u64 {
        crate::stable_hash(&self.0.to_le_bytes())
    }

    /// The id as 32 hex digits.
    pub fn hex(self) -> String {
        format!("{:032x}", self.0)
    }
}

/// OpenTelemetry's span kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum SpanKind {
    /// Work inside a service (also what does not say its kind).
    #[default]
    Internal = 0,
    /// The callee's half of a call.
    Server = 1,
    /// The caller's half of a call.
    Client = 2,
    /// A message is sent.
    Producer = 3,
    /// A message is received or processed.
    Consumer = 4,
}

/// The kinds of failure that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Failure {
    /// The callee answered with an error of its own (5xx, UNKNOWN, INTERNAL, …).
    Error = 0,
    /// The caller gave up waiting (DEADLINE_EXCEEDED, 504, `error.type` of a timeout).
    Timeout = 1,
    /// No connection, or the host is not there (UNAVAILABLE, connection refused).
    Unavailable = 2,
    /// The callee refused on purpose: overload, rate limit, our own guard (429, RESOURCE_EXHAUSTED, 503 of a guard).
    /// A limiter's own rejection is no failure of the service: demand = admitted + shed.
    Shed = 3,
    /// The caller cancelled (CANCELLED, 499).
    Cancelled = 4,
}

/// How many kinds of failure there are.
pub const FAILURES: usize = 5;

impl Failure {
    /// The kind's place in an array.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// How a span ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It did its work (client errors, 4xx, are the caller's fault and count as success of the callee).
    #[default]
    Ok,
    /// It failed in this way.
    Failed(Failure),
}

impl Outcome {
    /// Did the call fail in a way that says something about the callee's health? Sheds and cancellations do not.
    pub fn is_failure(self) -> bool {
        matches!(self, Outcome::Failed(Failure::Error | Failure::Timeout | Failure::Unavailable))
    }
}

/// Facts with one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SpanFlags(pub u16);

impl SpanFlags {
    /// This is a copy of a span under the trace and parent of one of its links: it pairs with the producer that the link
    /// names and is counted nowhere else.
    pub const LINKED: SpanFlags = SpanFlags(1);
    /// Emitted by a proxy (Envoy, Linkerd, Istio): a hop on the way of a call, not a caller or callee of its own.
    pub const PROXY: SpanFlags = SpanFlags(2);
    /// The peer is a database.
    pub const DATABASE: SpanFlags = SpanFlags(4);
    /// A stream or long poll: its duration says nothing about latency.
    pub const STREAMING: SpanFlags = SpanFlags(8);
    /// The sampler's bias cannot be reconciled: no rate or capacity evidence from this span.
    pub const BIASED: SpanFlags = SpanFlags(16);
    /// The peer's name is a network address, not yet a service's identity.
    pub const ADDRESS: SpanFlags = SpanFlags(32);
    /// The peer is a messaging system.
    pub const MESSAGING: SpanFlags = SpanFlags(64);
    /// A sidecar's hop (always with [`SpanFlags::PROXY`]) that is named as the service beside it: it stands for that
    /// service's own half of the call where the service emits no spans. Outbound hops are client spans, inbound ones server
    /// spans.
    pub const SIDECAR: SpanFlags = SpanFlags(128);
    /// The sampler marks the roots of traces only (as Jaeger's do): the spans below this one do not say what they stand for.
    pub const FOR_TRACE: SpanFlags = SpanFlags(256);

    /// Are all bits of `other` set?
    pub fn has(self, other: SpanFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These bits and those of `other`.
    #[must_use]
    pub fn with(self, other: SpanFlags) -> SpanFlags {
        SpanFlags(self.0 | other.0)
    }
}

/// The few facts of a span that matter. Plain data, no text: names travel apart as [`crate::Named`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The trace.
    pub trace: TraceId,
    /// This span.
    pub id: SpanId,
    /// The parent, or none for a root.
    pub parent: SpanId,
    /// Start, in Unix nanoseconds.
    pub start_ns: u64,
    /// End, in Unix nanoseconds: the span's event time. Never before `start_ns`.
    pub end_ns: u64,
    /// The identity of the service that emitted the span.
    pub service: NameId,
    /// The templated operation.
    pub operation: NameId,
    /// Whom a client or producer span talks to: a service's name, a database, a topic, or an address.
    pub peer: NameId,
    /// `service.version`.
    pub version: NameId,
    /// `cloud.availability_zone`.
    pub zone: NameId,
    /// `service.instance.id` (or the pod).
    pub instance: NameId,
    /// How many spans this one stands for.
    pub weight: Weight,
    /// The deadline the caller set for the call, from the start, in milliseconds; 0 is unknown.
    pub timeout_ms: u32,
    /// Attempt number: 1 is the first, 0 is not said.
    pub attempt: u8,
    /// The user cohort, 0..128; 255 is not said.
    pub cohort: u8,
    /// How much of it the request waited before the service began to work, as its guard says.
    pub queued: Queued,
    /// What it is.
    pub kind: SpanKind,
    /// How it ended.
    pub outcome: Outcome,
    /// The request's criticality, if the span says it.
    pub criticality: Option<Criticality>,
    /// One-bit facts.
    pub flags: SpanFlags,
}

impl Span {
    /// Cohort of a span that does not say one.
    pub const COHORT_UNKNOWN: u8 = 255;

    /// How long it took, in microseconds.
    pub fn duration_us(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns) / 1000
    }
}

impl Default for Span {
    fn default() -> Self {
        Span {
            trace: TraceId::default(),
            id: SpanId::NONE,
            parent: SpanId::NONE,
            start_ns: 0,
            end_ns: 0,
            service: NameId::NONE,
            operation: NameId::NONE,
            peer: NameId::NONE,
            version: NameId::NONE,
            zone: NameId::NONE,
            instance: NameId::NONE,
            weight: Weight::ONE,
            timeout_ms: 0,
            attempt: 0,
            cohort: Span::COHORT_UNKNOWN,
            queued: Queued::UNKNOWN,
            kind: SpanKind::Internal,
            outcome: Outcome::Ok,
            criticality: None,
            flags: SpanFlags::default(),
        }
    }
}
