//! The memory for spans: an index from (trace, span) to nodes that are linked to their parents and children.
//!
//! It never decides what a span means and never forgets by itself: [`Store::forget`] is called when [`Store::full`] says so, or
//! for what is older than its time.

mod index;
mod node;
mod pool;

pub(crate) use node::{Node, NodeId, Order, State};
pub(crate) use pool::Number;

use crate::tick::Tick;
use index::{Found, Index, Remembered};
use model::{Span, SpanFlags, SpanId, SpanKind, TraceId};
use pool::Pool;
use std::collections::VecDeque;

const TWIN_SALT: u64 = 0x9e37_79b9_7f4a_7c15;
const LINK_SALT: u64 = 0xd1b5_4a32_d192_ed03;

/// What became of a span that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Remembered under this id.
    New(NodeId),
    /// It was there already.
    Duplicate,
}

/// The two kinds of memory. Each has its own bound, so that a flood of the less useful never displaces the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Internal spans that nobody had named when they came: the least useful, with an eighth of the memory.
    Inner,
    /// Both halves of calls, places of parents, and internal spans that are parents.
    Calls,
}

/// All remembered spans of a shard. Memory grows with need up to the bounds and is used again from there on.
#[derive(Debug)]
pub(crate) struct Store {
    index: Index,
    calls: Pool,
    inner: Pool,
    /// What is to be kept until when: the oldest first.
    marks: VecDeque<Mark>,
}

/// How far the pools had come, and until when what was there by then is to be kept, Unix nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    until_ns: u64,
    calls: Number,
    inner: Number,
}

impl Mark {
    /// Up to where it had come with this kind.
    pub(crate) fn of(&self, kind: Kind) -> Number {
        match kind {
            Kind::Inner => self.inner,
            Kind::Calls => self.calls,
        }
    }
}

impl Store {
    pub(crate) fn new(budget_bytes: usize) -> Store {
        let each = size_of::<Node>() + Index::NODE_BYTES;
        let (calls, inner) = (budget_bytes / each / 8 * 7, budget_bytes / each / 8);
        let (calls, inner) = (Pool::new(0, calls), Pool::new(1, inner));
        Store { index: Index::new(), calls, inner, marks: VecDeque::new() }
    }

    #[inline]
    fn pool(&self, id: NodeId) -> &Pool {
        if id.pool() == 0 { &self.calls } else { &self.inner }
    }

