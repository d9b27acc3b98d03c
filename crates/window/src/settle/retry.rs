//! Is a call a retry? Said by the span, or inferred: the call before it, from the same parent to the same callee and
//! operation, had failed by the time it began. A repeat after success, as in N+1 loops, is none.

use super::Settler;
use super::early::Half;
use crate::rows::Attempt;
use crate::store::{Node, NodeId, State};

impl Settler<'_> {
    #[inline]
    pub(super) fn attempt(&self, id: NodeId, call: &Node) -> Attempt {
        match call.attempt {
            0 => {}
            1 => return Attempt::First,
            _ => return Attempt::Retry,
        }
        if self.is_suspect(call) { self.infer(id, call) } else { Attempt::First }
    }

    /// Has a call from the same parent failed?
    #[inline]
    fn is_suspect(&self, call: &Node) -> bool {
        // The place of a parent that has not been read knows its children too.
        call.parent.is_some() && self.store.get(call.parent).is_some_and(|parent| parent.state.has(State::CHILD_FAILED))
    }

    /// Is it clear whom every call asked that may make this one a retry? Then what is still to come does not change the answer.
    #[inline]
    pub(super) fn knows_attempt(&self, id: NodeId, call: &Node) -> bool {
        call.attempt > 0 || !self.is_suspect(call) || self.knows_before(id, call)
    }

    #[cold]
    fn knows_before(&self, id: NodeId, call: &Node) -> bool {
        let clear = |id, other: &Node| same_peer(other, call) || matches!(self.half(id, other), Half::One(_));
        self.before(id, call).all(|(other_id, other)| clear(other_id, other))
    }

    /// Calls of the same operation from the same parent that had ended when this one began.
    fn before(&self, id: NodeId, call: &Node) -> impl Iterator<Item = (NodeId, &Node)> {
        let (kind, operation, start_ns) = (call.kind, call.operation, call.start_ns);
        self.children(call.parent, self.tick).filter(move |(other_id, other)| {
            *other_id != id && other.kind == kind && other.operation == operation && other.end_ns <= start_ns
        })
    }

    fn infer(&self, id: NodeId, call: &Node) -> Attempt {
        let service = |id| self.pair_of(id, self.tick).map(|(_, pair)| pair.service);
        let callee = service(id);
        let same = |other_id, other: &Node| same_peer(other, call) || callee == service(other_id);
        let before = self
            .before(id, call)
            .filter(|(other_id, other)| same(*other_id, other))
            .max_by_key(|(_, other)| (other.end_ns, other.order()));
        match before {
            Some((_, other)) if other.failed() => Attempt::Retry,
            _ => Attempt::First,
        }
    }
}

fn same_peer(one: &Node, other: &Node) -> bool {
    one.peer == other.peer && one.peer.is_some()
}
