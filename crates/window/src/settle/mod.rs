//! Settling: what a span that has ended means, once all that belongs to it has had the grace to arrive.
//!
//! Only what counts in this window or an earlier one is looked at ([`Settler::seen`]), although spans of later windows may
//! lie in memory already: whether they do depends on how partitions interleave, and the outcome must not.

mod ancestors;
mod callee;
mod caller;
mod exclusive;
mod flow;
mod retry;

use crate::ShardConfig;
use crate::rows::{Admissions, Deferred, Open};
use crate::store::{Node, NodeId, State, Store};
use model::{SpanFlags, SpanKind};

/// Hops that are followed towards a root.
const HOPS_MAX: usize = 64;
/// Children that are looked at where all of them matter.
const CHILDREN_MAX: usize = 256;
/// Windows that a server span waits for its parent to be seen.
const TRIES_MAX: u8 = 2;

/// Memory that is used again from span to span.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    intervals: Vec<(u64, u64)>,
    stack: Vec<NodeId>,
    /// Spans that the next window must look at again.
    pub(crate) deferred: Vec<Deferred>,
}

/// Settles the spans of one window.
pub(crate) struct Settler<'a> {
    pub(crate) store: &'a Store,
    pub(crate) config: &'a ShardConfig,
    pub(crate) window: u64,
    pub(crate) open: &'a mut Open,
    pub(crate) shared: &'a mut Admissions,
    pub(crate) scratch: &'a mut Scratch,
}

/// Must a span be settled when its window closes?
pub(crate) fn settles(node: &Node) -> bool {
    let internal = node.kind == SpanKind::Internal && !node.state.has(State::ROOT);
    node.state.has(State::FILLED) && !node.state.has(State::PAIR_ONLY) && !node.is_proxy() && !internal
}

impl Settler<'_> {
    /// Settles one span; a server span whose parent is not seen yet is deferred.
    #[inline]
    pub(crate) fn settle(&mut self, id: NodeId) {
        let store = self.store;
        let Some(node) = store.get(id) else { return };
        if node.sends() { self.settle_caller(id, node) } else { self.settle_callee(id, node, 0) }
    }

    /// Settles a span that will be forgotten now, with what is known.
    pub(crate) fn settle_now(&mut self, id: NodeId) {
        let store = self.store;
        let Some(node) = store.get(id) else { return };
        if node.sends() { self.settle_caller(id, node) } else { self.settle_callee(id, node, TRIES_MAX) }
    }

    /// Settles a span that an earlier window has deferred.
    pub(crate) fn settle_deferred(&mut self, deferred: Deferred) {
        let store = self.store;
        if let Some(node) = store.get(deferred.id) {
            self.settle_origin(deferred.id, node, deferred);
        }
    }

    /// The node, if its span was read and counts by the end of this window.
    #[inline]
    fn seen(&self, id: NodeId) -> Option<&Node> {
        self.seen_by(id, self.window)
    }

    #[inline]
    fn seen_by(&self, id: NodeId, window: u64) -> Option<&Node> {
        if !id.is_some() {
            return None;
        }
        self.store.get(id).filter(|node| node.window <= window)
    }

    /// The children that count by the end of `window`, the last to arrive first.
    fn children(&self, parent: NodeId, window: u64) -> impl Iterator<Item = (NodeId, &Node)> {
        let first = self.store.get(parent).map_or(NodeId::NONE, |node| node.child);
        let all = std::iter::successors(self.link(first), |(_, node)| self.link(node.sibling));
        // A child whose parent link was moved (to a twin) is in a list that is no longer its own.
        all.take(CHILDREN_MAX).filter(move |(_, node)| node.parent == parent && node.window <= window)
    }

    fn link(&self, id: NodeId) -> Option<(NodeId, &Node)> {
        if !id.is_some() {
            return None;
        }
        self.store.get(id).map(|node| (id, node))
    }

    /// The receiving half of a call as far as it counts by the end of `window`, behind any proxies.
    #[inline]
    fn pair_of(&self, id: NodeId, window: u64) -> Option<(NodeId, &Node)> {
        let mut at = id;
        for _ in 0..HOPS_MAX {
            let (next, node) = self.candidate(at, window)?;
            if !node.is_proxy() {
                return Some((next, node));
            }
            at = next;
        }
        None
    }

    #[inline]
    fn candidate(&self, id: NodeId, window: u64) -> Option<(NodeId, &Node)> {
        let node = self.store.get(id)?;
        if !node.state.has(State::MANY) {
            return self.seen_by(node.pair, window).map(|pair| (node.pair, pair));
        }
        self.children(id, window)
            .filter(|(_, child)| child.receives() || child.is_proxy())
            .min_by_key(|(_, child)| child.order())
    }
}

/// Streams and long polls: their durations say nothing.
fn is_timed(node: &Node) -> bool {
    !node.flags.has(SpanFlags::STREAMING)
}
