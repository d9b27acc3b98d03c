//! The client side: for each callee a breaker, a retry budget and a timeout, which commands may tighten.
//!
//! [`Callee::call`] is one call with all its tries; the tower layer is a thin shell around it.

mod call;
mod end;

pub use call::{Attempt, Call};
pub use end::{End, Stopped};

use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::random::random;
use crate::settings::{ClientSettings, Settings};
use admission::{Breaker, CallEnd, Health, OpenReason, Permit, RetryBudget, RetryVerdict, Throttle, Ticket, Turn};
use control::{InForce, instance_share};
use model::{BreakerPhase, BreakerReport, Criticality, Setting, Target};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The window of the retry budget, milliseconds.
const BUDGET_WINDOW_MS: u64 = 10_000;
/// A callee busier than this is not hedged, in 1/1000 of its capacity.
const HEDGE_LOAD_MAX_PERMILLE: u16 = 700;
/// How long an instance's turn to probe for the whole fleet lasts, of a hundred, milliseconds.
const TURN_MS: u32 = 100;

/// One callee of this service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Callee {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    settings: ClientSettings,
    clock: Clock,
    events: Events,
    machines: Mutex<Machines>,
    retries_refused: AtomicU64,
}

#[derive(Debug)]
struct Machines {
    breaker: Breaker,
    budget: RetryBudget,
    throttle: Throttle,
    timeout_ms: u32,
    phase: BreakerPhase,
}

/// A callee's state, for health and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalleeState {
    /// The breaker's phase.
    pub phase: BreakerPhase,
    /// Why it refused last.
    pub reason: Option<OpenReason>,
    /// The calls that the breaker looks at.
    pub health: Health,
    /// Openings since the last full recovery.
    pub openings: u32,
    /// The retry budget in force, in 1/1000 of first attempts.
    pub retry_ratio_permille: u16,
    /// Retries that the budget refused since the start.
    pub retries_refused: u64,
    /// The timeout of one try in force, milliseconds.
    pub timeout_ms: u32,
}

impl Callee {
    fn new(name: &str, settings: ClientSettings, instance: &str, clock: Clock, events: Events) -> Callee {
        let mut breaker = Breaker::new(settings.breaker.config());
        breaker.set_mode(settings.breaker.mode.into());
        breaker.set_turn(Some(Turn { place: u32::from(instance_share(instance)), places: 100, slot_ms: TURN_MS }));
        let throttle = Throttle::new(settings.throttle());
        let budget = RetryBudget::new(settings.retry_ratio_permille, settings.retry_reserve_per_s, BUDGET_WINDOW_MS);
        let machines =
            Machines { breaker, budget, throttle, timeout_ms: settings.timeout_ms, phase: BreakerPhase::Closed };
        let inner = Inner {
            name: name.to_owned(),
            settings,
            clock,
            events,
            machines: Mutex::new(machines),
            retries_refused: AtomicU64::new(0),
        };
        Callee { inner: Arc::new(inner) }
    }

    /// The callee's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The clock that its deadlines go by.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// How things stand.
    pub fn state(&self) -> CalleeState {
        let now_ms = self.inner.clock.now_ms();
        let mut machines = self.machines();
        CalleeState {
            phase: machines.breaker.phase(now_ms),
            reason: machines.breaker.reason(now_ms),
            health: machines.breaker.health(now_ms),
            openings: machines.breaker.openings(),
            retry_ratio_permille: machines.budget.ratio_permille(),
            retries_refused: self.inner.retries_refused.load(Ordering::Relaxed),
            timeout_ms: machines.timeout_ms,
        }
    }

    /// Turns the knobs to what is in force.
    fn obey(&self, in_force: &[InForce], now_ms: u64) {
        let mine = || in_force.iter().filter(|force| self.is_meant_by(&force.target)).map(|force| force.setting);
        let strictest = |pick: fn(&Setting) -> bool| mine().filter(pick).reduce(Setting::stricter);
        let own = &self.inner.settings;
        let mut machines = self.machines();
        machines.timeout_ms = match strictest(|setting| matches!(setting, Setting::Timeout { .. })) {
            Some(Setting::Timeout { timeout_ms }) => timeout_ms.clamp(1, own.timeout_ms),
            _ => own.timeout_ms,
        };
        let ratio = match strictest(|setting| matches!(setting, Setting::RetryBudget { .. })) {
            Some(Setting::RetryBudget { ratio_permille }) => Some(ratio_permille),
            _ => None,
        };
        if machines.budget.commanded_permille() != ratio {
            machines.budget.command(ratio, now_ms);
        }
        let mut thresholds = own.breaker.config();
        if let Some(Setting::BreakerThreshold { failure_permille }) =
            strictest(|setting| matches!(setting, Setting::BreakerThreshold { .. }))
        {
            thresholds.failure_permille = thresholds.failure_permille.min(failure_permille);
        }
        machines.breaker.set_config(thresholds);
        let phase = match strictest(|setting| matches!(setting, Setting::Breaker { .. })) {
            Some(Setting::Breaker { phase }) => Some(phase),
            _ => None,
        };
        machines.breaker.command(phase, now_ms);
        self.tell_phase(&mut machines, now_ms);
    }

