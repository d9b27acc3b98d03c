//! A client or producer span is settled: the caller's facts of a call, counted at the client's own end.

use super::ancestors::Enclosing;
use super::{CHILDREN_MAX, Settler, is_timed};
use crate::rows::{Attempt, Called, Route};
use crate::store::{Node, NodeId, State};
use model::{EdgeKey, EdgeKind, Failure, NameId, Outcome, SpanFlags, SpanKind};

/// Attempts of a proxy that are counted beside the call that they belong to.
const TRIES_MAX: usize = 8;

impl Settler<'_> {
    #[inline]
    pub(super) fn settle_caller(&mut self, id: NodeId, call: &Node) {
        let pair_id = self.pair_of(id, self.tick).map_or(NodeId::NONE, |(pair, _)| pair);
        let enclosing = self.enclosing(call);
        self.settle_call(id, call, pair_id, enclosing);
    }

    #[inline]
    pub(super) fn settle_call(&mut self, id: NodeId, call: &Node, pair_id: NodeId, enclosing: Enclosing) {
        let store = self.store;
        let pair = if pair_id.is_some() { store.get(pair_id) } else { None };
        match pair {
            Some(consumer) if consumer.kind == SpanKind::Consumer => self.count_producer(call, consumer, enclosing),
            Some(server) => _ = self.count_call(id, call, (pair_id, Some(server)), enclosing),
            None if self.is_wrapper(id, call) => {}
            None => {
                let at = self.count_call(id, call, (NodeId::NONE, None), enclosing);
                self.ask_sidecar(id, call, at);
            }
        }
    }

    /// A client span around another one of the same service (an SDK around its HTTP library): the inner one is the call.
    fn is_wrapper(&self, id: NodeId, call: &Node) -> bool {
        call.child.is_some()
            && call.kind == SpanKind::Client
            && !call.flags.has(SpanFlags::DATABASE)
            && self
                .children(id, self.tick)
                .any(|(_, child)| child.kind == SpanKind::Client && child.service == call.service && !child.is_proxy())
    }

    /// Gives the place of the edge's row.
    fn count_call(
        &mut self,
        id: NodeId,
        call: &Node,
        (server_id, server): (NodeId, Option<&Node>),
        enclosing: Enclosing,
    ) -> u32 {
        let attempt = self.attempt(id, call);
        let key = edge_of(call, server, enclosing);
        let EdgeKey { callee, callee_operation, kind, .. } = key;
        let count = call.weight.count();
        let at = self.open.edge(key, count.0, self.shared);
        let row = self.open.edges.row(at);
        let duration_us = call.duration_us();
        row.call(Called {
            trace: call.trace(),
            weight: call.weight,
            outcome: call.outcome(),
            attempt,
            criticality: call.criticality,
            duration_us,
            timeout_ms: call.timeout_ms,
            biased: call.flags.has(SpanFlags::BIASED),
            again: call.state.has(State::AGAIN),
        });
        if is_timed(call) {
            row.client.record(duration_us, count, &mut self.shared.pool);
            if !call.state.has(State::AGAIN) && gave_up(call, server) {
                row.gave_up(duration_us);
            }
        }
        // Where the first that was seen below the call is not its other half, there are hops in between.
        if call.pair != server_id && self.store.get(call.pair).is_some_and(Node::is_proxy) {
            self.count_lost_tries(id, call, server.is_some(), at);
        }
        let row = self.open.edges.row(at);
        match server {
            None if matches!(kind, EdgeKind::External | EdgeKind::Unresolved) => row.unpaired += count,
            None => {}
            Some(server) => {
                if is_timed(call) && is_timed(server) {
                    // A queue before the span began is in the gap anyway; one behind a guard says itself how long it was.
                    let worked_ns = server.duration_ns() - server.queued_ns();
                    let gap_us = call.duration_ns().saturating_sub(worked_ns) / 1000;
                    row.gap.record(gap_us, count, &mut self.shared.pool);
                }
                // A server span that waited for its call in vain was not counted on any edge.
                let waited = call.window() <= server.window() + u64::from(super::TRIES_MAX + server.patience.0);
                let counts = !server.state.has(State::PAIR_ONLY) && !call.state.has(State::AGAIN);
                if !waited && is_timed(server) && counts {
                    row.server.record(server.duration_us(), server.weight.count(), &mut self.shared.pool);
                }
                let via = (call.peer, call.operation);
                if row.via != via {
                    row.via = via;
                    self.open.learn(Route {
                        peer: call.peer,
                        caller: call.service,
                        client_operation: call.operation,
                        callee,
                        callee_operation,
                    });
                }
            }
        }
        at
    }

    /// Attempts of a proxy that reached nobody (no connection, no healthy host): further attempts of the call. Where none
    /// did, the call itself stands for one of them.
    #[cold]
    fn count_lost_tries(&mut self, id: NodeId, call: &Node, answered: bool, at: u32) {
        let store = self.store;
        let mut lost = [NodeId::NONE; TRIES_MAX];
        let tries = self.lost_tries(id, &mut lost);
        for next in lost.iter().take(tries).skip(usize::from(!answered)) {
            let Some(proxy) = store.get(*next) else { continue };
            self.open.edges.row(at).call(Called {
                trace: call.trace(),
                weight: call.weight,
                outcome: proxy.outcome(),
                attempt: Attempt::Retry,
                criticality: call.criticality,
                duration_us: proxy.duration_us(),
                timeout_ms: 0,
                biased: call.flags.has(SpanFlags::BIASED),
                again: call.state.has(State::AGAIN),
            });
        }
    }

    /// The proxies' client spans behind a call that failed and led nowhere; says how many.
    fn lost_tries(&mut self, id: NodeId, lost: &mut [NodeId; TRIES_MAX]) -> usize {
        let mut stack = std::mem::take(&mut self.scratch.stack);
        stack.clear();
        stack.push(id);
        let (mut budget, mut tries) = (CHILDREN_MAX, 0);
        while let (Some(hop), true) = (stack.pop(), budget > 0) {
            for (next, proxy) in self.children(hop, self.tick).filter(|(_, child)| child.is_proxy()) {
                budget = budget.saturating_sub(1);
                if self.children(next, self.tick).next().is_some() {
                    stack.push(next);
                } else if proxy.kind == SpanKind::Client && proxy.failed() && tries < TRIES_MAX {
                    lost[tries] = next;
                    tries += 1;
                }
            }
        }
        self.scratch.stack = stack;
        let store = self.store;
        lost[..tries].sort_unstable_by_key(|id| store.get(*id).map(Node::order));
        tries
    }

    /// A message that a consumer has taken is counted with the consumer's end; the producer adds what sending it took.
    fn count_producer(&mut self, call: &Node, consumer: &Node, enclosing: Enclosing) {
        let key = edge_of(call, Some(consumer), enclosing);
        let count = call.weight.count();
        let at = self.open.edge(key, count.0, self.shared);
        let row = self.open.edges.row(at);
        row.busy(call.duration_us(), count);
        row.client.record(call.duration_us(), count, &mut self.shared.pool);
    }
}

