//! The two-fact test: a service is kept down by its own clients' retries.
//!
//! **Fact 1**: queue delay (the interval's low end; a guard's report wins) > the clients' timeout. Where spans alone cannot
//! see past the timeout, its clock-free witness stands in: most completions are wasted (the server span outlasts its
//! client's) while most calls time out.
//! **Fact 2**: first attempts × (1 + effective retries) > capacity.low. Capacity must be known from observed saturation.
//! Source: design §5.1; notes §13.5 (sustaining effect `λ(R+1) > C`) and §14.1, where the two facts together had precision
//! 1.00 and recall .99 over 400 simulated triggers, and either alone .66 or .60.

use crate::pressure::Pressure;
use crate::suspicion::{Suspicion, fact_of_service, margin};
use crate::{DetectConfig, Scene};
use graph::loop_gain;
use model::{NameId, Signature};
use std::collections::{BTreeMap, BTreeSet};

/// Services for which both facts hold.
pub(crate) fn look(scene: &Scene<'_>, config: &DetectConfig) -> Vec<Suspicion> {
    let held: BTreeMap<NameId, (Pressure, f64)> = scene
        .graph
        .services()
        .filter(|(id, _)| scene.learner.capacity(*id).is_some())
        .filter_map(|(id, _)| {
            let pressure = Pressure::of(scene, config, id);
            facts(config, &pressure).map(|margins| (id, (pressure, margins)))
        })
        .collect();
    if held.is_empty() {
        return Vec::new();
    }
    // ∂p/∂load of an overloaded server that serves C of its load: p = 1 − C/load, so C/load².
    let response: BTreeMap<NameId, f64> = held
        .iter()
        .filter_map(|(id, (pressure, _))| {
            let (capacity, offered) = (pressure.capacity?.middle(), pressure.offered_rps());
            (offered > 0.0).then(|| (*id, capacity / (offered * offered)))
        })
        .collect();
    let gain = loop_gain(scene.graph, &response);
    let together: BTreeSet<NameId> = held.keys().copied().collect();
    held.iter()
        .map(|(id, (pressure, margins))| suspicion(scene, config, *id, pressure, *margins, &together, gain.radius))
        .collect()
}

/// The weaker margin of the two facts, if both hold.
fn facts(config: &DetectConfig, pressure: &Pressure) -> Option<f64> {
    let capacity = pressure.capacity?;
    let timeout_ms = pressure.timeout_ms?;
    let late_by = pressure.delay.map_or(0.0, |delay| delay.delay_ms.low);
    let is_wasted = pressure.wasted_share >= config.wasted_share && pressure.timeout_share >= config.wasted_share;
    let offered = pressure.offered_rps();
    if pressure.first_rps < config.first_attempts_min || !(late_by > timeout_ms || is_wasted) || offered <= capacity.low
    {
        return None;
    }
    let late = margin(late_by, timeout_ms).max(if is_wasted {
        margin(pressure.wasted_share, config.wasted_share)
    } else {
        0.0
    });
    Some(late.min(margin(offered, capacity.low.max(1e-9))))
}

fn suspicion(
    scene: &Scene<'_>,
    config: &DetectConfig,
    id: NameId,
    pressure: &Pressure,
    margins: f64,
    together: &BTreeSet<NameId>,
    radius: f64,
) -> Suspicion {
    let name = scene.graph.name(id);
    let capacity = pressure.capacity.map_or(0.0, |capacity| capacity.low);
    let timeout_ms = pressure.timeout_ms.unwrap_or(0.0);
    let delay_ms = pressure.delay.map_or(0.0, |delay| delay.delay_ms.low);
    let offered = pressure.offered_rps();
    let fact = |what: &str, value: f64, limit: f64| fact_of_service(scene, id, what, value, limit);
    let mut evidence = vec![
        fact("offered_rps", offered, capacity),
        fact("queue_delay_ms", delay_ms, timeout_ms),
        fact("retries_per_first_attempt", pressure.retries, 0.0),
        fact("first_attempts_rps", pressure.first_rps, capacity),
        fact("wasted_share", pressure.wasted_share, config.wasted_share),
    ];
    if radius > 0.0 {
        evidence.push(fact("loop_gain", radius, 1.0));
    }
    let dependants = scene.graph.dependants_of(id);
    let corroborated = delay_ms > timeout_ms && pressure.wasted_share >= config.wasted_share;
    Suspicion {
        signature: Signature::Metastable,
        subject: name.clone(),
        service: id,
        origin: origin(scene, id, together),
        affected: dependants.iter().copied().chain([id]).collect(),
        summary: format!(
            "{name} is kept down by retries: {offered:.0} requests/s on a capacity of {capacity:.0}, \
             {:.1} tries per request, and most work is done after its client gave up",
            1.0 + pressure.retries
        ),
        evidence,
        strength: 2.0 + margins + if corroborated { 0.5 } else { 0.0 },
        hold: 0,
        predicts: format!(
            "{name} stays down after its trigger ends, and its {} dependants with it, until retries stop and expired \
             work is dropped",
            dependants.len()
        ),
    }
}

/// The deepest of the overloaded services below this one; an abstention if there are several.
fn origin(scene: &Scene<'_>, id: NameId, together: &BTreeSet<NameId>) -> Option<NameId> {
    let below: Vec<NameId> = scene.graph.dependencies_of(id).intersection(together).copied().collect();
    let deepest = below.iter().filter(|below_id| {
        scene.graph.dependencies_of(**below_id).intersection(together).all(|other| other == *below_id)
    });
    let deepest: Vec<NameId> = deepest.copied().collect();
    match deepest[..] {
        [] => Some(id),
        [one] => Some(one),
        _ => None,
    }
}
