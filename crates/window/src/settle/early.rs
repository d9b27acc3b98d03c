//! Settling while the window is open. When the slice of a request has passed, what its service did within it has been seen:
//! its own time is known, and so are the calls that it made, by whom they were answered, and in which operation. None of
//! them has to wait for the window's end.
//!
//! What is not plain waits for it: proxies, halves under one id, messages, roots that say for their whole trace how it was
//! sampled, and everything whose relatives have not been seen.

use super::ancestors::{Enclosing, Origin};
use super::callee::Counted;
use super::{HOPS_MAX, Settler, is_timed};
use crate::store::{Node, NodeId, State};
use model::{NameId, ServiceKey, SpanFlags, SpanKind};

/// The receiving halves of a call that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    None,
    One(NodeId),
    /// Several, or not plainly one.
    Unclear,
}

/// Is it looked at when its slice has passed? So are requests, and of calls those from outside and those that came too slowly.
#[inline]
pub(crate) fn passes(node: &Node) -> bool {
    let kind = match node.kind {
        SpanKind::Server | SpanKind::Internal => true,
        SpanKind::Client => node.state.has(State::ROOT) || node.state.has(State::SLOW),
        SpanKind::Producer | SpanKind::Consumer => false,
    };
    kind && is_plain(node)
}

/// Does it mean the same whatever others say, and was it not counted before a restart?
#[inline]
fn is_plain(node: &Node) -> bool {
    let others = [SpanFlags::PROXY, SpanFlags::FOR_TRACE, SpanFlags::LINKED];
    let states = [State::TWIN, State::SHARED, State::PAIR_ONLY];
    !(others.iter().any(|flag| node.flags.has(*flag)) || states.iter().any(|state| node.state.has(*state)))
}

impl Settler<'_> {
    /// The slice of this span has passed: settles what is complete by that.
    #[inline]
    pub(crate) fn pass(&mut self, id: NodeId) {
        let store = self.store;
        // What was forgotten was settled before.
        let Some(node) = store.get(id) else { return };
        if node.sends() {
            self.call_after(id, node);
            return;
        }
        self.scratch.within.clear();
        let deferred = self.work(id, node, 0);
        let looked = is_timed(node) && node.row != Node::NO_ROW;
        if !looked && node.child.is_some() {
            self.look_within(id, node);
        }
        let within = std::mem::take(&mut self.scratch.within);
        if node.state.has(State::ROOT) {
            self.settle_from(Origin::Outside, id, node, deferred);
            self.settled(id, node);
        }
        let enclosing = Enclosing { operation: node.operation, outside: false };
        for child_id in &within {
            match store.get(*child_id) {
                Some(child) if child.window() != self.window || !is_plain(child) => {}
                Some(call) if call.kind == SpanKind::Client => self.call_early(*child_id, call, enclosing),
                // A part of this request: its own time is all there is to count.
                Some(part) if part.kind == SpanKind::Server => self.settled(*child_id, part),
                _ => {}
            }
        }
        self.scratch.within = within;
        if node.state.has(State::SLOW)
            && let Some(call) = store.get(node.parent).filter(|call| call.tick <= self.tick)
            && call.window() == self.window
            && call.kind == SpanKind::Client
            && is_plain(call)
        {
            self.call_after(node.parent, call);
        }
    }

    /// Settles a call that was not settled with the request in which it was made, if that has passed.
    #[cold]
    fn call_after(&mut self, id: NodeId, call: &Node) {
        if let Some(enclosing) = self.request_of(call) {
            self.call_early(id, call, enclosing);
        }
    }

    /// The request in which a call was made, if its slice has passed.
    fn request_of(&self, call: &Node) -> Option<Enclosing> {
        let mut at = call;
        for _ in 0..HOPS_MAX {
            if at.state.has(State::ROOT) {
                let operation = if at.sends() { NameId::NONE } else { at.operation };
                return Some(Enclosing { operation, outside: at.sends() });
            }
            at = self.seen(at.parent).filter(|above| above.service == call.service && is_plain(above))?;
            match at.kind {
                SpanKind::Internal => {}
                SpanKind::Server => return Some(Enclosing { operation: at.operation, outside: false }),
                _ => return None,
            }
        }
        None
    }

    /// Settles a call and its answer, unless what is still to come may change what they mean.
    #[inline]
    fn call_early(&mut self, id: NodeId, call: &Node, enclosing: Enclosing) {
        let store = self.store;
        if store.is_settled(id) {
            return;
        }
        let half = match self.half(id, call) {
            Half::One(half) => {
                store.get(half).filter(|node| node.kind == SpanKind::Server && is_plain(node)).map(|_| half)
            }
            // Most databases emit no spans; other peers may show themselves yet.
            Half::None if call.flags.has(SpanFlags::DATABASE) && self.children(id, self.tick).next().is_none() => {
                Some(NodeId::NONE)
            }
            _ => None,
        };
        let Some(half) = half.filter(|_| self.knows_attempt(id, call)) else {
            // Its answer may come later, as what it asked for may take longer than it waited.
            if let (true, Some(again)) = (call.failed(), self.tick.again(call.tick)) {
                self.open.due.push(again, id);
            }
            return;
        };
        self.settle_call(id, call, half, enclosing);
        self.settled(id, call);
        self.scratch.paired.push((id, half));
        match store.get(half) {
            Some(node) if half.is_some() && node.parent == id && node.window() == self.window => {
                let served = node.row != Node::NO_ROW;
                let key = if served { self.open.services.key(node.row) } else { ServiceKey::default() };
                self.settle_answer(half, node, call, key, (enclosing, Counted::ByCaller));
                self.settled(half, node);
            }
            _ => {}
        }
    }

    #[inline]
    fn settled(&mut self, id: NodeId, node: &Node) {
        self.store.settle(id);
        self.scratch.early += 1;
        if self.scratch.speaks {
            self.hear_late(id, node);
        }
    }

    #[inline]
    pub(super) fn half(&self, id: NodeId, call: &Node) -> Half {
        if call.state.has(State::PAIRED) {
            return if call.pair.is_some() { Half::One(call.pair) } else { Half::None };
        }
        if call.state.has(State::MANY) {
            return self.one_of_many(id);
        }
        match self.seen(call.pair) {
            Some(half) if half.is_proxy() => Half::Unclear,
            Some(_) => Half::One(call.pair),
            None => Half::None,
        }
    }

    /// More than one half has come, but perhaps only one of them counts by now.
    #[cold]
    fn one_of_many(&self, id: NodeId) -> Half {
        let mut halves = self.children(id, self.tick).filter(|(_, child)| child.receives() || child.is_proxy());
        match (halves.next(), halves.next()) {
            (None, _) => Half::None,
            (Some((half, node)), None) if !node.is_proxy() => Half::One(half),
            _ => Half::Unclear,
        }
    }
}
