//! What stands before an instance's queue and behind its calls: the state machines of `admission`, in virtual time.
//!
//! They do nothing until they are commanded or the topology configures them: a world without commands is a fleet of plain
//! services.

mod bounds;
mod callee;
mod waiting;

pub(super) use bounds::Bounds;
pub(super) use callee::{Callees, Refused};
pub(super) use waiting::{Bound, Drop, Wait, Waiting};

use super::plan::{InstancePlan, Plan};
use admission::{Commanded, Config, Decision, GradientConfig, LimitKind, Load, Request, Retry, State, Table, Tallies};
use control::InForce;
use model::{GuardReport, Knob, LEVELS, NameId, Span};

/// One instance's guard: the server side, and [`Callees`] for the client side.
pub(super) struct Guard {
    pub(super) callees: Callees,
    state: State,
    table: Table,
    door: Door,
    /// Is there a limit of its own that must be looked at without any command?
    own_limit: bool,
    tallies: Tallies,
    /// Mean time a request holds a worker, smoothed.
    hold_ns: f64,
    counts: GuardReport,
}

/// Does the guard look at requests at all?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    Watched,
}

/// Weight of the newest request in the smoothed holding time: a memory of about twenty requests.
const HOLD_WEIGHT: f64 = 0.05;

/// A bound that no queue reaches.
const UNBOUNDED_MS: u32 = u32::MAX;

impl Guard {
    pub(super) fn new(plan: &Plan, place: u32, instance: &InstancePlan) -> Guard {
        let service = &plan.services[instance.service as usize];
        let limit = match service.adaptive_limit {
            true => LimitKind::Gradient(GradientConfig { initial: service.workers, ..GradientConfig::default() }),
            false => LimitKind::Off,
        };
        let config =
            Config { limit, class_share_permille: [1000; LEVELS], queue_bound_ms: UNBOUNDED_MS, ..Config::default() };
        let mut state = State::new(config, super::mix(u64::from(place)));
        let table = admission::step(&mut state, &Tallies::default(), 0);
        let own = plan.operations.iter().filter(|operation| operation.service == instance.service);
        let (sum, count) = own.fold((0.0, 0.0), |(sum, count), operation| (sum + operation.mean_ns, count + 1.0));
        Guard {
            callees: Callees::new(plan, instance.service),
            state,
            table,
            door: if service.adaptive_limit { Door::Watched } else { Door::Open },
            own_limit: service.adaptive_limit,
            tallies: Tallies::default(),
            hold_ns: sum / count,
            counts: GuardReport::default(),
        }
    }

    /// Takes on bounds of its own, which hold without any command; commands only tighten them.
    pub(super) fn harden(&mut self, bounds: &Bounds, place: u32) {
        let config = Config {
            limit: bounds.in_flight.map_or(LimitKind::Off, |limit| LimitKind::Fixed { limit }),
            queue_bound_ms: bounds.queue_ms.unwrap_or(UNBOUNDED_MS),
            ..Config::default()
        };
        self.state = State::new(config, super::mix(u64::from(place)));
        self.own_limit = true;
        self.callees.harden(bounds);
        self.step(&Tallies::default(), 0);
    }

    /// Turns the knobs to what is in force, and lets the others go back to normal.
    pub(super) fn obey(&mut self, in_force: &[InForce], now_ms: u64) {
        self.callees.obey(in_force, now_ms);
        let server = |force: &&InForce| {
            let knob = force.setting.knob();
            force.target.caller.is_none()
                && matches!(knob, Knob::Admission | Knob::QueueBound | Knob::Concurrency | Knob::Route)
        };
        let commanded = in_force.iter().filter(server).map(|force| Commanded {
            operation: force.target.operation.as_deref().map(NameId::of),
            setting: force.setting,
        });
        let commanded: Vec<Commanded> = commanded.collect();
        self.state.command(&commanded, now_ms);
        self.step(&Tallies::default(), now_ms);
    }

