//! A setting in words, as an on-call engineer would say it.

use model::{BreakerPhase, Setting};

/// What it asks of those who obey.
pub(super) fn words(setting: Setting) -> String {
    let percent = |permille: u16| f64::from(permille) / 10.0;
    match setting {
        Setting::Admission { lowest, fraction_permille: 1000 } => {
            format!("admit {} and above", lowest.as_str())
        }
        Setting::Admission { lowest, fraction_permille } => {
            format!("admit {} % of {} and all above", percent(fraction_permille), lowest.as_str())
        }
        Setting::QueueBound { work_ms } => format!("at most {work_ms} ms of work waits"),
        Setting::RetryBudget { ratio_permille } => {
            format!("retries at most {} % of first attempts", percent(ratio_permille))
        }
        Setting::Timeout { timeout_ms } => format!("each try at most {timeout_ms} ms"),
        Setting::Concurrency { limit } => format!("at most {limit} requests in flight"),
        Setting::Breaker { phase } => {
            let phase = match phase {
                BreakerPhase::Open => "open",
                BreakerPhase::HalfOpen => "half open, one probe at a time",
                BreakerPhase::Ramp => "in its ramp",
                BreakerPhase::Closed => "closed",
            };
            format!("breaker held {phase}")
        }
        Setting::BreakerThreshold { failure_permille } => {
            format!("breaker opens at {} % failures", percent(failure_permille))
        }
        Setting::KillSwitch { level } => format!("degradation level {level}"),
        Setting::Purge { older_than_ms } => format!("drop what has waited longer than {older_than_ms} ms"),
        Setting::Restart { at_once_percent } => format!("restart, {at_once_percent} % at once"),
        Setting::Replicas { count } => format!("{count} replicas"),
        Setting::Route { share_permille } => format!("{} % of the usual traffic", percent(share_permille)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Criticality;

    #[test]
    fn a_setting_is_said_as_an_on_call_engineer_would() {
        let admission = |fraction_permille| Setting::Admission { lowest: Criticality::Critical, fraction_permille };
        assert_eq!(words(admission(1000)), "admit CRITICAL and above");
        assert_eq!(words(admission(125)), "admit 12.5 % of CRITICAL and all above");
        assert_eq!(words(Setting::Concurrency { limit: 7 }), "at most 7 requests in flight");
    }
}
