//! The highest rate that can be sustained. Pure: a trial is a function.

use super::report::Trial;

/// Rates grow by so much until one is too high.
const GROWTH: f64 = 1.6;

/// Tries `trials` rates, `first` and then higher ones until one is not sustained, and from there on by halving; gives the
/// trials in the order in which they were made.
pub(super) fn search<E>(
    first: f64,
    trials: u32,
    mut attempt: impl FnMut(f64) -> Result<Trial, E>,
) -> Result<Vec<Trial>, E> {
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut made = Vec::new();
    for _ in 0..trials {
        let rate = match (low, high) {
            (0.0, f64::INFINITY) => first,
            (low, f64::INFINITY) => low * GROWTH,
            (low, high) => (low + high) / 2.0,
        };
        let trial = attempt(rate)?;
        if trial.sustained {
            low = f64::max(low, trial.offered_per_s);
        } else {
            high = f64::min(high, trial.offered_per_s);
        }
        made.push(trial);
    }
    Ok(made)
}

/// The best of the trials that were sustained.
pub(super) fn best(trials: &[Trial]) -> Option<&Trial> {
    let sustained = trials.iter().filter(|trial| trial.sustained);
    sustained.max_by(|a, b| a.offered_per_s.total_cmp(&b.offered_per_s))
}

/// Spans not yet read, sampled over a trial: does it grow? The first half fills the pipes; in the second it may not grow by
/// more than a hundredth of what is offered, unless all of it is less than what half a second brings.
pub(super) fn is_sustained(lags: &[u64], offered_per_s: f64, seconds: f64) -> bool {
    let mean = |lags: &[u64]| lags.iter().sum::<u64>() as f64 / lags.len().max(1) as f64;
    let quarter = lags.len() / 4;
    let (early, late) = (mean(&lags[quarter * 2..quarter * 3]), mean(&lags[lags.len() - quarter..]));
    !lags.is_empty()
        && (late <= offered_per_s / 2.0 || (late - early) / (seconds / 4.0).max(1e-3) < offered_per_s / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_closes_in_on_what_can_be_sustained() {
        let attempt = |offered_per_s: f64| {
            Ok::<_, ()>(Trial { offered_per_s, sustained: offered_per_s <= 300.0, ..Trial::default() })
        };
        for first in [20.0, 250.0, 1000.0] {
            let trials = search(first, 11, attempt).expect("no trial fails");
            let best = best(&trials).expect("some are sustained").offered_per_s;
            assert!((280.0..=300.0).contains(&best), "from {first}: {best}");
        }
    }

    #[test]
    fn a_lag_that_grows_is_not_sustained_and_a_steady_or_short_one_is() {
        let growing: Vec<u64> = (0..100).map(|at| at * 2_000).collect();
        assert!(!is_sustained(&growing, 100_000.0, 10.0));
        assert!(is_sustained(&[90_000; 100], 100_000.0, 10.0));
        assert!(is_sustained(&[10; 100], 100_000.0, 10.0));
        assert!(!is_sustained(&[], 100_000.0, 10.0));
    }
}