    /// The second is over: what was counted moves the limit, and the time moves what goes back to normal.
    pub(super) fn second_ends(&mut self, now_ms: u64) {
        let tallies = std::mem::take(&mut self.tallies);
        self.step(&tallies, now_ms);
    }

    fn step(&mut self, tallies: &Tallies, now_ms: u64) {
        self.table = admission::step(&mut self.state, tallies, now_ms);
        let table = &self.table;
        let normal = table.service == admission::Boundary::ALL
            && table.operations.is_empty()
            && table.queue_bound_ms == UNBOUNDED_MS
            && table.in_flight_max == [u32::MAX; LEVELS];
        self.door = if normal && !self.own_limit { Door::Open } else { Door::Watched };
    }

    /// The share of its usual traffic that it is to be given, in 1/1000.
    pub(super) fn takes_permille(&self) -> u16 {
        self.table.takes_permille
    }

    /// The queue's bound in milliseconds of work, if there is one.
    pub(super) fn queue_bound_ms(&self) -> Option<u32> {
        Some(self.table.queue_bound_ms).filter(|bound_ms| *bound_ms != UNBOUNDED_MS)
    }

    /// How long one worker is expected to be held by a request, microseconds.
    pub(super) fn work_us(&self) -> u32 {
        (self.hold_ns / 1000.0) as u32
    }

    /// May a request come in?
    pub(super) fn admit(&mut self, wait: &Wait, operation: NameId, trace: u128, load: GuardLoad) -> Decision {
        let class = wait.criticality.index();
        let in_flight = load.busy + load.queued;
        self.tallies.in_flight_max = self.tallies.in_flight_max.max(in_flight);
        let decision = if self.door == Door::Open { Decision::Admit } else { self.judge(wait, operation, trace, load) };
        let (counts, tallies) = match decision {
            Decision::Admit => (&mut self.counts.admitted, &mut self.tallies.admitted),
            Decision::Refuse { .. } => (&mut self.counts.shed, &mut self.tallies.refused),
        };
        counts[class] += 1;
        tallies[class] += 1;
        decision
    }

    fn judge(&self, wait: &Wait, operation: NameId, trace: u128, load: GuardLoad) -> Decision {
        let waiting_us = u64::from(load.queued) * u64::from(self.work_us()) / u64::from(load.workers.max(1));
        let request = Request {
            criticality: wait.criticality,
            cohort: if wait.cohort < 128 { wait.cohort } else { Span::COHORT_UNKNOWN },
            operation,
            spread: trace as u64,
            deadline_ms: wait.deadline_ms,
            cost: 1,
            spared: false,
        };
        let queued_work_ms = u32::try_from(waiting_us / 1000).unwrap_or(u32::MAX);
        let load = Load { in_flight: load.busy + load.queued, queued_work_ms };
        admission::decide(&self.table, &request, load, wait.now_ms)
    }

    /// What a client is told whose work has no place in the queue.
    pub(super) fn retry(&self) -> Retry {
        self.table.retry
    }

    /// Requests were dropped from the queue.
    pub(super) fn dropped(&mut self, count: u32) {
        self.counts.expired += count;
    }

    /// A request that held a worker for `hold_ns` has been answered.
    pub(super) fn completed(&mut self, hold_ns: u64) {
        self.counts.completed += 1;
        self.tallies.completed += 1;
        self.tallies.latency_us_sum += hold_ns / 1000;
        self.hold_ns += HOLD_WEIGHT * (hold_ns as f64 - self.hold_ns);
    }

    /// The second's report: everything that the guard itself counts.
    pub(super) fn take_report(&mut self, now_ms: u64) -> GuardReport {
        let mut report = std::mem::take(&mut self.counts);
        report.retries_refused = self.callees.take_refused();
        report.breakers = self.callees.breakers(now_ms);
        report
    }
}

/// How busy an instance is.
#[derive(Clone, Copy, Debug)]
pub(super) struct GuardLoad {
    pub(super) queued: u32,
    pub(super) busy: u32,
    pub(super) workers: u32,
}
