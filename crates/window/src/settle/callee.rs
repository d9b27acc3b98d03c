//! A server, consumer or root span is settled: the callee's facts, counted at its own end.

use super::ancestors::{Enclosing, Origin};
use super::{Settler, is_timed, passes};
use crate::rows::{Attempt, Called, Deferred, Route};
use crate::store::{Node, NodeId, State};
use crate::tick::Tick;
use model::{Count, EdgeKey, EdgeKind, Failure, NameId, Outcome, ServiceKey, SpanFlags, SpanKind};

/// A server that took longer than its client waited, beyond rounding, outlasted it whatever the clocks say.
const ROUNDING_NS: u64 = 1_000_000;

impl Settler<'_> {
    #[inline]
    pub(super) fn settle_callee(&mut self, id: NodeId, node: &Node, waited: u8) {
        let deferred = self.work(id, node, waited);
        self.settle_origin(id, node, deferred);
    }

    /// The part that needs the children: what the service did itself. Gives what is left to settle.
    #[inline]
    pub(super) fn work(&mut self, id: NodeId, node: &Node, waited: u8) -> Deferred {
        let mut key = ServiceKey::default();
        if node.row != Node::NO_ROW {
            key = self.open.services.key(node.row);
            let worked = passes(node) && node.tick < self.worked && !node.state.has(State::AGAIN);
            if is_timed(node) && !worked {
                let exclusive_us = self.exclusive_us(id, node);
                let row = self.open.services.row(node.row);
                row.own(exclusive_us, node.weight.count(), &mut self.shared.pool);
            }
        }
        let entry = if node.kind == SpanKind::Server { node.weight.count() } else { Count::ZERO };
        Deferred { id, key, waited, entry }
    }

    /// The part that needs the parent: entry, edge, wasted work.
    pub(super) fn settle_origin(&mut self, id: NodeId, node: &Node, deferred: Deferred) {
        let origin = self.origin(node);
        self.settle_from(origin, id, node, deferred);
    }

    pub(super) fn settle_from(&mut self, origin: Origin, id: NodeId, node: &Node, deferred: Deferred) {
        let store = self.store;
        match origin {
            Origin::Outside => self.enter(id, node, deferred.key),
            Origin::Inside => {}
            Origin::Unseen if self.hold(node, deferred) => {}
            Origin::Unseen if node.kind == SpanKind::Server => self.enter(id, node, deferred.key),
            Origin::Unseen => {}
            Origin::Foreign(above) => {
                let Some(above) = store.get(above) else { return };
                let operation = if above.receives() { above.operation } else { self.enclosing(above).operation };
                self.count_callee(node, above.service, operation, Counted::Here);
            }
            Origin::Call(call_id) => {
                let Some(call) = store.get(call_id) else { return };
                self.settle_called(id, node, call_id, call, deferred.key);
            }
        }
    }

    pub(super) fn settle_called(&mut self, id: NodeId, node: &Node, call_id: NodeId, call: &Node, key: ServiceKey) {
        let enclosing = self.enclosing(call);
        let counted = self.counted(id, node, call_id, call);
        self.settle_answer(id, node, call, key, (enclosing, counted));
    }

    /// Who counts the call that this is a half of?
    fn counted(&self, id: NodeId, node: &Node, call_id: NodeId, call: &Node) -> Counted {
        if node.kind == SpanKind::Consumer {
            return Counted::Here;
        }
        // What the call itself was paired with when it was settled; another server span under the same client span is
        // work that no client span stands for: of the same service, it is an attempt that a proxy made by itself.
        match self.pair_of(call_id, Tick::last_of(call.window()).min(self.tick)) {
            Some((pair, other)) if pair != id && other.service == node.service => Counted::Again,
            Some((pair, _)) if pair != id => Counted::Here,
            _ => Counted::ByCaller,
        }
    }

    #[inline]
    pub(super) fn settle_answer(
        &mut self,
        id: NodeId,
        node: &Node,
        call: &Node,
        key: ServiceKey,
        (enclosing, counted): (Enclosing, Counted),
    ) {
        let at = self.count_callee(node, call.service, enclosing.operation, counted);
        let count = node.weight.count();
        if node.kind == SpanKind::Consumer {
            self.take_message(node, call, at);
        } else if !call.failed() && node.duration_ns() <= call.duration_ns() {
            // An answer lies within the call by one clock; where it does not, there are two.
            let ahead_ns = node.end_ns.saturating_sub(call.end_ns);
            let behind_ns = call.start_ns.saturating_sub(node.start_ns);
            if ahead_ns | behind_ns > 0 {
                self.open.edges.row(at).skew(ahead_ns, behind_ns);
            }
        }
        if self.is_wasted(node, call) {
            self.open.edges.row(at).wasted += count;
            if let Some(row) = self.service_row(node, key) {
                self.open.services.row(row).waste(count);
            }
        }
        if counted == Counted::ByCaller
            && self.is_lost(node, call)
            && let Some(row) = self.service_row(node, key)
        {
            self.open.services.row(row).lose(count);
        }
        if enclosing.outside && !node.flags.has(SpanFlags::LINKED) {
            self.enter(id, node, key);
        }
    }

    /// How long the message lay in the queue, and who takes what is sent there.
    fn take_message(&mut self, node: &Node, call: &Node, at: u32) {
        let row = self.open.edges.row(at);
        if is_timed(node) {
            let queued_us = node.start_ns.saturating_sub(call.end_ns) / 1000;
            row.gap.record(queued_us, node.weight.count(), &mut self.shared.pool);
        }
        let via = (call.peer, call.operation);
        if row.via != via {
            row.via = via;
            self.open.learn(Route {
                peer: call.peer,
                caller: call.service,
                client_operation: call.operation,
                callee: node.service,
                callee_operation: node.operation,
            });
        }
    }

    fn is_wasted(&self, node: &Node, call: &Node) -> bool {
        node.kind == SpanKind::Server
            && is_timed(node)
            && (node.duration_ns() > call.duration_ns() + ROUNDING_NS
                // A caller that was answered cannot have been answered before the end: then a clock is wrong.
                || call.failed() && node.end_ns > call.end_ns + self.config.wasted_slack_ns)
    }

    /// Was the answer lost? Then the caller gave up although the server had answered well and in time: what nobody but the
    /// two of them together can see (Huang et al., HotOS '17: gray failure is differential observability).
    fn is_lost(&self, node: &Node, call: &Node) -> bool {
        node.kind == SpanKind::Server
            && node.outcome() == Outcome::Ok
            && matches!(call.outcome(), Outcome::Failed(Failure::Timeout | Failure::Unavailable))
            && !self.is_wasted(node, call)
    }

    /// The server's facts of an edge; the call itself too where no client span counts it. Gives the row's place.
    fn count_callee(&mut self, node: &Node, caller: NameId, caller_operation: NameId, counted: Counted) -> u32 {
        let kind = if node.kind == SpanKind::Consumer { EdgeKind::Messaging } else { EdgeKind::Call };
        let key = EdgeKey { caller, caller_operation, callee: node.service, callee_operation: node.operation, kind };
        let count = node.weight.count();
        let at = self.open.edge(key, count.0, self.shared);
        let row = self.open.edges.row(at);
        if counted != Counted::ByCaller {
            row.call(Called {
                trace: node.trace(),
                weight: node.weight,
                outcome: node.outcome(),
                attempt: if node.attempt > 1 || counted == Counted::Again { Attempt::Retry } else { Attempt::First },
                criticality: node.criticality,
                duration_us: node.duration_us(),
                timeout_ms: 0,
                biased: node.flags.has(SpanFlags::BIASED),
                again: node.state.has(State::AGAIN),
            });
        }
        if is_timed(node) {
            row.server.record(node.duration_us(), count, &mut self.shared.pool);
        }
        at
    }

    /// The request entered the fleet here.
    fn enter(&mut self, id: NodeId, node: &Node, key: ServiceKey) {
        if let Some(row) = self.service_row(node, key) {
            self.open.services.row(row).entries += node.weight.count();
            self.follow(id, node);
        }
    }

    /// The place of the span's service row in this window; its own, or where it was deferred the same key's.
    fn service_row(&mut self, node: &Node, key: ServiceKey) -> Option<u32> {
        if node.window() == self.window && !node.state.has(State::PAIR_ONLY) {
            return (node.row != Node::NO_ROW).then_some(node.row);
        }
        (key != ServiceKey::default()).then(|| self.open.service(key, node.weight.count().0, self.shared))
    }
}

/// Who counts a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// The client span does.
    ByCaller,
    /// Nobody else: this server or consumer span stands for it.
    Here,
    /// The same, and it is a further attempt of a call that is counted already.
    Again,
}
