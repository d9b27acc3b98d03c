//! What happens inside a guard, as a stream for logs and dashboards.

use admission::OpenReason;
use control::{InForce, Verdict};
use model::BreakerPhase;
use tokio::sync::broadcast;

/// Events that a slow listener may be behind; older ones are lost to it, and it is told so.
const BEHIND_MAX: usize = 256;

/// Something happened.
#[allow(clippy::large_enum_variant, reason = "events are rare and taken one by one")]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A breaker changed its phase.
    Breaker {
        /// The callee.
        callee: String,
        /// The phase before.
        before: BreakerPhase,
        /// The phase now.
        phase: BreakerPhase,
        /// Why it is not closed, if it is not.
        reason: Option<OpenReason>,
    },
    /// A record of the control topic was taken or dropped.
    Order {
        /// The record's key.
        key: String,
        /// What became of it.
        verdict: Verdict,
    },
    /// What is in force has changed.
    InForce {
        /// How many commands are in force now.
        commands: usize,
    },
    /// A one-shot is to be done now. A purge has been done; a restart is the service's own business.
    OneShot(InForce),
    /// The degradation level has changed.
    KillLevel {
        /// The level now; 0 is everything on.
        level: u8,
    },
}

/// Where events are told.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    sender: broadcast::Sender<Event>,
}

impl Events {
    pub(crate) fn new() -> Events {
        Events { sender: broadcast::Sender::new(BEHIND_MAX) }
    }

    pub(crate) fn tell(&self, event: Event) {
        // without a listener nobody needs it
        let _ = self.sender.send(event);
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}
