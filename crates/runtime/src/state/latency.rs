//! The pipeline's own latencies, as HDR histograms of two digits.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

/// One hour in microseconds: what takes longer counts as that.
const LONGEST_US: u64 = 3_600_000_000;

/// The latencies of a pipeline.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// From polling the record that closes a window to the acknowledged commit.
    pub step: Latency,
    /// From the end of the window behind a command to the command's acknowledged commit, grace included.
    pub command: Latency,
    /// From the receipt of an order to the acknowledged commit of its effects.
    pub order: Latency,
    /// One call of the engine.
    pub apply: Latency,
    /// One commit.
    pub commit: Latency,
    /// Taking the engine's state for a snapshot: what a snapshot costs the engine's thread.
    pub snapshot: Latency,
}

/// One latency.
#[derive(Clone, Debug)]
pub struct Latency {
    recorded: Histogram<u64>,
    sum_us: u64,
}

/// Quantiles of a latency, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many were measured.
    pub count: u64,
    /// The median.
    pub p50_ms: f64,
    /// The 90th percentile.
    pub p90_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Default for Latency {
    fn default() -> Self {
        let recorded =
            Histogram::new_with_bounds(1, LONGEST_US, 2).expect("1 µs … 1 h with two digits is a valid range");
        Latency { recorded, sum_us: 0 }
    }
}

impl Latency {
    /// Counts one.
    pub fn record(&mut self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(LONGEST_US).clamp(1, LONGEST_US);
        self.recorded.saturating_record(took_us);
        self.sum_us = self.sum_us.saturating_add(took_us);
    }

    /// The quantiles.
    pub fn quantiles(&self) -> Quantiles {
        let at_ms = |quantile| self.recorded.value_at_quantile(quantile) as f64 / 1000.0;
        let max_ms = self.recorded.max() as f64 / 1000.0;
        let count = self.recorded.len();
        Quantiles { count, p50_ms: at_ms(0.5), p90_ms: at_ms(0.9), p99_ms: at_ms(0.99), max_ms }
    }

    /// Everything measured, summed, seconds.
    pub fn sum_s(&self) -> f64 {
        self.sum_us as f64 / 1e6
    }
}

impl Default for Latencies {
    fn default() -> Self {
        let new = Latency::default;
        Latencies { step: new(), command: new(), order: new(), apply: new(), commit: new(), snapshot: new() }
    }
}

impl Latencies {
    /// Each latency with its name and explanation.
    pub fn list(&self) -> [(&'static str, &'static str, &Latency); 6] {
        [
            ("step", "Polling the record that closes a window to the acknowledged commit.", &self.step),
            ("command", "Window end to the acknowledged command, grace included.", &self.command),
            ("order", "Receipt of an order to the acknowledged commit of its effects.", &self.order),
            ("apply", "One call of the engine.", &self.apply),
            ("commit", "One commit.", &self.commit),
            ("snapshot", "Taking the engine's state for a snapshot.", &self.snapshot),
        ]
    }
}