    #[inline]
    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.pool(id).get(id)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        if id.pool() == 0 { self.calls.get_mut(id) } else { self.inner.get_mut(id) }
    }

    /// Remembers a span that counts at `tick`, links it to its parent, and finds out whether it was there already.
    #[inline]
    pub(crate) fn insert(&mut self, span: &Span, keys: Keys, tick: Tick) -> Stored {
        let linked = span.flags.has(SpanFlags::LINKED);
        let key = keys.own ^ if linked { LINK_SALT } else { 0 };
        let (id, place) = match self.claim(key, span) {
            Claim::New(id) | Claim::Place(id) => (id, true),
            Claim::Taken(other) => (other, false),
        };
        if !place {
            return self.insert_twin(id, key, keys, span, tick);
        }
        let node = self.get_mut(id).expect("claimed nodes exist");
        node.fill(span, tick);
        self.adopt(id, keys.parent, span);
        Stored::New(id)
    }

    /// The span has been settled, although its window is open.
    #[inline]
    pub(crate) fn settle(&self, id: NodeId) {
        self.pool(id).settle(id);
    }

    /// Is nothing left to settle of this span: was that done ahead, or is it forgotten?
    #[inline]
    pub(crate) fn is_settled(&self, id: NodeId) -> bool {
        self.pool(id).is_settled(id)
    }

    /// The call is counted with this half, or without one, whatever else comes.
    #[inline]
    pub(crate) fn pair(&mut self, call: NodeId, half: NodeId) {
        if let Some(node) = self.get_mut(call) {
            node.pair = half;
            node.state.set(State::PAIRED);
        }
    }

    /// Remembers a span that was counted before a restart.
    pub(crate) fn insert_pair_only(&mut self, span: &Span, keys: Keys) -> Stored {
        let stored = self.insert(span, keys, Tick(0));
        if let Stored::New(id) = stored {
            self.get_mut(id).expect("just inserted").state.set(State::PAIR_ONLY);
        }
        stored
    }

    /// A span whose id is taken is a duplicate, unless one is the sending and the other the receiving half of a call.
    #[cold]
    fn insert_twin(&mut self, first: NodeId, key: u64, keys: Keys, span: &Span, tick: Tick) -> Stored {
        let there = self.get(first).expect("claimed nodes exist");
        let halves = matches!(
            (there.kind, span.kind),
            (SpanKind::Client, SpanKind::Server)
                | (SpanKind::Server, SpanKind::Client)
                | (SpanKind::Producer, SpanKind::Consumer)
                | (SpanKind::Consumer, SpanKind::Producer)
        );
        if !halves {
            return Stored::Duplicate;
        }
        let id = match self.claim(key ^ TWIN_SALT, span) {
            Claim::New(id) | Claim::Place(id) => id,
            Claim::Taken(_) => return Stored::Duplicate,
        };
        let node = self.get_mut(id).expect("claimed nodes exist");
        node.fill(span, tick);
        node.state.set(State::TWIN);
        if node.receives() {
            self.link(id, first);
            let client = self.get_mut(first).expect("claimed nodes exist");
            if !client.state.has(State::PAIRED) {
                client.pair = id;
            }
            client.state.set(State::SHARED);
        } else {
            node.pair = first;
            self.adopt(id, keys.parent, span);
            let server = self.get_mut(first).expect("claimed nodes exist");
            server.parent = id;
            server.state.clear(State::ROOT);
        }
        Stored::New(id)
    }

    /// Links a node to its parent, for which a place is made if it has not been read.
    #[inline]
    fn adopt(&mut self, id: NodeId, key: u64, span: &Span) {
        if !span.parent.is_some() || span.parent == span.id {
            self.get_mut(id).expect("claimed nodes exist").state.set(State::ROOT);
            return;
        }
        let parent = match self.find(key) {
            Found::There(parent) => parent,
            Found::Free(at) => {
                let place = self.calls.push(Node::place(key));
                self.index.fill(at, key, place);
                place
            }
        };
        self.link(id, parent);
    }

    #[inline]
    fn link(&mut self, id: NodeId, parent: NodeId) {
        let node = *self.get(id).expect("claimed nodes exist");
        let Some(above) = self.get_mut(parent) else { return };
        let sibling = std::mem::replace(&mut above.child, id);
        if node.receives() || node.is_proxy() {
            if above.pair.is_some() || above.state.has(State::PAIRED) {
                above.state.set(State::MANY);
            } else {
                above.pair = id;
            }
        }
        if node.sends() && node.failed() {
            above.state.set(State::CHILD_FAILED);
        }
        let node = self.get_mut(id).expect("claimed nodes exist");
        node.parent = parent;
        node.sibling = sibling;
    }

    #[inline]
    fn find(&self, key: u64) -> Found {
        let is = |id: NodeId| self.get(id).is_some_and(|node| node.rest == key as u32);
        self.index.find(key, self.remembered(), is)
    }

    #[inline]
    fn claim(&mut self, key: u64, span: &Span) -> Claim {
        match self.find(key) {
            Found::There(id) => {
                if self.get(id).is_some_and(|node| node.state.has(State::FILLED)) {
                    Claim::Taken(id)
                } else {
                    Claim::Place(id)
                }
            }
            Found::Free(at) => {
                let leaf = span.kind == SpanKind::Internal && !span.flags.has(SpanFlags::PROXY);
                let place = Node::place(key);
                let id = if leaf { self.inner.push(place) } else { self.calls.push(place) };
                self.index.fill(at, key, id);
                Claim::New(id)
            }
        }
    }

    /// Asks for the index's places of these keys.
    #[inline]
    pub(crate) fn ask_places(&self, keys: Keys) {
        self.index.ask(keys.own);
        self.index.ask(keys.parent);
    }

    /// Asks for the nodes that those places name.
    #[inline]
    pub(crate) fn ask_nodes(&self, keys: Keys) {
        for key in [keys.own, keys.parent] {
            if let Some(id) = self.index.candidate(key) {
                self.ask(id);
            }
        }
    }

    /// Asks for a node.
    #[inline]
    pub(crate) fn ask(&self, id: NodeId) {
        if let Some(node) = self.get(id) {
            node.ask();
        }
    }

    /// Asks for the child that came last.
    #[inline]
    pub(crate) fn ask_child(&self, id: NodeId) {
        if let Some(node) = self.get(id) {
            self.ask(node.child);
        }
    }

    /// Asks for the other half of that child, and for its sibling.
    #[inline]
    pub(crate) fn ask_halves(&self, id: NodeId) {
        if let Some(child) = self.get(id).and_then(|node| self.get(node.child)) {
            self.ask(child.pair);
            self.ask(child.sibling);
        }
    }

    /// Asks for the other half of a call, and for the one above.
    #[inline]
    pub(crate) fn ask_relatives(&self, id: NodeId) {
        if let Some(node) = self.get(id) {
            self.ask(node.pair);
            self.ask(node.parent);
        }
    }

    /// Asks for the one above the one above.
    #[inline]
    pub(crate) fn ask_grandparent(&self, id: NodeId) {
        if let Some(above) = self.get(id).and_then(|node| self.get(node.parent)) {
            self.ask(above.parent);
        }
    }

    /// Which kind must forget its old generation before another span and its parent's place fit in.
    #[inline]
    pub(crate) fn full(&self) -> Option<Kind> {
        if self.calls.is_full() {
            Some(Kind::Calls)
        } else if self.inner.is_full() {
            Some(Kind::Inner)
        } else {
            None
        }
    }

    /// What came since the last mark, and was there by `at_ns`, is to be kept for `keep_ns` from then on, nanoseconds.
    pub(crate) fn mark(&mut self, at_ns: u64, keep_ns: u64) {
        let until_ns = at_ns.saturating_add(keep_ns);
        let mark = Mark { until_ns, calls: self.calls.next(), inner: self.inner.next() };
        match self.marks.back_mut() {
            Some(last) if (last.calls, last.inner) == (mark.calls, mark.inner) => {}
            _ => self.marks.push_back(mark),
        }
    }

    /// The mark before which nothing is to be kept any more at `now_ns`; each is given once.
    pub(crate) fn outlived(&mut self, now_ns: u64) -> Option<Mark> {
        let mut last = None;
        while self.marks.front().is_some_and(|mark| mark.until_ns <= now_ns) {
            last = self.marks.pop_front();
        }
        last
    }

    /// The oldest of a kind, a few thousand.
    pub(crate) fn oldest(&self, kind: Kind) -> Number {
        self.pool_of(kind).behind_oldest()
    }

    /// The nodes of a kind before `until`; those not yet counted must be counted before they are forgotten.
    pub(crate) fn until(&self, kind: Kind, until: Number) -> impl Iterator<Item = (NodeId, &Node)> {
        self.pool_of(kind).until(until)
    }

    /// Forgets these. Says how many they were.
    pub(crate) fn forget(&mut self, kind: Kind, until: Number) -> usize {
        match kind {
            Kind::Inner => self.inner.forget(until),
            Kind::Calls => self.calls.forget(until),
        }
    }

    fn pool_of(&self, kind: Kind) -> &Pool {
        match kind {
            Kind::Inner => &self.inner,
            Kind::Calls => &self.calls,
        }
    }

    /// Makes room in the index for so many spans more, and as many of their parents and twins.
    #[inline]
    pub(crate) fn reserve(&mut self, spans: usize) {
        self.index.reserve(self.len() + spans * 3, self.remembered());
    }

    #[inline]
    fn remembered(&self) -> Remembered {
        let [calls, inner] = [self.calls.remembered(), self.inner.remembered()];
        Remembered { floors: [calls.0, inner.0], counts: [calls.1, inner.1] }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len() + self.inner.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.calls.bytes() + self.inner.bytes() + self.index.bytes()
    }
}

enum Claim {
    New(NodeId),
    Place(NodeId),
    Taken(NodeId),
}

/// Under what a span and its parent are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    own: u64,
    parent: u64,
}

impl Keys {
    /// Those of a span.
    #[inline]
    pub(crate) fn of(span: &Span) -> Keys {
        let trace = trace_mix(span.trace);
        Keys { own: key(trace, span.id), parent: key(trace, span.parent) }
    }
}

/// Ids are random bits already: a multiplication spreads them, and keeps ids that differ in few bits apart.
#[inline]
fn trace_mix(trace: TraceId) -> u64 {
    let (low, high) = (trace.0 as u64, (trace.0 >> 64) as u64);
    (low.rotate_left(23) ^ high).wrapping_mul(TWIN_SALT)
}

#[inline]
fn key(trace: u64, span: SpanId) -> u64 {
    let mixed = u128::from(trace ^ span.0.rotate_left(32)) * u128::from(LINK_SALT);
    (mixed as u64) ^ ((mixed >> 64) as u64)
}
