//! What a guard says of its service each second.

use crate::{Command, LEVELS};
use serde::{Deserialize, Serialize};

/// A breaker's phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BreakerPhase {
    /// Calls pass.
    #[default]
    Closed,
    /// Calls are refused.
    Open,
    /// A few probes pass.
    HalfOpen,
    /// Calls come back step by step.
    Ramp,
}

/// One breaker of a guard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BreakerReport {
    /// The callee it protects.
    pub callee: String,
    /// Its phase.
    pub phase: BreakerPhase,
}

/// A command as a guard obeys it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(remote = "Self")]
pub struct Obeyed {
    /// The command's id.
    pub id: crate::CommandId,
    /// Its epoch.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
    /// The owner's clamp that beat it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden_by: Option<String>,
}

/// One second of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GuardReport {
    /// The service.
    pub service: String,
    /// The instance.
    pub instance: String,
    /// The end of the second, Unix milliseconds, by the guard's clock.
    pub at_ms: u64,
    /// Requests waiting.
    pub queued: u32,
    /// How long the one at the head has waited, milliseconds.
    pub queue_delay_ms: u32,
    /// Requests being worked on.
    pub in_flight: u32,
    /// Workers, or the concurrency limit.
    pub workers: u32,
    /// Requests admitted in the second, by criticality, lowest first.
    pub admitted: [u32; LEVELS],
    /// Requests refused in the second, by criticality, lowest first.
    pub shed: [u32; LEVELS],
    /// Requests finished in the second.
    pub completed: u32,
    /// Requests dropped because their deadline had passed, or by a purge.
    pub expired: u32,
    /// Retries that the budget refused.
    pub retries_refused: u32,
    /// Breakers.
    #[serde(default)]
    pub breakers: Vec<BreakerReport>,
    /// Knobs that this guard has.
    #[serde(default)]
    pub knobs: Vec<crate::Knob>,
    /// Commands that are in force here.
    #[serde(default)]
    pub obeyed: Vec<Obeyed>,
}

impl GuardReport {
    /// Does the guard say that it obeys `command` (in this or a later renewal)?
    pub fn obeys(&self, command: &Command) -> bool {
        self.obeyed.iter().any(|obeyed| obeyed.id == command.id)
    }
}
