//! The engine's configuration. An input like any other: a new version arrives as [`crate::Input::Config`].

use decide::{Limits, ModeRule, Pace, Policy};
use detect::DetectConfig;
use graph::GraphConfig;
use learn::LearnConfig;
use model::Mode;
use serde::{Deserialize, Serialize};

/// Everything that the engine can be told. Defaults are safe: it observes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// The decision domain; part of every id.
    pub domain: String,
    /// The mode of everything that no rule in `modes` names.
    pub mode: Mode,
    /// Modes of single knobs or services.
    pub modes: Vec<ModeRule>,
    /// Windows before a baseline counts as known.
    pub warmup_windows: u32,
    /// A window that ended longer ago than this, by the last tick, updates what is known and causes nothing.
    pub stale_after_ms: u64,
    /// How long a lease is obeyed without being renewed.
    pub lease_ttl_ms: u32,
    /// How long leases are held on guards' reports alone when telemetry thins out.
    pub max_hold_ms: u64,
    /// The most edges the graph keeps.
    pub edges_max: u32,
    /// Windows that are kept for [`crate::Engine::rank`]; 0 in `run`, where findings name origins.
    pub history_windows: u32,
    /// The gates on the way to `act`.
    pub limits: Limits,
    /// The pace of leases and recovery.
    pub pace: Pace,
}

impl Default for EngineConfig {
    fn default() -> Self {
        let policy = Policy::default();
        EngineConfig {
            domain: policy.domain,
            mode: policy.mode,
            modes: policy.modes,
            warmup_windows: 30,
            stale_after_ms: policy.stale_after_ms,
            lease_ttl_ms: policy.lease_ttl_ms,
            max_hold_ms: policy.max_hold_ms,
            edges_max: 20_000,
            history_windows: 0,
            limits: policy.limits,
            pace: policy.pace,
        }
    }
}

impl EngineConfig {
    /// The part that decisions follow.
    pub fn policy(&self) -> Policy {
        Policy {
            domain: self.domain.clone(),
            mode: self.mode,
            modes: self.modes.clone(),
            lease_ttl_ms: self.lease_ttl_ms,
            max_hold_ms: self.max_hold_ms,
            stale_after_ms: self.stale_after_ms,
            limits: self.limits.clone(),
            pace: self.pace.clone(),
        }
    }

    /// How the graph is kept.
    pub fn graph(&self) -> GraphConfig {
        GraphConfig { edges_max: self.edges_max as usize, ..GraphConfig::default() }
    }

    /// How normal is learned.
    pub fn learn(&self) -> LearnConfig {
        LearnConfig { warmup: self.warmup_windows, edges_max: self.edges_max as usize, ..LearnConfig::default() }
    }

    /// How findings open and close.
    pub fn detect(&self) -> DetectConfig {
        DetectConfig::default()
    }
}
