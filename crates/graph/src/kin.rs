//! Who was there before under another name: a rename or a deployment that changes `service.name` makes a new service out of
//! an old one, and both are called, and call, in the same way.

use crate::{Edge, Graph, Operations};
use model::{EdgeId, NameId};
use std::collections::BTreeMap;

/// The forerunner shares at least this part of the young service's calls.
const SHARED_MIN: f64 = 0.5;
/// A second candidate with so much of the first's share makes it a guess.
const AMBIGUOUS: f64 = 0.5;

impl Graph {
    /// The service that was there before `older_than_ns` (Unix ns) and was called with the same operations by the same
    /// callers, or called the same callees with the same operations; `None` if there is none, or more than one.
    pub fn forerunner(&self, young: NameId, older_than_ns: u64) -> Option<NameId> {
        let mut shared: BTreeMap<NameId, f64> = BTreeMap::new();
        let mut all = 0.0;
        for id in self.edges_to(young).filter(|id| id.caller.is_some()) {
            let Some(edge) = self.edge(id) else { continue };
            all += weight(&edge.operations);
            self.share(edge, self.edges_from(id.caller), older_than_ns, |other| other.callee, &mut shared);
        }
        for id in self.edges_from(young) {
            let Some(edge) = self.edge(id) else { continue };
            all += weight(&edge.operations);
            self.share(edge, self.edges_to(id.callee), older_than_ns, |other| other.caller, &mut shared);
        }
        shared.remove(&young);
        shared.remove(&NameId::NONE);
        let mut ranked: Vec<(f64, NameId)> = shared.into_iter().map(|(id, weight)| (weight, id)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (first, id) = *ranked.first()?;
        let second = ranked.get(1).map_or(0.0, |second| second.0);
        (first >= SHARED_MIN * all && second < AMBIGUOUS * first).then_some(id)
    }

    /// How much of `edge` goes over operations that an older edge of `others` has too.
    fn share(
        &self,
        edge: &Edge,
        others: impl Iterator<Item = EdgeId>,
        older_than_ns: u64,
        who: impl Fn(EdgeId) -> NameId,
        shared: &mut BTreeMap<NameId, f64>,
    ) {
        // The tail of all services is called the same.
        let tail = NameId::of("other");
        for other in others {
            let Some(old) = self.edge(other).filter(|old| old.first_ns < older_than_ns) else { continue };
            let same = edge.operations.iter().filter(|(pair, _)| pair.1 != tail && old.operations.has(*pair));
            *shared.entry(who(other)).or_default() += same.map(|(_, operation)| operation.weight).sum::<f64>();
        }
    }
}

fn weight(operations: &Operations) -> f64 {
    operations.iter().map(|(_, operation)| operation.weight).sum()
}
