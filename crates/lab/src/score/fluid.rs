//! What the fleet could serve at best, second by second, if everything were known: the upper bound of all policies.
//!
//! A fluid relaxation, so that no policy can be better but by luck: each request takes only the worker time that a good
//! answer needs at least (first attempts, optional calls left out, no waiting, the fastest instances), and a linear program
//! chooses how much of each client's requests to serve so that their value is greatest. What is not served waits, as long as
//! its client does. Service times count with their means.

use super::simplex;
use crate::topology::{Holds, When};
use crate::world::foresight::{Bare, Foresight};
use crate::world::plan::Plan;
use model::{LEVELS, SpanKind};

/// Good answers of each second, by criticality, lowest first.
pub(crate) type Served = Vec<[f64; LEVELS]>;

/// What could be served, where a good answer to client `c` is worth `values[c]`.
pub(crate) fn best(foresight: &Foresight, values: &[f64]) -> Served {
    let plan = &foresight.plan;
    let patience = plan.clients.iter().map(|client| patience_s(plan, client.edge));
    let mut waiting: Vec<Waiting> = patience.map(Waiting::new).collect();
    let mut served = Vec::with_capacity(foresight.seconds.len());
    for bare in &foresight.seconds {
        for (waiting, arrivals) in waiting.iter_mut().zip(&bare.arrivals) {
            waiting.come(f64::from(*arrivals));
        }
        served.push(second(plan, bare, values, &mut waiting));
    }
    served
}

fn second(plan: &Plan, bare: &Bare, values: &[f64], waiting: &mut [Waiting]) -> [f64; LEVELS] {
    let needs: Vec<Need> = plan.clients.iter().map(|client| Need::of_client(plan, bare, client.edge)).collect();
    let clients = plan.clients.len();
    let mut limits: Vec<Vec<f64>> = Vec::new();
    let mut bounds = Vec::new();
    for service in 0..plan.services.len() {
        limits.push(needs.iter().map(|need| need.work_s[service]).collect());
        bounds.push(capacity_s(plan, bare, service));
    }
    for (client, waiting) in waiting.iter().enumerate() {
        limits.push((0..clients).map(|other| f64::from(u8::from(other == client))).collect());
        bounds.push(waiting.count());
    }
    let worth: Vec<f64> = needs.iter().zip(values).map(|(need, value)| need.good * value.max(1e-6)).collect();
    let chosen = simplex::maximise(&worth, &limits, &bounds);
    let mut good = [0.0; LEVELS];
    for (client, count) in chosen.iter().enumerate() {
        waiting[client].go(*count);
        good[plan.clients[client].criticality.index()] += count * needs[client].good;
    }
    good
}

/// Requests that have not been served, by age in seconds, the youngest first.
struct Waiting {
    by_age: Vec<f64>,
}

impl Waiting {
    fn new(patience_s: usize) -> Waiting {
        Waiting { by_age: vec![0.0; patience_s + 1] }
    }

    fn come(&mut self, count: f64) {
        self.by_age.rotate_right(1);
        self.by_age[0] = count;
    }

    fn count(&self) -> f64 {
        self.by_age.iter().sum()
    }

    /// The oldest go first.
    fn go(&mut self, mut count: f64) {
        for waiting in self.by_age.iter_mut().rev() {
            let part = count.min(*waiting);
            *waiting -= part;
            count -= part;
        }
    }
}

/// What a good answer takes.
struct Need {
    /// Time without any waiting, nanoseconds.
    takes_ns: f64,
    /// How probable it is.
    good: f64,
    /// Worker seconds at each service.
    work_s: Vec<f64>,
}

impl Need {
    fn of_client(plan: &Plan, bare: &Bare, edge: u32) -> Need {
        let call = Need::of_call(plan, bare, edge);
        Need { good: call.good, ..call }
    }

