//! The baseline of one signal of one subject: a robust location and spread, learned online, with a limit above them.
//!
//! During warm-up (the first [`BaselineConfig::warmup`] values) nothing is known. The warm-up's median and MAD start the
//! estimate; after it both move by Huber steps (Huber 1964: the influence of one value is bounded), at most `1/memory`
//! of the distance each, so that an outlier cannot drag them. A value above the limit, a value above the maximum healthy
//! value and any value while the subject is unhealthy are not learned. After a long freeze the values seen meanwhile may
//! become the new normal, if they were steady and healthy by the absolute cap: a shadow estimate is kept for that.
//! Invariant: normal and limit do not change while frozen.

use model::Threshold;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// MAD of a normal distribution × this is its standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// Mean absolute deviation of a normal distribution × this is its standard deviation.
const MEAN_TO_SIGMA: f64 = 1.2533;
/// Huber's bound in spreads: 95 % efficiency at the normal distribution.
const HUBER: f64 = 1.345;
/// z-scores are cut here; more says nothing more.
const Z_MAX: f64 = 100.0;

/// How a signal is learned. All values are on the signal's own scale (see `log`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineConfig {
    /// Learn the logarithm (durations and ratios spread by factors, not by differences).
    pub log: bool,
    /// Values before anything is known.
    pub warmup: u32,
    /// Values over which the estimate moves, after warm-up.
    pub memory: u32,
    /// The limit lies this many spreads above the location.
    pub z: f64,
    /// The spread is at least this (on the log scale: a factor e^floor).
    pub spread_floor: f64,
    /// The limit lies at least this far above the location, in the value's unit.
    pub rise_floor: f64,
    /// A value above this is never learned as healthy, in the value's unit.
    pub healthy_max: f64,
    /// Frozen values after which the new level may be taken over.
    pub reprobe_after: u32,
}

/// Location and spread of one signal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    last: f64,
    location: f64,
    spread: f64,
    /// Values that location and spread were learned from, as far as that matters; zero while nothing is known.
    learned: u32,
    frozen_for: u32,
    /// What the next estimate may be made of: the values of the warm-up, later those seen while frozen. Tens of thousands
    /// of baselines are visited every second, and most are known and calm: they have none of these.
    #[expect(clippy::box_collection, reason = "a quarter of the size, where it is nearly always empty")]
    values: Option<Box<VecDeque<f64>>>,
}

/// Location and spread.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    location: f64,
    spread: f64,
}

impl Baseline {
    /// Judges `value` (in its unit) and learns from it unless it, or its subject, is unhealthy. `noise` is the value's own
    /// standard error in the scale of the baseline (a share of few calls is uncertain); it widens the limit. `jitter`
    /// (0..1) delays the take-over of a new level so that a fleet does not do it all at once. Returns the z-score.
    pub fn offer(
        &mut self,
        config: &BaselineConfig,
        value: f64,
        noise: f64,
        health: Health,
        jitter: f64,
    ) -> Option<f64> {
        if !value.is_finite() {
            return None;
        }
        self.last = value;
        let x = scale(config, value);
        let Some(known) = self.known() else {
            if health == Health::Healthy && value <= config.healthy_max {
                self.values().push_back(x);
                self.finish_warmup(config);
            }
            return None;
        };
        let spread = hypot(known.spread.max(config.spread_floor), noise);
        let z = ((x - known.location) / spread).clamp(-Z_MAX, Z_MAX);
        if known.is_over(config, value, x, spread) || health == Health::Unhealthy || value > config.healthy_max {
            self.freeze(config, x, jitter);
        } else {
            self.frozen_for = 0;
            self.values = None;
            self.learn(config, x);
        }
        Some(z)
    }

    /// What is normal, in the value's unit; `None` during warm-up.
    pub fn normal(&self, config: &BaselineConfig) -> Option<f64> {
        self.known().map(|known| unscale(config, known.location))
    }

    /// Above this a value deviates, for a value with the given standard error; `None` during warm-up.
    pub fn limit(&self, config: &BaselineConfig, noise: f64) -> Option<f64> {
        let known = self.known()?;
        let spread = hypot(known.spread.max(config.spread_floor), noise);
        let limit = unscale(config, known.location + config.z * spread);
        Some(limit.max(unscale(config, known.location) + config.rise_floor))
    }

    /// Is `value` above the limit? The same as comparing with [`Baseline::limit`], without an exponential for what is not.
    pub(crate) fn is_over(&self, config: &BaselineConfig, value: f64, noise: f64) -> bool {
        self.known().is_some_and(|known| {
            let spread = hypot(known.spread.max(config.spread_floor), noise);
            known.is_over(config, value, scale(config, value), spread)
        })
    }

