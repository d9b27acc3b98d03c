//! What whole traces show: which halves meet, which parents are missing and why, whose clocks disagree, which hops are there
//! twice, and by what a sampler has chosen.

mod clocks;
mod edges;
mod halves;
mod hosts;
mod orphans;
mod samplers;

pub(crate) use clocks::Skew;
pub(crate) use edges::{BREAK_S, Runs};
pub(crate) use halves::{Halves, Unanswered};
pub(crate) use hosts::Host;
pub(crate) use orphans::{Orphans, Why};
pub(crate) use samplers::{Marks, Method, Ratio};

use crate::seen::Seen;
use clocks::Offsets;
use halves::Peers;
use model::{NameId, SpanKind};
use std::collections::BTreeMap;
use trace::Trace;

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Anatomy {
    pub(crate) traces: u64,
    pub(crate) spans: u64,
    pub(crate) halves: Halves,
    pub(crate) orphans: Orphans,
    pub(crate) skews: Vec<Skew>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) hops: Hops,
    pub(crate) marks: Marks,
    pub(crate) services: BTreeMap<NameId, Limbs>,
}

/// Hops that are there twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hops {
    /// The same span again.
    pub(crate) duplicates: u64,
    /// The same id for another span.
    pub(crate) clashes: u64,
    /// Proxies' spans.
    pub(crate) proxies: u64,
    /// A client span right under a client span of the same service: two libraries tell of one call.
    pub(crate) wrapped: BTreeMap<NameId, u64>,
    /// A server span right under a server span of the same service: two libraries tell of one request.
    pub(crate) nested: BTreeMap<NameId, u64>,
}

/// A service's part in whole traces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limbs {
    /// Calls it made to services that emit spans, those at the edge of the capture left out.
    pub(crate) calls: u64,
    /// Of these, those whose other half was seen.
    pub(crate) answered: u64,
    /// Requests it took.
    pub(crate) requests: u64,
    /// Of these, those that came from another service.
    pub(crate) inner: u64,
    /// Requests without a parent.
    pub(crate) entries: u64,
    /// Spans whose parents are missing, those at the edge of the capture left out.
    pub(crate) orphans: u64,
    pub(crate) spans: u64,
    /// Spans of no kind right under another service's.
    pub(crate) kindless: u64,
}

/// Looks at every trace.
pub(crate) fn dissect(traces: &[Trace], seen: &Seen) -> Anatomy {
    let runs = Runs::of(&seen.seconds);
    let mut found = Anatomy { traces: traces.len() as u64, ..Anatomy::default() };
    let mut peers = Peers::new(seen);
    let mut offsets = Offsets::default();
    for trace in traces {
        peers.learn(trace);
        offsets.learn(trace);
        found.spans += trace.spans().len() as u64;
        found.hops.duplicates += trace.duplicates as u64;
        found.hops.clashes += trace.clashes as u64;
        limbs(trace, &mut found);
    }
    for trace in traces {
        halves::count(trace, &peers, &runs, &mut found);
    }
    orphans::count(traces, &runs, &mut found);
    found.skews = offsets.skews();
    found.hosts = offsets.hosts();
    found.marks = samplers::marks(traces, &runs);
    found
}

fn limbs(trace: &Trace, found: &mut Anatomy) {
    for (at, span) in trace.spans().iter().enumerate() {
        let limbs = found.services.entry(span.service).or_default();
        limbs.spans += 1;
        let is_proxy = span.flags.has(model::SpanFlags::PROXY);
        found.hops.proxies += u64::from(is_proxy);
        let above = trace.parent(at).map(|above| &trace.spans()[above]);
        let of_other = above.is_some_and(|above| above.service != span.service);
        match span.kind {
            SpanKind::Server | SpanKind::Consumer if !is_proxy => {
                limbs.requests += 1;
                limbs.inner += u64::from(of_other);
                limbs.entries += u64::from(above.is_none() && !trace.is_orphan(at));
            }
            SpanKind::Internal => limbs.kindless += u64::from(of_other),
            _ => {}
        }
        let twice = |kind| {
            above.is_some_and(|above| above.kind == kind && above.service == span.service && above.id != span.id)
        };
        if !is_proxy && span.kind == SpanKind::Client && twice(SpanKind::Client) {
            *found.hops.wrapped.entry(span.service).or_default() += 1;
        }
        if !is_proxy && span.kind == SpanKind::Server && twice(SpanKind::Server) {
            *found.hops.nested.entry(span.service).or_default() += 1;
        }
    }
}
