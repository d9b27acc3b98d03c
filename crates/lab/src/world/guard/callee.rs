//! The client side of a guard: for each of the instance's edges a retry budget, a breaker and a timeout.

use super::bounds::Bounds;
use crate::world::plan::Plan;
use admission::{Breaker, BreakerConfig, CallEnd, Permit, RetryBudget, RetryVerdict, Ticket};
use control::InForce;
use model::{BreakerPhase, BreakerReport, Setting};

/// All edges of an instance.
pub(in crate::world) struct Callees {
    /// The first edge's place in the plan; the others follow side by side.
    first: u32,
    edges: Vec<Callee>,
    refused: u32,
}

struct Callee {
    service: String,
    operation: String,
    retries: u8,
    /// Can the caller do without the answer?
    optional: bool,
    /// A retry budget of its own, without any command, in 1/1000 of first attempts.
    own_permille: Option<u16>,
    /// Has it a breaker of its own, without any command?
    breaks: bool,
    timeout_ns: Option<u64>,
    budget: Option<RetryBudget>,
    breaker: Option<Box<Breaker>>,
}

/// The window of a commanded budget, milliseconds.
const BUDGET_WINDOW_MS: u64 = 10_000;
/// Retries a second that a budget of one's own always has, or a caller with little traffic could never repeat anything.
const RESERVE_PER_S: u32 = 1;

impl Callees {
    pub(super) fn new(plan: &Plan, service: u32) -> Callees {
        let own = || plan.edges.iter().enumerate().filter(|(_, edge)| edge.caller == Some(service));
        let edges = own().map(|(_, edge)| Callee {
            service: plan.services[edge.callee as usize].name.clone(),
            operation: plan.operations[edge.operation as usize].known_as.clone(),
            retries: edge.retries,
            optional: edge.optional,
            own_permille: None,
            breaks: edge.breaker,
            timeout_ns: None,
            budget: None,
            breaker: edge.breaker.then(|| Box::new(Breaker::new(BreakerConfig::default()))),
        });
        Callees { first: own().next().map_or(0, |(place, _)| place as u32), edges: edges.collect(), refused: 0 }
    }

    /// A budget for every call and a breaker for what can be done without, without any command.
    pub(super) fn harden(&mut self, bounds: &Bounds) {
        for callee in &mut self.edges {
            let permille = bounds.retry_permille.min(callee.plain_permille());
            callee.own_permille = Some(permille);
            callee.budget = Some(RetryBudget::new(permille, RESERVE_PER_S, BUDGET_WINDOW_MS));
            if callee.optional {
                callee.breaks = true;
                callee.breaker.get_or_insert_with(|| Box::new(Breaker::new(BreakerConfig::default())));
            }
        }
    }

    pub(super) fn obey(&mut self, in_force: &[InForce], now_ms: u64) {
        for callee in &mut self.edges {
            let mine = || in_force.iter().filter(|force| callee.is_meant_by(force)).map(|force| force.setting);
            let strictest = |pick: fn(&Setting) -> bool| mine().filter(pick).reduce(Setting::stricter);
            let timeout = strictest(|setting| matches!(setting, Setting::Timeout { .. }));
            let budget = strictest(|setting| matches!(setting, Setting::RetryBudget { .. }));
            let breaker = strictest(|setting| matches!(setting, Setting::Breaker { .. }));
            callee.timeout_ns = timeout.and_then(|setting| match setting {
                Setting::Timeout { timeout_ms } => Some(u64::from(timeout_ms) * 1_000_000),
                _ => None,
            });
            callee.command_budget(budget, now_ms);
            callee.command_breaker(breaker, now_ms);
        }
    }

    /// The commanded timeout of an edge.
    pub(in crate::world) fn timeout_ns(&self, edge: u32) -> Option<u64> {
        self.edges.get((edge - self.first) as usize)?.timeout_ns
    }

