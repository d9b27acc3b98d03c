//! What a command is meant to lower, measured: without an effect by the promised time it is withdrawn.

use crate::guards::Guards;
use crate::ledger::{Key, Lease};
use crate::picture::Picture;
use crate::plan::HEADROOM;
use model::{Setting, Signature};

/// How much longer than its bound a queue may be and still count as bounded: bounds act on admission, work inside goes on.
const QUEUE_SLACK: f64 = 3.0;
/// Retries above the budget that still count as kept: the minimum that a guard always allows.
const RETRY_SLACK: f64 = 0.05;

/// Requests of a higher class that may still be refused for lower ones, per second.
pub(crate) const INVERTED_SLACK_RPS: f64 = 2.0;
/// The same as a share of what is asked of the crowded service: what is left is too little for another step.
const INVERTED_LEFT: f64 = 0.06;

/// What to lower, and below which value it is as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Measure {
    /// The value; `None` where it is not known.
    pub now: Option<f64>,
    /// The limit.
    pub good: f64,
}

/// Measures what `setting` on `key` should lower for the sake of the overloaded service that the lease is about.
pub(crate) fn measure(key: &Key, setting: Setting, lease: &Lease, picture: &Picture, guards: &Guards) -> Measure {
    let about = lease.about.as_str();
    match setting {
        Setting::QueueBound { work_ms } => {
            Measure { now: queue_delay_ms(&key.0.service, picture, guards), good: QUEUE_SLACK * f64::from(work_ms) }
        }
        Setting::Purge { older_than_ms } => {
            Measure { now: queue_delay_ms(&key.0.service, picture, guards), good: f64::from(older_than_ms) }
        }
        Setting::RetryBudget { ratio_permille } => {
            let caller = key.0.caller.as_deref().unwrap_or_default();
            let edge = picture.edge(caller, &key.0.service).filter(|edge| edge.first_attempts_rps > 0.0);
            let per_first = edge.map(|edge| edge.retries_rps / edge.first_attempts_rps);
            Measure { now: per_first, good: f64::from(ratio_permille) / 1000.0 + RETRY_SLACK }
        }
        Setting::Admission { .. } if lease.reason.signature == Signature::Inversion => {
            let inverted = picture.services.get(about).and_then(|facts| facts.inverted);
            Measure {
                now: inverted.map(|inverted| inverted.rps),
                good: INVERTED_SLACK_RPS.max(INVERTED_LEFT * picture.demand_rps(about)),
            }
        }
        Setting::Admission { .. } => {
            let facts = picture.services.get(about);
            let room = facts.and_then(|facts| facts.capacity_rps).map_or(0.0, |capacity| HEADROOM * capacity.high);
            Measure { now: facts.map(|facts| facts.first_attempts_rps), good: room }
        }
        _ => Measure::default(),
    }
}

/// How long work waits at `service`: what its guards say, else the middle of what the telemetry allows.
pub(crate) fn queue_delay_ms(service: &str, picture: &Picture, guards: &Guards) -> Option<f64> {
    let told = guards.queue_delay_ms(service);
    told.or_else(|| picture.services.get(service)?.queue_delay_ms.map(|delay| delay.middle()))
}
