//! What is alive in the world: requests being served, calls being waited for, instances, edges, clients.

use super::arena::Key;
use super::dice::Dice;
use super::guard::{Guard, Waiting};
use super::health::pools;
use super::plan::{EdgePlan, Plan};
use super::process::Process;
use super::record::{Answer, SpanRecord};
use crate::topology::Holds;
use admission::Ticket;
use model::Criticality;
use std::collections::VecDeque;

/// What travels with a request through the fleet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Baggage {
    pub(super) trace: u128,
    pub(super) criticality: Criticality,
    pub(super) cohort: u8,
    /// When nobody needs the answer any more: the earliest of the deadlines on the way.
    pub(super) deadline_ns: u64,
}

/// A request at a service, from the moment it is sent until it has been answered.
pub(super) struct Job {
    pub(super) baggage: Baggage,
    /// The call that waits for the answer; it may have given up.
    pub(super) asked_by: Key,
    /// The calling instance; a client and a message have none.
    pub(super) caller: Option<u32>,
    pub(super) edge: u32,
    pub(super) instance: u32,
    /// Has the policy beside the requests let it in?
    pub(super) entered: bool,
    pub(super) attempt: u8,
    pub(super) span: u64,
    pub(super) parent: u64,
    pub(super) arrived_ns: u64,
    pub(super) started_ns: u64,
    pub(super) work_done_ns: u64,
    /// How long its process had been stopped when its work began; see [`Process::delayed`].
    pub(super) stalled_ns: u64,
    pub(super) phase: Phase,
    /// Does it wait for the lock, or hold it?
    pub(super) locking: bool,
    /// Did the cache not hold its answer?
    pub(super) missed: bool,
    /// Has an optional call failed just now?
    pub(super) fell: bool,
    /// The next of its operation's calls.
    pub(super) next_edge: u32,
    /// Calls it waits for.
    pub(super) waiting_for: u16,
    /// The calls it has begun, kept only where calls may be cancelled.
    pub(super) pending: Vec<Key>,
    pub(super) answer: Answer,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// On its way or in the queue.
    Waiting,
    /// A worker works on it.
    Working,
    /// It waits for those it calls.
    Calling,
    /// Its caller has cancelled it while it was waiting or being worked on.
    Cancelled,
}

/// A call, over all its attempts, from its caller's side.
pub(super) struct Pending {
    pub(super) baggage: Baggage,
    pub(super) owner: Owner,
    pub(super) edge: u32,
    /// The calling instance; a client has none.
    pub(super) caller: Option<u32>,
    pub(super) parent: u64,
    pub(super) attempt: u8,
    pub(super) span: u64,
    pub(super) started_ns: u64,
    pub(super) deadline_ns: u64,
    /// Does it have a connection of its caller's pool?
    pub(super) connected: bool,
    /// The callee's request of this attempt.
    pub(super) job: Key,
    /// The breaker's, if there is one.
    pub(super) ticket: Option<Ticket>,
    /// Where this attempt went, if a policy beside the requests wants to know.
    pub(super) asked: Option<u32>,
    /// What rode on the answer for it.
    pub(super) word: Option<u32>,
}

/// Who waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A request that is being served.
    Job(Key),
    /// A client.
    Client,
}

/// A process.
pub(super) struct Instance {
    pub(super) service: u32,
    pub(super) queue: Waiting,
    pub(super) busy: u32,
    /// How many it can work on at the moment.
    pub(super) workers: u32,
    /// Work takes this many times as long at the moment.
    pub(super) slowness: f64,
    /// This share of requests fails by itself at the moment.
    pub(super) errors: f64,
    /// This share of its answers is lost on the way at the moment.
    pub(super) gray: f64,
    pub(super) process: Process,
    /// Why it does not serve, if it does not.
    pub(super) down: Option<Silence>,
    /// Does a fault keep it down?
    pub(super) struck: Option<Silence>,
    /// Is it being restarted because it did not answer its probe?
    pub(super) restarting: bool,
    /// Has the autoscaler asked for it?
    pub(super) wanted: bool,
    /// The deployment that has reached it last, as a place in the plan's faults.
    pub(super) deploy: Option<u32>,
    /// Its clock is wrong by so much.
    pub(super) skew_ns: i64,
    /// Its connections, by pool of its service.
    pub(super) pools: Vec<Pool>,
    pub(super) guard: Guard,
    pub(super) spans: Vec<SpanRecord>,
}