    /// May an attempt be sent? Gives the breaker's ticket, if there is a breaker.
    pub(in crate::world) fn acquire(
        &mut self,
        edge: u32,
        now_ms: u64,
        random: impl FnOnce() -> u64,
    ) -> Result<Option<Ticket>, Refused> {
        let Some(breaker) = self.edges[(edge - self.first) as usize].breaker.as_mut() else { return Ok(None) };
        match breaker.acquire(now_ms, random()) {
            Permit::Allowed(ticket) => Ok(Some(ticket)),
            Permit::Refused { .. } => Err(Refused),
        }
    }

    /// An attempt has ended.
    pub(in crate::world) fn record(&mut self, edge: u32, ticket: Ticket, end: CallEnd, took_ms: u64, now_ms: u64) {
        if let Some(breaker) = self.edges[(edge - self.first) as usize].breaker.as_mut() {
            // the time itself is spread enough to jitter how long breakers stay open
            breaker.record(ticket, end, took_ms, now_ms, crate::world::mix(now_ms ^ took_ms << 32));
        }
    }

    /// A first attempt is sent: it earns its share of a retry.
    pub(in crate::world) fn first_attempt(&mut self, edge: u32, now_ms: impl FnOnce() -> u64) {
        if let Some(budget) = self.edges[(edge - self.first) as usize].budget.as_mut() {
            budget.first_attempt(now_ms());
        }
    }

    /// Does the budget allow a retry?
    pub(in crate::world) fn may_retry(&mut self, edge: u32, now_ms: u64) -> RetryVerdict {
        let budget = self.edges[(edge - self.first) as usize].budget.as_mut();
        let verdict = budget.map_or(RetryVerdict::Granted, |budget| budget.try_retry(now_ms));
        self.refused += u32::from(verdict == RetryVerdict::Refused);
        verdict
    }

    pub(super) fn take_refused(&mut self) -> u32 {
        std::mem::take(&mut self.refused)
    }

    pub(super) fn breakers(&self, now_ms: u64) -> Vec<BreakerReport> {
        let phases = self.edges.iter().filter_map(|callee| Some((callee, callee.breaker.as_ref()?.phase(now_ms))));
        phases.map(|(callee, phase)| BreakerReport { callee: callee.service.clone(), phase }).collect()
    }
}

/// A breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) struct Refused;

impl Callee {
    /// Does a setting mean this edge: the edge itself, or all calls of the service?
    fn is_meant_by(&self, force: &InForce) -> bool {
        let target = &force.target;
        let same_operation = target.operation.as_ref().is_none_or(|only| *only == self.operation);
        target.caller.is_none() || (target.service == self.service && same_operation)
    }

    /// All the retries that the caller is configured for.
    fn plain_permille(&self) -> u16 {
        1000 * u16::from(self.retries).min(60)
    }

    fn command_budget(&mut self, setting: Option<Setting>, now_ms: u64) {
        let Some(Setting::RetryBudget { ratio_permille }) = setting else {
            match (&mut self.budget, self.own_permille) {
                (Some(budget), Some(_)) if budget.commanded_permille().is_some() => budget.command(None, now_ms),
                (_, Some(_)) => {}
                (budget, None) => *budget = None,
            }
            return;
        };
        // a plain caller may retry as often as it is configured to; a command only tightens that
        let plain_permille = self.own_permille.unwrap_or(self.plain_permille());
        let budget = self.budget.get_or_insert_with(|| RetryBudget::new(plain_permille, 0, BUDGET_WINDOW_MS));
        if budget.ratio_permille() != ratio_permille.min(plain_permille) {
            budget.command(Some(ratio_permille), now_ms);
        }
    }

    fn command_breaker(&mut self, setting: Option<Setting>, now_ms: u64) {
        let phase = setting.and_then(|setting| match setting {
            Setting::Breaker { phase } => Some(phase),
            _ => None,
        });
        if phase.is_some() && self.breaker.is_none() {
            self.breaker = Some(Box::new(Breaker::new(BreakerConfig::default())));
        }
        let Some(breaker) = self.breaker.as_mut() else { return };
        breaker.command(phase, now_ms);
        if phase.is_none() && !self.breaks && breaker.phase(now_ms) == BreakerPhase::Closed {
            // it has come back by its own way; the caller is a plain one again
            self.breaker = None;
        }
    }
}
