//! The two halves of calls: which meet, and why others do not.

use super::{Anatomy, Runs};
use crate::seen::Seen;
use model::{NameId, Outcome, Span, SpanFlags, SpanKind};
use std::collections::{BTreeMap, BTreeSet};
use trace::Trace;

/// How calls were paired.
#[derive(Clone, Debug, Default)]
pub(crate) struct Halves {
    /// Calls between services of which both halves were seen.
    pub(crate) paired: u64,
    /// Calls to a service that emits spans, without the receiving half, by callee.
    pub(crate) unanswered: BTreeMap<NameId, Unanswered>,
    /// Requests from another service whose caller has no client span, by (caller, callee).
    pub(crate) unasked: BTreeMap<(NameId, NameId), u64>,
    /// Calls to peers that emit no spans, by peer: outside the fleet, or not instrumented.
    pub(crate) outside: BTreeMap<NameId, u64>,
    /// Calls without an answer that do not say whom they called.
    pub(crate) nameless: u64,
    /// Calls that failed before they could arrive.
    pub(crate) failed: u64,
    /// Calls to databases and messages, which need no other half.
    pub(crate) needless: u64,
}

/// Calls without their other half.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unanswered {
    pub(crate) calls: u64,
    /// Callers.
    pub(crate) callers: BTreeSet<NameId>,
}

impl Halves {
    /// Calls that lack a half though both services emit spans.
    pub(crate) fn halved(&self) -> u64 {
        self.unanswered.values().map(|one| one.calls).sum::<u64>() + self.unasked.values().sum::<u64>()
    }
}

/// Which service a peer's name means.
pub(super) struct Peers {
    known: BTreeMap<NameId, NameId>,
}

impl Peers {
    /// By their texts: a service's name, or a host whose first label is one.
    pub(super) fn new(seen: &Seen) -> Peers {
        let by_name: BTreeMap<&str, NameId> = seen
            .services
            .iter()
            .filter(|(_, service)| service.server + service.messaging > 0)
            .map(|(id, _)| (last_part(seen.texts.of(*id)), *id))
            .collect();
        let known = seen.texts.iter().filter_map(|(id, text)| {
            let host = text.split([':', '/']).next().unwrap_or(text);
            let label = host.split('.').next().unwrap_or(host);
            let meant = by_name.get(text).or_else(|| by_name.get(host)).or_else(|| by_name.get(label));
            meant.map(|service| (id, *service))
        });
        Peers { known: known.collect() }
    }

    /// By paired calls.
    pub(super) fn learn(&mut self, trace: &Trace) {
        for (at, span) in trace.spans().iter().enumerate().filter(|(_, span)| asks(span) && span.peer.is_some()) {
            if let Some(answer) = trace.answer(at) {
                self.known.insert(span.peer, trace.spans()[answer].service);
            }
        }
    }
}

/// The last part of an identity of several parts.
fn last_part(identity: &str) -> &str {
    identity.rsplit('/').next().unwrap_or(identity)
}

pub(super) fn count(trace: &Trace, peers: &Peers, runs: &Runs, found: &mut Anatomy) {
    for (at, span) in trace.spans().iter().enumerate() {
        if asks(span) {
            call(trace, at, span, peers, runs, found);
        } else if span.kind == SpanKind::Server && !span.flags.has(SpanFlags::PROXY) {
            request(trace, at, span, found);
        }
    }
}

fn call(trace: &Trace, at: usize, span: &Span, peers: &Peers, runs: &Runs, found: &mut Anatomy) {
    let halves = &mut found.halves;
    if span.flags.has(SpanFlags::DATABASE) || span.flags.has(SpanFlags::MESSAGING) {
        halves.needless += 1;
        return;
    }
    if trace.answer(at).is_some() {
        halves.paired += 1;
        let limbs = found.services.entry(span.service).or_default();
        limbs.calls += 1;
        limbs.answered += 1;
        return;
    }
    let wraps = trace.children(at).iter().any(|child| {
        let child = &trace.spans()[*child];
        child.kind == SpanKind::Client && child.service == span.service
    });
    if wraps || runs.is_unsettled(span.end_ns) {
        return;
    }
    match peers.known.get(&span.peer) {
        // It may never have arrived.
        _ if span.outcome != Outcome::Ok => halves.failed += 1,
        _ if !span.peer.is_some() => halves.nameless += 1,
        Some(callee) => {
            let one = halves.unanswered.entry(*callee).or_default();
            one.calls += 1;
            one.callers.insert(span.service);
            found.services.entry(span.service).or_default().calls += 1;
        }
        None => *halves.outside.entry(span.peer).or_default() += 1,
    }
}

/// A request right under a span of another service that is no client's.
fn request(trace: &Trace, at: usize, span: &Span, found: &mut Anatomy) {
    let Some(above) = trace.above(at).map(|above| &trace.spans()[above]) else { return };
    if above.service != span.service && !matches!(above.kind, SpanKind::Client | SpanKind::Producer) {
        *found.halves.unasked.entry((above.service, span.service)).or_default() += 1;
    }
}

/// Does it send a request and wait for the answer?
fn asks(span: &Span) -> bool {
    span.kind == SpanKind::Client && !span.flags.has(SpanFlags::PROXY)
}
