//! One line of the trail: what was decided, refused or ordered, and why.

use crate::{CommandId, FindingId};
use serde::{Deserialize, Serialize};

/// What an entry of the trail is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// A finding opened, or closed.
    #[default]
    Finding,
    /// A command went to the proposals topic.
    Proposed,
    /// A command went to the control topic.
    Commanded,
    /// The value of a running command changed.
    Changed,
    /// A command was released in its turn.
    Released,
    /// A command was withdrawn: nobody obeys it, or it has no effect.
    Withdrawn,
    /// A gate stood in the way.
    Gated,
    /// A person ordered something.
    Order,
    /// The mode changed, or the engine was armed or disarmed.
    Mode,
    /// The configuration changed.
    Config,
    /// Something about the telemetry that bears on decisions: stale, thin, out of order, sampled.
    Telemetry,
}

/// One entry of the trail. The shell that writes it adds the hash of the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    /// When, by the engine's last tick, Unix milliseconds.
    pub at_ms: u64,
    /// What it is about.
    pub kind: AuditKind,
    /// Where: `target/knob`, a service, a finding's subject, or an order's id.
    pub subject: String,
    /// The command it concerns.
    #[serde(default)]
    pub command: Option<CommandId>,
    /// The finding it concerns.
    #[serde(default)]
    pub finding: Option<FindingId>,
    /// The person who ordered it; nobody for the engine's own decisions.
    #[serde(default)]
    pub by: Option<String>,
    /// What happened and why, in words.
    pub text: String,
}
