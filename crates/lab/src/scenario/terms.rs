//! What a scenario is about and what counts as success: the table `[scenario]`.

use super::BadState;
use model::{Criticality, LEVELS};
use serde::Deserialize;

/// What happens in a scenario, and what is right to do: `[scenario]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What happens, for people, in a sentence or two.
    pub about: String,
    /// Where the pattern comes from: a paper, a benchmark, an incident.
    #[serde(default)]
    pub source: String,
    /// How it ends if nobody does anything.
    pub kind: Kind,
    /// Is something to be done?
    pub expected: Expected,
    /// How long a run takes, in simulated seconds.
    #[serde(default = "default_length_s")]
    pub length_s: u32,
    /// When the cause begins, in seconds; the earliest fault by default.
    #[serde(default)]
    pub onset_s: Option<f64>,
    /// When the cause is over, in seconds; the end of the last fault by default, at the latest the end of the run.
    #[serde(default)]
    pub cause_ends_s: Option<f64>,
    /// What a good answer is worth to the business, by criticality: `value = { CRITICAL_PLUS = 20, SHEDDABLE = 0.1 }`.
    #[serde(default)]
    pub value: Value,
    /// When the fleet counts as being in the bad state: `bad = { good_below = 0.8 }`.
    #[serde(default)]
    pub bad: BadState,
}

/// How a scenario ends if nobody does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The bad state keeps itself alive after its cause has gone.
    Metastable,
    /// The bad state ends by itself soon after its cause has gone.
    SelfHealing,
    /// Demand is above capacity for as long as the cause lasts; what matters is who is served.
    Capacity,
    /// Something is broken for as long as the cause lasts; what matters is that the rest does not wait for it.
    Dependency,
    /// There never is a bad state.
    Benign,
}

impl Kind {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Metastable => "metastable",
            Kind::SelfHealing => "heals by itself",
            Kind::Capacity => "demand above capacity",
            Kind::Dependency => "a broken dependency",
            Kind::Benign => "benign",
        }
    }
}

impl Expected {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Expected::MustAct => "something must be done",
            Expected::MayAct => "commands may help",
            Expected::MustNotAct => "any command is harm",
        }
    }
}

/// Is something to be done?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// A run without a command is a failure.
    MustAct,
    /// Commands may help; they are judged by what is lost and won.
    MayAct,
    /// Any command is harm.
    MustNotAct,
}

/// What one good answer is worth, by criticality.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Value {
    /// A request that is never refused without a person's approval.
    pub critical_plus: f64,
    /// A request that users see.
    pub critical: f64,
    /// Batch work.
    pub sheddable_plus: f64,
    /// What nobody misses.
    pub sheddable: f64,
}

impl Default for Value {
    fn default() -> Self {
        Value { critical_plus: 10.0, critical: 3.0, sheddable_plus: 1.0, sheddable: 0.3 }
    }
}

impl Value {
    /// Of one good answer to a request of this criticality.
    pub fn of(&self, criticality: Criticality) -> f64 {
        match criticality {
            Criticality::CriticalPlus => self.critical_plus,
            Criticality::Critical => self.critical,
            Criticality::SheddablePlus => self.sheddable_plus,
            Criticality::Sheddable => self.sheddable,
        }
    }

    /// Of so many good answers, counted by criticality, lowest first.
    pub fn of_all(&self, good_by: &[u64; LEVELS]) -> f64 {
        Criticality::ALL.iter().map(|level| self.of(*level) * good_by[level.index()] as f64).sum()
    }
}

fn default_length_s() -> u32 {
    120
}
