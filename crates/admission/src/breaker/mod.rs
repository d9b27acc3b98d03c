//! A circuit breaker: closed, open, half-open with a few probes, and a throttled ramp back.
//!
//! It opens for failures and slow calls of the callee, never for what its own side refused. Reopening is exponential,
//! jittered and capped. It cannot wedge: a probe that is never answered fails after its timeout, so after any sequence of
//! events a call is let through within a bounded time (a property test holds this). Sources: resilience4j (windows, slow
//! calls, modes), Linkerd `consecutive_failures.rs` (`min(max, base·2^n)·(1 ± 0.5·U)`), Sentinel's proposed throttling
//! state (the ramp).

mod config;
mod window;

pub use config::{BreakerConfig, BreakerMode, BreakerWindow};
pub use window::Health;

use model::BreakerPhase;
use std::fmt;
use window::Window;

/// Why calls are refused; the caller may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenReason {
    /// Too many calls failed.
    FailureRate {
        /// The share, in 1/1000.
        permille: u16,
    },
    /// Too many calls were slow.
    SlowRate {
        /// The share, in 1/1000.
        permille: u16,
    },
    /// So many calls failed in a row.
    Consecutive {
        /// How many.
        failures: u32,
    },
    /// The probes failed.
    ProbesFailed,
    /// A command holds it.
    Commanded,
    /// The owner forced it open.
    Forced,
}

impl fmt::Display for OpenReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenReason::FailureRate { permille } => {
                write!(out, "{}.{} % of calls failed", permille / 10, permille % 10)
            }
            OpenReason::SlowRate { permille } => {
                write!(out, "{}.{} % of calls were slow", permille / 10, permille % 10)
            }
            OpenReason::Consecutive { failures } => write!(out, "{failures} calls failed in a row"),
            OpenReason::ProbesFailed => out.write_str("the probes failed"),
            OpenReason::Commanded => out.write_str("commanded"),
            OpenReason::Forced => out.write_str("forced open by the owner"),
        }
    }
}

/// When this instance probes on behalf of the whole fleet, while a command holds its breaker half-open: one probe in each
/// of its turns, and it has the turn in one of `places` slots. Instances with different places never probe together, and
/// nobody has to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// This instance's place, by a hash of its id.
    pub place: u32,
    /// How many places there are.
    pub places: u32,
    /// How long a turn lasts, milliseconds.
    pub slot_ms: u32,
}

impl Turn {
    /// The number of the slot at `now_ms`, and how long it is until the own one; 0 in it.
    fn slot(self, now_ms: u64) -> (u64, u64) {
        let (places, slot_ms) = (u64::from(self.places.max(1)), u64::from(self.slot_ms.max(1)));
        let slot = now_ms / slot_ms;
        let ahead = (u64::from(self.place) % places + places - slot % places) % places;
        (slot, if ahead == 0 { 0 } else { ahead * slot_ms - now_ms % slot_ms })
    }
}

/// May a call be made?
#[derive(Debug, PartialEq, Eq)]
pub enum Permit {
    /// Yes; its end is told with the ticket.
    Allowed(Ticket),
    /// No.
    Refused {
        /// Why.
        reason: OpenReason,
        /// When it is worth asking again, milliseconds from now.
        retry_after_ms: u64,
    },
}

/// A call under way. Losing it does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
    probe: Option<u64>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// The callee did its work.
    Success,
    /// The callee failed, or did not answer in time.
    Failure,
    /// It says nothing about the callee: the caller cancelled, the request was wrong, or a limiter (ours or the
    /// callee's) refused it.
    Ignored,
}

#[derive(Clone, Debug)]
enum State {
    Closed,
    Open { until_ms: u64 },
    HalfOpen { waiting: Vec<(u64, u64)>, succeeded: u32, failed: u32 },
    Ramp { since_ms: u64 },
}

