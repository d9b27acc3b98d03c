//! The server side's settings.

use super::{Settings, SettingsError, wrong};
use crate::labels::Labels;
use admission::{Config, GradientConfig, LimitKind, Ramp, Request};
use control::glob;
use model::{Criticality, LEVELS, NameId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the service protects itself when nobody commands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// How many requests are worked on at the same time.
    pub limit: LimitSettings,
    /// How much of the limit each class may fill, `SHEDDABLE` first, in 1/1000; the rest is kept for those above.
    pub class_share_permille: [u16; LEVELS],
    /// How long clients wait, milliseconds: the queue's default bound is 15 % of it.
    pub client_timeout_ms: u32,
    /// How long a request may have to wait for its turn, milliseconds of work. 0 has no queue: what finds no place is
    /// refused. Left out: 15 % of `client_timeout_ms`.
    pub queue_bound_ms: Option<u32>,
    /// Once the queue has not been empty for this long the newest are served first, milliseconds.
    pub lifo_after_ms: u32,
    /// What a client is told that this instance alone refuses: try again after this many milliseconds.
    pub retry_after_ms: u32,
    /// The HTTP status of a refusal, 503 or 429.
    pub refuse_status: u16,
    /// Is this the edge of the fleet? Then labels that come from outside are stripped.
    pub edge: bool,
    /// Does whoever balances follow [`crate::Health::takes_permille`]? Only then does the guard say that it has the knob
    /// `route`: by itself it cannot send requests elsewhere.
    pub balanced: bool,
    /// The class of operations that come without one, by pattern (`*` any text, `?` one character); the first that fits,
    /// in the order of the alphabet. What is not labelled at all is `CRITICAL`.
    pub criticality: BTreeMap<String, Criticality>,
    /// What a request of an operation costs, in ordinary requests, by pattern.
    pub cost: BTreeMap<String, u32>,
    /// Operations that are never shed, by pattern. They still meet the queue's bound.
    pub never_shed: Vec<String>,
}

/// How many requests are worked on at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LimitSettings {
    /// As many as come.
    Off,
    /// So many.
    Fixed {
        /// How many.
        limit: u32,
    },
    /// As many as the latency allows, between two bounds.
    Adaptive {
        /// At the start.
        #[serde(default = "initial")]
        initial: u32,
        /// Never fewer.
        #[serde(default = "min")]
        min: u32,
        /// Never more.
        #[serde(default = "max")]
        max: u32,
    },
}

fn initial() -> u32 {
    50
}

fn min() -> u32 {
    4
}

fn max() -> u32 {
    1000
}

impl Default for LimitSettings {
    fn default() -> LimitSettings {
        LimitSettings::Adaptive { initial: initial(), min: min(), max: max() }
    }
}

impl Default for ServerSettings {
    fn default() -> ServerSettings {
        ServerSettings {
            limit: LimitSettings::default(),
            class_share_permille: [700, 800, 900, 1000],
            client_timeout_ms: 1000,
            queue_bound_ms: None,
            lifo_after_ms: 100,
            retry_after_ms: 250,
            refuse_status: 503,
            edge: false,
            balanced: false,
            criticality: BTreeMap::new(),
            cost: BTreeMap::new(),
            never_shed: Vec::new(),
        }
    }
}

impl ServerSettings {
    /// The queue's bound, milliseconds of work.
    pub fn bound_ms(&self) -> u32 {
        self.queue_bound_ms.unwrap_or((u64::from(self.client_timeout_ms) * 15 / 100) as u32)
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if ![503, 429].contains(&self.refuse_status) {
            return Err(wrong("server.refuse_status", "is neither 503 nor 429, which clients know for a refusal"));
        }
        if self.class_share_permille.iter().any(|share| *share > 1000) {
            return Err(wrong("server.class_share_permille", "has a share above 1000, which is all of the limit"));
        }
        match self.limit {
            LimitSettings::Fixed { limit: 0 } => Err(wrong("server.limit", "lets nothing in: write at least 1")),
            LimitSettings::Adaptive { initial, min, max } if min == 0 || min > max || initial > max => {
                Err(wrong("server.limit", "must have 1 <= min <= initial <= max"))
            }
            _ => Ok(()),
        }
    }
}

impl Settings {
    /// The settings as the state machines know them.
    pub(crate) fn admission(&self) -> Config {
        let limit = match self.server.limit {
            LimitSettings::Off => LimitKind::Off,
            LimitSettings::Fixed { limit } => LimitKind::Fixed { limit },
            LimitSettings::Adaptive { initial, min, max } => {
                // the defaults' times are in steps of a second
                let drift_steps = 600_000 / self.step_ms.max(1);
                LimitKind::Gradient(GradientConfig { initial, min, max, drift_steps, ..GradientConfig::default() })
            }
        };
        Config {
            limit,
            class_share_permille: self.server.class_share_permille,
            queue_bound_ms: self.server.bound_ms(),
            retry_ratio_permille: self.client.retry_ratio_permille,
            timeout_ms: self.client.timeout_ms,
            ramp: Ramp { length_ms: self.ramp_ms, ..Ramp::default() },
            retry_after_ms: self.server.retry_after_ms,
            ..Config::default()
        }
    }
}

impl ServerSettings {
    /// What admission is asked for a request of `operation` with these labels.
    pub(crate) fn request(&self, labels: &Labels, operation: &str, spread: u64) -> Request {
        let by_pattern = |pattern: &String| glob(pattern, operation);
        let class = || self.criticality.iter().find(|(pattern, _)| by_pattern(pattern)).map(|(_, class)| *class);
        let cost = self.cost.iter().find(|(pattern, _)| by_pattern(pattern)).map_or(1, |(_, cost)| *cost);
        Request {
            criticality: labels.criticality.or_else(class).unwrap_or_default(),
            cost: cost.max(1),
            spared: self.never_shed.iter().any(by_pattern),
            ..labels.request(NameId::of(operation), spread)
        }
    }
}
