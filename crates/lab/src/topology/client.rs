//! Clients: open-loop arrivals at an entry operation.

use super::Label;
use super::call::{default_backoff_ms, default_jitter, default_timeout_ms};
use model::Criticality;
use serde::{Deserialize, Deserializer};

/// A population of clients that asks for one operation: `[[client]]`. Arrivals are Poisson: they do not wait for answers.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name.
    pub name: Label,
    /// The entry service.
    pub to: Label,
    /// Which of its operations; may be left out if it has only one.
    #[serde(default)]
    pub operation: Option<Label>,
    /// Requests per second.
    pub rate_rps: f64,
    /// `CRITICAL_PLUS`, `CRITICAL`, `SHEDDABLE_PLUS` or `SHEDDABLE`.
    #[serde(default, deserialize_with = "criticality")]
    pub criticality: Criticality,
    /// Users fall into this many cohorts, numbered from 0; at most 128.
    #[serde(default = "default_cohorts")]
    pub cohorts: u8,
    /// How long a client waits for one attempt, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// How often a client repeats a failed attempt.
    #[serde(default)]
    pub retries: u8,
    /// The wait before the first repetition, in milliseconds; it doubles each time.
    #[serde(default = "default_backoff_ms")]
    pub backoff_ms: f64,
    /// The share of each wait that is drawn by chance, 0 to 1.
    #[serde(default = "default_jitter")]
    pub jitter: f64,
    /// Retries at most as this share of first attempts, over all of these clients; without it, any number.
    #[serde(default)]
    pub retry_budget: Option<f64>,
    /// Does a client that gives up cancel its request?
    #[serde(default)]
    pub cancel: bool,
    /// Do clients honour "do not retry"?
    #[serde(default = "default_honours")]
    pub honours_no_retry: bool,
    /// The rate swings by this share of itself (a day, or a compressed one), 0 to 1.
    #[serde(default)]
    pub diurnal_share: f64,
    /// How long one swing takes, in seconds.
    #[serde(default = "default_period_s")]
    pub diurnal_period_s: f64,
    /// Nobody comes before, in seconds: a batch job has its time.
    #[serde(default)]
    pub from_s: f64,
    /// Nobody comes after, in seconds.
    #[serde(default)]
    pub until_s: Option<f64>,
}

pub(crate) fn criticality<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Criticality, D::Error> {
    let text = String::deserialize(deserializer)?;
    Criticality::parse(&text).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "unknown variant `{text}`, expected one of `CRITICAL_PLUS`, `CRITICAL`, `SHEDDABLE_PLUS`, `SHEDDABLE`"
        ))
    })
}

fn default_cohorts() -> u8 {
    128
}

fn default_honours() -> bool {
    true
}

fn default_period_s() -> f64 {
    86_400.0
}
