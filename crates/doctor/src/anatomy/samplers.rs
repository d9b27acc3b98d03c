//! By what a sampler has chosen, from what it left.
//!
//! Ratio samplers of the SDKs compare a part of the trace id with a bound, so what they let through has ids in one part of
//! the range only. The parts, by language: OpenTelemetry's Go and Python, the low 64 bits; Java and .NET, the low 63 bits'
//! magnitude; JavaScript, the exclusive or of the four words; consistent sampling (`tracestate`, the Collector's
//! `proportional` mode), the low 56 bits from above. With n random ids the chance that none lies in the top part above m is
//! m^n: below 1e-9 it is no chance.

use super::Runs;
use model::{Outcome, Span, Weight};
use std::collections::BTreeMap;
use trace::Trace;

/// Ids before a sampler is read from them.
const IDS_MIN: usize = 100;
/// n · ln(1/m) above this is no chance (1e-9).
const CERTAIN: f64 = 20.7;
/// Traces before their failures are judged.
const TRACES_MIN: u64 = 50;
/// Whole seconds before their evenness is judged.
const SECONDS_MIN: usize = 20;

/// Which part of the id was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Go, Python: the low 64 bits.
    Low,
    /// Java, .NET: their magnitude as a signed number.
    Magnitude,
    /// JavaScript: the words' exclusive or.
    Folded,
    /// Consistent probability sampling: the low 56 bits from above.
    Consistent,
}

/// A sampler's ratio, read from the ids that it left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) method: Method,
    /// The share that it keeps, 0..1.
    pub(crate) share: f64,
}

/// What traces show of samplers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// All traces lie in a part of the range, and their spans do not say so.
    pub(crate) undeclared: Option<Ratio>,
    /// Traces without a failure do, those with one do not: failures are kept, successes are sampled.
    pub(crate) failures_kept: Option<Ratio>,
    /// Traces that hold a failure, of all whole ones.
    pub(crate) failing: u64,
    pub(crate) whole: u64,
    /// The variance of traces per second over their mean: 1 for arrivals by chance, near 0 where a sampler fills a quota.
    pub(crate) dispersion: Option<f64>,
    /// Traces a second.
    pub(crate) traces_per_s: f64,
}

impl Marks {
    /// Do nearly all traces hold a failure?
    pub(crate) fn mostly_failing(&self) -> bool {
        self.whole >= TRACES_MIN && self.failing * 5 >= self.whole * 4
    }

    /// Is it the same number each second?
    pub(crate) fn even(&self) -> bool {
        self.traces_per_s >= 5.0 && self.dispersion.is_some_and(|dispersion| dispersion < 0.1)
    }
}

pub(super) fn marks(traces: &[Trace], runs: &Runs) -> Marks {
    let (mut good, mut bad): (Vec<u128>, Vec<u128>) = (Vec::new(), Vec::new());
    let mut declared = 0;
    let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
    for trace in traces {
        let Some(first) = trace.spans().first() else { continue };
        let fails = trace.spans().iter().any(|span| matches!(span.outcome, Outcome::Failed(_)));
        if fails {
            bad.push(first.trace.0)
        } else {
            good.push(first.trace.0)
        }
        declared += usize::from(trace.spans().iter().any(is_declared));
        *seconds.entry(first.start_ns / 1_000_000_000).or_default() += 1;
    }
    let mut marks = Marks { failing: bad.len() as u64, whole: traces.len() as u64, ..Marks::default() };
    let all: Vec<u128> = good.iter().chain(&bad).copied().collect();
    let is_declared = declared * 2 > traces.len();
    if !is_declared {
        marks.undeclared = ratio(&all);
        let failing = ratio(&bad);
        marks.failures_kept = ratio(&good).filter(|_| marks.undeclared.is_none() && failing.is_none());
        // Too few failures to tell their ids apart prove nothing.
        if marks.failing < 10 {
            marks.failures_kept = None;
        }
    }
    (marks.dispersion, marks.traces_per_s) = dispersion(&seconds, runs);
    marks
}

