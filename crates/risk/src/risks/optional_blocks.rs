//! A call that could be done without is waited for: when it hangs, everything hangs with it.
//!
//! Optional: requests succeed although it fails. Blocking: the request does nothing else meanwhile. While it hangs a request
//! takes its own time and the call's patience, and by Little's law that many more are in flight.

use crate::assess::{Kind, Risk, hex, ms};
use crate::fleet::Fleet;

/// A hang makes requests so many times as long, at least.
const LONGER: f64 = 2.0;

pub(crate) fn optional_blocks(fleet: &Fleet) -> Vec<Risk> {
    let blocking = fleet.calls.iter().filter(|(_, call)| {
        let longer = (call.request_p50_us + call.patience_us()) as f64 / call.request_p50_us.max(1) as f64;
        call.is_optional() && call.blocking * 2 > call.calls && call.timeout_us > 0 && longer >= LONGER
    });
    let risks = blocking.map(|(key, call)| {
        let [caller, operation, callee] = [key.caller, key.operation, key.callee].map(|id| fleet.name(id));
        let longer_us = call.request_p50_us + call.patience_us();
        let factor = longer_us as f64 / call.request_p50_us.max(1) as f64;
        Risk {
            kind: Kind::OptionalBlocks,
            subject: format!("{caller}->{callee}"),
            summary: format!("{operation} of {caller} waits for {callee}, without which it succeeds"),
            cost_rps: call.entry_rps,
            factor,
            evidence: vec![
                format!("{} of {} failed calls left their request a success", call.forgiven, call.failed),
                format!("{} of {} calls were made while nothing else was done", call.blocking, call.calls),
            ],
            arithmetic: format!(
                "{} + {} = {} instead of {}: {factor:.0} times as many requests in flight while {callee} hangs",
                ms(call.request_p50_us),
                ms(call.patience_us()),
                ms(longer_us),
                ms(call.request_p50_us)
            ),
            change: format!(
                "Ask {callee} beside the other work, wait at most {} for it, without a retry, and put a breaker before it.",
                ms(call.request_p50_us.max(1_000))
            ),
            traces: hex(&call.exemplars),
        }
    });
    risks.collect()
}
