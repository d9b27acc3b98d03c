//! Spans whose parents are missing, and why.

use super::{Anatomy, Runs};
use model::{NameId, SpanKind};
use std::collections::{BTreeMap, BTreeSet};
use trace::Trace;

/// Why a parent is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// The telemetry ends before the parent did, or begins after it: no fault.
    Edge,
    /// No request of this service was ever seen with its caller: whoever calls sends its spans elsewhere, or none.
    CallerUnknown,
    /// Other requests of this service have their callers: some were lost or sampled away on the caller's side.
    CallerLost,
    /// The parent belongs to the same process: lost on the way out, or sampled apart.
    InProcess,
    /// The sender of a message is missing.
    Sender,
}

/// Orphans by reason, and by service and reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orphans {
    pub(crate) by_reason: BTreeMap<Why, u64>,
    pub(crate) by_service: BTreeMap<(NameId, Why), u64>,
}

impl Orphans {
    /// Those that are a fault.
    pub(crate) fn faulty(&self) -> u64 {
        self.by_reason.iter().filter(|(why, _)| **why != Why::Edge).map(|(_, count)| count).sum()
    }
}

pub(super) fn count(traces: &[Trace], runs: &Runs, found: &mut Anatomy) {
    // Services of which a request was seen with its caller.
    let called: BTreeSet<NameId> =
        found.services.iter().filter(|(_, limbs)| limbs.inner > 0).map(|(id, _)| *id).collect();
    for trace in traces {
        for (at, span) in trace.spans().iter().enumerate().filter(|(at, _)| trace.is_orphan(*at)) {
            let why = match span.kind {
                _ if runs.is_unsettled(span.end_ns) => Why::Edge,
                SpanKind::Consumer if runs.is_young(span.start_ns) => Why::Edge,
                SpanKind::Consumer => Why::Sender,
                SpanKind::Server if called.contains(&span.service) => Why::CallerLost,
                SpanKind::Server => Why::CallerUnknown,
                _ => Why::InProcess,
            };
            debug_assert!(trace.parent(at).is_none());
            *found.orphans.by_reason.entry(why).or_default() += 1;
            *found.orphans.by_service.entry((span.service, why)).or_default() += 1;
            if why != Why::Edge {
                found.services.entry(span.service).or_default().orphans += 1;
            }
        }
    }
}
