//! A sidecar's hop is settled: where the service beside it emits no spans, the hop counts in its place.
//!
//! Evidence lies in the trace. An outbound hop stands for its service where nothing of the service is above it: it began the
//! trace, or follows the service's own inbound hop. An inbound hop stands where nothing of the service is behind it and its
//! caller stands too, or nobody called; where a caller emits spans of its own, its client span counts the call, and the hop
//! says whom it went to. What counts so goes apart ([`crate::rows::Side`]): only the merger knows whether the service emits
//! spans elsewhere.

use super::ancestors::Origin;
use super::{CHILDREN_MAX, HOPS_MAX, Settler, is_timed};
use crate::rows::{Deferred, Route, Served};
use crate::store::{Node, NodeId, State};
use model::{Count, ServiceKey, SpanFlags};

/// Is an outbound hop the only half that the caller has?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    Yes,
    No,
    /// What is above it has not been seen.
    Unseen,
}

impl Settler<'_> {
    /// Does this hop stand for the caller's half of a call?
    pub(super) fn alone(&self, hop: &Node) -> Alone {
        if !(hop.is_sidecar() && hop.sends()) {
            return Alone::No;
        }
        let mut at = hop;
        for _ in 0..HOPS_MAX {
            if at.state.has(State::ROOT) {
                return Alone::Yes;
            }
            match self.seen(at.parent) {
                None => return Alone::Unseen,
                Some(above) if above.is_sidecar() => {
                    return if above.receives() && above.service == hop.service { Alone::Yes } else { Alone::No };
                }
                Some(above) if above.is_proxy() => at = above,
                Some(_) => return Alone::No,
            }
        }
        Alone::No
    }

    /// Does this inbound hop lead to nothing that its service has emitted?
    pub(super) fn is_silent(&self, id: NodeId) -> bool {
        self.behind(id, self.tick, false, &mut { CHILDREN_MAX }).is_none()
    }

    /// A call to a peer that has not shown its half: the callee's sidecar may have.
    #[inline]
    pub(super) fn ask_sidecar(&mut self, id: NodeId, call: &Node, at: u32) {
        if self.store.get(call.pair).is_some_and(Node::is_proxy) && !call.is_proxy() {
            self.learn_sidecar(id, call, at);
        }
    }

    #[cold]
    fn learn_sidecar(&mut self, id: NodeId, call: &Node, at: u32) {
        let Some((_, hop)) = self.behind(id, self.tick, true, &mut { CHILDREN_MAX }) else { return };
        self.open.side.learn(Route {
            peer: call.peer,
            caller: call.service,
            client_operation: call.operation,
            callee: hop.service,
            callee_operation: hop.operation,
        });
        self.open.edges.row(at).answered_aside += call.weight.count();
    }

    /// Settles a sidecar's hop; one whose parent is not seen yet is deferred.
    #[cold]
    pub(super) fn settle_sidecar(&mut self, id: NodeId, node: &Node, waited: u8) {
        let this = Deferred { id, key: ServiceKey::default(), waited, entry: Count::ZERO };
        if node.sends() {
            match self.alone(node) {
                Alone::Yes => self.aside(|settler| settler.settle_caller(id, node)),
                Alone::Unseen => _ = self.hold(node, this),
                Alone::No => {}
            }
            return;
        }
        if !self.is_silent(id) {
            self.open.side.carries(node.service);
            return;
        }
        match self.origin(node) {
            Origin::Unseen if self.hold(node, this) => {}
            Origin::Outside | Origin::Unseen => self.aside(|settler| settler.serve_aside(id, node, true)),
            Origin::Call(call_id) => {
                let Some(call) = self.store.get(call_id) else { return };
                self.aside(|settler| {
                    settler.serve_aside(id, node, call.is_proxy() && call.state.has(State::ROOT));
                    if call.is_proxy() {
                        settler.settle_called(id, node, call_id, call, ServiceKey::default());
                    }
                });
            }
            Origin::Foreign(_) | Origin::Inside => {}
        }
    }

    /// What is counted meanwhile goes to the rows that only stand for services.
    fn aside(&mut self, count: impl FnOnce(&mut Self)) {
        self.open.swap_side();
        count(self);
        self.open.swap_side();
    }

    /// Counts a request in the row of the service beside the sidecar.
    fn serve_aside(&mut self, id: NodeId, node: &Node, entered: bool) {
        let key = ServiceKey {
            service: node.service,
            operation: node.operation,
            // Kept there by [`Node::fill`].
            instance: node.peer,
            ..ServiceKey::default()
        };
        let count = node.weight.count();
        let at = self.open.service(key, count.0, self.shared);
        let exclusive_us = is_timed(node).then(|| self.exclusive_us(id, node));
        let row = self.open.services.row(at);
        row.serve(
            Served {
                weight: node.weight,
                outcome: node.outcome(),
                criticality: node.criticality,
                duration_us: is_timed(node).then(|| node.duration_us()),
                busy_us: node.duration_us(),
                again: false,
            },
            &mut self.shared.pool,
        );
        if let Some(exclusive_us) = exclusive_us {
            row.own(exclusive_us, count, &mut self.shared.pool);
        }
        if entered && !node.flags.has(SpanFlags::LINKED) {
            row.entries += count;
            // Whether a service emits spans elsewhere is not known here: only those that surely do not make flows.
            if self.children(id, self.tick).any(|(_, child)| self.alone(child) == Alone::Yes) {
                self.follow(id, node);
            }
        }
    }
}
