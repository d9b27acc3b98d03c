//! Services that emit no spans, for which their sidecars' count.

use super::routes::prune;
use crate::part::{EdgeHint, SidePart};
use model::{EdgeRow, NameId, ServiceRow};
use std::collections::BTreeMap;

/// A service that emitted spans emits them, until none came for so long.
const EMITS_NS: u64 = 600_000_000_000;

/// When services were last seen to emit spans themselves, by their own names and by those of their sidecars.
#[derive(Debug)]
pub(super) struct Silent {
    emitted_ns: BTreeMap<NameId, u64>,
    services_max: usize,
}

impl Silent {
    pub(super) fn new(services_max: usize) -> Silent {
        Silent { emitted_ns: BTreeMap::new(), services_max: services_max.max(16) }
    }

    /// Takes what services counted themselves in a window, and what their sidecars did.
    pub(super) fn learn<'a>(
        &mut self,
        end_ns: u64,
        services: impl Iterator<Item = &'a ServiceRow>,
        sides: &[SidePart],
    ) {
        // Without a mesh nobody asks.
        if self.emitted_ns.is_empty() && sides.iter().all(|side| *side == SidePart::default()) {
            return;
        }
        let carried = sides.iter().flat_map(|side| side.carried.iter().copied());
        for service in services.map(|row| row.key.service).chain(carried) {
            self.emitted_ns.insert(service, end_ns);
        }
        prune(&mut self.emitted_ns, self.services_max, |seen_ns| *seen_ns);
    }

    /// Does the service emit no spans, as far as is known?
    pub(super) fn is(&self, end_ns: u64, service: NameId) -> bool {
        self.emitted_ns.get(&service).is_none_or(|seen_ns| seen_ns.saturating_add(EMITS_NS) <= end_ns)
    }

    /// Of what sidecars counted what nobody else does: rows of services that are silent, and calls of such services.
    pub(super) fn only(&self, end_ns: u64, side: SidePart) -> (Vec<ServiceRow>, Vec<EdgeRow>, Vec<EdgeHint>) {
        let services = side.services.into_iter().filter(|row| self.is(end_ns, row.key.service)).collect();
        let edges = side.edges.into_iter().zip(side.hints).filter(|(row, _)| self.is(end_ns, row.key.caller));
        let (edges, hints) = edges.unzip();
        (services, edges, hints)
    }
}
