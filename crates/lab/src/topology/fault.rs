//! What goes wrong, and when.

use super::Label;
use serde::Deserialize;

/// A fault on a schedule: `[[fault]]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The service it happens to; for `packet_loss` the callee. Not for `surge`.
    #[serde(default)]
    pub service: Option<Label>,
    /// `packet_loss`: only calls from this service.
    #[serde(default)]
    pub caller: Option<Label>,
    /// `surge`: only this client; without it, all of them.
    #[serde(default)]
    pub client: Option<Label>,
    /// Only this instance, from 0; without it, all of them. For `slow`, `errors` and `capacity`.
    #[serde(default)]
    pub instance: Option<u32>,
    /// `slow`: work takes this many times as long. `surge`: this many times as many arrivals.
    #[serde(default)]
    pub factor: Option<f64>,
    /// `errors`: this share of requests fails. `capacity`: this share of workers is gone. `packet_loss`: this share of
    /// requests never arrives.
    #[serde(default)]
    pub share: Option<f64>,
    /// When it begins, in seconds.
    pub start_s: f64,
    /// How long it lasts, in seconds.
    pub duration_s: f64,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A service's work takes longer.
    Slow,
    /// A service answers 500.
    Errors,
    /// A service loses workers.
    Capacity,
    /// Requests to a service are lost on the way.
    PacketLoss,
    /// More requests come.
    Surge,
}

impl Fault {
    /// When it is over for the last time, in seconds.
    pub(crate) fn last_end_s(&self) -> f64 {
        self.start_s + self.duration_s
    }
}
