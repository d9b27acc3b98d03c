//! The front: deviations move along edges, from a callee to its callers.
//!
//! A service deviates if one of its own signals, or latency, errors or gap of an edge into it, is above its learned limit.
//! A **front** is a deviating service with a deviating caller, where the caller did not begin before the callee (one
//! window of slack: clients end after servers). The **origin** is the deepest deviating service that no deviating callee
//! explains; of several the one that clearly began first, else none (abstention).
//! It must deviate by something **of its own**: own time, gap, queue delay or failures. A service that is slow only because
//! it makes more calls to healthy callees (an N+1 loop) is a regression, not a cascade.
//! Errors alone heal by themselves too often (precision .6: notes §14.1), so a front without any deviation in time must
//! hold longer. Source: notes §13.6 (deepest unexplained first), design §5.9.

use crate::Scene;
use crate::suspicion::{Suspicion, fact_of_edge, fact_of_service, margin};
use learn::{Deviation, Signal, Subject};
use model::{EdgeKind, Evidence, NameId, Signature};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Windows that a front of errors alone must hold.
const ERRORS_HOLD: u32 = 10;
/// Windows that a service may be quiet and still count as deviating.
const QUIET_MAX: u32 = 2;
/// One of several candidates is the origin if it began at least this many windows before the others.
const LEAD_WINDOWS: u64 = 2;
/// Facts per finding at most.
const EVIDENCE_MAX: usize = 8;
/// Services remembered at most; one that deviates beyond is left out.
const SERVICES_MAX: usize = 4_096;

/// Since when which service deviates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fronts {
    since: BTreeMap<NameId, Since>,
    windows: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Since {
    window: u64,
    quiet: u32,
}

impl Fronts {
    /// Takes in the deviations of one window and tells the fronts, one per connected group of deviating services.
    pub(crate) fn look(&mut self, scene: &Scene<'_>, deviations: &[Deviation]) -> Vec<Suspicion> {
        self.windows += 1;
        let mut now: BTreeMap<NameId, Vec<&Deviation>> = BTreeMap::new();
        for deviation in deviations {
            if let Some(service) = blamed(scene, deviation) {
                now.entry(service).or_default().push(deviation);
            }
        }
        self.remember(&now);
        if self.since.len() < 2 {
            return Vec::new();
        }
        let deviating: BTreeSet<NameId> = self.since.keys().copied().collect();
        let groups = groups(scene, &deviating);
        groups.into_iter().filter_map(|group| self.front(scene, &group, &now)).collect()
    }

    fn remember(&mut self, now: &BTreeMap<NameId, Vec<&Deviation>>) {
        for (id, since) in &mut self.since {
            since.quiet = if now.contains_key(id) { 0 } else { since.quiet + 1 };
        }
        self.since.retain(|_, since| since.quiet <= QUIET_MAX);
        for id in now.keys() {
            if self.since.len() < SERVICES_MAX {
                self.since.entry(*id).or_insert(Since { window: self.windows, quiet: 0 });
            }
        }
    }

    fn front(
        &self,
        scene: &Scene<'_>,
        group: &BTreeSet<NameId>,
        now: &BTreeMap<NameId, Vec<&Deviation>>,
    ) -> Option<Suspicion> {
        let moved = group.iter().any(|callee| {
            let callers = scene.graph.callers_of(*callee);
            callers.intersection(group).any(|caller| caller != callee && self.began(*caller) + 1 >= self.began(*callee))
        });
        let seen: Vec<&Deviation> = group.iter().filter_map(|id| now.get(id)).flatten().copied().collect();
        if !moved || seen.is_empty() {
            return None;
        }
        let (deepest, origin) = self.origin(scene, group);
        if !now.get(&deepest).into_iter().flatten().any(|deviation| is_its_own(scene, deviation)) {
            return None;
        }
        let name = scene.graph.name(deepest);
        let slow = seen.iter().any(|deviation| deviation.signal.is_time());
        let strongest =
            seen.iter().map(|d| margin(d.threshold.value, d.threshold.limit.unwrap_or(0.0))).fold(0.0, f64::max);
        let mut above: BTreeSet<NameId> = group.iter().flat_map(|id| scene.graph.dependants_of(*id)).collect();
        above.retain(|id| !group.contains(id));
        let next: Vec<String> = above.iter().take(3).map(|id| scene.graph.name(*id)).collect();
        Some(Suspicion {
            signature: Signature::DeviationFront,
            subject: name.clone(),
            service: deepest,
            origin,
            affected: group.clone(),
            summary: format!("{} services deviate along their calls, {name} deepest", group.len()),
            evidence: evidence(scene, &seen),
            strength: 1.0 + 0.3 * (group.len() as f64 - 1.0).min(2.0) + 0.3 * strongest,
            hold: if slow { 0 } else { ERRORS_HOLD },
            predicts: if next.is_empty() {
                "everything that depends on it is already affected".to_owned()
            } else {
                format!("it reaches {} of {} more dependants next", next.join(", "), above.len())
            },
        })
    }

