//! What is behind a callee's one lock, which a try takes once when it begins and once when it ends.

use super::{End, Stopped};
use crate::settings::ClientSettings;
use admission::{
    Breaker, BreakerConfig, CallEnd, Health, Lever, OpenReason, Permit, Ramp, RetryBudget, RetryVerdict, Throttle,
    Ticket, Turn,
};
use model::{BreakerPhase, Criticality, Knob, Setting};
use serde::Serialize;

/// The window of the retry budget, milliseconds.
const BUDGET_WINDOW_MS: u64 = 10_000;
/// A callee busier than this is not hedged, in 1/1000 of its capacity.
const HEDGE_LOAD_MAX_PERMILLE: u16 = 700;

#[derive(Debug)]
pub(super) struct Machines {
    /// The owner's thresholds; a command may tighten one of them.
    own: BreakerConfig,
    breaker: Breaker,
    budget: RetryBudget,
    throttle: Option<Throttle>,
    timeout: Lever,
    retries: Lever,
    threshold: Lever,
    /// The phase that was told last.
    told: BreakerPhase,
    retries_refused: u64,
    stopped: StoppedCounts,
}

/// Tries that were not made since the start, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoppedCounts {
    /// The breaker was open.
    pub breaker: u64,
    /// The callee refused so much that it was left alone.
    pub throttle: u64,
    /// The deadline had passed.
    pub deadline: u64,
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
    /// Tries that were not made.
    pub stopped: StoppedCounts,
}

/// A breaker that has changed its phase: the phase before, the phase now, and why it is not closed.
pub(super) type Change = (BreakerPhase, BreakerPhase, Option<OpenReason>);

impl Machines {
    /// `random` is any number that differs between instances: it spreads the ways back to normal.
    pub(super) fn new(settings: &ClientSettings, turn: Turn, ramp: Ramp, random: u64) -> Machines {
        let mut breaker = Breaker::new(settings.breaker);
        breaker.set_turn(Some(turn));
        let lever = |normal| Lever::new(normal, ramp, random);
        Machines {
            own: settings.breaker,
            breaker,
            budget: RetryBudget::new(settings.retry_ratio_permille, settings.retry_reserve_per_s, BUDGET_WINDOW_MS),
            throttle: (settings.throttle_k_permille > 0).then(|| Throttle::new(settings.throttle())),
            timeout: lever(Setting::Timeout { timeout_ms: settings.timeout_ms }),
            retries: lever(Setting::RetryBudget { ratio_permille: settings.retry_ratio_permille }),
            threshold: lever(Setting::BreakerThreshold { failure_permille: settings.breaker.failure_permille }),
            told: BreakerPhase::Closed,
            retries_refused: 0,
            stopped: StoppedCounts::default(),
        }
    }

    /// Turns the knobs to what is in force now, or on their way back to normal.
    pub(super) fn obey(&mut self, in_force: impl Fn(Knob) -> Option<Setting>, now_ms: u64) {
        self.timeout.command(in_force(Knob::Timeout), now_ms);
        self.threshold.command(in_force(Knob::BreakerThreshold), now_ms);
        self.retries.command(in_force(Knob::RetryBudget), now_ms);
        let ratio = match self.retries.value(now_ms) {
            Setting::RetryBudget { ratio_permille } if !self.retries.is_normal(now_ms) => Some(ratio_permille),
            _ => None,
        };
        if self.budget.commanded_permille() != ratio {
            self.budget.command(ratio, now_ms);
        }
        self.configure(now_ms);
        let phase = match in_force(Knob::Breaker) {
            Some(Setting::Breaker { phase }) => Some(phase),
            _ => None,
        };
        self.breaker.command(phase, now_ms);
    }

    /// Other thresholds of the owner's, or another mode.
    pub(super) fn set_breaker(&mut self, own: BreakerConfig, now_ms: u64) {
        self.own = own;
        self.threshold.set_normal(Setting::BreakerThreshold { failure_permille: own.failure_permille });
        self.configure(now_ms);
    }

