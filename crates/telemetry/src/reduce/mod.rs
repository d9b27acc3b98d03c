//! From a span's fields and attributes to the facts that matter. The same for every encoding.

mod hints;
mod operation;
mod outcome;
mod peer;
mod sidecar;
mod template;
mod weight;

pub(crate) use hints::{names_a_proxy, scope_name};
pub(crate) use operation::operation;
pub(crate) use outcome::{Verdict, by_words, verdict};
pub(crate) use template::template;
pub use weight::of_share as weight_of_share;
pub(crate) use weight::scope_attribute;

use crate::read::draft::{Draft, Slots, set};
use crate::read::key::Key;
use crate::read::resource::Resource;
use crate::read::sink::Work;
use crate::{Identity, Oddities, Oddity};
use model::{Outcome, Span, SpanFlags, SpanId, SpanKind, TraceId};

/// What went on for so long and ended well was a stream, a long poll or a job, whatever it says of itself.
const LONG_NS: u64 = 60_000_000_000;

/// The span. It has an identity and an event time; kind, outcome and marks are settled by the caller, who alone can look at
/// the links and events.
#[inline(always)]
pub(crate) fn reduce(
    draft: &Draft,
    slots: &Slots<'_>,
    resource: &Resource,
    (kind, outcome, marks): (SpanKind, Outcome, SpanFlags),
    identity: &Identity,
    work: &mut Work,
) -> Span {
    let start_ns = if draft.start_ns == 0 || draft.start_ns > draft.end_ns {
        work.oddities.count(Oddity::StartTime);
        draft.end_ns
    } else {
        draft.start_ns
    };
    if draft.parent_damaged {
        work.oddities.count(Oddity::ParentId);
    }
    let (peer, peer_flags) = peer::peer(kind, slots, work);
    let (weight, weight_flags) = weight::weight(slots, work.unmarked);
    let flags = resource.flags.with(marks).with(hints::flags(slots));
    let sidecar =
        if flags.has(SpanFlags::PROXY) { sidecar::sidecar(kind, slots, resource, identity, work) } else { None };
    let service = sidecar.unwrap_or(resource.service);
    let sidecar_flags = if sidecar.is_some() { SpanFlags::SIDECAR } else { SpanFlags::default() };
    let long = draft.end_ns - start_ns >= LONG_NS && outcome == Outcome::Ok;
    let long = if long { SpanFlags::STREAMING } else { SpanFlags::default() };
    Span {
        trace: TraceId(draft.trace),
        id: SpanId(draft.id),
        parent: SpanId(draft.parent),
        start_ns,
        end_ns: draft.end_ns,
        service,
        operation: operation(service, sidecar.is_some(), slots, work),
        peer,
        version: resource.version,
        zone: resource.zone,
        instance: resource.instance,
        weight,
        timeout_ms: hints::timeout_ms(slots),
        attempt: hints::attempt(slots),
        cohort: hints::cohort(slots),
        queued: hints::queued(slots),
        kind,
        outcome,
        criticality: hints::criticality(slots),
        flags: flags.with(peer_flags).with(weight_flags).with(sidecar_flags).with(long),
    }
}

/// The kind; what OpenTelemetry does not know is internal and counted.
#[inline]
pub(crate) fn kind(number: i32, oddities: &mut Oddities) -> SpanKind {
    match number {
        0 | 1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => {
            oddities.count(Oddity::Kind);
            SpanKind::Internal
        }
    }
}

/// Does the span only fetch messages, or acknowledge them? Then it is neither a call nor a request: it lasts as long as the
/// broker has nothing to give. `process` spans, links and children tell of the messages themselves. The kinds are those of
/// opentelemetry.io/docs/specs/semconv/messaging (CLIENT) and of agents before it (a CONSUMER without any context, around
/// a whole batch).
#[inline]
pub(crate) fn polls(kind: SpanKind, draft: &Draft, slots: &Slots<'_>, linked: bool) -> bool {
    const DOING: u128 = set(&[Key::MessagingOperationType, Key::MessagingOperation]);
    if !slots.any(DOING) {
        return false;
    }
    let doing = slots.first_text(&[Key::MessagingOperationType, Key::MessagingOperation]);
    match kind {
        SpanKind::Client => matches!(doing, Some(b"receive" | b"settle")),
        SpanKind::Consumer => {
            doing == Some(b"receive") && draft.parent == 0 && !linked && slots.get(Key::BatchCount).is_some()
        }
        _ => false,
    }
}

/// Why a span cannot be used at all.
#[inline]
pub(crate) fn unusable(draft: &Draft) -> Option<Oddity> {
    if draft.trace == 0 {
        Some(Oddity::TraceId)
    } else if draft.id == 0 {
        Some(Oddity::SpanId)
    } else if draft.end_ns == 0 {
        Some(Oddity::EndTime)
    } else {
        None
    }
}

/// The copy of a span under a link's trace and parent.
pub(crate) fn linked(span: &Span, trace: u128, parent: u64) -> Span {
    Span { trace: TraceId(trace), parent: SpanId(parent), flags: span.flags.with(SpanFlags::LINKED), ..*span }
}
