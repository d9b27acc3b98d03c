//! What makes work slower: garbage collection, cold processes, cold caches.

use serde::Deserialize;

/// Garbage collection that stops the process: `gc = { heap = 600, pause_ms = 20, live_us = 200 }`.
///
/// Each request taken up leaves garbage. When garbage and live requests (waiting or at work) fill the heap, everything
/// stops for `pause_ms` plus `live_us` for each live request. The longer the queue, the more often and the longer it
/// stops: the capacity that is lost is lost because of the load.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Gc {
    /// The garbage and live data of so many requests fill the heap.
    pub heap: u32,
    /// A collection takes at least so long, in milliseconds.
    pub pause_ms: f64,
    /// And so much longer for each live request, in microseconds.
    pub live_us: f64,
}

/// A process that has just started is slow: `warm_up = { time_s = 20, factor = 5 }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// How long it takes to become as fast as the others, in seconds.
    pub time_s: f64,
    /// In the beginning work takes this many times as long; the excess shrinks evenly.
    pub factor: f64,
}

/// A cache in each instance: `cache = { hit_share = 0.9, keys = 20000 }`. Calls with `when = "miss"` are made only when it
/// does not hold the answer; what they bring is kept.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// The share of requests that a full cache answers, 0 to 1.
    pub hit_share: f64,
    /// How many different answers fill it; all are asked for equally often.
    pub keys: u32,
    /// Answers are forgotten after so long on average, in seconds; without it, never.
    #[serde(default)]
    pub ttl_s: Option<f64>,
}