    fn configure(&mut self, now_ms: u64) {
        let mut config = self.own;
        if let Setting::BreakerThreshold { failure_permille } = self.threshold.value(now_ms) {
            config.failure_permille = failure_permille;
        }
        self.breaker.set_config(config);
    }

    /// A try begins; gives its ticket and how long it may take, milliseconds.
    pub(super) fn begin(
        &mut self,
        class: Criticality,
        is_first: bool,
        now_ms: u64,
        random: [u64; 2],
    ) -> Result<(Ticket, u32), Stopped> {
        let ticket = match self.breaker.acquire(now_ms, random[0]) {
            Permit::Allowed(ticket) => ticket,
            Permit::Refused { reason, retry_after_ms } => {
                self.stopped.breaker += 1;
                return Err(Stopped::Breaker { reason, retry_after_ms });
            }
        };
        if let Some(throttle) = &mut self.throttle
            && !throttle.ask(class, now_ms, random[1])
        {
            self.breaker.record(ticket, CallEnd::Ignored, 0, now_ms, 0);
            self.stopped.throttle += 1;
            return Err(Stopped::Throttled { refused_permille: throttle.refused_permille(class, now_ms) });
        }
        if is_first {
            self.budget.first_attempt(now_ms);
        }
        Ok((ticket, self.timeout_ms(now_ms)))
    }

    /// A try is not made because its deadline has passed.
    pub(super) fn too_late(&mut self) {
        self.stopped.deadline += 1;
    }

    /// A try has ended.
    pub(super) fn end(&mut self, class: Criticality, ticket: Ticket, end: End, took_ms: u64, now_ms: u64, random: u64) {
        if let (Some(throttle), false) = (&mut self.throttle, matches!(end, End::Refused(_))) {
            throttle.accepted(class, now_ms);
        }
        self.breaker.record(ticket, end.for_breaker(), took_ms, now_ms, random);
    }

    pub(super) fn may_retry(&mut self, now_ms: u64) -> bool {
        let is_granted = self.budget.try_retry(now_ms) == RetryVerdict::Granted;
        self.retries_refused += u64::from(!is_granted);
        is_granted
    }

    pub(super) fn may_hedge(&mut self, class: Criticality, now_ms: u64) -> bool {
        let calm = self.breaker.phase(now_ms) == BreakerPhase::Closed
            && self.budget.commanded_permille().is_none()
            && self.throttle.as_ref().is_none_or(|throttle| throttle.refused_permille(class, now_ms) == 0)
            && self.budget.load_permille(now_ms).is_none_or(|load| load < HEDGE_LOAD_MAX_PERMILLE);
        calm && self.budget.try_retry(now_ms) == RetryVerdict::Granted
    }

    pub(super) fn heard_load(&mut self, permille: u16, now_ms: u64) {
        self.budget.heard_load(permille, now_ms);
    }

    /// The change of phase since the last call, if there was one.
    pub(super) fn change(&mut self, now_ms: u64) -> Option<Change> {
        let phase = self.breaker.phase(now_ms);
        let before = std::mem::replace(&mut self.told, phase);
        (before != phase).then(|| (before, phase, self.breaker.reason(now_ms)))
    }

    pub(super) fn state(&mut self, now_ms: u64) -> CalleeState {
        CalleeState {
            phase: self.breaker.phase(now_ms),
            reason: self.breaker.reason(now_ms),
            health: self.breaker.health(now_ms),
            openings: self.breaker.openings(),
            retry_ratio_permille: self.budget.ratio_permille(),
            retries_refused: self.retries_refused,
            timeout_ms: self.timeout_ms(now_ms),
            stopped: self.stopped,
        }
    }

    fn timeout_ms(&self, now_ms: u64) -> u32 {
        match self.timeout.value(now_ms) {
            Setting::Timeout { timeout_ms } => timeout_ms.max(1),
            _ => 1,
        }
    }
}
