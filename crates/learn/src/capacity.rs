//! What a service can serve, learned from observed saturation: its completion rate while delay grows.
//!
//! A window is saturated when the delay before work has been above a limit for three windows and either still grows or
//! demand exceeds completions. Until enough saturated windows were seen, capacity is unknown, never guessed from a peak.
//! What is known changes only when several saturated windows in a row disagree with it (hysteresis), or when more than it
//! was served without any delay. Guards that say they are full (workers busy, queue not empty) replace the inference.
//! Source: design §5.1 ("capacity is the completion rate while delay grows, and unknown otherwise").

use crate::baseline::median;
use model::{GuardReport, Interval, NameId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When a window counts as saturated, and how many of them are needed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapacityConfig {
    /// Saturated windows before capacity is known.
    pub windows_min: usize,
    /// Saturated windows that are remembered.
    pub windows_max: usize,
    /// Delay must grow by this factor over three windows, if demand does not exceed completions.
    pub growth: f64,
    /// Demand exceeds completions by this factor, if delay does not grow.
    pub excess: f64,
    /// A guard's report is used for this long, ms.
    pub report_ttl_ms: u64,
    /// Instances whose reports are remembered at most.
    pub instances_max: usize,
}

impl Default for CapacityConfig {
    fn default() -> Self {
        CapacityConfig {
            windows_min: 3,
            windows_max: 10,
            growth: 1.1,
            excess: 1.1,
            report_ttl_ms: 5_000,
            instances_max: 256,
        }
    }
}

/// One window of a service, as capacity is learned from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    pub(crate) end_ms: u64,
    /// Requests finished per second, those nobody waited for included, refusals not.
    pub(crate) completed_rps: f64,
    /// Requests that arrived per second, retries included.
    pub(crate) offered_rps: f64,
    /// The delay before work above normal, ms, where it is known.
    pub(crate) delay_ms: Option<f64>,
    /// Above this the delay is no jitter, ms.
    pub(crate) limit_ms: f64,
}

/// What is known of one service's capacity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    known: Option<Interval>,
    saturated: Vec<f64>,
    served: Vec<f64>,
    delays: Vec<f64>,
    disagree: u32,
    instances: BTreeMap<NameId, Full>,
    observed_ms: u64,
}

/// What one instance's guard said last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Full {
    at_ms: u64,
    /// Consecutive reports in which all workers were busy and work waited.
    full_for: u32,
    completed: u32,
    workers: u32,
    queue_delay_ms: u32,
}

impl Capacity {
    /// Requests per second, or `None` while no saturation was observed.
    pub fn rps(&self) -> Option<Interval> {
        self.known
    }

    /// When saturation was last observed, Unix ms; zero for never.
    pub fn observed_ms(&self) -> u64 {
        self.observed_ms
    }

    /// Brings what every window reads into the cache; the number says nothing.
    pub(crate) fn warm(&self) -> u64 {
        self.served.iter().chain(&self.delays).take(4).fold(0, |sum, rate| sum ^ rate.to_bits())
    }

    /// Takes in a guard's report of one instance.
    pub(crate) fn report(&mut self, config: &CapacityConfig, report: &GuardReport) {
        let instance = NameId::of(&report.instance);
        if !self.instances.contains_key(&instance) && self.instances.len() >= config.instances_max {
            let oldest = self.instances.iter().min_by_key(|(id, full)| (full.at_ms, **id)).map(|(id, _)| *id);
            oldest.and_then(|id| self.instances.remove(&id));
        }
        let before = self.instances.get(&instance).map_or(0, |full| full.full_for);
        let is_full = report.queued > 0 && report.in_flight >= report.workers && report.workers > 0;
        let full = Full {
            at_ms: report.at_ms,
            full_for: if is_full { before.saturating_add(1) } else { 0 },
            completed: report.completed,
            workers: report.workers,
            queue_delay_ms: report.queue_delay_ms,
        };
        self.instances.insert(instance, full);
    }

    /// The queue delay that fresh guards report: mean to maximum over the instances; `None` without a fresh report.
    pub(crate) fn reported_delay_ms(&self, config: &CapacityConfig, now_ms: u64) -> Option<Interval> {
        let fresh: Vec<f64> = self.fresh(config, now_ms).map(|full| f64::from(full.queue_delay_ms)).collect();
        let most = fresh.iter().copied().fold(0.0, f64::max);
        if fresh.is_empty() { None } else { Interval::between(fresh.iter().sum::<f64>() / fresh.len() as f64, most) }
    }

