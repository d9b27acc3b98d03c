//! One lease: what is wanted of one knob of one target, what was sent, and how far its release has come.

use crate::identity::Incident;
use model::{Command, CommandId, Knob, LEVELS, Mode, Reason, Setting, Target};
use serde::{Deserialize, Serialize};

/// Which lease: each (target, knob) has exactly one writer.
pub type Key = (Target, Knob);

/// Where a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The evidence holds, or has only just gone.
    Held,
    /// The evidence is gone; it is let go when its turn comes.
    Fading {
        /// When its last step was taken (or when it began to fade).
        stepped_ms: u64,
    },
}

/// What was last sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// When.
    pub at_ms: u64,
    /// The value.
    pub setting: Setting,
    /// Where to.
    pub mode: Mode,
    /// Its sequence.
    pub sequence: u64,
    /// How often this value was sent again because guards did not say that they had it.
    pub again: u8,
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Which intervention.
    pub id: CommandId,
    /// Against what.
    pub incident: Incident,
    /// The overloaded service that it is for.
    pub about: String,
    /// Edges between the target and the overloaded service.
    pub distance: u32,
    /// What the evidence asks for.
    pub wanted: Setting,
    /// What the limits and steps allow of it.
    pub allowed: Setting,
    /// How far demand has been let back in by trial, whatever is wanted (admission only).
    pub eased: Option<Setting>,
    /// How complete the telemetry behind it was, 0..1.
    pub coverage: f64,
    /// Why.
    pub reason: Reason,
    /// The gate that stands in the way of the whole of it, if one does.
    pub gate: Option<String>,
    /// What may be asked of a person beyond `allowed`, and the gate in its way; as last proposed.
    pub beyond: Option<(Setting, String)>,
    /// What was last sent.
    pub sent: Option<Sent>,
    /// When it began to act; `None` while it is only proposed or observed.
    pub acting_since_ms: Option<u64>,
    /// When the value last changed.
    pub changed_ms: u64,
    /// When evidence for it was last seen.
    pub evidence_ms: u64,
    /// Where it stands.
    pub phase: Phase,
    /// By when an effect must be seen.
    pub expected_by_ms: u64,
    /// What it should lower, when it began to act.
    pub measure_then: Option<f64>,
    /// The same by the last window.
    pub measure_now: Option<f64>,
    /// Below this the measure is as it should be.
    pub measure_good: f64,
    /// Requests per second at the target by criticality (admission only).
    pub mix: [f64; LEVELS],
    /// Is the queue of the overloaded service drained, and does demand fit its capacity?
    pub drained: bool,
}

impl Lease {
    /// Does it act, or is it only proposed or observed?
    pub fn acts(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.mode == Mode::Act)
    }

    /// Does it show what it was meant to show?
    pub fn has_effect(&self) -> bool {
        let Some(now) = self.measure_now else { return true };
        now <= self.measure_good || self.measure_then.is_none_or(|then| now < then * 0.95)
    }

    /// The command as it was last sent; `None` if it never was.
    pub fn command(&self, key: &Key, sequence: u64, ttl_ms: u32) -> Option<Command> {
        let sent = self.sent.as_ref()?;
        Some(Command {
            id: self.id.clone(),
            sequence,
            ttl_ms,
            target: key.0.clone(),
            knob: key.1,
            setting: Some(sent.setting),
            reason: self.reason.clone(),
            mode: sent.mode,
        })
    }
}

/// A knob that a person holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// The id under which it is sent.
    pub id: CommandId,
    /// Who.
    pub by: String,
    /// Their words.
    pub note: String,
    /// The value.
    pub setting: Setting,
    /// Until when.
    pub until_ms: u64,
    /// When it was last sent; zero before the first time.
    pub sent_ms: u64,
}
