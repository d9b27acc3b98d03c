//! Services: instances, workers, queues, and what their operations cost.

use super::{Autoscale, Cache, Call, Gc, Label, Liveness, Pool, WarmUp};
use serde::Deserialize;

/// A service: `[[service]]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// `service.name`.
    pub name: Label,
    /// `service.version`.
    #[serde(default = "default_version")]
    pub version: String,
    /// `service.namespace`; none by default.
    #[serde(default)]
    pub namespace: String,
    /// The availability zones over which instances are spread in turn.
    #[serde(default = "default_zones")]
    pub zones: Vec<String>,
    /// How many instances.
    #[serde(default = "default_one")]
    pub instances: u32,
    /// How many requests one instance works on at the same time.
    pub workers: u32,
    /// What it speaks.
    #[serde(default)]
    pub protocol: Protocol,
    /// What a worker is busy with.
    #[serde(default)]
    pub holds: Holds,
    /// When the server span starts.
    #[serde(default)]
    pub span_start: SpanStart,
    /// How callers choose an instance.
    #[serde(default)]
    pub balance: Balance,
    /// Where requests wait for a worker: `queue = { order = "fifo", length = 200 }`.
    #[serde(default)]
    pub queue: Queue,
    /// Does it limit its own requests in flight by the latency it measures (Gradient2)?
    #[serde(default)]
    pub adaptive_limit: bool,
    /// `db.system.name` of a database, `messaging.system` of what it consumes.
    #[serde(default)]
    pub system: Option<String>,
    /// Each further request at work makes all work so much longer: 0.01 is 1 %. This bounds throughput (the σ of Gunther's
    /// universal scalability law, 1993).
    #[serde(default)]
    pub contention: f64,
    /// Each further pair of requests at work makes all work so much longer, so that with too many of them throughput falls:
    /// thrashing (the κ of the same law).
    #[serde(default)]
    pub coherency: f64,
    /// While requests wait for the lock of [`Operation::lock_us`], each that waits makes every hand-over so much longer,
    /// in microseconds (a convoy).
    #[serde(default)]
    pub handover_us: f64,
    /// Garbage collection, if it stops the process.
    #[serde(default)]
    pub gc: Option<Gc>,
    /// How it is after a start.
    #[serde(default)]
    pub warm_up: Option<WarmUp>,
    /// The cache of each instance.
    #[serde(default)]
    pub cache: Option<Cache>,
    /// Who changes the number of instances.
    #[serde(default)]
    pub autoscale: Option<Autoscale>,
    /// Who kills instances that do not answer.
    #[serde(default)]
    pub liveness: Option<Liveness>,
    /// Connections of each instance: `[[service.pool]]`.
    #[serde(default)]
    pub pool: Vec<Pool>,
    /// What it can be asked: `[[service.operation]]`.
    pub operation: Vec<Operation>,
}

/// What a service speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP; operations are named `GET /route/{id}`.
    #[default]
    Http,
    /// gRPC; operations are named `package.Service/Method`.
    Rpc,
    /// A database: it emits no spans of its own. Operations are named `SELECT table`.
    Database,
}

/// What a worker is busy with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// The whole request, also while it waits for those it calls (a thread per request).
    #[default]
    Request,
    /// Its own work only (asynchronous services).
    Work,
}

/// When the server span starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SpanStart {
    /// When a worker takes the request up: the time in the queue shows as the client-minus-server gap.
    #[default]
    Work,
    /// When the request arrives: the time in the queue is part of the server span.
    Arrival,
}

/// How callers choose an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// In turn.
    #[default]
    RoundRobin,
    /// By chance.
    Random,
    /// The less busy of two drawn by chance.
    LeastOfTwo,
}

/// Where requests wait for a worker.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Who is next.
    #[serde(default)]
    pub order: Order,
    /// How many may wait in one instance; without it, any number. What comes to a full queue is refused with 503.
    #[serde(default)]
    pub length: Option<u32>,
    /// Is a request whose deadline has passed dropped, free of cost, instead of being taken up?
    #[serde(default)]
    pub drop_expired: bool,
}

/// Who is next in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The oldest.
    #[default]
    Fifo,
    /// The youngest.
    Lifo,
}

/// What a service can be asked: `[[service.operation]]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// `GET /route/{id}`, `package.Service/Method`, `SELECT table` or the name of a queue (see [`Protocol`]).
    pub name: Label,
    /// The mean of its own work, in microseconds.
    pub mean_us: f64,
    /// The coefficient of variation of its own work (lognormal only).
    #[serde(default = "default_cv")]
    pub cv: f64,
    /// How its own work is distributed.
    #[serde(default)]
    pub distribution: Distribution,
    /// The share of requests that fail with 500 by themselves.
    #[serde(default)]
    pub error_share: f64,
    /// The part of its work that only one request of an instance can do at a time, after the rest, in microseconds.
    #[serde(default)]
    pub lock_us: f64,
    /// Emits an internal span of this name around its own work.
    #[serde(default)]
    pub internal_span: Option<String>,
    /// Whom it calls after its own work, in this order: `[[service.operation.call]]`.
    #[serde(default)]
    pub call: Vec<Call>,
}

/// How work is distributed around its mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Lognormal with mean and coefficient of variation.
    #[default]
    Lognormal,
    /// Exponential with mean.
    Exponential,
    /// Always the mean.
    Constant,
}

fn default_version() -> String {
    "1.0.0".to_owned()
}

fn default_zones() -> Vec<String> {
    vec!["zone-a".to_owned()]
}

fn default_one() -> u32 {
    1
}

fn default_cv() -> f64 {
    0.5
}