    /// An edge means the callee, a service all of its calls.
    fn is_meant_by(&self, target: &Target) -> bool {
        target.caller.is_none() || (target.service == self.inner.name && target.operation.is_none())
    }

    /// The callee says how much of its capacity it uses, in 1/1000 (the header `stopbank-load` of its answers): the retry
    /// budget shrinks to its headroom.
    pub fn heard_load(&self, permille: u16) {
        self.machines().budget.heard_load(permille, self.inner.clock.now_ms());
    }

    /// May a call be sent a second time before the first is answered? Only in calm: the breaker closed, nothing commanded,
    /// nothing refused, the callee not busy; and the retry budget pays.
    pub fn may_hedge(&self, class: Criticality) -> bool {
        let now_ms = self.inner.clock.now_ms();
        let mut machines = self.machines();
        let calm = machines.breaker.phase(now_ms) == BreakerPhase::Closed
            && machines.budget.commanded_permille().is_none()
            && machines.throttle.refused_permille(class, now_ms) == 0
            && machines.budget.load_permille(now_ms).is_none_or(|load| load < HEDGE_LOAD_MAX_PERMILLE);
        calm && machines.budget.try_retry(now_ms) == RetryVerdict::Granted
    }

    fn acquire(&self, class: Criticality, now_ms: u64) -> Result<Ticket, Stopped> {
        let mut machines = self.machines();
        let permit = machines.breaker.acquire(now_ms, random());
        self.tell_phase(&mut machines, now_ms);
        let ticket = match permit {
            Permit::Allowed(ticket) => ticket,
            Permit::Refused { reason, retry_after_ms } => return Err(Stopped::Breaker { reason, retry_after_ms }),
        };
        if self.inner.settings.throttle_k_permille > 0 && !machines.throttle.ask(class, now_ms, random()) {
            machines.breaker.record(ticket, CallEnd::Ignored, 0, now_ms, 0);
            let refused_permille = machines.throttle.refused_permille(class, now_ms);
            return Err(Stopped::Throttled { refused_permille });
        }
        Ok(ticket)
    }

    fn record(&self, class: Criticality, ticket: Ticket, end: End, took_ms: u64, now_ms: u64) {
        let mut machines = self.machines();
        if !matches!(end, End::Refused(_)) {
            machines.throttle.accepted(class, now_ms);
        }
        machines.breaker.record(ticket, end.for_breaker(), took_ms, now_ms, random());
        self.tell_phase(&mut machines, now_ms);
    }

    fn first_attempt(&self, now_ms: u64) {
        self.machines().budget.first_attempt(now_ms);
    }

    fn may_retry(&self, now_ms: u64) -> bool {
        let granted = self.machines().budget.try_retry(now_ms) == RetryVerdict::Granted;
        if !granted {
            self.inner.retries_refused.fetch_add(1, Ordering::Relaxed);
        }
        granted
    }

    fn timeout_ms(&self) -> u32 {
        self.machines().timeout_ms
    }

    fn tell_phase(&self, machines: &mut Machines, now_ms: u64) {
        let phase = machines.breaker.phase(now_ms);
        let before = std::mem::replace(&mut machines.phase, phase);
        if before != phase {
            let reason = machines.breaker.reason(now_ms);
            self.inner.events.tell(Event::Breaker { callee: self.inner.name.clone(), before, phase, reason });
        }
    }

    fn machines(&self) -> MutexGuard<'_, Machines> {
        self.inner.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All callees of a guard, each made when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Callees {
    known: RwLock<BTreeMap<String, Callee>>,
}

impl Callees {
    pub(crate) fn get(&self, name: &str) -> Option<Callee> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Makes a callee; it obeys at once what is in force.
    pub(crate) fn make(
        &self,
        name: &str,
        settings: &Settings,
        clock: &Clock,
        events: &Events,
        in_force: &[InForce],
    ) -> Callee {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            // what stands under `callees` was looked at when the guard was made
            let own = settings.towards(name).unwrap_or_else(|_| settings.client.clone());
            Callee::new(name, own, &settings.instance, clock.clone(), events.clone())
        };
        let callee = known.entry(name.to_owned()).or_insert_with(make).clone();
        callee.obey(in_force, clock.now_ms());
        callee
    }

    pub(crate) fn obey(&self, in_force: &[InForce], now_ms: u64) {
        self.all().iter().for_each(|callee| callee.obey(in_force, now_ms));
    }

    pub(crate) fn all(&self) -> Vec<Callee> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn reports(&self) -> Vec<BreakerReport> {
        let report = |callee: Callee| BreakerReport { phase: callee.state().phase, callee: callee.inner.name.clone() };
        self.all().into_iter().map(report).collect()
    }

    pub(crate) fn retries_refused(&self) -> u64 {
        self.all().iter().map(|callee| callee.inner.retries_refused.load(Ordering::Relaxed)).sum()
    }
}
