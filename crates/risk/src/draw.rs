//! From whole traces to a fleet.

use crate::fleet::{Call, CallKey, Fleet, Service};
use crate::survey::Seen;
use model::{EdgeId, NameId, Outcome, Span, SpanFlags, SpanKind, TraceId};
use std::collections::{BTreeMap, BTreeSet};
use trace::Trace;

/// Traces that are named as evidence.
const EXEMPLARS: usize = 3;
/// Durations of an operation's good requests that are remembered.
const DURATIONS_MAX: usize = 1_000;

struct Drawing {
    fleet: Fleet,
    /// Whom a peer's name means, by paired calls.
    peers: BTreeMap<NameId, NameId>,
    durations: BTreeMap<(NameId, NameId), Vec<u64>>,
    instances: BTreeMap<NameId, BTreeSet<NameId>>,
    entries: f64,
    touched: BTreeMap<NameId, f64>,
    passed: BTreeMap<CallKey, f64>,
}

/// Draws the fleet.
pub(crate) fn fleet(traces: Vec<Trace>, seen: Seen) -> Fleet {
    let seconds = (seen.last_ns.saturating_sub(seen.first_ns) as f64 / 1e9).max(1.0);
    let mut drawing = Drawing {
        fleet: Fleet { seconds, ..Fleet::default() },
        peers: BTreeMap::new(),
        durations: BTreeMap::new(),
        instances: BTreeMap::new(),
        entries: 0.0,
        touched: BTreeMap::new(),
        passed: BTreeMap::new(),
    };
    traces.iter().for_each(|trace| drawing.learn_peers(trace));
    traces.iter().for_each(|trace| drawing.trace(trace));
    drawing.finish(seen)
}

impl Drawing {
    fn learn_peers(&mut self, trace: &Trace) {
        for (at, span) in trace.spans().iter().enumerate() {
            if span.kind == SpanKind::Client
                && span.peer.is_some()
                && let Some(answer) = trace.answer(at)
            {
                self.peers.insert(span.peer, trace.spans()[answer].service);
            }
        }
    }

    fn trace(&mut self, trace: &Trace) {
        let mut services = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for (at, span) in trace.spans().iter().enumerate().filter(|(_, span)| !span.flags.has(SpanFlags::PROXY)) {
            let service = self.fleet.services.entry(span.service).or_default();
            service.emits = true;
            if span.instance.is_some() {
                self.instances.entry(span.service).or_default().insert(span.instance);
            }
            if matches!(span.kind, SpanKind::Server | SpanKind::Consumer) {
                service.rps += span.weight.count().calls();
                services.insert(span.service);
                self.request(trace, at, &mut services, &mut keys);
            }
        }
        // Only what begins here entered here; a torn trace says nothing of what requests need.
        let entered = trace.roots().find(|root| trace.spans()[*root].kind == SpanKind::Server);
        if let Some(root) = entered {
            let weight = trace.spans()[root].weight.count().calls();
            self.entries += weight;
            services.into_iter().for_each(|service| *self.touched.entry(service).or_default() += weight);
            keys.into_iter().for_each(|key| *self.passed.entry(key).or_default() += weight);
        }
    }

    /// One request of a service, and the calls that it makes.
    fn request(&mut self, trace: &Trace, at: usize, services: &mut BTreeSet<NameId>, keys: &mut BTreeSet<CallKey>) {
        let request = &trace.spans()[at];
        if request.outcome == Outcome::Ok {
            let known = self.durations.entry((request.service, request.operation)).or_default();
            if known.len() < DURATIONS_MAX {
                known.push(request.duration_us());
            }
        }
        let mut chains: BTreeMap<(NameId, NameId), Vec<Vec<usize>>> = BTreeMap::new();
        let mut calls = Vec::new();
        within(trace, at, &mut calls);
        for call in &calls {
            let span = &trace.spans()[*call];
            let callee = self.callee(trace, *call);
            if span.kind == SpanKind::Client {
                chain(trace, chains.entry((callee, span.operation)).or_default(), *call);
            }
        }
        let mut counted = BTreeSet::new();
        for ((callee, _), chains) in chains {
            services.insert(callee);
            let key = CallKey { caller: request.service, operation: request.operation, callee };
            keys.insert(key);
            let drawn = self.fleet.calls.entry(key).or_default();
            drawn.requests += u64::from(counted.insert(callee));
            for attempts in chains {
                count(drawn, trace, request, &attempts, &calls);
            }
        }
    }

    fn callee(&mut self, trace: &Trace, call: usize) -> NameId {
        let span = &trace.spans()[call];
        match trace.answer(call) {
            Some(answer) => trace.spans()[answer].service,
            None => self.peers.get(&span.peer).copied().unwrap_or(span.peer),
        }
    }