/// The edge of a call, by its other half if that was seen.
pub(super) fn edge_of(call: &Node, half: Option<&Node>, enclosing: Enclosing) -> EdgeKey {
    let (callee, callee_operation, kind) = match half {
        Some(consumer) if consumer.kind == SpanKind::Consumer => {
            (consumer.service, consumer.operation, EdgeKind::Messaging)
        }
        Some(server) => (server.service, server.operation, EdgeKind::Call),
        None => (call.peer, call.operation, peer_kind(call)),
    };
    EdgeKey { caller: call.service, caller_operation: enclosing.operation, callee, callee_operation, kind }
}

/// What kind of edge a call without its other half makes.
fn peer_kind(call: &Node) -> EdgeKind {
    if call.flags.has(SpanFlags::DATABASE) {
        EdgeKind::Database
    } else if call.kind == SpanKind::Producer || call.flags.has(SpanFlags::MESSAGING) {
        EdgeKind::Messaging
    } else if call.flags.has(SpanFlags::ADDRESS) || call.peer == NameId::NONE {
        EdgeKind::Unresolved
    } else {
        EdgeKind::External
    }
}

/// Did the client give up, as opposed to being told of a failure? Errors count where the server says nothing of the kind.
fn gave_up(call: &Node, server: Option<&Node>) -> bool {
    match call.outcome() {
        Outcome::Failed(Failure::Timeout | Failure::Cancelled) => true,
        Outcome::Failed(Failure::Error) => server.is_none_or(|server| !server.failed() || server.end_ns > call.end_ns),
        _ => false,
    }
}
