//! The seam at which policies differ: who hears what comes from the fleet, and says what is to be done.

use crate::{Export, World};
use control::Role;
use engine::Effect;
use model::{GraphView, GuardReport};

/// A policy that sees the whole fleet and speaks through the control topic. What a policy does at each request, inside the
/// services, is the world's matter; such a policy is configured in [`Pilot::board`].
pub trait Pilot {
    /// What the policy is called.
    fn name(&self) -> &str;

    /// Does it read telemetry? What nobody reads is not written, which saves most of the time.
    fn reads(&self) -> bool {
        false
    }

    /// The role of the key that signs its commands.
    fn role(&self) -> Role {
        Role::Engine
    }

    /// Before the first request: what the fleet itself is given.
    fn board(&mut self, _world: &mut World) {}

    /// What has arrived since the last step; what is to be done. Commands of mode `Act` go to the control topic, everything
    /// else is written down only.
    fn step(&mut self, seen: &Seen<'_>) -> Vec<Effect>;

    /// The graph as it sees it now, for the moment of detection.
    fn view(&self) -> Option<GraphView> {
        None
    }
}

/// A batch of spans that has arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// When, by the broker, Unix milliseconds.
    pub at_ms: u64,
    /// The batch; [`Export::encode_into`] gives its bytes.
    pub export: Export,
}

/// What a pilot sees in one step.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Now, Unix milliseconds.
    pub now_ms: u64,
    /// Telemetry, in the order of arrival; nothing for who does not read.
    pub exports: &'a [Arrived],
    /// Guards' reports, in the order of arrival.
    pub reports: &'a [GuardReport],
    /// The truth, for those who are meant to know everything (the upper bounds). Nobody else may look.
    pub world: &'a World,
}

/// The fleet is left alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Pilot for Nobody {
    fn name(&self) -> &str {
        "none"
    }

    fn step(&mut self, _: &Seen<'_>) -> Vec<Effect> {
        Vec::new()
    }
}
