//! Flows: what the requests that entered at one place touched, from a sample of traces.

use super::Settler;
use super::sampled::says_nothing;
use crate::store::{Node, NodeId, State};
use model::{Count, FlowKey, SpanFlags};

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
            stack.extend(self.children(next, self.window).map(|child| child.0));
            // Zipkin's shared ids: the server's children hang under its client's half, or its client hangs aside.
            if visited.state.has(State::TWIN) && visited.receives() {
                stack.extend(
                    self.children(visited.parent, self.window).map(|child| child.0).filter(|child| *child != next),
                );
            } else if visited.state.has(State::TWIN) {
                stack.extend(self.seen(visited.pair).map(|_| visited.pair));
            }
        }
        self.scratch.stack = stack;
    }
}