    /// The deepest unexplained service (for the subject always one), and the origin if it can be told apart.
    fn origin(&self, scene: &Scene<'_>, group: &BTreeSet<NameId>) -> (NameId, Option<NameId>) {
        let unexplained = |id: &&NameId| {
            let below = scene.graph.callees_of(**id);
            !below.intersection(group).any(|callee| callee != *id)
        };
        let mut candidates: Vec<(u64, NameId)> =
            group.iter().filter(unexplained).map(|id| (self.began(*id), *id)).collect();
        if candidates.is_empty() {
            // All on one cycle.
            candidates = group.iter().map(|id| (self.began(*id), *id)).collect();
        }
        candidates.sort_unstable();
        let first = candidates[0];
        let is_clear = candidates.get(1).is_none_or(|second| second.0 >= first.0 + LEAD_WINDOWS);
        (first.1, is_clear.then_some(first.1))
    }

    fn began(&self, id: NameId) -> u64 {
        self.since.get(&id).map_or(u64::MAX - 1, |since| since.window)
    }
}

/// Whose fault a deviation is at first sight: the service itself, or the callee of the edge.
fn blamed(scene: &Scene<'_>, deviation: &Deviation) -> Option<NameId> {
    match deviation.subject {
        Subject::Service(id) => Some(id),
        Subject::Edge(id) if scene.graph.is_biased(id) => None,
        Subject::Edge(id) => (deviation.signal != Signal::Amplification).then_some(id.callee),
    }
    .filter(|id| id.is_some())
}

/// Does the deviation lie at the service itself, rather than in how long it waits for others? What emits no spans (a
/// database) can only be judged by what its callers wait.
fn is_its_own(scene: &Scene<'_>, deviation: &Deviation) -> bool {
    match (deviation.signal, deviation.subject) {
        (Signal::Exclusive | Signal::Gap | Signal::QueueDelay | Signal::ErrorShare, _) => true,
        (Signal::LatencyP99, Subject::Edge(id)) => scene.graph.edge(id).is_some_and(|edge| edge.kind != EdgeKind::Call),
        _ => false,
    }
}

/// Deviating services that are connected by edges, each group with at least two.
fn groups(scene: &Scene<'_>, deviating: &BTreeSet<NameId>) -> Vec<BTreeSet<NameId>> {
    let mut neighbours: BTreeMap<NameId, BTreeSet<NameId>> = BTreeMap::new();
    for (id, _) in scene.graph.edges() {
        if deviating.contains(&id.caller) && deviating.contains(&id.callee) {
            neighbours.entry(id.caller).or_default().insert(id.callee);
            neighbours.entry(id.callee).or_default().insert(id.caller);
        }
    }
    let mut left: BTreeSet<NameId> = neighbours.keys().copied().collect();
    let mut groups = Vec::new();
    while let Some(start) = left.pop_first() {
        let (mut group, mut open) = (BTreeSet::from([start]), vec![start]);
        while let Some(id) = open.pop() {
            for next in neighbours.get(&id).into_iter().flatten() {
                if left.remove(next) {
                    group.insert(*next);
                    open.push(*next);
                }
            }
        }
        if group.len() >= 2 {
            groups.push(group);
        }
    }
    groups
}

fn evidence(scene: &Scene<'_>, seen: &[&Deviation]) -> Vec<Evidence> {
    let mut sorted: Vec<&&Deviation> = seen.iter().collect();
    sorted.sort_by(|a, b| b.z.total_cmp(&a.z).then((a.subject, a.signal).cmp(&(b.subject, b.signal))));
    let fact = |deviation: &&&Deviation| {
        let (value, limit) = (deviation.threshold.value, deviation.threshold.limit.unwrap_or(0.0));
        match deviation.subject {
            Subject::Service(id) => fact_of_service(scene, id, deviation.signal.as_str(), value, limit),
            Subject::Edge(id) => fact_of_edge(scene, id, deviation.signal.as_str(), value, limit),
        }
    };
    sorted.iter().take(EVIDENCE_MAX).map(fact).collect()
}
