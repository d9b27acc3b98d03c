//! What stands before an instance's queue and behind its calls. It does nothing until it is commanded.

use super::plan::{InstancePlan, Plan};
use super::record::Retry;
use control::InForce;
use model::{BreakerPhase, BreakerReport, Criticality, GuardReport, Setting};

/// A request at the door.
pub(super) struct Ask<'a> {
    pub(super) criticality: Criticality,
    pub(super) cohort: u8,
    pub(super) deadline_ns: u64,
    pub(super) operation: &'a str,
    pub(super) queued: usize,
    pub(super) busy: u32,
    pub(super) workers: u32,
}

/// What the guard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Admit,
    Refuse(Retry),
}

/// One instance's guard.
pub(super) struct Guard {
    admission: Vec<(Option<String>, Criticality, u16)>,
    queue_bound_ns: Option<u64>,
    concurrency: Option<u32>,
    callees: Vec<Callee>,
    /// Mean time a request holds a worker, smoothed.
    hold_ns: f64,
    counts: GuardReport,
}

/// The client side of one of the instance's edges.
struct Callee {
    edge: u32,
    service: String,
    operation: String,
    timeout_ns: Option<u64>,
    budget: Option<f64>,
    tokens: f64,
    breaker: Option<BreakerPhase>,
}

/// Weight of the newest request in the smoothed holding time: a memory of about twenty requests.
const HOLD_WEIGHT: f64 = 0.05;

/// Retries that a commanded budget allows at most at once, and when it begins.
const TOKENS_MAX: f64 = 5.0;

impl Guard {
    pub(super) fn new(plan: &Plan, instance: &InstancePlan) -> Guard {
        let callees = plan.edges.iter().enumerate().filter(|(_, edge)| edge.caller == Some(instance.service));
        let callees = callees.map(|(place, edge)| Callee {
            edge: place as u32,
            service: plan.services[edge.callee as usize].name.clone(),
            operation: plan.operations[edge.operation as usize].name.clone(),
            timeout_ns: None,
            budget: None,
            tokens: TOKENS_MAX,
            breaker: None,
        });
        let own = plan.operations.iter().filter(|operation| operation.service == instance.service);
        let (sum, count) = own.fold((0.0, 0.0), |(sum, count), operation| (sum + operation.mean_ns, count + 1.0));
        Guard {
            admission: Vec::new(),
            queue_bound_ns: None,
            concurrency: None,
            callees: callees.collect(),
            hold_ns: sum / count,
            counts: GuardReport::default(),
        }
    }

    /// Turns the knobs to what is in force, and the others back to normal.
    pub(super) fn obey(&mut self, in_force: &[InForce]) {
        self.admission.clear();
        (self.queue_bound_ns, self.concurrency) = (None, None);
        for callee in &mut self.callees {
            (callee.timeout_ns, callee.breaker) = (None, None);
            let budget = in_force.iter().filter(|force| callee.is_meant_by(force)).find_map(|force| {
                let Setting::RetryBudget { ratio_permille } = force.setting else { return None };
                Some(f64::from(ratio_permille) / 1000.0)
            });
            if callee.budget.is_none() && budget.is_some() {
                callee.tokens = 0.0;
            }
            callee.budget = budget;
        }
        for force in in_force {
            self.turn(force);
        }
    }

    fn turn(&mut self, force: &InForce) {
        let here = force.target.caller.is_none();
        match force.setting {
            Setting::Admission { lowest, fraction_permille } if here => {
                self.admission.push((force.target.operation.clone(), lowest, fraction_permille));
            }
            Setting::QueueBound { work_ms } if here => {
                let bound = u64::from(work_ms) * 1_000_000;
                self.queue_bound_ns = Some(self.queue_bound_ns.map_or(bound, |other| other.min(bound)));
            }
            Setting::Concurrency { limit } if here => {
                self.concurrency = Some(self.concurrency.map_or(limit, |other| other.min(limit)));
            }
            Setting::Timeout { timeout_ms } => {
                for callee in self.callees.iter_mut().filter(|callee| callee.is_meant_by(force)) {
                    callee.timeout_ns = Some(u64::from(timeout_ms) * 1_000_000);
                }
            }
            Setting::Breaker { phase } => {
                for callee in self.callees.iter_mut().filter(|callee| callee.is_meant_by(force)) {
                    callee.breaker = Some(phase);
                }
            }
            _ => {}
        }
    }

    /// May a request come in?
    pub(super) fn admit(&mut self, now_ns: u64, ask: &Ask<'_>) -> Verdict {
        let verdict = self.judge(now_ns, ask);
        let counts = if verdict == Verdict::Admit { &mut self.counts.admitted } else { &mut self.counts.shed };
        counts[ask.criticality.index()] += 1;
        verdict
    }

