//! A remembered span: what pairing, parents, retries and exclusive time need of it, and nothing else.

use crate::Patience;
use crate::ahead::ask;
use crate::tick::Tick;
use model::{Criticality, Failure, NameId, Outcome, Queued, Span, SpanFlags, SpanKind, TraceId, Weight};

/// A reference to a [`Node`] that notices when the node is gone: the top bit names the pool, the rest counts up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) u32);

impl NodeId {
    /// No node.
    pub(crate) const NONE: NodeId = NodeId(u32::MAX);

    pub(crate) fn is_some(self) -> bool {
        self != NodeId::NONE
    }

    /// The pool in which it lies: 0 or 1.
    #[inline]
    pub(crate) fn pool(self) -> usize {
        (self.0 >> 31) as usize
    }
}

/// See [`Node::order`].
pub(crate) type Order = (u64, u64, NameId, NameId, u8);

/// One-bit states of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(u16);

impl State {
    /// The span itself was read (otherwise only a child named it as its parent).
    pub(crate) const FILLED: State = State(1);
    /// The span has no parent.
    pub(crate) const ROOT: State = State(2);
    /// Read again after a restart, counted before.
    pub(crate) const PAIR_ONLY: State = State(4);
    /// A client child of it failed: a retry may follow.
    pub(crate) const CHILD_FAILED: State = State(8);
    /// More than one child may be its other half.
    pub(crate) const MANY: State = State(16);
    /// A client span whose server half has the same span id (as Zipkin's do); its `pair` is that half.
    pub(crate) const SHARED: State = State(32);
    /// The half of such a pair that came second: known under a salted key.
    pub(crate) const TWIN: State = State(64);
    /// A copy that is counted for the rest of what its span stands for; the span itself was counted before.
    pub(crate) const AGAIN: State = State(128);
    /// Its `pair` is the half that it is counted with, whatever else comes.
    pub(crate) const PAIRED: State = State(256);
    /// Counts later than it ended: its relatives may have been looked at without it.
    pub(crate) const SLOW: State = State(512);

    pub(crate) fn has(self, other: State) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn set(&mut self, other: State) {
        self.0 |= other.0;
    }

    pub(crate) fn clear(&mut self, other: State) {
        self.0 &= !other.0;
    }
}

/// A remembered span, or the place of one that a child has named. Links may dangle: what they name can be forgotten first.
///
/// The order of fields is that of their use: what relatives ask for shares a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Node {
    /// When it counts; [`Tick::UNSEEN`] for a place.
    pub(crate) tick: Tick,
    pub(crate) parent: NodeId,
    /// The child that came last; the others follow by `sibling`.
    pub(crate) child: NodeId,
    pub(crate) sibling: NodeId,
    /// The first child that may be the other half of this call.
    pub(crate) pair: NodeId,
    /// What the index does not know of its key: the lower half.
    pub(crate) rest: u32,
    pub(crate) weight: Weight,
    pub(crate) service: NameId,
    pub(crate) kind: SpanKind,
    pub(crate) outcome: u8,
    pub(crate) flags: SpanFlags,
    pub(crate) state: State,
    pub(crate) attempt: u8,
    pub(crate) criticality: Criticality,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) operation: NameId,
    pub(crate) peer: NameId,
    trace: [u64; 2],
    pub(crate) timeout_ms: u32,
    /// The place of its service row in its window, while that is open.
    pub(crate) row: u32,
    /// How long it waits for its parent.
    pub(crate) patience: Patience,
    /// How much of it was spent in a queue of its own service.
    queued: Queued,
    pub(crate) cohort: u8,
}

/// Memory and its bandwidth are what remembering costs: a span, here and on its way, is as long as it was meant to be.
const _: () = assert!(size_of::<Node>() == 112 && size_of::<Span>() == 112);

impl Node {
    /// There is no service row.
    pub(crate) const NO_ROW: u32 = u32::MAX;

