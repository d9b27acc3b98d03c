//! What a person orders.

use crate::{Knob, Mode, Setting, Target};
use serde::{Deserialize, Serialize};

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(remote = "Self", tag = "order", rename_all = "snake_case")]
pub enum OrderKind {
    /// Release every command and send no new one until armed again.
    Disarm,
    /// Commands may be sent again, as far as the mode allows.
    Arm,
    /// The mode of everything.
    SetMode {
        /// The new mode.
        mode: Mode,
    },
    /// A proposed command is to be carried out.
    Approve {
        /// The command's id.
        command: String,
    },
    /// A proposed or running command is not wanted; it is released and not proposed again in this incident.
    Refuse {
        /// The command's id.
        command: String,
    },
    /// A person holds a knob themselves; the engine keeps its hands off until the lease ends.
    Hold {
        /// What.
        target: Target,
        /// The value.
        setting: Setting,
        /// For how long, milliseconds.
        ttl_ms: u32,
    },
    /// A person lets go of a knob.
    Release {
        /// What.
        target: Target,
        /// Which knob.
        knob: Knob,
    },
    /// What is in force stays as it is and nothing changes any more, until armed or disarmed; at most for as long as
    /// leases may be held without evidence, then it is ramped down.
    Freeze,
    /// What is in force is let go step by step, and nothing new is sent until armed again.
    RampDown,
}

impl OrderKind {
    /// Does it stop the engine? Stopping is always allowed, to whoever holds a valid key.
    pub fn stops(&self) -> bool {
        matches!(self, OrderKind::Disarm | OrderKind::Freeze | OrderKind::RampDown)
    }
}

/// A verified order, as it enters the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(remote = "Self")]
pub struct Order {
    /// Chosen by whoever orders; the same id again changes nothing.
    pub id: String,
    /// Who.
    pub by: String,
    /// Why, in their words.
    #[serde(default)]
    pub note: String,
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub kind: OrderKind,
}