    fn finish(self, seen: Seen) -> Fleet {
        let Drawing { mut fleet, durations, instances, entries, touched, passed, .. } = self;
        let per_s = seen.one_in / fleet.seconds;
        fleet.entry_rps = entries * per_s;
        fleet.names = seen.names;
        for (id, share) in &touched {
            fleet.services.entry(*id).or_default().needed = if entries > 0.0 { share / entries } else { 0.0 };
        }
        for (id, service) in &mut fleet.services {
            *service = Service {
                rps: service.rps * per_s,
                instances: instances.get(id).map_or(0, BTreeSet::len),
                capacity_rps: seen.capacities.get(id).copied(),
                ..*service
            };
        }
        let medians: BTreeMap<(NameId, NameId), u64> =
            durations.into_iter().map(|(operation, durations)| (operation, median(durations))).collect();
        for (key, call) in &mut fleet.calls {
            let edge = EdgeId { caller: key.caller, callee: key.callee };
            if call.timeout_us == 0 {
                call.timeout_us = seen.timeouts_us.get(&edge).copied().unwrap_or(0);
            }
            call.request_p50_us = medians.get(&(key.caller, key.operation)).copied().unwrap_or(0);
            call.first_rps = call.calls as f64 * per_s;
            call.entry_rps = passed.get(key).copied().unwrap_or(0.0) * per_s;
            call.answers.sort_unstable();
        }
        fleet
    }
}

/// The calls that a request makes, also from within its steps.
fn within(trace: &Trace, at: usize, calls: &mut Vec<usize>) {
    for child in trace.children(at) {
        let span = &trace.spans()[*child];
        match span.kind {
            SpanKind::Client | SpanKind::Producer if !span.flags.has(SpanFlags::PROXY) => {
                let wraps = trace.children(*child).iter().any(|inner| {
                    let inner = &trace.spans()[*inner];
                    inner.kind == SpanKind::Client && inner.service == span.service
                });
                if wraps { within(trace, *child, calls) } else { calls.push(*child) }
            }
            SpanKind::Internal if span.service == trace.spans()[at].service => within(trace, *child, calls),
            _ => {}
        }
    }
}

/// Puts an attempt behind the one that it repeats, or begins a new call.
fn chain(trace: &Trace, chains: &mut Vec<Vec<usize>>, call: usize) {
    let span = &trace.spans()[call];
    let repeats = chains.iter_mut().find(|chain| {
        let last = &trace.spans()[chain[chain.len() - 1]];
        last.end_ns <= span.start_ns && failed(last)
    });
    match repeats {
        Some(chain) if span.attempt != 1 => chain.push(call),
        _ => chains.push(vec![call]),
    }
}

fn count(drawn: &mut Call, trace: &Trace, request: &Span, attempts: &[usize], calls: &[usize]) {
    let spans = trace.spans();
    let said = attempts.iter().map(|at| u32::from(spans[*at].attempt)).max().unwrap_or(0);
    drawn.calls += 1;
    drawn.attempts += attempts.len() as u64;
    drawn.attempts_max = drawn.attempts_max.max(said).max(u32::try_from(attempts.len()).unwrap_or(u32::MAX));
    let last = &spans[attempts[attempts.len() - 1]];
    let gave_up = failed(last);
    drawn.failed += u64::from(gave_up);
    drawn.forgiven += u64::from(gave_up && request.outcome == Outcome::Ok);
    let alone = attempts.iter().all(|at| {
        let this = &spans[*at];
        let beside = calls.iter().filter(|other| *other != at).map(|other| &spans[*other]);
        let waits = this.end_ns <= request.end_ns;
        waits
            && beside.fold(0, |sum, other| sum + overlap(this, other)) * 5 <= this.end_ns.saturating_sub(this.start_ns)
    });
    drawn.blocking += u64::from(alone);
    for at in attempts {
        drawn.timeout_us = drawn.timeout_us.max(u64::from(spans[*at].timeout_ms) * 1000);
        if let Some(answer) = trace.answer(*at)
            && !drawn.answers.contains(&spans[answer].operation)
        {
            drawn.answers.push(spans[answer].operation);
        }
    }
    exemplar(drawn, request.trace, gave_up || attempts.len() > 1);
}

fn exemplar(drawn: &mut Call, trace: TraceId, telling: bool) {
    if drawn.exemplars.contains(&trace) {
        return;
    }
    if telling && drawn.failed + drawn.attempts - drawn.calls <= EXEMPLARS as u64 {
        drawn.exemplars.insert(0, trace);
        drawn.exemplars.truncate(EXEMPLARS);
    } else if drawn.exemplars.len() < EXEMPLARS {
        drawn.exemplars.push(trace);
    }
}

fn failed(span: &Span) -> bool {
    matches!(span.outcome, Outcome::Failed(_))
}

fn overlap(a: &Span, b: &Span) -> u64 {
    a.end_ns.min(b.end_ns).saturating_sub(a.start_ns.max(b.start_ns))
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
