//! Values move in bounded steps: tighter in large ones, looser in small ones, and not at all for noise.

use crate::policy::Pace;
use crate::shed;
use model::{LEVELS, Setting};

/// Retry budgets are let go at the field's usual value.
const RETRY_BUDGET_USUAL_PERMILLE: u16 = 200;
/// One step of a retry budget on its way up.
const RETRY_STEP_PERMILLE: u16 = 50;
/// A change of the shed share below this is noise.
const SHARE_NOISE: f64 = 0.03;

/// The next value on the way from `from` (nothing sent yet: open) to `wanted`.
pub(super) fn toward(from: Option<Setting>, wanted: Setting, mix: &[f64; LEVELS], pace: &Pace) -> Setting {
    match (from, wanted) {
        (_, Setting::Admission { .. }) => {
            let from = from.unwrap_or(shed::OPEN);
            let (now, goal) = (shed::share(from, mix), shed::share(wanted, mix));
            let tighter = f64::from(pace.shed_step_permille) / 1000.0;
            let looser = f64::from(pace.release_step_permille) / 1000.0;
            if goal > now + tighter {
                shed::setting(now + tighter, mix)
            } else if goal < now - looser {
                shed::setting(now - looser, mix)
            } else {
                wanted
            }
        }
        (Some(Setting::RetryBudget { ratio_permille: now }), Setting::RetryBudget { ratio_permille: goal }) => {
            Setting::RetryBudget { ratio_permille: goal.min(now.saturating_add(RETRY_STEP_PERMILLE)) }
        }
        _ => wanted,
    }
}

/// A change of an outlier's share of traffic below this is noise, in 1/1000.
const ROUTE_NOISE_PERMILLE: u16 = 100;
/// One step of the way back of what was isolated: this many times as much traffic.
const ROUTE_STEP_TIMES: u16 = 4;

/// Is the way from `from` to `to` too short to be worth a change?
pub(super) fn is_noise(from: Setting, to: Setting, mix: &[f64; LEVELS]) -> bool {
    match (from, to) {
        (Setting::Admission { .. }, Setting::Admission { .. }) => {
            let lets_all_in = to == shed::OPEN && from != shed::OPEN;
            !lets_all_in && (shed::share(from, mix) - shed::share(to, mix)).abs() < SHARE_NOISE
        }
        (Setting::RetryBudget { ratio_permille: from }, Setting::RetryBudget { ratio_permille: to }) => {
            from == to || (to != 0 && from.abs_diff(to) < 10)
        }
        (Setting::QueueBound { work_ms: from }, Setting::QueueBound { work_ms: to })
        | (Setting::Purge { older_than_ms: from }, Setting::Purge { older_than_ms: to }) => {
            from.abs_diff(to) * 10 < from.max(1)
        }
        (Setting::Route { share_permille: from }, Setting::Route { share_permille: to }) => {
            from.abs_diff(to) < ROUTE_NOISE_PERMILLE
        }
        _ => from == to,
    }
}

/// One step of a release: the next value, or `None` when the knob is let go.
pub(super) fn release(from: Setting, mix: &[f64; LEVELS], pace: &Pace) -> Option<Setting> {
    match from {
        Setting::Admission { .. } => {
            let next = shed::share(from, mix) - f64::from(pace.release_step_permille.max(1)) / 1000.0;
            let setting = shed::setting(next, mix);
            // Open is a step of its own, so that the last of the demand is tried like the rest. Without demand at the entry
            // no share is known: then that is the next step.
            let setting = if shed::depth(setting) < shed::depth(from) { setting } else { shed::OPEN };
            (from != shed::OPEN).then_some(setting)
        }
        Setting::RetryBudget { ratio_permille } => {
            let next = ratio_permille.saturating_add(RETRY_STEP_PERMILLE);
            (next < RETRY_BUDGET_USUAL_PERMILLE).then_some(Setting::RetryBudget { ratio_permille: next })
        }
        Setting::Route { share_permille } => {
            let next = share_permille.max(1).saturating_mul(ROUTE_STEP_TIMES);
            (next < 1000).then_some(Setting::Route { share_permille: next })
        }
        _ => None,
    }
}
