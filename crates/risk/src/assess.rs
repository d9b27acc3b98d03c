//! All risks of a fleet, ranked.

use crate::fleet::Fleet;
use crate::risks;
use model::TraceId;
use serde::Serialize;

/// The kinds of risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A caller gives up before its callee does.
    InvertedTimeout,
    /// Retries on several hops of one path multiply.
    MultipliedRetries,
    /// With all its retries the load would be above what was ever served.
    RetriesAboveCapacity,
    /// One instance that nearly everything needs.
    SinglePoint,
    /// A call that could be done without is waited for.
    OptionalBlocks,
    /// One request makes many calls.
    FanOut,
}

/// Something that has not happened yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Risk {
    /// What kind.
    pub kind: Kind,
    /// Where: services, joined by `->`.
    pub subject: String,
    /// What it is, in one sentence.
    pub summary: String,
    /// Entering requests a second that it could cost.
    pub cost_rps: f64,
    /// By how much it is too much: a factor above 1.
    pub factor: f64,
    /// What was seen.
    pub evidence: Vec<String>,
    /// The numbers, worked out.
    pub arithmetic: String,
    /// What to change.
    pub change: String,
    /// Traces that show it, in hex.
    pub traces: Vec<String>,
}

/// What a survey found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Assessment {
    /// Always `risks`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What was surveyed.
    pub subject: String,
    /// Seconds of telemetry.
    pub seconds: f64,
    /// Services.
    pub services: usize,
    /// Requests a second that enter the fleet.
    pub entry_rps: f64,
    /// The risks, the most expensive first.
    pub risks: Vec<Risk>,
    /// What could not be judged, and why.
    pub unknown: Vec<String>,
}

/// Judges a fleet. `subject` says where its telemetry is from.
pub fn assess(fleet: &Fleet, subject: &str) -> Assessment {
    let rules = [
        risks::inverted_timeout,
        risks::multiplied_retries,
        risks::retries_above_capacity,
        risks::single_point,
        risks::optional_blocks,
        risks::fan_out,
    ];
    let mut found: Vec<Risk> = rules.iter().flat_map(|rule| rule(fleet)).collect();
    found.sort_by(|a, b| {
        let worse = b.cost_rps.total_cmp(&a.cost_rps).then(b.factor.total_cmp(&a.factor));
        worse.then(a.kind.cmp(&b.kind)).then(a.subject.cmp(&b.subject))
    });
    Assessment {
        kind: "risks",
        subject: subject.to_owned(),
        seconds: fleet.seconds,
        services: fleet.services.values().filter(|service| service.emits).count(),
        entry_rps: fleet.entry_rps,
        risks: found,
        unknown: unknown(fleet),
    }
}

/// What this telemetry does not show.
fn unknown(fleet: &Fleet) -> Vec<String> {
    let mut unknown = Vec::new();
    let calls = fleet.calls.values();
    let (all, untimed) = (calls.len(), calls.filter(|call| call.timeout_us == 0).count());
    if untimed > 0 {
        unknown.push(format!(
            "{untimed} of {all} calls: no timeout was said (stopbank.timeout_ms, grpc-timeout) and none was reached: inverted \
             timeouts are not seen there"
        ));
    }
    if fleet.calls.values().all(|call| call.attempts_max < 2) {
        unknown.push("no call failed and was tried again: how often callers try is not known".to_owned());
    }
    if fleet.services.values().all(|service| service.capacity_rps.is_none()) {
        unknown.push("no service was seen at its limit: capacities are not known".to_owned());
    }
    if fleet.calls.values().all(|call| call.failed == 0) {
        unknown.push("no call failed for good: which calls are optional is not known".to_owned());
    }
    let nameless = fleet.services.values().filter(|service| service.emits && service.instances == 0).count();
    if nameless > 0 {
        unknown.push(format!("{nameless} services do not say their instances: single points are not seen there"));
    }
    unknown
}

/// Ids as people paste them.
pub(crate) fn hex(traces: &[TraceId]) -> Vec<String> {
    traces.iter().map(|trace| trace.hex()).collect()
}

/// Microseconds for people.
pub(crate) fn ms(us: u64) -> String {
    if us < 10_000 { format!("{:.1} ms", us as f64 / 1e3) } else { format!("{} ms", us / 1000) }
}
