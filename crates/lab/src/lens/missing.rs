//! Server spans that are not there: services without instrumentation, and spans that were lost on the way.

use super::{Batch, Bend, chance, chance_of};
use crate::Topology;
use std::collections::BTreeSet;

pub(super) struct Missing {
    seed: u64,
    /// Services whose server side is not instrumented.
    silent: BTreeSet<String>,
}

impl Missing {
    pub(super) fn new(seed: u64, topology: &Topology) -> Missing {
        // an entry stays: requests from outside have no other span
        let entries: BTreeSet<String> = topology.client.iter().map(|client| client.to.to_string()).collect();
        let silent = topology.service.iter().map(|service| service.name.to_string());
        let silent = silent.filter(|name| !entries.contains(name) && chance_of(seed, 0x51, name).is_multiple_of(4));
        Missing { seed, silent: silent.collect() }
    }
}

impl Bend for Missing {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        let silent = self.silent.contains(batch.service());
        let seed = self.seed;
        batch.spans.retain(|span| {
            let root = span.parent == 0;
            !span.receives() || root || !silent && !chance(seed, 0x15, span.id).is_multiple_of(5)
        });
        batch.spans.iter_mut().for_each(|span| span.attributes.remove("peer.service"));
        out.push(batch);
    }
}