    const PLACE: Node = Node {
        rest: 0,
        trace: [0; 2],
        start_ns: 0,
        end_ns: 0,
        service: NameId::NONE,
        operation: NameId::NONE,
        peer: NameId::NONE,
        tick: Tick::UNSEEN,
        parent: NodeId::NONE,
        child: NodeId::NONE,
        sibling: NodeId::NONE,
        pair: NodeId::NONE,
        row: Node::NO_ROW,
        patience: Patience(0),
        queued: Queued::UNKNOWN,
        weight: Weight::ONE,
        timeout_ms: 0,
        kind: SpanKind::Internal,
        outcome: 0,
        flags: SpanFlags(0),
        attempt: 0,
        criticality: Criticality::Critical,
        cohort: Span::COHORT_UNKNOWN,
        state: State(0),
    };

    /// A place for a span that has not been read.
    #[inline]
    pub(crate) fn place(key: u64) -> Node {
        Node { rest: key as u32, ..Node::PLACE }
    }

    /// Writes the span's facts over a place; its links stay.
    pub(crate) fn fill(&mut self, span: &Span, tick: Tick) {
        self.trace = [span.trace.0 as u64, (span.trace.0 >> 64) as u64];
        self.start_ns = span.start_ns;
        self.end_ns = span.end_ns;
        self.service = span.service;
        self.operation = span.operation;
        // A sidecar's inbound hop has no peer; should it count for its service, its instance is asked for.
        let inbound = span.kind == SpanKind::Server && span.flags.has(SpanFlags::SIDECAR);
        self.peer = if inbound { span.instance } else { span.peer };
        self.tick = tick;
        self.weight = span.weight;
        self.timeout_ms = span.timeout_ms;
        self.queued = span.queued;
        self.kind = span.kind;
        self.outcome = outcome_code(span.outcome);
        self.flags = span.flags;
        self.attempt = span.attempt;
        self.criticality = span.criticality.unwrap_or_default();
        self.cohort = span.cohort;
        self.state.set(State::FILLED);
    }

    /// Asks for its memory: two or three cache lines.
    #[inline]
    pub(super) fn ask(&self) {
        ask(&self.tick);
        ask(&self.end_ns);
        ask(&self.cohort);
    }

    /// The number of the window in which it counts.
    pub(crate) fn window(&self) -> u64 {
        self.tick.window()
    }

    pub(crate) fn trace(&self) -> TraceId {
        TraceId(u128::from(self.trace[0]) | u128::from(self.trace[1]) << 64)
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self.outcome {
            1 => Outcome::Failed(Failure::Error),
            2 => Outcome::Failed(Failure::Timeout),
            3 => Outcome::Failed(Failure::Unavailable),
            4 => Outcome::Failed(Failure::Shed),
            5 => Outcome::Failed(Failure::Cancelled),
            _ => Outcome::Ok,
        }
    }

    pub(crate) fn failed(&self) -> bool {
        self.outcome != 0
    }

    pub(crate) fn duration_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }

    /// How much of it was spent in a queue of its own service, as far as that is said.
    pub(crate) fn queued_ns(&self) -> u64 {
        (self.queued.ms() * 1_000_000).min(self.duration_ns())
    }

    pub(crate) fn duration_us(&self) -> u64 {
        self.duration_ns() / 1000
    }

    /// Is it the receiving half of a call?
    pub(crate) fn receives(&self) -> bool {
        matches!(self.kind, SpanKind::Server | SpanKind::Consumer)
    }

    /// Is it the sending half of a call?
    pub(crate) fn sends(&self) -> bool {
        matches!(self.kind, SpanKind::Client | SpanKind::Producer)
    }

    /// Is it a proxy's hop that may stand for the service beside it?
    pub(crate) fn is_sidecar(&self) -> bool {
        self.flags.has(SpanFlags::SIDECAR)
    }

    pub(crate) fn is_proxy(&self) -> bool {
        self.flags.has(SpanFlags::PROXY)
    }

    /// A total order among the children of one span that does not depend on the order of arrival.
    pub(crate) fn order(&self) -> Order {
        (self.start_ns, self.end_ns, self.service, self.operation, self.outcome)
    }
}

fn outcome_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Failed(failure) => failure as u8 + 1,
    }
}