    /// A call with its repetitions; only the first attempt is counted as work.
    fn of_call(plan: &Plan, bare: &Bare, edge: u32) -> Need {
        let call = &plan.edges[edge as usize];
        let need = Need::of(plan, bare, call.operation);
        let fails = 1.0 - need.good * (1.0 - bare.loss[edge as usize]);
        let all_fail = (0..=call.retries).fold(1.0, |all, _| all * fails);
        Need { takes_ns: need.takes_ns + 2.0 * plan.latency_ns as f64, good: 1.0 - all_fail, ..need }
    }

    fn of(plan: &Plan, bare: &Bare, operation: u32) -> Need {
        let operation = &plan.operations[operation as usize];
        let service = operation.service as usize;
        let healthy = || healthy(plan, bare, service);
        let slowness = healthy().map(|place| bare.instances[place].slowness).fold(f64::INFINITY, f64::min);
        let errors = healthy().map(|place| bare.instances[place].errors).fold(1.0, f64::min);
        let own_ns = operation.mean_ns * if slowness.is_finite() { slowness } else { 1.0 };
        let mut need = Need {
            takes_ns: 0.0,
            good: (1.0 - errors) * (1.0 - operation.error_share),
            work_s: vec![0.0; plan.services.len()],
        };
        let misses = plan.services[service].spec.cache.map_or(1.0, |cache| 1.0 - cache.hit_share);
        let mut group_ns = 0.0f64;
        for edge in operation.edges.clone() {
            let call = &plan.edges[edge as usize];
            if call.optional || call.when == When::Failed || call.kind != SpanKind::Client {
                continue;
            }
            let probability = if call.when == When::Miss { call.probability * misses } else { call.probability };
            let part = Need::of_call(plan, bare, edge);
            let takes_ns = probability * part.takes_ns;
            if call.parallel {
                group_ns = group_ns.max(takes_ns);
            } else {
                need.takes_ns += group_ns;
                group_ns = takes_ns;
            }
            need.good *= 1.0 - probability * (1.0 - part.good);
            need.work_s.iter_mut().zip(&part.work_s).for_each(|(sum, more)| *sum += probability * more);
        }
        let calls_ns = need.takes_ns + group_ns;
        need.takes_ns = own_ns + calls_ns;
        let holds_ns = if plan.services[service].holds == Holds::Work { own_ns } else { need.takes_ns };
        need.work_s[service] += holds_ns / 1e9;
        need
    }
}

/// The instances of a service that have a worker left.
fn healthy<'a>(plan: &'a Plan, bare: &'a Bare, service: usize) -> impl Iterator<Item = usize> + 'a {
    let instances = plan.services[service].instances.clone();
    instances.map(|place| place as usize).filter(|place| bare.instances[*place].workers > 0)
}

/// Worker seconds of a second, in those of the fastest instance.
fn capacity_s(plan: &Plan, bare: &Bare, service: usize) -> f64 {
    let fastest =
        healthy(plan, bare, service).map(|place| bare.instances[place].slowness).fold(f64::INFINITY, f64::min);
    let own = plan.operations.iter().enumerate().filter(|(_, operation)| operation.service as usize == service);
    let share_of_own = match plan.services[service].holds {
        Holds::Work => 1.0,
        // the operation that waits longest for others suffers least from slow work of its own
        Holds::Request => own
            .map(|(place, operation)| operation.mean_ns * fastest / Need::of(plan, bare, place as u32).takes_ns)
            .fold(1.0, f64::min),
    };
    healthy(plan, bare, service)
        .map(|place| {
            let health = bare.instances[place];
            f64::from(health.workers) / (share_of_own * health.slowness / fastest + 1.0 - share_of_own)
        })
        .sum()
}

fn patience_s(plan: &Plan, edge: u32) -> usize {
    let edge = &plan.edges[edge as usize];
    let retries = f64::from(edge.retries);
    // waits double from one to the next
    let waits_ns = edge.backoff_ns * (libm::exp2(retries) - 1.0);
    ((edge.timeout_ns as f64 * (retries + 1.0) + waits_ns) / 1e9).ceil() as usize
}
