//! Settling: what a span that has ended means, once all that belongs to it has had the grace to arrive.
//!
//! Only what counts by the slice that has passed is looked at ([`Settler::seen`]), although later spans may lie in memory
//! already: whether they do depends on how partitions interleave, and the outcome must not.

mod ancestors;
mod callee;
mod caller;
mod early;
mod exclusive;
mod flow;
mod retry;
mod sampled;
mod sidecar;

use crate::ShardConfig;
use crate::held::Held;
use crate::rows::{Admissions, Deferred, Open};
use crate::store::{Node, NodeId, Order, State, Store};
use crate::tick::Tick;
use model::{ServiceKey, SpanFlags, SpanKind};
use sidecar::Alone;

/// Hops that are followed towards a root.
const HOPS_MAX: usize = 64;
/// Children that are looked at where all of them matter.
const CHILDREN_MAX: usize = 256;
/// Windows that a server span waits for its parent to be seen, and more where others are late.
const TRIES_MAX: u8 = 2;

/// Memory that is used again from span to span.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    intervals: Vec<(u64, u64)>,
    stack: Vec<NodeId>,
    below: Vec<NodeId>,
    /// Was there a root that spoke for its trace?
    speaks: bool,
    /// What a service did within a request.
    within: Vec<NodeId>,
    /// How many spans were settled early, and calls with the halves that they are counted with.
    pub(crate) early: u64,
    pub(crate) paired: Vec<(NodeId, NodeId)>,
}

/// Settles the spans of one window.
pub(crate) struct Settler<'a> {
    pub(crate) store: &'a Store,
    pub(crate) config: &'a ShardConfig,
    pub(crate) window: u64,
    /// The last slice that has passed: of this window, and its last one when it closes.
    pub(crate) tick: Tick,
    /// Of what counts earlier than this it is known already what the services did themselves.
    pub(crate) worked: Tick,
    pub(crate) open: &'a mut Open,
    pub(crate) shared: &'a mut Admissions,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) held: &'a mut Held,
    /// Does nothing come after this?
    pub(crate) hasty: bool,
}

pub(crate) use early::passes;

/// Must a span be settled when its window closes?
pub(crate) fn settles(node: &Node) -> bool {
    // Without a parent an internal span is a request of its own, unless it only polls a broker.
    let poll = node.flags.has(SpanFlags::MESSAGING);
    let internal = node.kind == SpanKind::Internal && (poll || !node.state.has(State::ROOT));
    node.state.has(State::FILLED)
        && !node.state.has(State::PAIR_ONLY)
        && (!node.is_proxy() || node.is_sidecar())
        && !internal
}

