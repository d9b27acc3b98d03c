//! A command: a lease on one knob of one target.

use crate::{Criticality, Signature, Target};
use serde::{Deserialize, Serialize};

/// Names an intervention: a hash of domain, signature, target, knob and the incident's identity, in hex. The same across
/// renewals and for a successor that takes over; it never contains epoch or clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandId(pub String);

/// What happens to a knob when its lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KnobKind {
    /// Expiry means back to normal.
    State,
    /// Done at most once per command id.
    OneShot,
    /// Expiry freezes the value; the way back is a verified step.
    Ratchet,
}

/// What can be turned. Each (target, knob) has exactly one writer inside the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Knob {
    /// The lowest criticality admitted.
    Admission,
    /// How much work may wait.
    QueueBound,
    /// Retries as a share of first attempts.
    RetryBudget,
    /// How long a client waits.
    Timeout,
    /// Requests in flight.
    Concurrency,
    /// A breaker's forced state.
    Breaker,
    /// A degradation level.
    KillSwitch,
    /// Drop expired work and answer it "do not retry".
    Purge,
    /// Restart instances.
    Restart,
    /// The number of instances.
    Replicas,
    /// How much traffic goes to some of the instances: a drain. A state, so that nobody is left drained by an engine that
    /// is gone.
    Route,
    /// The share of failures at which a breaker opens.
    BreakerThreshold,
}

impl Knob {
    /// What the end of the lease means.
    pub fn kind(self) -> KnobKind {
        match self {
            Knob::Purge | Knob::Restart => KnobKind::OneShot,
            Knob::Replicas => KnobKind::Ratchet,
            _ => KnobKind::State,
        }
    }

    /// The knob's name in keys and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Knob::Admission => "admission",
            Knob::QueueBound => "queue_bound",
            Knob::RetryBudget => "retry_budget",
            Knob::Timeout => "timeout",
            Knob::Concurrency => "concurrency",
            Knob::Breaker => "breaker",
            Knob::KillSwitch => "kill_switch",
            Knob::Purge => "purge",
            Knob::Restart => "restart",
            Knob::Replicas => "replicas",
            Knob::Route => "route",
            Knob::BreakerThreshold => "breaker_threshold",
        }
    }
}

/// The value of a knob. Values are per instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(remote = "Self", tag = "knob", rename_all = "snake_case")]
pub enum Setting {
    /// Everything above `lowest` is admitted, of `lowest` itself the fraction (by cohort), nothing below.
    Admission {
        /// The boundary class.
        lowest: Criticality,
        /// The share of the boundary class that is admitted, in 1/1000.
        fraction_permille: u16,
    },
    /// At most this much work waits.
    QueueBound {
        /// The bound as waiting time: queue length × mean service time / workers, in milliseconds.
        work_ms: u32,
    },
    /// Retries are at most this share of first attempts.
    RetryBudget {
        /// The share, in 1/1000.
        ratio_permille: u16,
    },
    /// Clients wait at most this long for one try.
    Timeout {
        /// The timeout in milliseconds.
        timeout_ms: u32,
    },
    /// At most this many requests in flight.
    Concurrency {
        /// The limit.
        limit: u32,
    },
    /// The breaker is held in this phase.
    Breaker {
        /// The phase.
        phase: crate::BreakerPhase,
    },
    /// The service degrades to this level; 0 is everything.
    KillSwitch {
        /// The level.
        level: u8,
    },
    /// Work that has waited longer is dropped and answered "do not retry".
    Purge {
        /// The age in milliseconds.
        older_than_ms: u32,
    },
    /// Instances are restarted.
    Restart {
        /// How many at the same time, in percent.
        at_once_percent: u8,
    },
    /// The number of instances.
    Replicas {
        /// The number.
        count: u32,
    },
    /// Each instance that is meant takes this share of its usual traffic; its peers take the rest.
    Route {
        /// The share, in 1/1000.
        share_permille: u16,
    },
    /// The breaker opens at this share of failures; what it has counted stays.
    BreakerThreshold {
        /// The share of the calls in its window, in 1/1000.
        failure_permille: u16,
    },
}

impl Setting {
    /// Which knob this is a value of.
    pub fn knob(self) -> Knob {
        match self {
            Setting::Admission { .. } => Knob::Admission,
            Setting::QueueBound { .. } => Knob::QueueBound,
            Setting::RetryBudget { .. } => Knob::RetryBudget,
            Setting::Timeout { .. } => Knob::Timeout,
            Setting::Concurrency { .. } => Knob::Concurrency,
            Setting::Breaker { .. } => Knob::Breaker,
            Setting::KillSwitch { .. } => Knob::KillSwitch,
            Setting::Purge { .. } => Knob::Purge,
            Setting::Restart { .. } => Knob::Restart,
            Setting::Replicas { .. } => Knob::Replicas,
            Setting::Route { .. } => Knob::Route,
            Setting::BreakerThreshold { .. } => Knob::BreakerThreshold,
        }
    }
}

/// How far the engine may go with a knob of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It decides nothing.
    Off,
    /// What would be commanded goes to the proposals topic.
    #[default]
    Observe,
    /// The same, and waits there for a human's approval.
    Propose,
    /// Commands go to the control topic.
    Act,
}

/// One measured fact behind a finding or a command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(remote = "Self")]
pub struct Evidence {
    /// The fact, with its unit last (`queue_delay_ms`, `offered_rps`).
    pub fact: String,
    /// Where: a service, or `caller->callee`.
    pub subject: String,
    /// What was measured.
    pub value: f64,
    /// What it was compared with.
    pub limit: f64,
    /// Traces that show it, as hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exemplars: Vec<String>,
}

/// Why a command was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reason {
    /// The finding's id.
    pub finding: String,
    /// The signature that found it.
    pub signature: Signature,
    /// One sentence for the person who is woken up.
    pub summary: String,
    /// The facts.
    pub evidence: Vec<Evidence>,
    /// How sure the program is, 0..1.
    pub confidence: f64,
    /// What should be seen by `expected_by_ms`, in words.
    pub expected: String,
    /// By when, in Unix milliseconds.
    pub expected_by_ms: u64,
    /// What would undo it, in words.
    pub undone_by: String,
}

/// A lease on one knob of one target, as the engine decides it. Epoch and signature are added by the shell that holds
/// the claim and the key (crate `control`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Which intervention.
    pub id: CommandId,
    /// Rises with each renewal or change of this (target, knob) within one epoch.
    pub sequence: u64,
    /// How long it is to be obeyed, from the record's broker timestamp, in milliseconds.
    pub ttl_ms: u32,
    /// What it acts on.
    pub target: Target,
    /// Which knob.
    pub knob: Knob,
    /// The value, or `None` for a release.
    pub setting: Option<Setting>,
    /// Why.
    pub reason: Reason,
    /// Obey (`Act`), waits for approval (`Propose`), or would have been sent (`Observe`).
    pub mode: Mode,
}
