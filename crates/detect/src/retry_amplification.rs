//! Retry amplification: a call is tried more often than it used to be, and that load hurts.
//!
//! **Fact 1**: attempts per first attempt on an edge above the learned limit (at least 1.2).
//! **Fact 2**: the callee feels it: offered load ≥ 0.9 × capacity.low where capacity is known; while it is not, the edge's
//! latency or the callee's queue delay deviates too. Retries after quick errors that leave the callee in good shape heal
//! by themselves and are no finding.
//! Source: notes §14.1 (amplification > 1.2 alone: precision .89, recall .99), §13.2 (`λ(1+b) ≤ .9 C`).

use crate::pressure::Pressure;
use crate::suspicion::{Suspicion, fact_of_edge, fact_of_service, margin};
use crate::{DetectConfig, Scene};
use learn::{Deviation, Signal, Subject};
use model::{EdgeId, Signature};

/// Load above this share of capacity leaves no room for retries.
const HEADROOM: f64 = 0.9;

/// Edges on which both facts hold.
pub(crate) fn look(scene: &Scene<'_>, config: &DetectConfig, deviations: &[Deviation]) -> Vec<Suspicion> {
    let amplified = deviations.iter().filter(|deviation| deviation.signal == Signal::Amplification);
    amplified.filter_map(|deviation| suspicion(scene, config, deviation, deviations)).collect()
}

fn suspicion(scene: &Scene<'_>, config: &DetectConfig, amplified: &Deviation, all: &[Deviation]) -> Option<Suspicion> {
    let Subject::Edge(id) = amplified.subject else { return None };
    let limit = amplified.threshold.limit?;
    let rates = scene.graph.edge(id)?.rates();
    if scene.graph.is_biased(id) || rates.first_attempts_rps < config.first_attempts_min || rates.retries_rps <= 0.0 {
        return None;
    }
    let pressure = Pressure::of(scene, config, id.callee);
    let offered = pressure.offered_rps();
    let felt = match pressure.capacity {
        Some(capacity) if offered >= HEADROOM * capacity.low => {
            fact_of_service(scene, id.callee, "offered_rps", offered, HEADROOM * capacity.low)
        }
        Some(_) => return None,
        None => all.iter().find(|other| is_slow(other, id)).map(|slow| {
            fact_of_edge(scene, id, slow.signal.as_str(), slow.threshold.value, slow.threshold.limit.unwrap_or(0.0))
        })?,
    };
    let tries = amplified.threshold.value;
    let strength = 1.5 + margin(tries, limit).min(margin(felt.value, felt.limit)) + 0.4 * margin(tries, limit);
    let (caller, callee) = (scene.graph.name(id.caller), scene.graph.name(id.callee));
    Some(Suspicion {
        signature: Signature::RetryAmplification,
        subject: scene.graph.edge_name(id),
        service: id.callee,
        origin: Some(id.callee),
        affected: [id.caller, id.callee].into_iter().filter(|service| service.is_some()).collect(),
        summary: format!("{caller} tries each call to {callee} {tries:.1} times, and {callee} feels it"),
        evidence: vec![
            fact_of_edge(scene, id, amplified.signal.as_str(), tries, limit),
            felt,
            fact_of_edge(scene, id, "error_share", rates.error_share(), 0.0),
        ],
        strength,
        hold: 0,
        predicts: format!("{callee} is pushed over its capacity by retries and then kept there"),
    })
}

fn is_slow(deviation: &Deviation, id: EdgeId) -> bool {
    let about = match deviation.subject {
        Subject::Edge(edge) => edge == id,
        Subject::Service(service) => service == id.callee,
    };
    about && matches!(deviation.signal, Signal::LatencyP99 | Signal::QueueDelay | Signal::Gap)
}
