//! What normal is, when nobody commands.

use crate::concurrency::GradientConfig;
use crate::lever::Ramp;
use model::{LEVELS, NameId};

/// How the number of requests in flight is limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LimitKind {
    /// It is not.
    Off,
    /// To this many.
    Fixed {
        /// The limit, in ordinary requests.
        limit: u32,
    },
    /// By the latency that is measured.
    Gradient(GradientConfig),
}

/// A service's own defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The concurrency limit.
    pub limit: LimitKind,
    /// How much of the limit each class may fill, lowest first, in 1/1000: what is left over is kept for those above.
    pub class_share_permille: [u16; LEVELS],
    /// The queue's bound as waiting time; about 15 % of the clients' timeout.
    pub queue_bound_ms: u32,
    /// Retries as a share of first attempts, as a client, in 1/1000.
    pub retry_ratio_permille: u16,
    /// How long it waits for one try, as a client.
    pub timeout_ms: u32,
    /// How long the same cohorts are admitted. The same in the whole fleet.
    pub rotate_ms: u64,
    /// How a lease that ends goes back to normal.
    pub ramp: Ramp,
    /// What a client is told that this instance alone refuses.
    pub retry_after_ms: u32,
    /// Operations that are never shed (the owner's clamp).
    pub never_shed: Vec<NameId>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            limit: LimitKind::Off,
            class_share_permille: [700, 800, 900, 1000],
            queue_bound_ms: 150,
            retry_ratio_permille: 200,
            timeout_ms: 1000,
            rotate_ms: 300_000,
            ramp: Ramp::default(),
            retry_after_ms: 250,
            never_shed: Vec::new(),
        }
    }
}
