//! Puts the evidence together: a ranking of services with a calibrated confidence.

use super::evidence::{Fact, Time, failures, missing, time};
use super::profile::Profile;
use graph::Graph;
use learn::Calibration;
use model::NameId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Evidence of failing or of missing calls counts from this many nats on: odds of e^6 ≈ 400 to one per look, and one looks
/// at some hundred operations.
const NATS_MIN: f64 = 6.0;
/// What is left of a service's evidence if a dependency explains it.
const EXPLAINED: f64 = 0.3;
/// A shift in time is worth something for the confidence from this z-score on, and everything from the second on. Read off the same
/// faults as the rest (see [`super`]).
const Z_RANGE: (f64, f64) = (4.0, 20.0);

/// Below this confidence of the first candidate the verdict should be an abstention. Chosen by looking at the same faults.
pub const ABSTAIN_BELOW: f64 = 0.3;

/// From the strength of the first candidate (0..1: how clear its evidence is, times how far it is ahead) to the
/// probability that it is the origin. Fitted with [`Calibration::fit`] on the rankings of all 48 Nezha faults: the same
/// faults on which the ranking itself, `Z_RANGE` and [`ABSTAIN_BELOW`] were chosen, so it is in-sample twice over and
/// optimistic. To be refitted on faults that nobody has looked at.
pub const CONFIDENCE: Calibration = Calibration { intercept: -1.11, slope: 4.63 };

/// One candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// The service.
    pub service: NameId,
    /// Its score; not comparable across incidents.
    pub score: f64,
    /// The calibrated probability that it is the origin, 0..1.
    pub confidence: f64,
    /// The facts in words, the strongest first.
    pub why: Vec<String>,
}

/// A service's evidence.
#[derive(Clone, Debug, Default)]
struct Case {
    failing: Fact,
    missing: Fact,
    time: Time,
}

impl Case {
    fn nats(&self) -> f64 {
        self.failing.nats.max(self.missing.nats)
    }

    fn is_significant(&self) -> bool {
        self.nats() > NATS_MIN
    }
}

/// Ranks likely origins, best first, scores not increasing; empty where nothing differs from the baseline. `graph` gives
/// names and edges; edges that only the profiles have seen count too. The confidence of candidates after the first shares
/// what the first leaves, in proportion to their scores.
pub fn rank(baseline: &Profile, incident: &Profile, graph: &Graph) -> Vec<Ranked> {
    let mut cases: BTreeMap<NameId, Case> = BTreeMap::new();
    for (id, fact) in failures(baseline, incident, graph) {
        cases.entry(id).or_default().failing = fact;
    }
    for (id, fact) in missing(baseline, incident, graph) {
        cases.entry(id).or_default().missing = fact;
    }
    for (id, time) in time(baseline, incident, graph) {
        cases.entry(id).or_default().time = time;
    }
    let significant: BTreeSet<NameId> =
        cases.iter().filter(|(_, case)| case.is_significant()).map(|(id, _)| *id).collect();
    let callees = callees(baseline, incident, graph);
    let total_s: f64 = cases.values().map(|case| case.time.excess_s.max(0.0)).sum();
    let mut ranked: Vec<(f64, NameId)> = cases
        .iter()
        .map(|(id, case)| {
            let failing = if case.is_significant() { case.nats() / NATS_MIN } else { 0.0 };
            let explained = below(&callees, *id).intersection(&significant).any(|other| other != id);
            let share = if total_s > 0.0 { case.time.excess_s.max(0.0) / total_s } else { 0.0 };
            (failing * if explained { EXPLAINED } else { 1.0 } + share, *id)
        })
        .filter(|(score, _)| *score > 0.0 && score.is_finite())
        .collect();
    // Ties go by name, which is stable across machines.
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| graph.name(a.1).cmp(&graph.name(b.1))));
    with_confidence(&ranked, &cases)
}

/// How clear the first candidate's evidence is, times how far it is ahead: 0..1.
fn strength(ranked: &[(f64, NameId)], cases: &BTreeMap<NameId, Case>) -> f64 {
    let Some((score, id)) = ranked.first() else { return 0.0 };
    let Some(case) = cases.get(id) else { return 0.0 };
    let in_nats = ((case.nats() - NATS_MIN) / (2.0 * NATS_MIN)).clamp(0.0, 1.0);
    let in_time = ((case.time.z - Z_RANGE.0) / (Z_RANGE.1 - Z_RANGE.0)).clamp(0.0, 1.0);
    let ahead = 1.0 - ranked.get(1).map_or(0.0, |second| second.0 / score);
    in_nats.max(in_time) * (0.5 + 0.5 * ahead)
}

fn with_confidence(ranked: &[(f64, NameId)], cases: &BTreeMap<NameId, Case>) -> Vec<Ranked> {
    let first = CONFIDENCE.confidence(strength(ranked, cases), 1.0);
    let rest: f64 = ranked.iter().skip(1).map(|candidate| candidate.0).sum();
    ranked
        .iter()
        .enumerate()
        .map(|(at, (score, id))| {
            let share = if rest > 0.0 { score / rest } else { 0.0 };
            let confidence = if at == 0 { first } else { ((1.0 - first) * share).min(first) };
            Ranked { service: *id, score: *score, confidence, why: cases.get(id).map_or_else(Vec::new, reasons) }
        })
        .collect()
}

fn reasons(case: &Case) -> Vec<String> {
    let mut facts: Vec<&Fact> =
        [&case.failing, &case.missing].into_iter().filter(|fact| fact.nats > NATS_MIN).collect();
    facts.sort_by(|a, b| b.nats.total_cmp(&a.nats));
    let mut why: Vec<String> = facts.into_iter().map(|fact| fact.why.clone()).collect();
    if case.time.excess_s > 0.0 && !case.time.why.is_empty() {
        why.push(case.time.why.clone());
    }
    why
}

fn callees(baseline: &Profile, incident: &Profile, graph: &Graph) -> BTreeMap<NameId, BTreeSet<NameId>> {
    let mut callees: BTreeMap<NameId, BTreeSet<NameId>> = BTreeMap::new();
    let called = baseline.calls.keys().chain(incident.calls.keys()).map(|(caller, callee)| (caller.0, callee.0));
    for (caller, callee) in called.chain(graph.edges().map(|(id, _)| (id.caller, id.callee))) {
        if caller.is_some() && callee.is_some() {
            callees.entry(caller).or_default().insert(callee);
        }
    }
    callees
}

fn below(callees: &BTreeMap<NameId, BTreeSet<NameId>>, from: NameId) -> BTreeSet<NameId> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(id) = open.pop() {
        for next in callees.get(&id).into_iter().flatten() {
            if found.insert(*next) {
                open.push(*next);
            }
        }
    }
    found
}
