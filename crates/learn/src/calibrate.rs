//! Confidence: how often is the program right when the evidence is this strong?
//!
//! Platt scaling (Platt 1999): `p = 1 / (1 + exp(-(a + b·s)))` over a strength `s`, with b ≥ 0 so that more evidence never
//! means less confidence; the result is multiplied by the coverage of the telemetry, because what is not seen cannot
//! speak against it.

use serde::{Deserialize, Serialize};

/// The coefficients of a Platt mapping.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Log-odds at strength zero.
    pub intercept: f64,
    /// Log-odds per unit of strength; not negative.
    pub slope: f64,
}

impl Calibration {
    /// For signatures, where strength is the number of independent facts that hold plus the log of the weakest margin
    /// (value over limit). Chosen, not fitted: strength 1 (a single fact just above its limit) gives .60, the precision
    /// that error rate alone had in 400 simulated triggers; strength 2 (both facts of the metastability test, just above)
    /// gives .90, below its measured 1.00 because those triggers came from one simulator (notes §14.1). To be refitted with
    /// [`Calibration::fit`] on labelled replays.
    pub const SIGNATURE: Calibration = Calibration { intercept: -1.386, slope: 1.792 };

    /// The confidence for evidence of strength `strength` on telemetry of coverage `coverage` (0..1). Not a number and
    /// negative strength count as zero.
    pub fn confidence(&self, strength: f64, coverage: f64) -> f64 {
        let strength = if strength.is_nan() { 0.0 } else { strength.clamp(0.0, 50.0) };
        let coverage = if coverage.is_nan() { 0.0 } else { coverage.clamp(0.0, 1.0) };
        logistic(self.intercept + self.slope.max(0.0) * strength) * coverage
    }

    /// Fits the coefficients to (strength, was it right) by Newton steps on the log-likelihood, with Platt's smoothed
    /// targets so that a perfectly separable sample stays finite. `None` unless both outcomes occur.
    pub fn fit(samples: &[(f64, bool)]) -> Option<Calibration> {
        let right = samples.iter().filter(|sample| sample.1).count() as f64;
        let wrong = samples.len() as f64 - right;
        if right == 0.0 || wrong == 0.0 || samples.iter().any(|sample| !sample.0.is_finite()) {
            return None;
        }
        let (high, low) = ((right + 1.0) / (right + 2.0), 1.0 / (wrong + 2.0));
        let mut fitted = Calibration { intercept: libm::log((right + 1.0) / (wrong + 1.0)), slope: 0.0 };
        for _ in 0..100 {
            let (mut g0, mut g1, mut h00, mut h01, mut h11) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
            for (strength, was_right) in samples {
                let p = logistic(fitted.intercept + fitted.slope * strength);
                let error = if *was_right { high } else { low } - p;
                let weight = p * (1.0 - p);
                g0 += error;
                g1 += error * strength;
                h00 += weight;
                h01 += weight * strength;
                h11 += weight * strength * strength;
            }
            let determinant = h00 * h11 - h01 * h01;
            if determinant.is_nan() || determinant <= 1e-12 {
                break;
            }
            let (d0, d1) = ((h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant);
            fitted.intercept += d0.clamp(-2.0, 2.0);
            fitted.slope += d1.clamp(-2.0, 2.0);
            if libm::fabs(d0) + libm::fabs(d1) < 1e-9 {
                break;
            }
        }
        if fitted.slope < 0.0 {
            // Strength says nothing here: fall back to the share that was right.
            fitted = Calibration { intercept: libm::log((right + 1.0) / (wrong + 1.0)), slope: 0.0 };
        }
        Some(fitted)
    }
}

/// The Brier score of (confidence, was it right): the mean squared error, 0 is best; `None` for no sample.
pub fn brier(samples: &[(f64, bool)]) -> Option<f64> {
    let sum: f64 =
        samples.iter().map(|(p, right)| (p - f64::from(u8::from(*right))) * (p - f64::from(u8::from(*right)))).sum();
    (!samples.is_empty()).then(|| sum / samples.len() as f64)
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_rises_with_strength_and_with_coverage_and_stays_between_zero_and_one() {
        let c = Calibration::SIGNATURE;
        assert!((c.confidence(1.0, 1.0) - 0.6).abs() < 0.01);
        assert!((c.confidence(2.0, 1.0) - 0.9).abs() < 0.01);
        assert!(c.confidence(2.0, 0.5) < c.confidence(2.0, 0.9));
        for odd in [f64::NAN, f64::INFINITY, -1.0] {
            assert!((0.0..=1.0).contains(&c.confidence(odd, odd)));
        }
    }

    #[test]
    fn a_fit_finds_the_coefficients_that_made_the_sample() {
        let mut samples = Vec::new();
        for step in 0..40 {
            let strength = f64::from(step) / 10.0;
            let right = (logistic(-2.0 + 1.5 * strength) * 100.0) as usize;
            samples.extend((0..100).map(|n| (strength, n < right)));
        }
        let fitted = Calibration::fit(&samples).expect("both outcomes occur");
        assert!((fitted.intercept + 2.0).abs() < 0.15 && (fitted.slope - 1.5).abs() < 0.1, "{fitted:?}");
        let told: Vec<(f64, bool)> = samples.iter().map(|(s, right)| (fitted.confidence(*s, 1.0), *right)).collect();
        assert!(brier(&told).expect("samples") < 0.2);
    }

    #[test]
    fn a_sample_of_one_kind_cannot_be_fitted_and_a_separable_one_stays_finite() {
        assert_eq!(Calibration::fit(&[(1.0, true)]), None);
        let fitted = Calibration::fit(&[(1.0, true), (0.0, false), (2.0, true)]).expect("both outcomes occur");
        assert!(fitted.slope.is_finite() && fitted.intercept.is_finite());
        assert_eq!(Calibration::fit(&[(0.0, true), (1.0, false)]).expect("both").slope, 0.0);
    }
}
