//! Is a call a retry? Said by the span, or inferred: the call before it, from the same parent to the same callee and
//! operation, had failed by the time it began. A repeat after success, as in N+1 loops, is none.

use super::Settler;
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
        // The place of a parent that has not been read knows its children too.
        match self.store.get(call.parent) {
            Some(parent) if call.parent.is_some() && parent.state.has(State::CHILD_FAILED) => self.infer(id, call),
            _ => Attempt::First,
        }
    }

    fn infer(&self, id: NodeId, call: &Node) -> Attempt {
        let service = |id| self.pair_of(id, self.tick).map(|(_, pair)| pair.service);
        let callee = service(id);
        let same = |other_id: NodeId, other: &Node| {
            other.kind == call.kind
                && other.operation == call.operation
                && ((other.peer == call.peer && call.peer.is_some()) || callee == service(other_id))
        };
        let before = self
            .children(call.parent, self.tick)
            .filter(|(other_id, other)| *other_id != id && other.end_ns <= call.start_ns && same(*other_id, other))
            .max_by_key(|(_, other)| (other.end_ns, other.order()));
        match before {
            Some((_, other)) if other.failed() => Attempt::Retry,
            _ => Attempt::First,
        }
    }
}
