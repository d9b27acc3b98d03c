//! Flows: what the requests that entered at one place touched, from a sample of traces.

use super::Settler;
use super::sampled::says_nothing;
use crate::store::{Node, NodeId, State};
use crate::tick::Tick;
use model::{Count, FlowKey, SpanFlags, SpanKind};

/// Spans of one request that are followed.
const SPANS_MAX: usize = 4096;

impl Settler<'_> {
    /// Counts the request that entered with this span, if its trace is in the sample.
    pub(super) fn follow(&mut self, id: NodeId, node: &Node) {
        let sample = u64::from(self.config.flow_sample);
        // Not the low bits: those choose the shard.
        if sample == 0 || !(node.trace().hash() >> 24).is_multiple_of(sample) {
            return;
        }
        if self.tick < Tick::last_of(self.window) && !self.is_whole(id) {
            self.open.unfollowed.push(id);
            return;
        }
        let key = FlowKey {
            entry: node.service,
            operation: node.operation,
            criticality: node.criticality,
            cohort: node.cohort,
        };
        let scaled = |count: Count| Count(count.0.saturating_mul(sample));
        let count = scaled(node.weight.count());
        let at = self.open.flow(key, count.0, self.shared);
        let row = self.open.flows.row(at);
        row.requests += count;
        if !node.failed() {
            row.good += count;
        }
        let mut stack = std::mem::take(&mut self.scratch.stack);
        stack.clear();
        stack.push(id);
        let mut budget = SPANS_MAX;
        while let (Some(next), true) = (stack.pop(), budget > 0) {
            budget -= 1;
            let Some(visited) = self.store.get(next) else { continue };
            let silent = || visited.is_sidecar() && self.is_silent(next);
            let counts = next == id || (visited.receives() && (!visited.is_proxy() || silent()));
            if counts && !visited.flags.has(SpanFlags::LINKED) {
                // A root that speaks for its trace does so here too.
                let (again, silent) = (node.state.has(State::AGAIN), says_nothing(visited));
                let count = match node.weight.count() {
                    root if silent && (again || node.flags.has(SpanFlags::FOR_TRACE)) => root,
                    _ if again => Count::ZERO,
                    _ => visited.weight.count(),
                };
                self.open.flows.row(at).visit(visited.service, scaled(count));
            }
            stack.extend(self.children(next, self.tick).map(|child| child.0));
            // Zipkin's shared ids: the server's children hang under its client's half, or its client hangs aside.
            if visited.state.has(State::TWIN) && visited.receives() {
                stack.extend(
                    self.children(visited.parent, self.tick).map(|child| child.0).filter(|child| *child != next),
                );
            } else if visited.state.has(State::TWIN) {
                stack.extend(self.seen(visited.pair).map(|_| visited.pair));
            }
        }
        self.scratch.stack = stack;
    }

    /// Follows what could not be followed ahead of the close.
    pub(crate) fn follow_rest(&mut self) {
        let (store, rest) = (self.store, std::mem::take(&mut self.open.unfollowed));
        for id in &rest {
            if let Some(node) = store.get(*id) {
                self.follow(*id, node);
            }
        }
        self.open.unfollowed = rest;
    }

    /// Has everything been seen that this request touched? What it gave up or left to others may still go on.
    fn is_whole(&mut self, id: NodeId) -> bool {
        let mut stack = std::mem::take(&mut self.scratch.stack);
        stack.clear();
        stack.push(id);
        let (mut budget, mut whole) = (SPANS_MAX, true);
        while let (Some(next), true, true) = (stack.pop(), whole, budget > 0) {
            budget -= 1;
            let Some(visited) = self.store.get(next) else { continue };
            let before = stack.len();
            stack.extend(self.children(next, self.tick).map(|child| child.0));
            let open = visited.failed() || visited.kind == SpanKind::Producer;
            whole = !(visited.sends() && open && stack.len() == before);
        }
        self.scratch.stack = stack;
        whole
    }
}
