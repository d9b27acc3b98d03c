//! A server, consumer or root span is settled: the callee's facts, counted at its own end.

use super::ancestors::Origin;
use super::{Settler, TRIES_MAX, is_timed};
use crate::rows::{Attempt, Called, Deferred};
use crate::store::{Node, NodeId, State};
use model::{EdgeKey, EdgeKind, NameId, ServiceKey, SpanFlags, SpanKind};

/// A server that took longer than its client waited, beyond rounding, outlasted it whatever the clocks say.
const ROUNDING_NS: u64 = 1_000_000;

impl Settler<'_> {
    #[inline]
    pub(super) fn settle_callee(&mut self, id: NodeId, node: &Node, tries: u8) {
        let mut key = ServiceKey::default();
        if node.row != Node::NO_ROW {
            key = self.open.services.key(node.row);
            if is_timed(node) {
                let exclusive_us = self.exclusive_us(id, node);
                let row = self.open.services.row(node.row);
                row.own(exclusive_us, node.weight.count(), &mut self.shared.pool);
            }
        }
        self.settle_origin(id, node, Deferred { id, key, tries });
    }

    /// The part that needs the parent: entry, edge, wasted work.
    pub(super) fn settle_origin(&mut self, id: NodeId, node: &Node, deferred: Deferred) {
        let store = self.store;
        match self.origin(node) {
            Origin::Outside => self.enter(id, node, deferred.key),
            Origin::Inside => {}
            Origin::Unseen if deferred.tries < TRIES_MAX => {
                self.scratch.deferred.push(Deferred { tries: deferred.tries + 1, ..deferred });
            }
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

    fn settle_called(&mut self, id: NodeId, node: &Node, call_id: NodeId, call: &Node, key: ServiceKey) {
        let enclosing = self.enclosing(call);
        let counted = if node.kind == SpanKind::Consumer {
            Counted::Here
        } else {
            // What the call itself was paired with when it was settled; a second server span under one client span
            // (a proxy's own retry) is work that no client span stands for.
            match self.pair_of(call_id, call.window.min(self.window)) {
                Some((pair, _)) if pair != id => Counted::Here,
                _ => Counted::ByCaller,
            }
        };
        let at = self.count_callee(node, call.service, enclosing.operation, counted);
        let count = node.weight.count();
        if self.is_wasted(node, call) {
            self.open.edges.row(at).wasted += count;
            if let Some(row) = self.service_row(node, key) {
                self.open.services.row(row).waste(count);
            }
        }
        if enclosing.outside && !node.flags.has(SpanFlags::LINKED) {
            self.enter(id, node, key);
        }
    }

    fn is_wasted(&self, node: &Node, call: &Node) -> bool {
        node.kind == SpanKind::Server
            && is_timed(node)
            && (node.duration_ns() > call.duration_ns() + ROUNDING_NS
                || node.end_ns > call.end_ns + self.config.wasted_slack_ns)
    }

    /// The server's facts of an edge; the call itself too where no client span counts it. Gives the row's place.
    fn count_callee(&mut self, node: &Node, caller: NameId, caller_operation: NameId, counted: Counted) -> u32 {
        let kind = if node.kind == SpanKind::Consumer { EdgeKind::Messaging } else { EdgeKind::Call };
        let key = EdgeKey { caller, caller_operation, callee: node.service, callee_operation: node.operation, kind };
        let count = node.weight.count();
        let at = self.open.edge(key, count.0, self.shared);
        let row = self.open.edges.row(at);
        if counted == Counted::Here {
            row.call(Called {
                trace: node.trace(),
                weight: node.weight,
                outcome: node.outcome(),
                attempt: if node.attempt > 1 { Attempt::Retry } else { Attempt::First },
                criticality: node.criticality,
                duration_us: node.duration_us(),
                timeout_ms: 0,
                biased: node.flags.has(SpanFlags::BIASED),
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
        if node.window == self.window && !node.state.has(State::PAIR_ONLY) {
            return (node.row != Node::NO_ROW).then_some(node.row);
        }
        (key != ServiceKey::default()).then(|| self.open.service(key, node.weight.count().0, self.shared))
    }
}

/// Who counts a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// The client span does.
    ByCaller,
    /// Nobody else: this server or consumer span stands for it.
    Here,
}
