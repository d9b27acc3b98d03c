//! Calls of an operation: to whom, how long the caller waits, and what it does when it fails.

use super::Label;
use serde::Deserialize;

/// One call in an operation's call graph: `[[service.operation.call]]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The callee's name.
    pub to: Label,
    /// Which of its operations; may be left out if it has only one.
    #[serde(default)]
    pub operation: Option<Label>,
    /// A call that waits for its answer, or a message that does not.
    #[serde(default)]
    pub way: Way,
    /// When it is made.
    #[serde(default)]
    pub when: When,
    /// Begins together with the call before it instead of after it.
    #[serde(default)]
    pub parallel: bool,
    /// How probable it is that the call is made.
    #[serde(default = "default_probability")]
    pub probability: f64,
    /// The operation goes on without the answer if the call fails.
    #[serde(default)]
    pub optional: bool,
    /// How long the caller waits for one attempt, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// How often a failed attempt is repeated.
    #[serde(default)]
    pub retries: u8,
    /// The wait before the first repetition, in milliseconds; it doubles each time.
    #[serde(default = "default_backoff_ms")]
    pub backoff_ms: f64,
    /// The share of each wait that is drawn by chance, 0 to 1.
    #[serde(default = "default_jitter")]
    pub jitter: f64,
    /// Retries at most as this share of first attempts, per calling instance; without it, any number.
    #[serde(default)]
    pub retry_budget: Option<f64>,
    /// Does the caller have a circuit breaker for this call?
    #[serde(default)]
    pub breaker: bool,
    /// Does a caller that gives up cancel the work? If not, the callee goes on with it for nobody.
    #[serde(default)]
    pub cancel: bool,
}

/// When a call is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Each time, as far as its probability goes.
    #[default]
    Always,
    /// Only if the service's cache does not hold the answer.
    Miss,
    /// Only if an optional call just before it has failed: a fallback.
    Failed,
}

/// How a call is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The caller waits for the answer.
    #[default]
    Call,
    /// A message goes to the callee's queue of the operation's name; nobody waits.
    Produce,
}

pub(super) fn default_probability() -> f64 {
    1.0
}

pub(super) fn default_timeout_ms() -> u64 {
    1000
}

pub(super) fn default_backoff_ms() -> f64 {
    20.0
}

pub(super) fn default_jitter() -> f64 {
    0.5
}
