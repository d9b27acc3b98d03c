//! What presses on a service: first attempts, retries, capacity, and how long its callers wait.

use crate::{DetectConfig, Scene};
use learn::QueueDelay;
use model::{Interval, NameId};

/// A service's load in the last half-lives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pressure {
    /// First attempts per second, by all callers.
    pub(crate) first_rps: f64,
    /// Retries per first attempt.
    pub(crate) retries: f64,
    /// What it can serve.
    pub(crate) capacity: Option<Interval>,
    /// How long work waits.
    pub(crate) delay: Option<QueueDelay>,
    /// What its callers wait for at most, ms: the mean over calls with a visible timeout.
    pub(crate) timeout_ms: Option<f64>,
    /// Completions that nobody waited for, as a share.
    pub(crate) wasted_share: f64,
    /// Calls that timed out, as a share.
    pub(crate) timeout_share: f64,
}

impl Pressure {
    pub(crate) fn of(scene: &Scene<'_>, config: &DetectConfig, service: NameId) -> Pressure {
        let (mut first, mut calls, mut timeouts, mut waits, mut waiting, mut wasted) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for id in scene.graph.edges_to(service) {
            let Some(edge) = scene.graph.edge(id) else { continue };
            let rates = edge.rates();
            first += rates.first_attempts_rps;
            calls += rates.calls_rps;
            timeouts += rates.timeouts_rps;
            wasted += rates.wasted_rps;
            if edge.timeout_ms > 0.0 {
                waits += edge.timeout_ms * rates.calls_rps;
                waiting += rates.calls_rps;
            }
        }
        let own = scene.graph.service(service).map(|service| service.rates()).unwrap_or_default();
        Pressure {
            first_rps: first,
            retries: if first > 0.0 { (calls / first - 1.0).clamp(0.0, config.retries_max) } else { 0.0 },
            capacity: scene.learner.capacity(service),
            delay: scene.learner.queue_delay(service),
            timeout_ms: (waiting > 0.0).then(|| waits / waiting),
            wasted_share: share(wasted.max(own.wasted_rps), own.calls_rps),
            timeout_share: share(timeouts, calls),
        }
    }

    /// First attempts and retries per second.
    pub(crate) fn offered_rps(&self) -> f64 {
        self.first_rps * (1.0 + self.retries)
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}