    /// The last value beside what was learned.
    pub fn threshold(&self, config: &BaselineConfig, noise: f64) -> Threshold {
        Threshold {
            value: self.last,
            normal: self.normal(config),
            limit: self.limit(config, noise),
            frozen: self.frozen_for > 0,
        }
    }

    /// Is it known what is normal?
    pub fn is_known(&self) -> bool {
        self.learned > 0
    }

    /// The same normal with a spread twice as wide, and as ready to move as after the warm-up.
    #[must_use]
    pub fn widened(&self, config: &BaselineConfig) -> Baseline {
        if !self.is_known() {
            return self.clone();
        }
        Baseline {
            last: self.last,
            location: self.location,
            spread: 2.0 * self.spread.max(config.spread_floor),
            learned: self.learned.min(config.warmup).max(1),
            frozen_for: 0,
            values: None,
        }
    }

    /// Is learning frozen?
    pub fn is_frozen(&self) -> bool {
        self.frozen_for > 0
    }

    fn known(&self) -> Option<Estimate> {
        self.is_known().then_some(Estimate { location: self.location, spread: self.spread })
    }

    fn values(&mut self) -> &mut VecDeque<f64> {
        self.values.get_or_insert_default()
    }

    fn finish_warmup(&mut self, config: &BaselineConfig) {
        if self.values().len() >= config.warmup.max(2) as usize {
            self.take_over();
        }
    }

    /// The values become the estimate.
    fn take_over(&mut self) {
        let values = self.values.take().unwrap_or_default();
        let level = Estimate::of(&values);
        (self.location, self.spread) = (level.location, level.spread);
        self.learned = values.len() as u32;
    }

    fn learn(&mut self, config: &BaselineConfig, x: f64) {
        self.learned = self.learned.saturating_add(1).min(config.memory.max(1));
        let step = 1.0 / f64::from(self.learned.max(config.warmup).max(1));
        let spread = self.spread.max(config.spread_floor);
        let away = (x - self.location).clamp(-HUBER * spread, HUBER * spread);
        self.location += step * away;
        self.spread += step * (libm::fabs(x - self.location).min(3.0 * spread) * MEAN_TO_SIGMA - self.spread);
    }

    fn freeze(&mut self, config: &BaselineConfig, x: f64, jitter: f64) {
        self.frozen_for = self.frozen_for.saturating_add(1);
        let values = self.values();
        if values.len() >= config.warmup.max(2) as usize {
            values.pop_front();
        }
        values.push_back(x);
        let wait = config.reprobe_after.saturating_add((f64::from(config.reprobe_after) * 0.25 * jitter) as u32);
        if self.frozen_for < wait {
            return;
        }
        // Probe once: take the new level over if it is steady and healthy, else wait for another full period.
        self.frozen_for = 1;
        let level = Estimate::of(self.values());
        let steady = level.spread <= 2.0 * self.spread.max(config.spread_floor);
        if steady && unscale(config, level.location) <= config.healthy_max {
            self.take_over();
            self.frozen_for = 0;
        }
    }
}

/// What is known about a subject's health when a value comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing speaks against learning from it.
    Healthy,
    /// A finding is open on it, it sheds, or another of its signals deviates.
    Unhealthy,
}

impl Estimate {
    /// Is `value`, which is `x` on the baseline's scale, above both halves of the limit?
    fn is_over(&self, config: &BaselineConfig, value: f64, x: f64, spread: f64) -> bool {
        x > self.location + config.z * spread && value > unscale(config, self.location) + config.rise_floor
    }

    fn of(values: &VecDeque<f64>) -> Estimate {
        let mut values: Vec<f64> = values.iter().copied().collect();
        let location = median(&mut values);
        let mut away: Vec<f64> = values.iter().map(|x| libm::fabs(x - location)).collect();
        Estimate { location, spread: median(&mut away) * MAD_TO_SIGMA }
    }
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

fn hypot(a: f64, b: f64) -> f64 {
    libm::sqrt(a * a + b * b)
}

/// The smallest value with a logarithm of its own; durations are in ms, so this is a nanosecond.
const LOG_MIN: f64 = 1e-6;

fn scale(config: &BaselineConfig, value: f64) -> f64 {
    if config.log { libm::log(value.max(LOG_MIN)) } else { value }
}

fn unscale(config: &BaselineConfig, x: f64) -> f64 {
    if config.log { libm::exp(x.min(700.0)) } else { x }
}