/// The breaker of one client towards one callee.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: BreakerConfig,
    commanded: Option<BreakerPhase>,
    state: State,
    reason: OpenReason,
    window: Window,
    in_a_row: u32,
    /// Openings since the last full recovery.
    openings: u32,
    /// Rises with each change of phase: an answer from before does not count.
    generation: u64,
    probes_sent: u64,
    turn: Option<Turn>,
    /// The slot in which it has probed last.
    probed_in: Option<u64>,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(config: BreakerConfig) -> Breaker {
        Breaker {
            config,
            commanded: None,
            state: State::Closed,
            reason: OpenReason::ProbesFailed,
            window: Window::default(),
            in_a_row: 0,
            openings: 0,
            generation: 0,
            probes_sent: 0,
            turn: None,
            probed_in: None,
        }
    }

    /// Takes turns with the rest of the fleet while a command holds it half-open.
    pub fn set_turn(&mut self, turn: Option<Turn>) {
        self.turn = turn;
    }

    /// Other thresholds, or another mode; what was counted stays, and so does the phase.
    pub fn set_config(&mut self, config: BreakerConfig) {
        self.config = config;
    }

    /// The phase that a command holds it in, or none: then it comes back by its own way, through probes.
    pub fn command(&mut self, phase: Option<BreakerPhase>, now_ms: u64) {
        if phase == self.commanded {
            return;
        }
        let before = std::mem::replace(&mut self.commanded, phase);
        match phase.or(before.map(after_command)) {
            None | Some(BreakerPhase::Closed) => self.enter(State::Closed),
            Some(BreakerPhase::Open) => self.enter(State::Open { until_ms: u64::MAX }),
            Some(BreakerPhase::HalfOpen) => self.enter(half_open()),
            Some(BreakerPhase::Ramp) => self.enter(State::Ramp { since_ms: now_ms }),
        }
        self.reason = OpenReason::Commanded;
    }

    /// May a call be made now? `random` decides in the ramp, and how long a breaker stays open whose probe timed out.
    pub fn acquire(&mut self, now_ms: u64, random: u64) -> Permit {
        let refused = |reason, retry_after_ms| Permit::Refused { reason, retry_after_ms };
        match self.config.mode {
            BreakerMode::ForcedOpen => return refused(OpenReason::Forced, u64::from(self.config.open_max_ms)),
            BreakerMode::ForcedClosed | BreakerMode::Disabled => return Permit::Allowed(self.ticket(None)),
            BreakerMode::Auto | BreakerMode::MetricsOnly => {}
        }
        self.advance(now_ms, random);
        let (probes, commanded) = (self.config.probes.max(1), self.commanded.is_some());
        let permit = match &mut self.state {
            State::Closed => Permit::Allowed(self.ticket(None)),
            State::Open { until_ms } if commanded => refused(self.reason, (*until_ms - now_ms).min(1000)),
            State::Open { until_ms } => refused(self.reason, *until_ms - now_ms),
            State::HalfOpen { .. } if commanded && self.turn.is_some() => self.take_turn(now_ms),
            State::HalfOpen { waiting, succeeded, failed } => {
                if waiting.len() as u64 + u64::from(*succeeded) + u64::from(*failed) < u64::from(probes) {
                    self.probes_sent += 1;
                    waiting.push((self.probes_sent, now_ms));
                    let probe = Some(self.probes_sent);
                    Permit::Allowed(self.ticket(probe))
                } else {
                    let oldest_ms = waiting.first().map_or(now_ms, |(_, sent_ms)| *sent_ms);
                    let frees_ms = oldest_ms + u64::from(self.config.probe_timeout_ms);
                    refused(self.reason, frees_ms.saturating_sub(now_ms).max(1))
                }
            }
            State::Ramp { since_ms } => {
                let gone_ms = now_ms.saturating_sub(*since_ms);
                let start = u64::from(self.config.ramp_start_permille.min(1000));
                let open = start + (1000 - start) * gone_ms / u64::from(self.config.ramp_ms.max(1));
                if random % 1000 < open {
                    Permit::Allowed(self.ticket(None))
                } else {
                    refused(self.reason, u64::from(self.config.ramp_ms).saturating_sub(gone_ms).max(1))
                }
            }
        };
        match permit {
            Permit::Refused { .. } if self.config.mode == BreakerMode::MetricsOnly => {
                Permit::Allowed(self.ticket(None))
            }
            permit => permit,
        }
    }

    /// Tells how a call ended and how long it took.
    pub fn record(&mut self, ticket: Ticket, end: CallEnd, took_ms: u64, now_ms: u64, random: u64) {
        if self.config.mode == BreakerMode::Disabled || ticket.generation != self.generation {
            return;
        }
        let slow = took_ms >= u64::from(self.config.slow_call_ms);
        match &mut self.state {
            State::HalfOpen { waiting, succeeded, failed } => {
                let Some(at) = waiting.iter().position(|(probe, _)| Some(*probe) == ticket.probe) else { return };
                waiting.remove(at);
                match end {
                    CallEnd::Ignored => {}
                    CallEnd::Success if !slow || self.config.slow_permille > 1000 => *succeeded += 1,
                    CallEnd::Success | CallEnd::Failure => *failed += 1,
                }
                self.judge_probes(now_ms, random);
            }
            State::Closed | State::Ramp { .. } if end != CallEnd::Ignored => {
                let failed = end == CallEnd::Failure;
                self.in_a_row = if failed { self.in_a_row + 1 } else { 0 };
                let call = Health { calls: 1, failed: u32::from(failed), slow: u32::from(slow) };
                self.window.record(self.config.window, call, now_ms);
                if self.config.mode != BreakerMode::ForcedClosed
                    && self.commanded.is_none()
                    && let Some(reason) = self.trips(now_ms)
                {
                    self.open(reason, now_ms, random);
                }
            }
            _ => {}
        }
    }

    /// The phase now.
    pub fn phase(&self, now_ms: u64) -> BreakerPhase {
        match (self.config.mode, &self.state) {
            (BreakerMode::ForcedOpen, _) => BreakerPhase::Open,
            (BreakerMode::ForcedClosed | BreakerMode::Disabled, _) => BreakerPhase::Closed,
            (_, State::Closed) => BreakerPhase::Closed,
            (_, State::Open { until_ms }) if now_ms < *until_ms => BreakerPhase::Open,
            (_, State::Open { .. } | State::HalfOpen { .. }) => BreakerPhase::HalfOpen,
            (_, State::Ramp { .. }) => BreakerPhase::Ramp,
        }
    }

    /// Why it is not closed, if it is not.
    pub fn reason(&self, now_ms: u64) -> Option<OpenReason> {
        match (self.config.mode, self.phase(now_ms)) {
            (_, BreakerPhase::Closed) => None,
            (BreakerMode::ForcedOpen, _) => Some(OpenReason::Forced),
            _ => Some(self.reason),
        }
    }

    /// How healthy the calls of the window are.
    pub fn health(&mut self, now_ms: u64) -> Health {
        self.window.health(self.config.window, now_ms)
    }

    /// Openings since the last full recovery.
    pub fn openings(&self) -> u32 {
        self.openings
    }

    fn take_turn(&mut self, now_ms: u64) -> Permit {
        let Some((slot, wait_ms)) = self.turn.map(|turn| turn.slot(now_ms)) else {
            return Permit::Allowed(self.ticket(None));
        };
        let State::HalfOpen { waiting, .. } = &mut self.state else { return Permit::Allowed(self.ticket(None)) };
        if wait_ms > 0 || self.probed_in == Some(slot) {
            return Permit::Refused { reason: self.reason, retry_after_ms: wait_ms.max(1) };
        }
        self.probed_in = Some(slot);
        self.probes_sent += 1;
        waiting.push((self.probes_sent, now_ms));
        let probe = Some(self.probes_sent);
        Permit::Allowed(self.ticket(probe))
    }

    fn ticket(&self, probe: Option<u64>) -> Ticket {
        Ticket { generation: self.generation, probe }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.window.clear();
        self.in_a_row = 0;
    }

    fn open(&mut self, reason: OpenReason, now_ms: u64, random: u64) {
        let until_ms = now_ms.saturating_add(self.config.open_ms(self.openings, random).max(1));
        self.openings = self.openings.saturating_add(1);
        self.reason = reason;
        self.enter(State::Open { until_ms });
    }

    /// What time alone changes.
    fn advance(&mut self, now_ms: u64, random: u64) {
        if let State::Open { until_ms } = self.state
            && now_ms >= until_ms
        {
            self.enter(half_open());
        }
        if let State::Ramp { since_ms } = self.state
            && now_ms.saturating_sub(since_ms) >= u64::from(self.config.ramp_ms)
            && self.commanded.is_none()
        {
            self.openings = 0;
            self.enter(State::Closed);
        }
        let timeout_ms = u64::from(self.config.probe_timeout_ms);
        if let State::HalfOpen { waiting, failed, .. } = &mut self.state {
            let before = waiting.len();
            waiting.retain(|(_, sent_ms)| now_ms.saturating_sub(*sent_ms) < timeout_ms);
            *failed += (before - waiting.len()) as u32;
            self.judge_probes(now_ms, random);
        }
    }

    /// Ends the half-open phase as soon as the probes that are left cannot change the verdict. A commanded half-open
    /// phase only counts, and lets the next probes out.
    fn judge_probes(&mut self, now_ms: u64, random: u64) {
        let State::HalfOpen { succeeded, failed, .. } = &mut self.state else { return };
        let probes = self.config.probes.max(1);
        let share = u64::from(*failed) * 1000 / u64::from(probes);
        let too_many = *failed > 0 && share >= u64::from(self.config.failure_permille.min(1000));
        let all_in = *succeeded + *failed >= probes;
        if self.commanded.is_some() {
            if all_in {
                (*succeeded, *failed) = (0, 0);
            }
        } else if too_many {
            self.open(OpenReason::ProbesFailed, now_ms, random);
        } else if all_in {
            self.enter(State::Ramp { since_ms: now_ms });
        }
    }

    fn trips(&mut self, now_ms: u64) -> Option<OpenReason> {
        let limit = self.config.consecutive_failures;
        if limit > 0 && self.in_a_row >= limit {
            return Some(OpenReason::Consecutive { failures: self.in_a_row });
        }
        let Health { calls, failed, slow } = self.window.health(self.config.window, now_ms);
        if calls == 0 || calls < self.config.calls_min {
            return None;
        }
        let permille = |part: u32| (u64::from(part) * 1000 / u64::from(calls)) as u16;
        if permille(failed) >= self.config.failure_permille {
            return Some(OpenReason::FailureRate { permille: permille(failed) });
        }
        (permille(slow) >= self.config.slow_permille).then(|| OpenReason::SlowRate { permille: permille(slow) })
    }
}

/// Where a breaker goes when the command that held it ends.
fn after_command(held: BreakerPhase) -> BreakerPhase {
    match held {
        BreakerPhase::Open | BreakerPhase::HalfOpen => BreakerPhase::HalfOpen,
        BreakerPhase::Ramp => BreakerPhase::Ramp,
        BreakerPhase::Closed => BreakerPhase::Closed,
    }
}

fn half_open() -> State {
    State::HalfOpen { waiting: Vec::new(), succeeded: 0, failed: 0 }
}

#[cfg(test)]
mod tests;