impl Settler<'_> {
    /// Settles one span; a server span whose parent is not seen yet is deferred.
    #[inline]
    pub(crate) fn settle(&mut self, id: NodeId) {
        let store = self.store;
        let Some(node) = store.get(id) else { return };
        if node.is_proxy() {
            self.settle_sidecar(id, node, 0);
        } else if node.sends() {
            self.settle_caller(id, node);
        } else {
            self.settle_callee(id, node, 0);
        }
        if node.flags.has(SpanFlags::FOR_TRACE) {
            self.speak(id, node);
        } else if self.scratch.speaks {
            self.hear_late(id, node);
        }
    }

    /// Settles a span that will be forgotten now, with what is known.
    pub(crate) fn settle_now(&mut self, id: NodeId) {
        let store = self.store;
        let Some(node) = store.get(id) else { return };
        if node.is_proxy() {
            self.settle_sidecar(id, node, u8::MAX);
        } else if node.sends() {
            self.settle_caller(id, node);
        } else {
            self.settle_callee(id, node, u8::MAX);
        }
    }

    /// Settles a span that an earlier window has deferred.
    pub(crate) fn settle_deferred(&mut self, deferred: Deferred) {
        let store = self.store;
        match store.get(deferred.id) {
            Some(node) if node.is_proxy() => self.settle_sidecar(deferred.id, node, deferred.waited),
            Some(node) => self.settle_origin(deferred.id, node, deferred),
            // Memory was short: whom it came from nobody will find out.
            None if deferred.entry.is_zero() || deferred.key == ServiceKey::default() => {}
            None => {
                let at = self.open.service(deferred.key, deferred.entry.0, self.shared);
                self.open.services.row(at).entries += deferred.entry;
            }
        }
    }

    /// Passes a span on to a later window if it still may wait for its parent. Looked for at every window at first, then
    /// each time after twice as long.
    fn hold(&mut self, node: &Node, deferred: Deferred) -> bool {
        let patience = if self.hasty || self.held.is_full() { 0 } else { node.patience.0 };
        let left = TRIES_MAX.saturating_add(patience).saturating_sub(deferred.waited);
        let more = if deferred.waited < TRIES_MAX { left.min(1) } else { left.min(deferred.waited) };
        if more > 0 {
            let later = Deferred { waited: deferred.waited + more, ..deferred };
            self.held.hold(self.window + u64::from(more), later);
        }
        more > 0
    }

    /// The node, if its span was read and counts by now.
    #[inline]
    fn seen(&self, id: NodeId) -> Option<&Node> {
        self.seen_by(id, self.tick)
    }

    #[inline]
    fn seen_by(&self, id: NodeId, tick: Tick) -> Option<&Node> {
        if !id.is_some() {
            return None;
        }
        self.store.get(id).filter(|node| node.tick <= tick)
    }

    /// The children that count by `tick`, the last to arrive first.
    fn children(&self, parent: NodeId, tick: Tick) -> impl Iterator<Item = (NodeId, &Node)> {
        let first = self.store.get(parent).map_or(NodeId::NONE, |node| node.child);
        let all = std::iter::successors(self.link(first), |(_, node)| self.link(node.sibling));
        // A child whose parent link was moved (to a twin) is in a list that is no longer its own.
        all.take(CHILDREN_MAX).filter(move |(_, node)| node.parent == parent && node.tick <= tick)
    }

    fn link(&self, id: NodeId) -> Option<(NodeId, &Node)> {
        if !id.is_some() {
            return None;
        }
        self.store.get(id).map(|node| (id, node))
    }

    /// The receiving half of a call as far as it counts by `tick`, behind any proxies. Where a proxy has tried
    /// more than once it is the last attempt: that one answered.
    #[inline]
    fn pair_of(&self, id: NodeId, tick: Tick) -> Option<(NodeId, &Node)> {
        let node = self.store.get(id)?;
        if node.state.has(State::PAIRED) {
            return self.seen_by(node.pair, tick).map(|pair| (node.pair, pair));
        }
        if !node.state.has(State::MANY) {
            let pair = self.seen_by(node.pair, tick)?;
            if !pair.is_proxy() {
                return Some((node.pair, pair));
            }
        }
        self.behind(id, tick, node.is_proxy(), &mut { CHILDREN_MAX })
    }

    /// The same, through proxies and past those that lead nowhere; what a proxy mirrors to another service is no answer.
    /// Where a sidecar called (`sidecars`), the callee's may have answered for a service that emits nothing.
    #[cold]
    fn behind(&self, id: NodeId, tick: Tick, sidecars: bool, budget: &mut usize) -> Option<(NodeId, &Node)> {
        *budget = budget.checked_sub(1)?;
        let first = self.received(id, tick, sidecars, budget).min_by_key(|(order, _)| *order)?.1.1.service;
        let answers = self.received(id, tick, sidecars, budget).filter(|(_, (_, node))| node.service == first);
        answers.max_by_key(|(order, _)| *order).map(|(_, received)| received)
    }

    /// What was received of a call or of a proxy's hop, with the order of the attempts.
    fn received<'s, 'b>(
        &'s self,
        id: NodeId,
        tick: Tick,
        sidecars: bool,
        budget: &'b mut usize,
    ) -> impl Iterator<Item = (Order, (NodeId, &'s Node))> + use<'s, 'b> {
        // A half under the same id may be no child in the list.
        let pair = self.store.get(id).map_or(NodeId::NONE, |node| node.pair);
        let pair = self.seen_by(pair, tick).map(|node| (pair, node));
        self.children(id, tick).chain(pair).filter_map(move |(next, child)| {
            let received = match child.is_proxy() {
                // What a service asked of others does not answer for it.
                true if self.alone(child) == Alone::Yes => return None,
                true => match self.behind(next, tick, sidecars, budget) {
                    Some(received) => received,
                    None if sidecars && child.is_sidecar() && child.receives() => (next, child),
                    None => return None,
                },
                false if child.receives() => (next, child),
                false => return None,
            };
            Some((child.order(), received))
        })
    }
}

/// Streams and long polls: their durations say nothing.
fn is_timed(node: &Node) -> bool {
    !node.flags.has(SpanFlags::STREAMING)
}
