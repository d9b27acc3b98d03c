//! From one table to the next: what was counted moves the concurrency limit, what is commanded moves the levers.

use crate::concurrency::{ConcurrencyLimit, Sample};
use crate::lever::Lever;
use crate::priority::Boundary;
use crate::{Config, LimitKind, Retry, Table};
use model::{Knob, LEVELS, NameId, Setting};
use std::collections::BTreeMap;

/// A setting that is in force for the service or one of its operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commanded {
    /// Only for this operation.
    pub operation: Option<NameId>,
    /// The value, after the owner's clamps.
    pub setting: Setting,
}

/// What the threads counted since the last step. Shards are added up with [`Tallies::add`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Requests admitted, by class, lowest first.
    pub admitted: [u32; LEVELS],
    /// Requests refused, by class, lowest first.
    pub refused: [u32; LEVELS],
    /// Requests that finished with success.
    pub completed: u32,
    /// The sum of their durations, microseconds.
    pub latency_us_sum: u64,
    /// The most that were in flight.
    pub in_flight_max: u32,
}

impl Tallies {
    /// Adds a shard's counts. `in_flight_max` is added too: an upper bound of what was in flight at once.
    pub fn add(&mut self, other: &Tallies) {
        for class in 0..LEVELS {
            self.admitted[class] += other.admitted[class];
            self.refused[class] += other.refused[class];
        }
        self.completed += other.completed;
        self.latency_us_sum += other.latency_us_sum;
        self.in_flight_max += other.in_flight_max;
    }
}

/// What lies behind the table.
#[derive(Clone, Debug)]
pub struct State {
    config: Config,
    random: u64,
    levers: BTreeMap<(Option<NameId>, Knob), Lever>,
    limit: Option<ConcurrencyLimit>,
    version: u64,
}

impl State {
    /// Everything is normal. `random` is any number that differs between instances: it spreads the ramps.
    pub fn new(config: Config, random: u64) -> State {
        let limit = match config.limit {
            LimitKind::Gradient(gradient) => Some(ConcurrencyLimit::new(gradient)),
            LimitKind::Off | LimitKind::Fixed { .. } => None,
        };
        State { config, random, levers: BTreeMap::new(), limit, version: 0 }
    }

    /// Everything that is in force now; what was in force before and is not among it goes back to normal on a ramp. Of
    /// several settings for one knob of one operation the most restrictive counts. One-shots and ratchets are not this
    /// table's business and are ignored.
    pub fn command(&mut self, commanded: &[Commanded], now_ms: u64) {
        let mut wanted: BTreeMap<(Option<NameId>, Knob), Setting> = BTreeMap::new();
        for Commanded { operation, setting } in commanded {
            let strictest = wanted.entry((*operation, setting.knob())).or_insert(*setting);
            *strictest = strictest.stricter(*setting);
        }
        for (at, setting) in &wanted {
            if !self.levers.contains_key(at)
                && let Some(normal) = self.normal(at.1)
            {
                self.levers.insert(*at, Lever::new(normal, self.config.ramp, self.random));
            }
            if let Some(lever) = self.levers.get_mut(at) {
                lever.command(Some(*setting), now_ms);
            }
        }
        for (at, lever) in &mut self.levers {
            if !wanted.contains_key(at) {
                lever.command(None, now_ms);
            }
        }
    }

    /// Requests that may be in flight by the instance's own measure.
    pub fn own_limit(&self) -> u32 {
        match (self.config.limit, &self.limit) {
            (_, Some(limit)) => limit.limit(),
            (LimitKind::Fixed { limit }, None) => limit,
            _ => u32::MAX,
        }
    }

    /// Is nothing commanded, and nothing on its way back?
    pub fn is_normal(&self) -> bool {
        self.levers.is_empty()
    }

