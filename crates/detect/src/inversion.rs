//! The inversion: deep inside, requests of a higher class are refused while lower ones are let in.
//!
//! A guard that bounds its own queue keeps its service alive, but it decides by what stands at its own door: the classes share
//! what there is, what is refused there has been paid for upstream, and a service that waits for a crowded one refuses the
//! important requests which are all that it gets. Whoever sees all of the fleet can do better: refuse lower classes where they
//! enter.
//!
//! **Fact 1**: of one class, at least a tenth is refused, at a service or at those that wait for it. **Fact 2**: at the same time
//! at least as much of lower classes is let in at that service, no less than five requests a second and a thirtieth of all.
//! Entries are left out: what they refuse has cost nobody anything, and they may be told to.
//! Source: design §5.3; Google SRE book, ch. 21 (criticality); DAGOR (SoCC '18) for the cost of dropping downstream.

use crate::suspicion::{Suspicion, fact_of_service, margin};
use crate::{DetectConfig, Scene};
use graph::Graph;
use learn::{Learner, Refusals};
use model::{Criticality, LEVELS, NameId, Signature};

/// From this share of a class's requests on its refusals are no jitter.
const REFUSED_SHARE: f64 = 0.1;
/// Requests per second that change places at least, and as a share of all.
const INVERTED_MIN_RPS: f64 = 5.0;
const INVERTED_SHARE: f64 = 0.035;
/// A service that refuses less of all that it is asked is not crowded.
const CROWDED_SHARE: f64 = 0.01;
/// Where more of the requests than this are entries, the service is one.
const ENTRY_SHARE: f64 = 0.5;
/// Where at least this share of a class is refused it is severe.
const SEVERE_SHARE: f64 = 0.35;
/// Windows in which a severe one must hold: a burst is over by then.
const HOLD_SEVERE: u32 = 3;
/// Windows in which any other must hold: most overloads have healed by themselves by then.
const HOLD: u32 = 12;

/// A class that is refused where lower ones are let in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inverted {
    /// The class.
    pub class: Criticality,
    /// Where it is refused: the crowded service or one that waits for it.
    pub at: NameId,
    /// Requests of the class that are refused, as far as lower ones are let in, per second.
    pub rps: f64,
    /// The share of the class that is refused there.
    pub share: f64,
}

/// The class that suffers most for lower ones at `service`; `None` where its guards do not say so.
pub fn inverted(graph: &Graph, learner: &Learner, service: NameId) -> Option<Inverted> {
    let own = learner.refusals(service)?;
    if is_entry(graph, service) {
        return None;
    }
    let mut most = worst(service, &own, &own);
    if own.share_from(0) >= CROWDED_SHARE {
        for caller in graph.dependants_of(service) {
            let Some(refusals) = learner.refusals(caller).filter(|_| !is_entry(graph, caller)) else { continue };
            let other = worst(caller, &refusals, &own);
            most = if other.rps > most.rps { other } else { most };
        }
    }
    (most.rps > 0.0).then_some(most)
}

/// The class of which `at` refuses most, as far as `crowded` lets lower ones in.
fn worst(at: NameId, refused: &Refusals, crowded: &Refusals) -> Inverted {
    let of = |level: usize| {
        let below: f64 = crowded.admitted_rps[..level].iter().sum();
        let (shed, admitted) = (refused.shed_rps[level], refused.admitted_rps[level]);
        let share = if shed > 0.0 { shed / (shed + admitted) } else { 0.0 };
        Inverted { class: Criticality::ALL[level], at, rps: shed.min(below), share }
    };
    (1..LEVELS).map(of).fold(of(0), |most, one| if one.rps > most.rps { one } else { most })
}

fn is_entry(graph: &Graph, service: NameId) -> bool {
    graph.service(service).is_none_or(|known| {
        let rates = known.rates();
        rates.entries_rps > ENTRY_SHARE * rates.calls_rps
    })
}

/// Services at which both facts hold.
pub(crate) fn look(
    scene: &Scene<'_>,
    config: &DetectConfig,
    is_open: impl Fn(Signature, &str) -> bool,
) -> Vec<Suspicion> {
    scene
        .learner
        .all_refusals()
        .filter_map(|(id, refusals)| suspicion(scene, config, id, &refusals, &is_open))
        .collect()
}

fn suspicion(
    scene: &Scene<'_>,
    config: &DetectConfig,
    id: NameId,
    refusals: &Refusals,
    is_open: impl Fn(Signature, &str) -> bool,
) -> Option<Suspicion> {
    let none = Inverted { class: Criticality::CriticalPlus, at: id, rps: 0.0, share: 0.0 };
    let Inverted { class, at, rps, share } = inverted(scene.graph, scene.learner, id).unwrap_or(none);
    let all: f64 = refusals.admitted_rps.iter().sum();
    let least_rps = INVERTED_MIN_RPS.max(INVERTED_SHARE * all);
    let suffers = share >= REFUSED_SHARE && rps >= least_rps && all >= config.first_attempts_min;
    if !suffers && refusals.share_from(0) < CROWDED_SHARE {
        return None;
    }
    let (name, refuser) = (scene.graph.name(id), scene.graph.name(at));
    // Once lower classes make room, it goes on until the service is not crowded any more: or it would come and go.
    if !suffers && !is_open(Signature::Inversion, &name) {
        return None;
    }
    let below: f64 = refusals.admitted_rps[..class.index()].iter().sum();
    let class = class.as_str();
    Some(Suspicion {
        signature: Signature::Inversion,
        subject: name.clone(),
        service: id,
        origin: Some(id),
        affected: scene.graph.dependants_of(id).into_iter().chain([id]).collect(),
        summary: format!(
            "{refuser} refuses {:.0} % of {class}, {rps:.0} requests/s, while {name} serves {below:.0} of lower classes",
            share * 100.0
        ),
        evidence: vec![
            fact_of_service(scene, at, "refused_share_of_class", share, REFUSED_SHARE),
            fact_of_service(scene, at, "inverted_rps", rps, least_rps),
            fact_of_service(scene, id, "admitted_rps", all, 0.0),
            fact_of_service(scene, id, "refused_share", refusals.share_from(0), CROWDED_SHARE),
        ],
        strength: 2.0 + margin(share, REFUSED_SHARE).min(margin(rps, least_rps)),
        hold: if share >= SEVERE_SHARE { HOLD_SEVERE } else { HOLD },
        predicts: format!("{refuser} goes on refusing {class} as long as more is asked of {name} than it can serve"),
    })
}
