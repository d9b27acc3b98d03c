//! A caller that gives up before its callee does: the callee goes on for nobody, and the caller's retry comes on top.
//!
//! For A → B → C: T(A→B) < T(B→C) × attempts(B→C). Google SRE book, ch. 22 ("deadlines"): whoever is called must have given
//! up before its caller does.

use crate::assess::{Kind, Risk, hex, ms};
use crate::fleet::Fleet;
use std::collections::BTreeMap;

/// Rounding of timeouts that are read from durations.
const SLACK: f64 = 1.05;

pub(crate) fn inverted_timeout(fleet: &Fleet) -> Vec<Risk> {
    let mut worst: BTreeMap<String, Risk> = BTreeMap::new();
    for (outer_key, outer) in fleet.calls.iter().filter(|(_, call)| call.timeout_us > 0) {
        for operation in &outer.answers {
            for (inner_key, inner) in fleet.calls_of(outer_key.callee, *operation) {
                let (waits_us, patience_us) = (outer.timeout_us, inner.patience_us());
                if inner_key.callee == outer_key.caller || (waits_us as f64) * SLACK >= patience_us as f64 {
                    continue;
                }
                let names = [outer_key.caller, outer_key.callee, inner_key.callee].map(|id| fleet.name(id));
                let [a, b, c] = names;
                let attempts = inner.attempts_max.max(1);
                let factor = patience_us as f64 / waits_us as f64;
                let subject = names.join("->");
                if worst.get(&subject).is_some_and(|known| known.factor >= factor) {
                    continue;
                }
                let times = if attempts == 1 { String::new() } else { format!("{attempts} × ") };
                let risk = Risk {
                    kind: Kind::InvertedTimeout,
                    summary: format!("{a} gives up on {b} before {b} gives up on {c}"),
                    cost_rps: outer.entry_rps.min(inner.entry_rps),
                    factor,
                    evidence: vec![
                        format!("{a} waits {} for {b}", ms(waits_us)),
                        format!("{b} waits {times}{} for {c}", ms(inner.timeout_us)),
                    ],
                    arithmetic: format!(
                        "{times}{} = {} > {}: for up to {} {b} works for nobody",
                        ms(inner.timeout_us),
                        ms(patience_us),
                        ms(waits_us),
                        ms(patience_us - waits_us)
                    ),
                    change: format!(
                        "Let {b} wait at most {} for {c} in all, or pass the deadline on with the request.",
                        ms(waits_us * 4 / 5)
                    ),
                    traces: hex(&inner.exemplars),
                    subject: subject.clone(),
                };
                worst.insert(subject, risk);
            }
        }
    }
    worst.into_values().collect()
}
