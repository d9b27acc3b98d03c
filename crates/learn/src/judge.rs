//! Judging the values of one subject together: if one of them deviates, none is learned.

use crate::baseline::{Baseline, Health};
use crate::signals::Signals;
use crate::{LearnConfig, Signal, Subject};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A baseline with its last judgement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) baseline: Baseline,
    pub(crate) z: f64,
    pub(crate) noise: f64,
    pub(crate) calls: f64,
    pub(crate) at_ns: u64,
}

/// One value to be judged: signal, value, its standard error on the baseline's scale.
pub(crate) type Measured = (Signal, f64, f64);

/// Values that one subject has at most.
pub(crate) const SIGNALS_MAX: usize = 4;

/// Judges all values of a subject: if one deviates, none is learned.
#[expect(clippy::too_many_arguments, reason = "the fields of one judgement, borrowed apart")]
pub(crate) fn judge(
    config: &LearnConfig,
    deviating: &mut BTreeSet<(Subject, Signal)>,
    subject: Subject,
    signals: &mut Signals,
    measured: &[Option<Measured>; SIGNALS_MAX],
    calls: f64,
    at_ns: u64,
    sick: bool,
) {
    let is_over = |measured: &Option<Measured>| {
        let (signal, value, noise) = (*measured)?;
        Some(signals.get(&signal)?.baseline.is_over(&config.baseline(signal), value, noise))
    };
    let over: [bool; SIGNALS_MAX] = std::array::from_fn(|at| measured.get(at).and_then(is_over).unwrap_or(false));
    let health = if sick || over.contains(&true) { Health::Unhealthy } else { Health::Healthy };
    for (measured, over) in measured.iter().zip(over) {
        let Some((signal, value, noise)) = *measured else { continue };
        if over {
            deviating.insert((subject, signal));
        } else {
            deviating.remove(&(subject, signal));
        }
        let judged = signals.entry(signal);
        let jitter = jitter(subject, signal);
        judged.z = judged.baseline.offer(&config.baseline(signal), value, noise, health, jitter).unwrap_or(0.0);
        (judged.noise, judged.calls, judged.at_ns) = (noise, calls, at_ns);
    }
}

/// Between 0 and 1, the same for the same subject in every run.
fn jitter(subject: Subject, signal: Signal) -> f64 {
    let (a, b) = match subject {
        Subject::Service(id) => (id.0, 0),
        Subject::Edge(id) => (id.caller.0, id.callee.0),
    };
    let mut bytes = [0u8; 17];
    bytes[..8].copy_from_slice(&a.to_le_bytes());
    bytes[8..16].copy_from_slice(&b.to_le_bytes());
    bytes[16] = signal as u8;
    (model::stable_hash(&bytes) >> 11) as f64 / (1u64 << 53) as f64
}

pub(crate) fn normal_share(signals: &Signals, config: &LearnConfig) -> f64 {
    let judged = signals.get(&Signal::ErrorShare);
    judged.and_then(|judged| judged.baseline.normal(&config.baseline(Signal::ErrorShare))).unwrap_or(0.0)
}

/// The standard error of a share of `calls` calls around `normal`, smoothed by one success and one failure so that it is
/// not zero where nothing ever failed.
pub(crate) fn share_noise(normal: f64, calls: f64) -> f64 {
    let share = (normal.clamp(0.0, 1.0) * calls + 1.0) / (calls + 2.0);
    libm::sqrt(share * (1.0 - share) / calls.max(1.0))
}
