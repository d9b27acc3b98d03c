//! Exclusive time: a server span's duration minus the union of the calls made within it, and minus the time in its own queue.

use super::{CHILDREN_MAX, Settler};
use crate::store::{Node, NodeId, State};
use model::SpanKind;

impl Settler<'_> {
    #[inline]
    pub(super) fn exclusive_us(&mut self, id: NodeId, node: &Node) -> u64 {
        let waited_ns = if node.child.is_some() || node.state.has(State::TWIN) { self.waited_ns(id, node) } else { 0 };
        let worked_ns = node.duration_ns() - node.queued_ns();
        worked_ns.saturating_sub(waited_ns) / 1000
    }

    fn waited_ns(&mut self, id: NodeId, node: &Node) -> u64 {
        self.look_within(id, node);
        union_ns(&mut self.scratch.intervals)
    }

    /// What a service did within a request: its spans there (but for internal ones), and when it waited for others.
    pub(super) fn look_within(&mut self, id: NodeId, node: &Node) {
        let mut intervals = std::mem::take(&mut self.scratch.intervals);
        let mut stack = std::mem::take(&mut self.scratch.stack);
        let mut within = std::mem::take(&mut self.scratch.within);
        intervals.clear();
        within.clear();
        stack.clear();
        stack.push(id);
        // The children of a twin hang under the id that both halves share.
        if node.state.has(State::TWIN) {
            stack.push(node.parent);
        }
        let mut budget = CHILDREN_MAX;
        while let Some(parent) = stack.pop() {
            for (child_id, child) in self.children(parent, self.tick) {
                if budget == 0 {
                    break;
                }
                budget -= 1;
                if child.service != node.service || child_id == id {
                    continue;
                }
                if child.kind != SpanKind::Internal {
                    within.push(child_id);
                } else if child.child.is_some() {
                    stack.push(child_id);
                }
                if child.sends() {
                    let (start, end) = (child.start_ns.max(node.start_ns), child.end_ns.min(node.end_ns));
                    if start < end {
                        intervals.push((start, end));
                    }
                }
            }
        }
        (self.scratch.intervals, self.scratch.stack, self.scratch.within) = (intervals, stack, within);
    }
}

/// The length of the union of intervals.
fn union_ns(intervals: &mut [(u64, u64)]) -> u64 {
    if intervals.len() > 1 {
        intervals.sort_unstable();
    }
    let (mut total, mut reached) = (0, 0);
    for (start, end) in intervals.iter() {
        total += end.saturating_sub((*start).max(reached));
        reached = reached.max(*end);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_calls_count_once() {
        assert_eq!(union_ns(&mut [(10, 30), (20, 25), (40, 50), (0, 12)]), 40);
        assert_eq!(union_ns(&mut []), 0);
    }
}
