//! Seeded chance. Each thing that is drawn for has its own stream, so that a change of policy in one place does not
//! change the arrivals or service times in another.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One stream of chance.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    rng: ChaCha8Rng,
}

/// A distribution of durations in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Law {
    /// `exp(mu + sigma · N(0,1))`.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Exponential with this mean.
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// Always this.
    Constant {
        /// The value.
        value: f64,
    },
}

impl Law {
    /// The lognormal law with this mean and coefficient of variation.
    pub(crate) fn lognormal(mean: f64, cv: f64) -> Law {
        if cv == 0.0 {
            return Law::Constant { value: mean };
        }
        let variance = libm::log1p(cv * cv);
        Law::Lognormal { mu: libm::log(mean) - variance / 2.0, sigma: libm::sqrt(variance) }
    }
}

impl Dice {
    /// The stream `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Dice {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Dice { rng }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Between 0 (included) and 1 (excluded).
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True with this probability. Draws nothing where the answer is certain.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability >= 1.0 || (probability > 0.0 && self.uniform() < probability)
    }

    /// A whole number below `bound` (which is not 0).
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u32
    }

    /// Exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.uniform())
    }

    /// A draw from `law`, in nanoseconds, at least one.
    pub(crate) fn duration_ns(&mut self, law: Law, factor: f64) -> u64 {
        let value = match law {
            Law::Constant { value } => value,
            Law::Exponential { mean } => self.exponential(mean),
            Law::Lognormal { mu, sigma } => libm::exp(mu + sigma * self.normal()),
        };
        ((value * factor) as u64).max(1)
    }

    /// Standard normal (Box and Muller, 1958).
    fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(law: Law) -> (f64, f64) {
        let mut dice = Dice::new(7, 1);
        let draws: Vec<f64> = (0..200_000).map(|_| dice.duration_ns(law, 1.0) as f64).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| (draw - mean) * (draw - mean)).sum::<f64>() / draws.len() as f64;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn laws_have_the_mean_and_variation_they_were_asked_for() {
        let (mean, cv) = moments(Law::lognormal(4e6, 0.7));
        assert!((mean / 4e6 - 1.0).abs() < 0.01 && (cv - 0.7).abs() < 0.02, "{mean} {cv}");
        let (mean, cv) = moments(Law::Exponential { mean: 4e6 });
        assert!((mean / 4e6 - 1.0).abs() < 0.01 && (cv - 1.0).abs() < 0.02, "{mean} {cv}");
    }

    #[test]
    fn streams_differ_and_repeat() {
        let draw = |seed, stream| Dice::new(seed, stream).bits();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }
}
