//! Services that come under a new name, or with a new version: what was learned of those before them is theirs, less surely.

use graph::Graph;
use learn::{Learner, Subject};
use model::{EdgeId, NameId, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// For so long after it was first seen a service is looked at for a forerunner, which must have been there before.
const YOUNG_NS: u64 = 10_000_000_000;
/// Versions that are remembered of one service: past it the oldest is forgotten.
const VERSIONS_MAX: usize = 8;

/// What is known of versions and newcomers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Succession {
    versions: BTreeMap<NameId, Vec<NameId>>,
    /// The graph's count of comings and goings when newcomers were last looked for.
    changes: u64,
    /// Until then newcomers are looked for, Unix ns.
    look_until_ns: u64,
    /// The end of the first window, Unix ns.
    began_ns: u64,
}

impl Succession {
    /// Takes in a window that the graph has taken in already, and lets the learner pass on what it knows.
    pub(crate) fn observe(&mut self, window: &Window, graph: &Graph, learner: &mut Learner) {
        for service in self.new_versions(window) {
            learner.widen(Subject::Service(service));
            graph.edges_to(service).for_each(|edge| learner.widen(Subject::Edge(edge)));
        }
        if graph.changes() != self.changes {
            self.changes = graph.changes();
            self.look_until_ns = window.end_ns.saturating_add(YOUNG_NS);
        }
        if self.began_ns == 0 {
            self.began_ns = window.end_ns;
        }
        // At the start all are new, and nobody was before them.
        if window.end_ns > self.look_until_ns || window.end_ns < self.began_ns.saturating_add(2 * YOUNG_NS) {
            return;
        }
        let born_ns = window.end_ns.saturating_sub(YOUNG_NS);
        for (young, service) in graph.services().filter(|(_, service)| service.first_ns >= born_ns) {
            if let Some(old) = graph.forerunner(young, service.first_ns.saturating_sub(YOUNG_NS)) {
                pass_on(old, young, graph, learner);
            }
        }
    }

    /// Forgets services that the graph has forgotten.
    pub(crate) fn retain(&mut self, graph: &Graph) {
        self.versions.retain(|service, _| graph.service(*service).is_some());
    }

    /// Services of which a version was seen for the first time, beside another one.
    fn new_versions(&mut self, window: &Window) -> Vec<NameId> {
        let mut widened = Vec::new();
        // Rows are sorted by service: most say what the one before has said.
        let mut last = (NameId::NONE, NameId::NONE);
        for row in &window.services {
            let this = (row.key.service, row.key.version);
            if !this.1.is_some() || this == last {
                continue;
            }
            last = this;
            let known = self.versions.entry(this.0).or_default();
            if known.contains(&this.1) {
                continue;
            }
            if !known.is_empty() {
                widened.push(this.0);
            }
            if known.len() >= VERSIONS_MAX {
                known.remove(0);
            }
            known.push(this.1);
        }
        widened
    }
}

/// The young service's baselines, and those of its edges, begin with what was normal for the old one.
fn pass_on(old: NameId, young: NameId, graph: &Graph, learner: &mut Learner) {
    learner.inherit(Subject::Service(old), Subject::Service(young));
    for edge in graph.edges_to(young) {
        learner.inherit(Subject::Edge(EdgeId { callee: old, ..edge }), Subject::Edge(edge));
    }
    for edge in graph.edges_from(young) {
        learner.inherit(Subject::Edge(EdgeId { caller: old, ..edge }), Subject::Edge(edge));
    }
}
