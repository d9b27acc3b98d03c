//! Who calls whom, seen from the callee: edges are sorted by caller, so the other direction needs an index.

use model::{EdgeId, NameId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Callers by callee, both sorted. Invariant: holds exactly the edges of the graph it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inward {
    callers: BTreeMap<NameId, Vec<NameId>>,
    /// The count of changes of the edges that this index reflects.
    changes: u64,
}

impl Inward {
    /// Follows the edges; does nothing while their set has not changed.
    pub(crate) fn follow<'a>(&mut self, changes: u64, edges: impl Iterator<Item = &'a EdgeId>) {
        if self.changes == changes {
            return;
        }
        self.changes = changes;
        self.callers.clear();
        for id in edges {
            self.callers.entry(id.callee).or_default().push(id.caller);
        }
    }

    /// The callers of `callee`, sorted; the outside world is one of them.
    pub(crate) fn of(&self, callee: NameId) -> &[NameId] {
        self.callers.get(&callee).map_or(&[], Vec::as_slice)
    }
}
