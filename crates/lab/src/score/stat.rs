//! Means over seeds, and how far to believe them.

use serde::Serialize;

/// A mean with the half width of its 95 % confidence interval (Student's t; Gosset, 1908).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stat {
    /// The mean.
    pub mean: f64,
    /// The interval is mean ± this; zero for a single sample.
    pub ci95: f64,
    /// How many samples there were.
    pub n: usize,
}

/// Student's t at 97.5 % for 1, 2, … degrees of freedom.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

impl Stat {
    /// Of these samples; none of none.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Stat> {
        let samples: Vec<f64> = samples.into_iter().collect();
        let n = samples.len();
        if n == 0 {
            return None;
        }
        let mean = samples.iter().sum::<f64>() / n as f64;
        if n == 1 {
            return Some(Stat { mean, ci95: 0.0, n });
        }
        let variance = samples.iter().map(|sample| (sample - mean) * (sample - mean)).sum::<f64>() / (n - 1) as f64;
        let t = T.get(n - 2).copied().unwrap_or(1.96);
        Some(Stat { mean, ci95: t * (variance / n as f64).sqrt(), n })
    }

    /// Does the interval lie on one side of zero?
    pub fn is_clear(&self) -> bool {
        self.n > 1 && self.mean.abs() > self.ci95
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_text_books() {
        // mean 5, s = √(10/4) = 1.5811, s/√5 = 0.7071, t(4) = 2.776
        let stat = Stat::of([3.0, 4.0, 5.0, 6.0, 7.0]).unwrap();
        assert_eq!((stat.mean, stat.n), (5.0, 5));
        assert!((stat.ci95 - 1.963).abs() < 0.001, "{}", stat.ci95);
        assert!(stat.is_clear());
        assert_eq!(Stat::of([]), None);
        assert_eq!(Stat::of([2.0]), Some(Stat { mean: 2.0, ci95: 0.0, n: 1 }));
    }
}
