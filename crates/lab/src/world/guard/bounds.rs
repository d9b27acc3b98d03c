//! Good bounds that need no engine, worked out from what an owner knows of a service on a calm day.
//!
//! The queue holds 15 % of the shortest patience of those who call (waits add up along a path: that ended storms which 50 %
//! did not); as many requests are in flight as workers and queue hold together, of which the lower classes may fill a part;
//! retries are a tenth of first attempts; every call has a breaker.

use crate::topology::{Holds, When};
use crate::world::plan::Plan;
use model::SpanKind;

/// What a service bounds by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) struct Bounds {
    /// The queue, in milliseconds of waiting; none for a consumer of messages.
    pub(in crate::world) queue_ms: Option<u32>,
    /// Requests in flight in one instance.
    pub(in crate::world) in_flight: Option<u32>,
    /// Retries, in 1/1000 of first attempts.
    pub(in crate::world) retry_permille: u16,
    /// Has every call a breaker?
    pub(in crate::world) breakers: bool,
}

const PATIENCE_SHARE: f64 = 0.15;
const QUEUE_MIN_MS: u32 = 10;
const RETRY_PERMILLE: u16 = 100;
/// A queue never holds fewer requests than this for each worker: arrivals come in bursts.
const QUEUE_PER_WORKER_MIN: f64 = 1.0;

impl Bounds {
    /// The bounds of a service's instances.
    pub(in crate::world) fn of(plan: &Plan, service: u32) -> Bounds {
        let callers = plan.edges.iter().filter(|edge| edge.callee == service && edge.kind == SpanKind::Client);
        let patience_ns = callers.map(|edge| edge.timeout_ns).min();
        let queue_ms = patience_ns.map(|patience_ns| {
            let bound_ms = patience_ns as f64 * PATIENCE_SHARE / 1e6;
            (bound_ms as u32).max(QUEUE_MIN_MS)
        });
        let workers = f64::from(plan.services[service as usize].workers);
        let in_flight = queue_ms.map(|queue_ms| {
            let queue = workers * f64::from(queue_ms) * 1e6 / hold_ns(plan, service);
            (workers + queue.max(workers * QUEUE_PER_WORKER_MIN)).ceil() as u32
        });
        Bounds { queue_ms, in_flight, retry_permille: RETRY_PERMILLE, breakers: true }
    }
}

/// The mean time that a request holds a worker on a calm day, over the operations.
fn hold_ns(plan: &Plan, service: u32) -> f64 {
    let own = || plan.operations.iter().enumerate().filter(|(_, operation)| operation.service == service);
    let holds = own().map(|(place, operation)| match plan.services[service as usize].holds {
        Holds::Work => operation.mean_ns,
        Holds::Request => calm_ns(plan, place as u32),
    });
    (holds.sum::<f64>() / own().count().max(1) as f64).max(1.0)
}

/// How long an operation takes from its start to its answer when nobody waits.
fn calm_ns(plan: &Plan, operation: u32) -> f64 {
    let operation = &plan.operations[operation as usize];
    let misses = plan.services[operation.service as usize].spec.cache.map_or(1.0, |cache| 1.0 - cache.hit_share);
    let (mut sum_ns, mut group_ns) = (operation.mean_ns + operation.lock_ns, 0.0f64);
    for edge in &plan.edges[operation.edges.start as usize..operation.edges.end as usize] {
        if edge.kind != SpanKind::Client || edge.when == When::Failed {
            continue;
        }
        let probability = if edge.when == When::Miss { edge.probability * misses } else { edge.probability };
        let call_ns = probability * (calm_ns(plan, edge.operation) + 2.0 * plan.latency_ns as f64);
        if edge.parallel {
            group_ns = group_ns.max(call_ns);
        } else {
            sum_ns += group_ns;
            group_ns = call_ns;
        }
    }
    sum_ns + group_ns
}