/// What callers of an instance that is down see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Connections are refused.
    Refuses,
    /// Nothing at all.
    Mute,
}

/// Connections of an instance to a callee.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) free: u32,
    /// Attempts that wait for one; some have given up since.
    pub(super) waiting: VecDeque<Key>,
}

/// What is known of a service as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Fleet {
    /// The instances that callers know of, as places in the plan, in order.
    pub(super) listed: Vec<u32>,
    /// How many the autoscaler has asked for.
    pub(super) wanted: u32,
    /// How many instances were busy, added up over so many measurements since it looked last.
    pub(super) busy_instances: f64,
    pub(super) looks: u32,
    /// Since when it has wanted fewer.
    pub(super) fewer_since_ns: Option<u64>,
}

/// What a call graph's edge remembers.
pub(super) struct Edge {
    /// Attempts in the order of their deadlines.
    pub(super) timers: VecDeque<(u64, Key)>,
    /// Is an event for the head of `timers` on the agenda?
    pub(super) armed: bool,
    /// This share of requests never arrives at the moment.
    pub(super) loss: f64,
    /// Whose turn it is.
    pub(super) turn: u32,
    /// Tokens of the plain retry budget, by calling instance of the caller's service.
    pub(super) tokens: Vec<f64>,
}

/// A population of clients.
pub(super) struct Population {
    pub(super) dice: Dice,
    /// This many times as many arrivals at the moment.
    pub(super) surge: f64,
    /// Arrivals that were only counted.
    pub(super) counted: u32,
}

/// Tokens that a plain retry budget holds at most, and has at the start: it must not forbid the first few retries.
const TOKENS_MAX: f64 = 10.0;

impl Job {
    /// How long it has held a worker, for a request that has been worked on.
    pub(super) fn hold_ns(&self, now_ns: u64, plan: &Plan) -> u64 {
        let service = &plan.services[plan.edges[self.edge as usize].callee as usize];
        let end_ns = if service.holds == Holds::Work { self.work_done_ns } else { now_ns };
        end_ns.saturating_sub(self.started_ns)
    }
}

impl Instance {
    /// As it is at the world's beginning.
    pub(super) fn new(plan: &Plan, place: u32, dice: &mut Dice) -> Instance {
        let instance = &plan.instances[place as usize];
        let service = &plan.services[instance.service as usize];
        let wanted = place - service.instances.start < service.spec.instances;
        let skew_ms = plan.telemetry.skew_ms;
        Instance {
            service: instance.service,
            queue: Waiting::Plain(VecDeque::new()),
            busy: 0,
            workers: service.workers,
            slowness: 1.0,
            errors: 0.0,
            gray: 0.0,
            process: Process::warm(),
            down: (!wanted).then_some(Silence::Refuses),
            struck: None,
            restarting: false,
            wanted,
            deploy: None,
            skew_ns: if skew_ms > 0.0 { ((2.0 * dice.uniform() - 1.0) * skew_ms * 1e6) as i64 } else { 0 },
            pools: pools(plan, instance.service),
            guard: Guard::new(plan, place, instance),
            spans: Vec::new(),
        }
    }
}

impl Fleet {
    pub(super) fn new(first: u32, count: u32) -> Fleet {
        Fleet { listed: (first..first + count).collect(), wanted: count, ..Fleet::default() }
    }
}

impl Edge {
    pub(super) fn new(plan: &EdgePlan, callers: u32) -> Edge {
        let budgets = if plan.budget.is_some() { callers as usize } else { 0 };
        Edge { timers: VecDeque::new(), armed: false, loss: 0.0, turn: 0, tokens: vec![TOKENS_MAX; budgets] }
    }

    /// A first attempt earns a share of a retry.
    pub(super) fn earn(&mut self, caller: usize, ratio: f64) {
        self.tokens[caller] = (self.tokens[caller] + ratio).min(TOKENS_MAX);
    }

    /// Is there a retry left?
    pub(super) fn spend(&mut self, caller: usize) -> bool {
        let left = self.tokens[caller] >= 1.0;
        self.tokens[caller] -= if left { 1.0 } else { 0.0 };
        left
    }
}