    fn normal(&self, knob: Knob) -> Option<Setting> {
        Some(match knob {
            Knob::Admission => Boundary::ALL.setting(),
            Knob::QueueBound => Setting::QueueBound { work_ms: self.config.queue_bound_ms },
            Knob::RetryBudget => Setting::RetryBudget { ratio_permille: self.config.retry_ratio_permille },
            Knob::Timeout => Setting::Timeout { timeout_ms: self.config.timeout_ms },
            Knob::Concurrency => Setting::Concurrency { limit: self.own_limit() },
            Knob::KillSwitch => Setting::KillSwitch { level: 0 },
            Knob::Route => Setting::Route { share_permille: 1000 },
            Knob::Breaker | Knob::BreakerThreshold | Knob::Purge | Knob::Restart | Knob::Replicas => return None,
        })
    }

    /// The service-wide value of a knob.
    fn value(&self, knob: Knob, now_ms: u64) -> Option<Setting> {
        match self.levers.get(&(None, knob)) {
            Some(lever) => Some(lever.value(now_ms)),
            None => self.normal(knob),
        }
    }
}

/// The next table: moves the limit by what was counted and the levers by the time.
pub fn step(state: &mut State, tallies: &Tallies, now_ms: u64) -> Table {
    if let Some(limit) = &mut state.limit {
        let Tallies { completed, latency_us_sum, in_flight_max, .. } = *tallies;
        limit.step(Sample { completed, latency_us_sum, in_flight_max });
    }
    state.levers.retain(|_, lever| !lever.is_normal(now_ms));
    let own = Setting::Concurrency { limit: state.own_limit() };
    for ((_, knob), lever) in &mut state.levers {
        if *knob == Knob::Concurrency {
            lever.set_normal(own);
        }
    }
    state.version += 1;
    table(state, now_ms)
}

fn table(state: &State, now_ms: u64) -> Table {
    let config = &state.config;
    let service = state.value(Knob::Admission, now_ms).and_then(Boundary::of).unwrap_or(Boundary::ALL);
    let operations = state.levers.iter().filter_map(|((operation, knob), lever)| {
        let own = lever.value(now_ms).stricter(service.setting());
        Some(((*operation)?, Boundary::of(own).filter(|_| *knob == Knob::Admission)?))
    });
    let number = |knob, otherwise: u32| match state.value(knob, now_ms) {
        Some(Setting::QueueBound { work_ms }) => work_ms,
        Some(Setting::Concurrency { limit }) => limit,
        Some(Setting::Timeout { timeout_ms }) => timeout_ms,
        Some(Setting::RetryBudget { ratio_permille }) => u32::from(ratio_permille),
        Some(Setting::KillSwitch { level }) => u32::from(level),
        Some(Setting::Route { share_permille }) => u32::from(share_permille),
        _ => otherwise,
    };
    let limit = number(Knob::Concurrency, u32::MAX);
    let share = |permille: u16| match limit {
        u32::MAX => u32::MAX,
        limit => (u64::from(limit) * u64::from(permille.min(1000))).div_ceil(1000) as u32,
    };
    let mut never_shed = config.never_shed.clone();
    never_shed.sort_unstable();
    // an instance that is left alone says nothing of the fleet
    let fleet_is_busy = state.levers.iter().any(|((_, knob), lever)| *knob != Knob::Route && lever.is_commanded());
    Table {
        version: state.version,
        service,
        operations: operations.collect(),
        never_shed,
        rotate_ms: config.rotate_ms,
        in_flight_max: config.class_share_permille.map(share),
        queue_bound_ms: number(Knob::QueueBound, config.queue_bound_ms),
        retry: if fleet_is_busy { Retry::Never } else { Retry::AfterMs(config.retry_after_ms) },
        retry_ratio_permille: number(Knob::RetryBudget, 0) as u16,
        timeout_ms: number(Knob::Timeout, config.timeout_ms),
        kill_level: number(Knob::KillSwitch, 0) as u8,
        takes_permille: number(Knob::Route, 1000).min(1000) as u16,
    }
}

#[cfg(test)]
mod tests;