fn is_declared(span: &Span) -> bool {
    !span.weight.is_known() || span.weight != Weight::ONE
}

/// The ratio that explains why the ids lie as they do; `None` where they lie everywhere, or are not random.
fn ratio(ids: &[u128]) -> Option<Ratio> {
    if ids.len() < IDS_MIN {
        return None;
    }
    let by = |method: Method| {
        let mut places: Vec<f64> = ids.iter().map(|id| place(method, *id)).collect();
        places.sort_by(f64::total_cmp);
        let (highest, count) = (places[places.len() - 1], places.len() as f64);
        let sure = highest > 0.0 && -count * libm::log(highest) > CERTAIN;
        // Below the bound they must lie evenly, or the ids are simply not random.
        let middle = places[places.len() / 2] / highest.max(f64::MIN_POSITIVE);
        let even = (middle - 0.5).abs() < 3.0 / libm::sqrt(count);
        let share = highest * (count + 1.0) / count;
        (sure && even && share > 1e-5).then_some(Ratio { method, share })
    };
    let methods = [Method::Low, Method::Magnitude, Method::Folded, Method::Consistent];
    methods.into_iter().filter_map(by).min_by(|a, b| a.share.total_cmp(&b.share))
}

/// Where in the range 0..1 a sampler of this kind sees the id.
fn place(method: Method, id: u128) -> f64 {
    let low = id as u64;
    let full = 18_446_744_073_709_551_616.0;
    match method {
        Method::Low => low as f64 / full,
        Method::Magnitude => low.cast_signed().unsigned_abs() as f64 / (full / 2.0),
        Method::Folded => {
            let folded = (id >> 96) as u32 ^ (id >> 64) as u32 ^ (id >> 32) as u32 ^ id as u32;
            f64::from(folded) / 4_294_967_296.0
        }
        Method::Consistent => 1.0 - (low & ((1 << 56) - 1)) as f64 / 72_057_594_037_927_936.0,
    }
}

/// Variance over mean of traces per second, in whole seconds, and the mean.
fn dispersion(seconds: &BTreeMap<u64, u64>, runs: &Runs) -> (Option<f64>, f64) {
    let counts: Vec<f64> = runs
        .iter()
        .flat_map(|(first, last)| first + 1..last)
        .map(|second| seconds.get(&second).copied().unwrap_or(0) as f64)
        .collect();
    let count = counts.len() as f64;
    if counts.is_empty() {
        return (None, 0.0);
    }
    let mean = counts.iter().sum::<f64>() / count;
    let variance = counts.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    ((counts.len() >= SECONDS_MIN && mean > 0.0).then(|| variance / mean), mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random enough: splitmix64.
    fn ids(count: usize) -> Vec<u128> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        (0..count).map(|_| u128::from(next()) << 64 | u128::from(next())).collect()
    }

    #[test]
    fn each_kind_of_ratio_sampler_is_read_from_the_ids_it_left() {
        let all = ids(40_000);
        assert_eq!(ratio(&all), None, "nothing was sampled");
        for method in [Method::Low, Method::Magnitude, Method::Folded, Method::Consistent] {
            for share in [0.5, 0.1, 0.01] {
                let kept: Vec<u128> = all.iter().copied().filter(|id| place(method, *id) < share).collect();
                let read = ratio(&kept).unwrap_or_else(|| panic!("{method:?} {share} of {} ids", kept.len()));
                assert_eq!(read.method, method, "{share}");
                assert!((read.share / share - 1.0).abs() < 0.03, "{read:?} for {share}");
            }
        }
    }

    #[test]
    fn counters_and_few_ids_say_nothing() {
        assert_eq!(ratio(&(1..2000).collect::<Vec<u128>>()), None, "a counter is not random");
        assert_eq!(ratio(&ids(50)), None);
    }
}
