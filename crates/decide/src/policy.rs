//! What the operator allows: modes, leases, gates and the pace of recovery. Plain values with defaults that are safe on
//! the first day (`observe`, small blast radius).

use model::{Knob, Mode};
use serde::{Deserialize, Serialize};

/// The mode of some knobs or targets. The most specific rule wins: service and knob, then service, then knob; among
/// equals the more cautious one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeRule {
    /// Only for this service (for an edge: the caller, who obeys); absent for all.
    #[serde(default)]
    pub service: Option<String>,
    /// Only for this knob; absent for all.
    #[serde(default)]
    pub knob: Option<Knob>,
    /// How far the engine may go.
    pub mode: Mode,
}

impl ModeRule {
    fn covers(&self, service: &str, knob: Knob) -> bool {
        self.service.as_deref().is_none_or(|name| name == service) && self.knob.is_none_or(|one| one == knob)
    }
}

/// The gates on the way to `act`. A command that one of them refuses becomes a proposal that names the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The least confidence of the finding, 0..1.
    pub min_confidence: f64,
    /// The least coverage of the telemetry behind the finding, 0..1.
    pub min_coverage: f64,
    /// The largest share of the fleet's services that are told to refuse requests at the same time, 0..1 (but see
    /// `services_min`). Retry budgets turn nobody away and do not count.
    pub max_services_share: f64,
    /// This many services may be told so at the same time however small the fleet is.
    pub services_min: u32,
    /// The largest share of an entry service's demand that is shed, 0..1.
    pub max_shed_share_service: f64,
    /// The largest share of all entry demand of the domain that is shed, 0..1.
    pub max_shed_share_domain: f64,
    /// The most interventions that begin within one minute.
    pub max_new_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            min_confidence: 0.8,
            min_coverage: 0.5,
            max_services_share: 0.6,
            services_min: 4,
            max_shed_share_service: 0.8,
            max_shed_share_domain: 0.7,
            max_new_per_minute: 20,
        }
    }
}

/// The pace of leases and of recovery, all in milliseconds of the engine's ticks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// A change of a running command's value waits at least this long after the one before.
    pub change_every_ms: u64,
    /// Evidence must have been gone this long before the release begins; doubled after each relapse.
    pub calm_ms: u64,
    /// From one step of the release to the next.
    pub release_step_ms: u64,
    /// How much of an entry's demand one step of the release (or of a relief) lets back in, in 1/1000.
    pub release_step_permille: u16,
    /// How much more of an entry's demand one change may shed, in 1/1000.
    pub shed_step_permille: u16,
    /// A command must show its effect within this time, or it is withdrawn.
    pub effect_within_ms: u64,
    /// A guard that reports must say that it obeys within this time, or the command is withdrawn.
    pub obey_within_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            change_every_ms: 2_000,
            calm_ms: 5_000,
            release_step_ms: 2_000,
            release_step_permille: 200,
            shed_step_permille: 400,
            effect_within_ms: 15_000,
            obey_within_ms: 6_000,
        }
    }
}

/// Everything that the operator says about decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The decision domain; part of every command's id.
    pub domain: String,
    /// The mode of everything that no rule names.
    pub mode: Mode,
    /// Exceptions from it.
    pub modes: Vec<ModeRule>,
    /// How long a lease is obeyed without being renewed, milliseconds. Renewed at a third of it.
    pub lease_ttl_ms: u32,
    /// How long leases are held on guards' reports alone when telemetry thins out, milliseconds.
    pub max_hold_ms: u64,
    /// Telemetry older than this causes nothing, milliseconds.
    pub stale_after_ms: u64,
    /// The gates.
    pub limits: Limits,
    /// The pace.
    pub pace: Pace,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            domain: "default".to_owned(),
            mode: Mode::Observe,
            modes: Vec::new(),
            lease_ttl_ms: 15_000,
            max_hold_ms: 120_000,
            stale_after_ms: 15_000,
            limits: Limits::default(),
            pace: Pace::default(),
        }
    }
}

impl Policy {
    /// Does any rule name this knob or this service?
    pub fn has_rule(&self, service: &str, knob: Knob) -> bool {
        self.modes.iter().any(|rule| rule.covers(service, knob))
    }

    /// How far the engine may go with `knob` of `service` when no person has set the mode of everything.
    pub fn mode_of(&self, service: &str, knob: Knob) -> Mode {
        let fits = |rule: &&ModeRule| rule.covers(service, knob);
        let rank = |rule: &ModeRule| u8::from(rule.service.is_some()) * 2 + u8::from(rule.knob.is_some());
        let best = self.modes.iter().filter(fits).map(rank).max();
        let rules = self.modes.iter().filter(fits).filter(|rule| Some(rank(rule)) == best);
        rules.map(|rule| rule.mode).min().unwrap_or(self.mode)
    }
}
