//! The gates on the way to `act`. Each names itself, so that a proposal says what stands in its way.

use crate::guards::{Guards, carrier};
use crate::ledger::{Key, Lease};
use crate::policy::Limits;
use crate::shed;
use model::{Knob, KnobKind, LEVELS, Reason, Setting};
use std::collections::{BTreeMap, BTreeSet};

/// What the gates look at beside the lease itself.
pub struct Scene<'a> {
    /// The limits.
    pub limits: &'a Limits,
    /// All leases.
    pub leases: &'a BTreeMap<Key, Lease>,
    /// The guards.
    pub guards: &'a Guards,
    /// When interventions began, in the last minute.
    pub begun: usize,
    /// Services in the graph.
    pub services_total: u32,
    /// The finding's coverage behind the lease.
    pub coverage: f64,
    /// Are windows coming in, fresh and complete enough?
    pub telemetry: Telemetry,
}

/// What the telemetry is worth now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Telemetry {
    /// Nothing came lately, or too little of it: nothing new starts.
    #[default]
    Thin,
    /// Windows are fresh and complete enough to decide on.
    Fresh,
}

/// May a lease that does not act yet begin to? `Err` names the gate.
pub fn may_begin(key: &Key, reason: &Reason, scene: &Scene<'_>) -> Result<(), String> {
    let limits = scene.limits;
    if scene.telemetry == Telemetry::Thin {
        return Err("telemetry: too little of it is fresh".to_owned());
    }
    if scene.coverage < limits.min_coverage {
        return Err(format!("coverage: {:.2} is below {:.2}", scene.coverage, limits.min_coverage));
    }
    if reason.confidence < limits.min_confidence {
        return Err(format!("confidence: {:.2} is below {:.2}", reason.confidence, limits.min_confidence));
    }
    if !comes_back_by_itself(key.1) {
        return Err(format!("reversibility: {} does not come back by itself", key.1.as_str()));
    }
    if scene.guards.has_knob(carrier(&key.0), key.1) == Some(false) {
        return Err(format!("guards: none of {} has the knob {}", carrier(&key.0), key.1.as_str()));
    }
    if scene.begun >= limits.max_new_per_minute as usize {
        return Err(format!("rate window: {} interventions began within a minute", scene.begun));
    }
    blast_radius(key, scene)
}

/// Reversibility is derived from the knob, never from the proposer: state knobs expire to normal, and a purge drops only
/// work that its clients have given up on. Restarts and ratchets need a person.
pub fn comes_back_by_itself(knob: Knob) -> bool {
    knob.kind() == KnobKind::State || knob == Knob::Purge
}

/// Does the knob make services refuse requests? Retry budgets spare a callee what would be asked again; they turn nobody away,
/// and there are as many as callers: counted with the others they would leave no place for the bound that ends a storm.
pub fn refuses(knob: Knob) -> bool {
    knob != Knob::RetryBudget
}

fn blast_radius(key: &Key, scene: &Scene<'_>) -> Result<(), String> {
    if !refuses(key.1) {
        return Ok(());
    }
    let acting = scene.leases.iter().filter(|(other, lease)| lease.acts() && refuses(other.1));
    let mut services: BTreeSet<&str> = acting.map(|(other, _)| carrier(&other.0)).collect();
    services.insert(carrier(&key.0));
    let most = services_max(scene.limits, scene.services_total);
    if services.len() > most {
        return Err(format!(
            "blast radius: {} of {} services would refuse requests",
            services.len(),
            scene.services_total
        ));
    }
    Ok(())
}

/// How many services may be told to refuse requests at the same time.
pub fn services_max(limits: &Limits, services_total: u32) -> usize {
    let share = libm::floor(limits.max_services_share * f64::from(services_total)) as usize;
    share.max(limits.services_min as usize)
}

/// The milder of what is wanted and what may be shed: by service, by domain, and of `CRITICAL_PLUS` only what a person
/// approved. Says which gate cut it.
pub fn bounded(
    wanted: Setting,
    mix: &[f64; LEVELS],
    entry_rps: f64,
    shed_elsewhere_rps: f64,
    scene_limits: &Limits,
    approved: Approved,
) -> (Setting, Option<String>) {
    if !matches!(wanted, Setting::Admission { .. }) {
        return (wanted, None);
    }
    let mut setting = wanted;
    let mut gate = None;
    if approved == Approved::No && shed::sheds_critical_plus(setting) {
        setting = shed::DEEPEST;
        gate = Some("criticality: CRITICAL_PLUS is shed only with a person's approval".to_owned());
    }
    let here_rps: f64 = mix.iter().sum();
    let domain = (scene_limits.max_shed_share_domain * entry_rps - shed_elsewhere_rps).max(0.0) / here_rps.max(1e-9);
    let most = scene_limits.max_shed_share_service.min(domain);
    if here_rps <= 0.0 {
        return (shed::OPEN, Some("blast radius: demand at the entry is not known".to_owned()));
    }
    if shed::share(setting, mix) > most {
        setting = shed::milder(setting, at_most(most, mix));
        gate = Some(format!("blast radius: at most {:.0} % of the demand here may be shed", most * 100.0));
    }
    (setting, gate)
}

/// Has a person approved this very command?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approved {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// The deepest setting that sheds no more than `most` of `mix`.
fn at_most(most: f64, mix: &[f64; LEVELS]) -> Setting {
    match shed::setting(most, mix) {
        Setting::Admission { lowest, fraction_permille } if shed::share(shed::setting(most, mix), mix) > most => {
            Setting::Admission { lowest, fraction_permille: (fraction_permille + 1).min(1000) }
        }
        setting => setting,
    }
}
