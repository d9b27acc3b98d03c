//! The live graph as people and the console see it.

use crate::{Criticality, EdgeKind, Interval};
use serde::{Deserialize, Serialize};

/// A learned threshold beside the value that it judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The last value.
    pub value: f64,
    /// What is normal; `None` while it is not yet known.
    pub normal: Option<f64>,
    /// Above this it deviates; `None` while it is not yet known.
    pub limit: Option<f64>,
    /// Learning is frozen because the subject is unhealthy.
    pub frozen: bool,
}

/// What can be said of a service's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// Too little is known of it: no normal has been learned, or it was last judged too long ago.
    #[default]
    Unknown,
    /// Nothing deviates from what is normal for it.
    Healthy,
    /// Something does.
    Deviating,
}

/// Who counted a rate and an error share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// The spans, by their weights.
    #[default]
    Spans,
    /// The producer itself, in its metrics.
    Metrics,
}

/// A service in the graph.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its identity.
    pub name: String,
    /// Requests per second.
    pub rate_rps: f64,
    /// The share of requests that fail, 0..1.
    pub error_share: f64,
    /// Quantiles of its own durations, milliseconds.
    pub p50_ms: f64,
    /// The 99th percentile, milliseconds.
    pub p99_ms: f64,
    /// What it can serve, requests per second, where that was observed.
    pub capacity_rps: Option<Interval>,
    /// The delay before work starts, milliseconds, as an interval.
    pub queue_delay_ms: Option<Interval>,
    /// Does any signal of it deviate?
    pub deviating: bool,
    /// Is it healthy, as far as that is known?
    #[serde(default)]
    pub state: ServiceState,
    /// Who counted `rate_rps` and `error_share`.
    #[serde(default)]
    pub counted_by: CountedBy,
    /// What the metrics say of the spans' sampling, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    /// How much of its processors is in use, 0..1 of its limit, of its host or of what its process may have, by its metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_used: Option<f64>,
    /// How much of its memory, 0..1 of its limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_used: Option<f64>,
}

/// An edge in the graph, all operations together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeView {
    /// Who calls.
    pub caller: String,
    /// Who is called.
    pub callee: String,
    /// How the edge was seen.
    pub kind: EdgeKind,
    /// Calls per second, retries included.
    pub rate_rps: f64,
    /// First attempts per second.
    pub first_attempts_rps: f64,
    /// Calls per first attempt.
    pub amplification: f64,
    /// Failed calls as a share.
    pub errors: Threshold,
    /// The caller's median, milliseconds.
    pub p50_ms: f64,
    /// The caller's 99th percentile, milliseconds.
    pub p99_ms: Threshold,
    /// Sampling that cannot be reconciled.
    pub biased: bool,
    /// Who counted `rate_rps` and the errors.
    #[serde(default)]
    pub counted_by: CountedBy,
    /// What the metrics say of the spans' sampling, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    /// A clock of the callee is ahead of a caller's by at least so much, milliseconds, as paired calls show.
    #[serde(default)]
    pub ahead_ms: f64,
    /// A clock of the callee is behind a caller's by at least so much, milliseconds.
    #[serde(default)]
    pub behind_ms: f64,
    /// Messages that were sent and that nobody was seen to take, as a share of those sent lately, 0..1: they wait, or their
    /// consumer's spans are missing, and the rate is too low by as much.
    #[serde(default)]
    pub untaken_share: f64,
    /// Operations seen on this edge: (caller operation, callee operation, calls per second).
    pub operations: Vec<(String, String, f64)>,
    /// Calls since the start.
    pub calls_total: u64,
    /// Failed calls since the start.
    pub failed_total: u64,
}

/// What enters the fleet at one operation with one criticality, and what it uses inside. Cohorts are added up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowView {
    /// The service at which it enters.
    pub entry: String,
    /// The operation at which it enters.
    pub operation: String,
    /// What the requests are worth.
    pub criticality: Criticality,
    /// Requests per second.
    pub offered_rps: f64,
    /// Requests per second that succeed.
    pub good_rps: f64,
    /// Visits per second to each service that it uses, sorted by name.
    pub visits_rps: Vec<(String, f64)>,
}

/// The whole live graph.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphView {
    /// The end of the last window, Unix milliseconds.
    pub at_ms: u64,
    /// Entry goodput: requests per second from outside that succeeded.
    pub goodput_rps: f64,
    /// Entry requests per second.
    pub offered_rps: f64,
    /// How much of the telemetry is complete, paired and of known weight, 0..1.
    pub coverage: f64,
    /// Services, sorted by name.
    pub services: Vec<ServiceView>,
    /// Edges, sorted by caller and callee.
    pub edges: Vec<EdgeView>,
    /// Flows, sorted by entry, operation and criticality: only they say whom a refusal hits.
    #[serde(default)]
    pub flows: Vec<FlowView>,
}
