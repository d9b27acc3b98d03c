//! An adaptive concurrency limit: as many requests in flight as the latency allows.
//!
//! Gradient2 (Netflix `Gradient2Limit.java`): `g = clamp(tolerance × baseline / latency, 0.5, 1)`,
//! `limit' = limit × g + √limit`, smoothed. Against baseline drift, the wound of its relatives: the baseline rises only
//! while latency is healthy and slowly, never above `drift_max ×` the lowest that was confirmed, and what really became
//! slower for good is learnt the way Envoy does it, by measuring at the floor of the limit, where no queue can hide in it.

/// The constants of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientConfig {
    /// The limit at the start.
    pub initial: u32,
    /// The limit never falls below this.
    pub min: u32,
    /// The limit never rises above this.
    pub max: u32,
    /// Latency may be this many times the baseline before the limit falls.
    pub tolerance: f64,
    /// How much of a new limit is taken over, 0..1.
    pub smoothing: f64,
    /// Fewer samples than this say nothing: steps are put together until there are as many.
    pub samples_min: u32,
    /// The baseline never drifts above this many times the lowest that was confirmed.
    pub drift_max: f64,
    /// After so many steps at the floor, the latency there is the new baseline.
    pub steps_at_floor: u32,
    /// In so many steps the baseline drifts towards a latency that is higher, but healthy, by a factor of e.
    pub drift_steps: u32,
}

impl Default for GradientConfig {
    fn default() -> GradientConfig {
        GradientConfig {
            initial: 20,
            min: 4,
            max: 1000,
            tolerance: 1.5,
            smoothing: 0.2,
            samples_min: 10,
            drift_max: 2.0,
            steps_at_floor: 5,
            // ten minutes of steps of one second
            drift_steps: 600,
        }
    }
}

/// What a step measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Requests that finished with success.
    pub completed: u32,
    /// The sum of their durations, microseconds.
    pub latency_us_sum: u64,
    /// The most that were in flight.
    pub in_flight_max: u32,
}

/// The limit and what it learnt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConcurrencyLimit {
    config: GradientConfig,
    limit: f64,
    /// The latency of calm, microseconds; `None` until the first sample.
    baseline_us: Option<f64>,
    confirmed_us: f64,
    steps_at_floor: u32,
    /// What was measured since the limit moved last, while it is too little to say something.
    pending: Sample,
}

impl ConcurrencyLimit {
    /// A limit at its start.
    pub fn new(config: GradientConfig) -> ConcurrencyLimit {
        let limit = f64::from(config.initial.clamp(config.min, config.max.max(config.min)));
        ConcurrencyLimit {
            config,
            limit,
            baseline_us: None,
            confirmed_us: 0.0,
            steps_at_floor: 0,
            pending: Sample::default(),
        }
    }

    /// Requests that may be in flight.
    pub fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// The latency of calm, microseconds, once known.
    pub fn baseline_us(&self) -> Option<f64> {
        self.baseline_us
    }

    /// Moves the limit by what a step measured.
    pub fn step(&mut self, sample: Sample) {
        self.pending.completed += sample.completed;
        self.pending.latency_us_sum += sample.latency_us_sum;
        self.pending.in_flight_max = self.pending.in_flight_max.max(sample.in_flight_max);
        if self.pending.completed < self.config.samples_min.max(1) {
            return;
        }
        let sample = std::mem::take(&mut self.pending);
        let latency_us = (sample.latency_us_sum as f64 / f64::from(sample.completed)).max(1.0);
        let baseline_us = self.learn(latency_us);
        let gradient = (self.config.tolerance * baseline_us / latency_us).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + self.limit.sqrt();
        let limited = f64::from(sample.in_flight_max) * 2.0 >= self.limit;
        if wanted > self.limit && !limited {
            // Nobody asked for more: growing now would be a guess.
            return;
        }
        let (low, high) = (f64::from(self.config.min), f64::from(self.config.max.max(self.config.min)));
        self.limit = (self.limit + (wanted - self.limit) * self.config.smoothing).clamp(low, high);
    }

