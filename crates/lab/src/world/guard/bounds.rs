//! Good bounds that need no engine, worked out from what an owner knows of a service on a calm day.
//!
//! The queue holds 15 % of the shortest patience of those who call (waits add up along a path: that ended storms which 50 %
//! did not); at most three times as many requests are in flight as on a calm day (Little's law: rate × time), and never more
//! than workers and queue hold together; lower classes may fill a part of that; retries are a fifth of first attempts; optional
//! calls have a breaker. Chosen over the scenarios: breakers before calls that are needed turned partial failures into whole
//! ones, a tenth of retries was too little where instances fail, and a limit by measured latency gave way to slow providers.

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
}

const PATIENCE_SHARE: f64 = 0.15;
const QUEUE_MIN_MS: u32 = 10;
const RETRY_PERMILLE: u16 = 200;
/// In flight, as a multiple of a calm day.
const CALM_TIMES: f64 = 3.0;
/// Never fewer in flight than this.
const IN_FLIGHT_MIN: f64 = 8.0;
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
            let most = workers + queue.max(workers * QUEUE_PER_WORKER_MIN);
            let calm = calm_in_flight(plan, service) * CALM_TIMES;
            most.min(calm.max(IN_FLIGHT_MIN)).ceil() as u32
        });
        Bounds { queue_ms, in_flight, retry_permille: RETRY_PERMILLE }
    }
}

/// Requests in one of the instances on a calm day, on average: the rates of all operations times how long they take.
fn calm_in_flight(plan: &Plan, service: u32) -> f64 {
    let rates = plan.clients.iter().map(|client| {
        let operation = plan.edges[client.edge as usize].operation;
        client.rate_rps * stays_ns(plan, operation, service) / 1e9
    });
    rates.sum::<f64>() / f64::from(plan.services[service as usize].spec.instances.max(1))
}

/// How long requests of an operation and of all that it calls stay in `service`, added up.
fn stays_ns(plan: &Plan, operation: u32, service: u32) -> f64 {
    let own = plan.operations[operation as usize].service == service;
    let own_ns = if own { calm_ns(plan, operation) } else { 0.0 };
    let edges = plan.operations[operation as usize].edges.clone();
    let calls = edges.map(|edge| &plan.edges[edge as usize]).filter(|edge| edge.kind == SpanKind::Client);
    own_ns + calls.map(|edge| edge.probability * stays_ns(plan, edge.operation, service)).sum::<f64>()
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
