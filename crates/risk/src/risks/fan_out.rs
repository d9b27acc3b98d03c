//! One request makes many calls to one service: a small rise at the entry is a large one there, and the slowest of many
//! answers decides (Dean and Barroso, "The tail at scale", CACM 2013).

use crate::assess::{Kind, Risk, hex};
use crate::fleet::Fleet;

/// Calls for one request above which it is a hot spot.
const MANY: f64 = 8.0;
/// Requests before it is believed.
const REQUESTS_MIN: u64 = 10;

pub(crate) fn fan_out(fleet: &Fleet) -> Vec<Risk> {
    let many = fleet.calls.iter().filter(|(_, call)| call.requests >= REQUESTS_MIN && call.per_request() >= MANY);
    let risks = many.map(|(key, call)| {
        let [caller, operation, callee] = [key.caller, key.operation, key.callee].map(|id| fleet.name(id));
        let each = call.per_request();
        // One answer in a hundred is slow: then so many requests wait for a slow one.
        let tail = 1.0 - (1..=each as u32).fold(1.0, |fast, _| fast * 0.99);
        Risk {
            kind: Kind::FanOut,
            subject: format!("{caller}->{callee}"),
            summary: format!("one {operation} of {caller} makes {each:.0} calls to {callee}"),
            cost_rps: call.entry_rps,
            factor: each,
            evidence: vec![format!("{} calls within {} requests", call.calls, call.requests)],
            arithmetic: format!(
                "{:.1} requests a second × {each:.0} = {:.0} calls a second; if one answer in a hundred is slow, {:.0} % of the \
                 requests are",
                call.first_rps / each,
                call.first_rps,
                tail * 100.0
            ),
            change: format!("Ask {callee} once for many, or keep its answers; bound how many are asked at the same time."),
            traces: hex(&call.exemplars),
        }
    });
    risks.collect()
}