    fn learn(&mut self, latency_us: f64) -> f64 {
        let Some(baseline_us) = self.baseline_us else {
            (self.baseline_us, self.confirmed_us) = (Some(latency_us), latency_us);
            return latency_us;
        };
        // √limit is the growth at gradient 1; below it the floor holds.
        let floor = f64::from(self.config.min) + f64::from(self.config.min).sqrt();
        self.steps_at_floor = if self.limit <= floor { self.steps_at_floor + 1 } else { 0 };
        let healthy = latency_us <= self.config.tolerance * baseline_us;
        let learnt = if !healthy && self.steps_at_floor >= self.config.steps_at_floor.max(1) {
            (self.steps_at_floor, self.confirmed_us) = (0, latency_us);
            latency_us
        } else if latency_us < baseline_us {
            baseline_us + (latency_us - baseline_us) * 0.1
        } else if healthy {
            let drifted = baseline_us + (latency_us - baseline_us) / f64::from(self.config.drift_steps.max(1));
            drifted.min(self.confirmed_us * self.config.drift_max)
        } else {
            baseline_us
        };
        self.confirmed_us = self.confirmed_us.min(learnt);
        self.baseline_us = Some(learnt);
        learnt
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(latency_us: u64, in_flight_max: u32) -> Sample {
        Sample { completed: 100, latency_us_sum: latency_us * 100, in_flight_max }
    }

    /// A server with `workers` workers of 10 ms each: beyond that, requests queue.
    fn latency_us(limit: u32, workers: u32) -> u64 {
        10_000 * u64::from(limit.max(workers)) / u64::from(workers)
    }

    #[test]
    fn it_settles_near_what_the_server_can_do_and_follows_when_that_changes() {
        let mut limit = ConcurrencyLimit::new(GradientConfig::default());
        let mut run = |workers: u32, steps: u32| {
            (0..steps).for_each(|_| limit.step(sample(latency_us(limit.limit(), workers), limit.limit())));
            limit.limit()
        };
        let healthy = run(40, 300);
        assert!((40..=100).contains(&healthy), "{healthy}");
        let sick = run(10, 300);
        assert!(sick < healthy, "{sick}");
        let again = run(40, 600);
        assert!((40..=100).contains(&again), "{again}");
    }

    #[test]
    fn a_long_incident_does_not_become_the_baseline() {
        let mut limit = ConcurrencyLimit::new(GradientConfig { min: 20, ..GradientConfig::default() });
        (0..50).for_each(|_| limit.step(sample(10_000, limit.limit())));
        // Creeping, always just inside the tolerance of what was learnt.
        for _ in 0..100_000 {
            let creep_us = limit.baseline_us().unwrap() * 1.49;
            limit.step(sample(creep_us as u64, limit.limit()));
        }
        assert!(limit.baseline_us().unwrap() <= 20_000.0 + 1.0);
    }

    #[test]
    fn what_became_slower_for_good_is_learnt_at_the_floor() {
        let mut limit = ConcurrencyLimit::new(GradientConfig::default());
        (0..50).for_each(|_| limit.step(sample(10_000, limit.limit())));
        (0..500).for_each(|_| limit.step(sample(50_000, limit.limit())));
        assert!(limit.limit() > 20, "{}", limit.limit());
    }

    #[test]
    fn steps_with_little_traffic_are_put_together() {
        let mut limit = ConcurrencyLimit::new(GradientConfig::default());
        let few = Sample { completed: 3, latency_us_sum: 30_000, in_flight_max: 20 };
        (0..3).for_each(|_| limit.step(few));
        assert_eq!(limit.baseline_us(), None, "nine samples say nothing");
        limit.step(few);
        assert_eq!(limit.baseline_us(), Some(10_000.0));
    }

    #[test]
    fn it_does_not_grow_when_nobody_asks_for_more() {
        let mut limit = ConcurrencyLimit::new(GradientConfig::default());
        (0..100).for_each(|_| limit.step(sample(10_000, 1)));
        assert_eq!(limit.limit(), 20);
    }

    proptest! {
        #[test]
        fn the_limit_stays_within_its_bounds(steps in prop::collection::vec((0u64..10_000_000, 0u32..2000), 0..200)) {
            let mut limit = ConcurrencyLimit::new(GradientConfig::default());
            for (latency, in_flight) in steps {
                limit.step(sample(latency, in_flight));
                prop_assert!((4..=1000).contains(&limit.limit()));
            }
        }
    }
}