    fn judge(&self, now_ns: u64, ask: &Ask<'_>) -> Verdict {
        for (operation, lowest, fraction_permille) in &self.admission {
            let meant = operation.as_ref().is_none_or(|only| only == ask.operation);
            // the same users on each side of the line as long as it does not move
            let inside = u32::from(ask.cohort % 128) * 1000 < u32::from(*fraction_permille) * 128;
            if meant && (ask.criticality < *lowest || (ask.criticality == *lowest && !inside)) {
                return Verdict::Refuse(Retry::Forbidden);
            }
        }
        if self.concurrency.is_some_and(|limit| ask.queued as u64 + u64::from(ask.busy) >= u64::from(limit)) {
            return Verdict::Refuse(Retry::Forbidden);
        }
        let Some(bound_ns) = self.queue_bound_ns else { return Verdict::Admit };
        let wait_ns = ask.queued as f64 * self.hold_ns / f64::from(ask.workers.max(1));
        let late = now_ns as f64 + wait_ns >= ask.deadline_ns as f64;
        if wait_ns >= bound_ns as f64 || (late && ask.busy >= ask.workers) {
            return Verdict::Refuse(Retry::Forbidden);
        }
        Verdict::Admit
    }

    /// May a request that has waited be worked on? With a queue bound, work that nobody waits for any more is dropped.
    pub(super) fn take_up(&mut self, now_ns: u64, deadline_ns: u64) -> Verdict {
        if self.queue_bound_ns.is_some() && now_ns >= deadline_ns {
            self.counts.expired += 1;
            return Verdict::Refuse(Retry::Forbidden);
        }
        Verdict::Admit
    }

    /// Is a request dropped by a purge of what is older than `older_than_ns`?
    pub(super) fn purges(&mut self, now_ns: u64, arrived_ns: u64, deadline_ns: u64, older_than_ns: u64) -> bool {
        let purged = now_ns >= deadline_ns || now_ns - arrived_ns > older_than_ns;
        self.counts.expired += u32::from(purged);
        purged
    }

    /// A request that held a worker for `hold_ns` has been answered.
    pub(super) fn completed(&mut self, hold_ns: u64) {
        self.counts.completed += 1;
        self.hold_ns += HOLD_WEIGHT * (hold_ns as f64 - self.hold_ns);
    }

    /// The commanded timeout of an edge.
    pub(super) fn timeout_ns(&self, edge: u32) -> Option<u64> {
        self.callee(edge).and_then(|callee| callee.timeout_ns)
    }

    /// Does the breaker let an attempt through?
    pub(super) fn may_call(&self, edge: u32) -> bool {
        self.callee(edge).is_none_or(|callee| callee.breaker != Some(BreakerPhase::Open))
    }

    /// A first attempt earns its share of a retry.
    pub(super) fn first_attempt(&mut self, edge: u32) {
        if let Some(callee) = self.callee_mut(edge)
            && let Some(ratio) = callee.budget
        {
            callee.tokens = (callee.tokens + ratio).min(TOKENS_MAX);
        }
    }

    /// Does the commanded budget allow a retry?
    pub(super) fn may_retry(&mut self, edge: u32) -> bool {
        let Some(callee) = self.callee_mut(edge).filter(|callee| callee.budget.is_some()) else { return true };
        let allowed = callee.tokens >= 1.0;
        callee.tokens -= if allowed { 1.0 } else { 0.0 };
        self.counts.retries_refused += u32::from(!allowed);
        allowed
    }

    /// The second's report: everything that the guard itself counts.
    pub(super) fn take_report(&mut self) -> GuardReport {
        let mut report = std::mem::take(&mut self.counts);
        let held = self.callees.iter().filter_map(|callee| Some((callee, callee.breaker?)));
        report.breakers = held.map(|(callee, phase)| BreakerReport { callee: callee.service.clone(), phase }).collect();
        report.breakers.dedup();
        report
    }

    fn callee(&self, edge: u32) -> Option<&Callee> {
        // an instance's edges lie side by side in the plan
        let first = self.callees.first()?.edge;
        self.callees.get(edge.checked_sub(first)? as usize)
    }

    fn callee_mut(&mut self, edge: u32) -> Option<&mut Callee> {
        let first = self.callees.first()?.edge;
        self.callees.get_mut(edge.checked_sub(first)? as usize)
    }
}

impl Callee {
    /// Does a setting mean this edge: the edge itself, or all calls of the service?
    fn is_meant_by(&self, force: &InForce) -> bool {
        let target = &force.target;
        let same_operation = target.operation.as_ref().is_none_or(|only| *only == self.operation);
        target.caller.is_none() || (target.service == self.service && same_operation)
    }
}
