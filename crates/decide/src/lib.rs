//! Findings → plan → commands.
//!
//! [`plan()`] says what the evidence asks for; the [`Ledger`] holds what is in force: one writer per (target, knob), leases,
//! gates, people's orders and the order of recovery. No clock: time is an argument. Nothing is sent from here.

pub mod gates;
pub mod guards;
mod identity;
mod ledger;
mod look;
mod measure;
mod order;
mod picture;
mod plan;
mod policy;
pub mod shed;
mod usage;

pub use gates::Telemetry;
pub use guards::Guards;
pub use identity::{Incident, command_id};
pub use ledger::{Hold, Key, Lease, Ledger, Outcome, Over, Phase, Room, Running, Sent, StandDown};
pub use look::{coverage, look};
pub use order::{Stage, sending, stage};
pub use picture::{EdgeFacts, FlowFacts, Inverted, Picture, ServiceFacts};
pub use plan::{HEADROOM, Intent, Plan, overloaded, plan};
pub use policy::{Limits, ModeRule, Pace, Policy};
pub use usage::Usage;

#[cfg(test)]
mod tests;
