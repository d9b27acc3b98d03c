//! From a span's fields and attributes to the facts that matter. The same for every encoding.

mod hints;
mod operation;
mod outcome;
mod peer;
mod template;
mod weight;

pub(crate) use hints::names_a_proxy;
pub(crate) use outcome::{Verdict, by_words, verdict};
pub(crate) use template::template;

use crate::read::draft::{Draft, Slots};
use crate::read::resource::Resource;
use crate::read::sink::Work;
use crate::{Oddities, Oddity};
use model::{Outcome, Span, SpanFlags, SpanId, SpanKind, TraceId};

/// The span. It has an identity and an event time; `outcome` is settled by the caller, who alone can look at the
/// events.
#[inline]
pub(crate) fn reduce(
    draft: &Draft,
    slots: &Slots<'_>,
    resource: &Resource,
    kind: SpanKind,
    outcome: Outcome,
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
    let (weight, weight_flags) = weight::weight(slots);
    Span {
        trace: TraceId(draft.trace),
        id: SpanId(draft.id),
        parent: SpanId(draft.parent),
        start_ns,
        end_ns: draft.end_ns,
        service: resource.service,
        operation: operation::operation(resource.service, slots, work),
        peer,
        version: resource.version,
        zone: resource.zone,
        instance: resource.instance,
        weight,
        timeout_ms: hints::timeout_ms(slots),
        attempt: hints::attempt(slots),
        cohort: hints::cohort(slots),
        kind,
        outcome,
        criticality: hints::criticality(slots),
        flags: resource.flags.with(peer_flags).with(weight_flags).with(hints::flags(slots)),
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
