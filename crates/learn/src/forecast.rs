//! Demand of a service and where it is going: a straight line through its last minute, if there is one.
//!
//! Ordinary least squares by `linfa-linear` over the last windows; the slope's t statistic uses an effective number of
//! samples `n(1-ρ)/(1+ρ)` (ρ: lag-1 autocorrelation of the residuals), because neighbouring seconds are not independent.

use linfa::Dataset;
use linfa::traits::{Fit, Predict};
use linfa_linear::LinearRegression;
use model::Interval;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Windows that the line is drawn through.
const WINDOWS_MAX: usize = 60;
/// Windows before anything is said.
const WINDOWS_MIN: usize = 20;
/// The slope must be this many standard errors from zero.
const T_MIN: f64 = 4.0;
/// A line over a minute says nothing about what is farther away, seconds.
const HORIZON_S: f64 = 600.0;

/// The offered rate (first attempts, sheds included) of a service over its last windows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// (seconds since the first sample's origin, rate), oldest first.
    samples: VecDeque<(f64, f64)>,
    origin_ns: u64,
}

/// Where demand is going.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The line's value now, requests per second.
    pub now_rps: f64,
    /// Requests per second per second; zero unless significant.
    pub slope_rps_per_s: f64,
    /// The residuals' standard deviation, requests per second.
    pub residual_rps: f64,
    /// The slope's t statistic.
    pub t: f64,
    /// How long until demand reaches the capacity's low end, seconds; `None` if it is not rising significantly, not
    /// within ten minutes, or no capacity is known.
    pub saturates_in_s: Option<f64>,
}

impl Demand {
    /// Adds one window's rate.
    pub fn add(&mut self, end_ns: u64, rate_rps: f64) {
        if !rate_rps.is_finite() {
            return;
        }
        if self.samples.is_empty() {
            self.origin_ns = end_ns;
        }
        self.samples.push_back((end_ns.saturating_sub(self.origin_ns) as f64 / 1e9, rate_rps));
        if self.samples.len() > WINDOWS_MAX {
            self.samples.pop_front();
        }
    }

    /// The last rate; zero before the first.
    pub fn last_rps(&self) -> f64 {
        self.samples.back().map_or(0.0, |sample| sample.1)
    }

    /// The line through the last windows; `None` while there are too few, or they are all at one instant.
    pub fn forecast(&self, capacity_rps: Option<Interval>) -> Option<Forecast> {
        if self.samples.len() < WINDOWS_MIN {
            return None;
        }
        let last_s = self.samples.back()?.0;
        // Time counts back from now: the intercept is the value now, and the matrix stays well conditioned.
        let times = Array2::from_shape_fn((self.samples.len(), 1), |(at, _)| self.samples[at].0 - last_s);
        let rates = Array1::from_iter(self.samples.iter().map(|sample| sample.1));
        let spread: f64 = times.iter().map(|t| t * t).sum::<f64>() - times.sum() * times.sum() / times.len() as f64;
        if spread.is_nan() || spread <= 0.0 {
            return None;
        }
        let line = LinearRegression::default().fit(&Dataset::new(times.clone(), rates.clone())).ok()?;
        let fitted: Array1<f64> = line.predict(&times);
        let residuals: Vec<f64> = rates.iter().zip(fitted.iter()).map(|(rate, fit)| rate - fit).collect();
        let squares: f64 = residuals.iter().map(|r| r * r).sum();
        let lagged: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let correlation = if squares > 0.0 { (lagged / squares).clamp(0.0, 0.95) } else { 0.0 };
        let effective = residuals.len() as f64 * (1.0 - correlation) / (1.0 + correlation);
        let variance = squares / (effective - 2.0).max(1.0);
        let slope = *line.params().first()?;
        let now_rps = line.intercept();
        let error = libm::sqrt(variance / spread).max(1e-9 * (1.0 + libm::fabs(now_rps)));
        let t = (slope / error).clamp(-1e6, 1e6);
        let significant = libm::fabs(t) >= T_MIN && slope.is_finite();
        let slope_rps_per_s = if significant { slope } else { 0.0 };
        let saturates_in_s = capacity_rps
            .filter(|_| slope_rps_per_s > 0.0)
            .map(|capacity| ((capacity.low - now_rps) / slope_rps_per_s).max(0.0))
            .filter(|seconds| *seconds <= HORIZON_S);
        let residual_rps = libm::sqrt(squares / residuals.len() as f64);
        now_rps.is_finite().then_some(Forecast { now_rps, slope_rps_per_s, residual_rps, t, saturates_in_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise without randomness: a fixed sequence between -1 and 1.
    fn wiggle(at: u64) -> f64 {
        (model::stable_hash(&at.to_le_bytes()) % 2001) as f64 / 1000.0 - 1.0
    }

    fn ramp(slope: f64) -> Demand {
        let mut demand = Demand::default();
        for at in 0..60u64 {
            demand.add(at * 1_000_000_000, 100.0 + slope * at as f64 + 5.0 * wiggle(at));
        }
        demand
    }

    #[test]
    fn a_ramp_says_when_capacity_is_reached() {
        let capacity = Interval { low: 300.0, high: 350.0 };
        let forecast = ramp(2.0).forecast(Some(capacity)).expect("a minute of samples");
        assert!((forecast.slope_rps_per_s - 2.0).abs() < 0.1, "{forecast:?}");
        let expected = (300.0 - 218.0) / 2.0;
        assert!((forecast.saturates_in_s.expect("rising") - expected).abs() < 4.0, "{forecast:?}");
        assert_eq!(ramp(2.0).forecast(None).and_then(|f| f.saturates_in_s), None);
    }

    #[test]
    fn flat_and_falling_demand_never_saturates() {
        let capacity = Some(Interval { low: 300.0, high: 350.0 });
        assert_eq!(ramp(0.0).forecast(capacity).expect("samples").slope_rps_per_s, 0.0);
        assert_eq!(ramp(-1.0).forecast(capacity).expect("samples").saturates_in_s, None);
        assert_eq!(Demand::default().forecast(capacity), None);
        let mut instant = Demand::default();
        (0..30).for_each(|_| instant.add(5, 1.0));
        assert_eq!(instant.forecast(capacity), None);
    }
}
