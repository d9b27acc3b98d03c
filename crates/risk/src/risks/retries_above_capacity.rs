//! With all its retries the load would be above what was ever served: a short failure then keeps itself alive.
//!
//! λ(1 + R) > C (Bronson et al., "Metastable failures in distributed systems", HotOS 2021; design §5.1). Capacity is what was
//! completed while delay grew; where that was never seen, nothing is said.

use crate::assess::{Kind, Risk, hex};
use crate::fleet::{Call, CallKey, Fleet};

/// The share of the capacity that a budget may fill.
const FILL: f64 = 0.9;

pub(crate) fn retries_above_capacity(fleet: &Fleet) -> Vec<Risk> {
    let services = fleet.services.iter().filter_map(|(id, service)| Some((*id, service.capacity_rps?)));
    let risks = services.filter_map(|(callee, capacity)| {
        let calls: Vec<(&CallKey, &Call)> = fleet.calls.iter().filter(|(key, _)| key.callee == callee).collect();
        let first_rps: f64 = calls.iter().map(|(_, call)| call.first_rps).sum();
        let full_rps: f64 = calls.iter().map(|(_, call)| call.first_rps * f64::from(call.attempts_max.max(1))).sum();
        let limit_rps = capacity.high;
        if first_rps <= 0.0 || full_rps <= limit_rps || full_rps <= first_rps {
            return None;
        }
        let retries = full_rps / first_rps - 1.0;
        let name = fleet.name(callee);
        let budget = (limit_rps * FILL / first_rps - 1.0).max(0.0);
        let worst = calls.iter().max_by(|a, b| a.1.first_rps.total_cmp(&b.1.first_rps))?;
        Some(Risk {
            kind: Kind::RetriesAboveCapacity,
            subject: format!("{}->{name}", fleet.name(worst.0.caller)),
            summary: format!("a short failure of {name} can keep itself alive by retries"),
            cost_rps: fleet.services.get(&callee).map_or(0.0, |service| service.needed) * fleet.entry_rps,
            factor: full_rps / limit_rps,
            evidence: vec![
                format!("{first_rps:.0} first attempts a second at {name}"),
                format!("{:.0} to {:.0} requests a second served while its delay grew", capacity.low, capacity.high),
                format!("up to {:.1} attempts a call", retries + 1.0),
            ],
            arithmetic: format!("λ(1 + R) = {first_rps:.0} × {:.1} = {full_rps:.0} > C = {limit_rps:.0}", retries + 1.0),
            change: if budget > 0.0 {
                format!(
                    "Give callers of {name} a retry budget of {:.0} % of first attempts ({first_rps:.0} × (1 + {budget:.2}) ≤ {FILL} × \
                     {limit_rps:.0}), or add capacity for {full_rps:.0} a second.",
                    budget * 100.0
                )
            } else {
                format!(
                    "Even without a retry {first_rps:.0} a second are more than {FILL} × {limit_rps:.0}: add capacity for {full_rps:.0} a \
                     second, or for {:.0} and a retry budget of 10 %.",
                    first_rps * 1.1 / FILL
                )
            },
            traces: hex(&worst.1.exemplars),
        })
    });
    risks.collect()
}
