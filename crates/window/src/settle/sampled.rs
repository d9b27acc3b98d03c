//! Samplers that mark the root of a trace only, as Jaeger's do: what lies below does not say how many it stands for.
//!
//! A root ends last and comes last: by then its descendants are counted, some of them in windows that are closed. So the
//! root does not weigh them, it makes them doubtful: their edges are biased, which keeps rates, capacities and actions off
//! them. Where the share is configured (`unmarked` of the reader) they carry a weight, and nothing is doubted.

use super::Settler;
use crate::store::{Node, NodeId};
use model::{SpanFlags, Weight};

/// Spans of one trace that are looked at.
const SPANS_MAX: usize = 4096;

impl Settler<'_> {
    /// Marks what was counted as if each span below this root stood for itself.
    #[cold]
    pub(super) fn doubt_below(&mut self, root: NodeId) {
        let mut stack = std::mem::take(&mut self.scratch.stack);
        stack.clear();
        stack.push(root);
        let mut budget = SPANS_MAX;
        while let (Some(next), true) = (stack.pop(), budget > 0) {
            budget -= 1;
            stack.extend(self.children(next, self.window).map(|child| child.0));
            let store = self.store;
            if let Some(node) = store.get(next).filter(|node| next != root && says_nothing(node)) {
                self.doubt(next, node);
            }
        }
        self.scratch.stack = stack;
    }

    fn doubt(&mut self, id: NodeId, node: &Node) {
        if node.sends() {
            let key = self.edge_of(node, self.pair_of(id, self.window).map(|(_, half)| half));
            let at = self.open.edge(key, 0, self.shared);
            self.open.edges.row(at).doubt();
        } else if node.window == self.window && node.row != Node::NO_ROW {
            self.open.services.row(node.row).doubt();
        }
    }
}

fn says_nothing(node: &Node) -> bool {
    node.weight == Weight::ONE && !node.flags.has(SpanFlags::BIASED) && !node.is_proxy()
}