    /// Learns from a window.
    pub(crate) fn observe(&mut self, config: &CapacityConfig, load: Load) {
        push(&mut self.served, load.completed_rps, 3);
        if let Some(delay) = load.delay_ms {
            push(&mut self.delays, delay, 3);
        } else {
            self.delays.clear();
        }
        let sample = match self.reported_full(config, load.end_ms) {
            Some(completed) => completed,
            None => self.is_saturated(config, load).then_some(load.completed_rps),
        };
        match sample {
            Some(rate) if rate > 0.0 && rate.is_finite() => {
                self.observed_ms = load.end_ms;
                self.learn(config, rate);
            }
            _ => self.raise_if_outgrown(load),
        }
    }

    /// What full guards complete, for all instances together: `None` without fresh reports, `Some(None)` if they say that
    /// they are not full.
    fn reported_full(&self, config: &CapacityConfig, now_ms: u64) -> Option<Option<f64>> {
        let fresh: Vec<&Full> = self.fresh(config, now_ms).filter(|full| full.workers > 0).collect();
        if fresh.is_empty() {
            return None;
        }
        let full: Vec<f64> = fresh.iter().filter(|f| f.full_for >= 2).map(|f| f64::from(f.completed)).collect();
        if full.len() * 2 < fresh.len() || full.is_empty() {
            return Some(None);
        }
        Some(Some(full.iter().sum::<f64>() / full.len() as f64 * fresh.len() as f64))
    }

    fn fresh(&self, config: &CapacityConfig, now_ms: u64) -> impl Iterator<Item = &Full> {
        let oldest = now_ms.saturating_sub(config.report_ttl_ms);
        self.instances.values().filter(move |full| full.at_ms >= oldest)
    }

    fn is_saturated(&self, config: &CapacityConfig, load: Load) -> bool {
        let [first, _, last] = self.delays[..] else { return false };
        let late = self.delays.iter().all(|delay| *delay > load.limit_ms);
        late && (last > first * config.growth || load.offered_rps > load.completed_rps * config.excess)
    }

    fn learn(&mut self, config: &CapacityConfig, rate: f64) {
        push(&mut self.saturated, rate, config.windows_max);
        if self.saturated.len() < config.windows_min {
            return;
        }
        let Some(known) = self.known else {
            self.known = interval(&self.saturated);
            return;
        };
        if rate >= known.low * 0.9 && rate <= known.high * 1.1 {
            self.disagree = 0;
            return;
        }
        self.disagree += 1;
        if self.disagree as usize >= config.windows_min {
            // The service is not what it was: only what was seen since it changed counts.
            let fresh = self.saturated.split_off(self.saturated.len() - config.windows_min);
            self.saturated = fresh;
            self.known = interval(&self.saturated);
            self.disagree = 0;
        }
    }

    /// Three windows in a row served more than the known capacity, without saturation: then it is at least that.
    fn raise_if_outgrown(&mut self, load: Load) {
        let Some(known) = self.known else { return };
        let least = self.served.iter().copied().fold(f64::INFINITY, f64::min);
        let is_late = load.delay_ms.is_some_and(|delay| delay > load.limit_ms);
        if self.served.len() == 3 && least > known.high && least.is_finite() && !is_late {
            self.known = Interval::between(least * 0.95, least);
            self.saturated.clear();
        }
    }
}

/// Quartiles of the saturated rates, at least as wide as counting noise (one standard deviation of a Poisson count).
fn interval(rates: &[f64]) -> Option<Interval> {
    let mut sorted = rates.to_vec();
    let middle = median(&mut sorted);
    let noise = libm::sqrt(middle.max(0.0) / rates.len().max(1) as f64);
    let quarter = sorted.len() / 4;
    let (low, high) = (sorted[quarter], sorted[sorted.len() - 1 - quarter]);
    Interval::between(low.min(middle - noise).max(0.0), high.max(middle + noise))
}

fn push(values: &mut Vec<f64>, value: f64, max: usize) {
    values.push(value);
    if values.len() > max.max(1) {
        values.remove(0);
    }
}
