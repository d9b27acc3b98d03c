//! What changes the number of instances, and what instances share out: autoscaler, liveness probe, connection pools.

use super::Label;
use serde::Deserialize;

/// An autoscaler as Kubernetes has it: `autoscale = { min = 2, max = 6, target = 0.6, start_s = 20 }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Autoscale {
    /// Never fewer instances.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// The share of busy workers it aims at, 0 to 1.
    pub target: f64,
    /// How long a new instance takes until it serves, in seconds.
    pub start_s: f64,
    /// How often it looks, in seconds.
    #[serde(default = "default_every_s")]
    pub every_s: f64,
    /// It takes an instance away only after it has wanted fewer for so long, in seconds.
    #[serde(default = "default_down_s")]
    pub down_s: f64,
}

/// A liveness probe that waits in the queue like everybody: `liveness = { delay_ms = 5000, restart_s = 5 }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Liveness {
    /// An instance whose oldest request has waited longer is killed, in milliseconds.
    pub delay_ms: u64,
    /// How long it is gone then, in seconds.
    pub restart_s: f64,
}

/// The connections that each instance has to a callee: `[[service.pool]]`. An attempt waits until one is free.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The callee.
    pub to: Label,
    /// At most so many attempts are under way at once.
    pub connections: u32,
}

fn default_every_s() -> f64 {
    15.0
}

fn default_down_s() -> f64 {
    300.0
}
