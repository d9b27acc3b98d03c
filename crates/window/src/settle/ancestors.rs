//! Where a span comes from: its enclosing operation, and who called.

use super::sidecar::Alone;
use super::{HOPS_MAX, Settler};
use crate::store::{Node, NodeId, State};
use model::NameId;

/// In which operation of its own service a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Enclosing {
    /// The operation; none where it is not known (yet).
    pub(super) operation: NameId,
    /// Is there nothing above the call but the outside world? Then the caller is the outside's own half.
    pub(super) outside: bool,
}

/// Who caused a server or consumer span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody that is observed.
    Outside,
    /// A client or producer span.
    Call(NodeId),
    /// A span of another service that is no client span: the client half is missing.
    Foreign(NodeId),
    /// A span of the same service: it is a part of that request.
    Inside,
    /// The parent was named, and has not been seen.
    Unseen,
}

impl Settler<'_> {
    /// The operation that encloses a call, through internal spans and proxies.
    #[inline]
    pub(super) fn enclosing(&self, call: &Node) -> Enclosing {
        let known = |operation| Enclosing { operation, outside: false };
        let (mut at, mut moved) = (call, false);
        for _ in 0..HOPS_MAX {
            let own = if moved { at.operation } else { NameId::NONE };
            if at.state.has(State::ROOT) {
                return if at.sends() { Enclosing { operation: NameId::NONE, outside: true } } else { known(own) };
            }
            let Some(mut above) = self.seen(at.parent) else { return known(NameId::NONE) };
            if above.state.has(State::SHARED) {
                above = self.seen(above.pair).filter(|twin| twin.service == call.service).unwrap_or(above);
            }
            if above.service != call.service && !above.is_proxy() {
                return known(own);
            }
            if above.receives() && above.service == call.service && (!above.is_proxy() || above.is_sidecar()) {
                return known(above.operation);
            }
            (at, moved) = (above, true);
        }
        known(NameId::NONE)
    }

    /// Who caused a server or consumer span, through proxies and internal spans of its own service.
    #[inline]
    pub(super) fn origin(&self, node: &Node) -> Origin {
        if node.state.has(State::ROOT) {
            return Origin::Outside;
        }
        let mut at = node.parent;
        for _ in 0..HOPS_MAX {
            let Some(above) = self.seen(at) else { return Origin::Unseen };
            if above.is_proxy() {
                match self.alone(above) {
                    Alone::Yes => return Origin::Call(at),
                    Alone::Unseen => return Origin::Unseen,
                    Alone::No => {}
                }
                if above.state.has(State::ROOT) {
                    return Origin::Outside;
                }
            } else if above.sends() {
                return Origin::Call(at);
            } else if above.service != node.service {
                return Origin::Foreign(at);
            } else if above.receives() || above.state.has(State::ROOT) {
                return Origin::Inside;
            }
            at = above.parent;
        }
        Origin::Inside
    }
}
