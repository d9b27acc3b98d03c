//! What leaves the engine. It does nothing itself: the shell writes effects in one transaction with their input.

use model::{AuditEntry, Command, Finding};
use serde::{Deserialize, Serialize};

/// One effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// A lease or its release. [`model::Mode::Act`] goes to the control topic, the other modes to the proposals topic.
    Command(Command),
    /// A finding opened, changed or closed.
    Finding(Finding),
    /// A line of the trail.
    Audit(AuditEntry),
}
