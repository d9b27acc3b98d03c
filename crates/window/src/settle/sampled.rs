//! Samplers that mark the root of a trace only, as Jaeger's do: what lies below does not say how many it stands for, the
//! root says it for all.
//!
//! A root ends last and comes last: by then its descendants are counted as one each, some of them in windows that are
//! closed. So with the root each is counted again for the rest of what it stands for; what ends or comes later than its
//! root, with its own window. A root that keeps a rate or adapts makes all below it doubtful instead: their edges are biased,
//! which keeps rates, capacities and actions off them. Where the share is configured (`unmarked` of the reader) the
//! descendants carry a weight of their own, and nothing is done.

use super::caller::edge_of;
use super::{HOPS_MAX, Settler, is_timed, settles};
use crate::rows::{Served, StepKey};
use crate::store::{Node, NodeId, State};
use model::{ServiceKey, SpanFlags, Weight};

/// Spans of one trace that are looked at.
const SPANS_MAX: usize = 4096;

impl Settler<'_> {
    /// What a root says counts for all below it that has counted so far.
    #[cold]
    pub(super) fn speak(&mut self, root_id: NodeId, root: &Node) {
        self.scratch.speaks = true;
        let mut stack = std::mem::take(&mut self.scratch.stack);
        let mut below = std::mem::take(&mut self.scratch.below);
        stack.clear();
        below.clear();
        stack.push(root_id);
        while let (Some(next), true) = (stack.pop(), below.len() < SPANS_MAX) {
            stack.extend(self.children(next, self.tick).map(|child| child.0));
            if next != root_id {
                below.push(next);
            }
        }
        self.scratch.stack = stack;
        below.iter().for_each(|next| self.hear(*next, root));
        self.scratch.below = below;
    }

    /// This span was settled in a later window than the root of its trace, should that have spoken.
    #[cold]
    pub(super) fn hear_late(&mut self, id: NodeId, node: &Node) {
        let mut at = node;
        for _ in 0..HOPS_MAX {
            let Some(above) = self.seen(at.parent) else { return };
            if above.flags.has(SpanFlags::FOR_TRACE) {
                let root = *above;
                if root.window() < self.window {
                    self.hear(id, &root);
                }
                return;
            }
            at = above;
        }
    }

    fn hear(&mut self, id: NodeId, root: &Node) {
        let store = self.store;
        let Some(node) = store.get(id).filter(|node| says_nothing(node)) else { return };
        if root.flags.has(SpanFlags::BIASED) || !root.weight.is_known() {
            self.doubt(id, node);
        } else if let Some(rest) = root.weight.0.checked_sub(Weight::ONE.0).filter(|rest| *rest > 0) {
            self.count_again(id, node, Weight(rest));
        }
    }

    fn doubt(&mut self, id: NodeId, node: &Node) {
        if node.sends() {
            let half = self.pair_of(id, self.tick).map(|(_, half)| half);
            let key = edge_of(node, half, self.enclosing(node));
            let at = self.open.edge(key, 0, self.shared);
            self.open.edges.row(at).doubt();
        } else if node.window() == self.window && node.row != Node::NO_ROW {
            self.open.services.row(node.row).doubt();
        }
    }

    /// Counts a span that has been counted as one for so many more.
    fn count_again(&mut self, id: NodeId, node: &Node, rest: Weight) {
        let count = rest.count();
        let mut again = *node;
        again.weight = rest;
        again.state.set(State::AGAIN);
        if !settles(node) {
            let key = StepKey { service: node.service, operation: node.operation };
            if let Some(step) = self.open.step(key, count.0, self.shared) {
                step.count(count, node.outcome());
            }
            return;
        }
        if !node.sends() && !node.flags.has(SpanFlags::LINKED) {
            // Of a window that is closed nobody knows version, zone and instance any more.
            if node.window() != self.window || node.row == Node::NO_ROW {
                let key = ServiceKey { service: node.service, operation: node.operation, ..ServiceKey::default() };
                (again.tick, again.row) = (self.tick, self.open.service(key, count.0, self.shared));
            }
            let timed = is_timed(node).then(|| node.duration_us());
            let served = Served {
                weight: rest,
                outcome: node.outcome(),
                criticality: node.criticality,
                duration_us: timed,
                busy_us: node.duration_us(),
                again: true,
            };
            self.open.services.row(again.row).serve(served, &mut self.shared.pool);
        }
        if again.sends() {
            self.settle_caller(id, &again);
        } else {
            self.settle_callee(id, &again, u8::MAX);
        }
    }
}

/// Does it leave to the root what it stands for?
pub(super) fn says_nothing(node: &Node) -> bool {
    node.weight == Weight::ONE
        && node.state.has(State::FILLED)
        && !node.state.has(State::PAIR_ONLY)
        && !node.flags.has(SpanFlags::BIASED)
        && !node.is_proxy()
}
