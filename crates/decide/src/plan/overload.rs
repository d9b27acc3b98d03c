//! What breaks the loop of a retry storm: queue bounds, a purge that is answered "do not retry", and retry budgets tied to
//! headroom (design §5.2; `notes/overload-control.md` 14.3: shedding new arrivals alone recovered 0 of 10 runs).

use super::{Callers, HEADROOM, Intent, fact};
use crate::picture::{EdgeFacts, Picture};
use model::{EdgeKind, Finding, Setting, Signature, Target};

/// Waits add up along a path: with several hops 15 % of the client's timeout ended storms that 50 % did not.
const QUEUE_SHARE_OF_TIMEOUT: f64 = 0.15;
/// A bound below this would refuse ordinary jitter.
const QUEUE_BOUND_MIN_MS: f64 = 5.0;
/// The field's usual budget; unsafe above .75 of capacity, so it is only the ceiling.
const RETRY_BUDGET_MAX: f64 = 0.2;
/// Retries per first attempt below this are no amplification.
const RETRIES_NOTEWORTHY: f64 = 0.01;

/// Intents for the overloaded service and the saturated services that call it.
pub(super) fn intents(
    index: usize,
    finding: &Finding,
    about: &str,
    picture: &Picture,
    callers: &Callers,
) -> Vec<Intent> {
    let saturated = |name: &str| picture.services.get(name).is_some_and(|facts| facts.saturated);
    let mut path: Vec<(&str, u32)> = vec![(about, 0)];
    path.extend(callers.iter().filter(|(name, _)| saturated(name)).map(|(name, distance)| (name.as_str(), *distance)));
    let mut intents = Vec::new();
    // Amplification alone says that retries grow, not that a backlog feeds them: it tightens budgets and drops nothing.
    if finding.signature != Signature::RetryAmplification {
        for (service, distance) in &path {
            intents.extend(queue_bound(index, about, service, *distance, picture));
            intents.extend(purge(index, about, service, *distance, picture));
        }
    }
    intents.extend(retry_budgets(index, about, picture, |name| {
        if name == about { Some(0) } else { callers.get(name).copied() }
    }));
    intents
}

/// 15 % of the shortest client timeout, never above .9 of capacity × timeout (in milliseconds of work: .9 of the timeout).
fn queue_bound(index: usize, about: &str, service: &str, distance: u32, picture: &Picture) -> Option<Intent> {
    let timeout_ms = picture.timeout_ms(service)?;
    let bound_ms = (QUEUE_SHARE_OF_TIMEOUT * timeout_ms).max(QUEUE_BOUND_MIN_MS).min(HEADROOM * timeout_ms);
    let delay_ms = picture.services.get(service).and_then(|facts| facts.queue_delay_ms);
    Some(Intent {
        target: Target::service(service),
        setting: Setting::QueueBound { work_ms: (libm::floor(bound_ms) as u32).max(1) },
        about: about.to_owned(),
        distance,
        evidence: vec![
            fact("client_timeout_ms", service, timeout_ms, bound_ms),
            fact("queue_delay_ms", service, delay_ms.map_or(0.0, |delay| delay.middle()), timeout_ms),
        ],
        expected: format!("requests wait less than {bound_ms:.0} ms at {service}"),
        undone_by: format!("the queue of {service} stays short while everything else is released"),
        summary: format!("bound the queue of {service} well under its clients' timeout of {timeout_ms:.0} ms"),
        finding: index,
    })
}

/// Work older than the client's timeout is worth nothing to anybody; answering it "do not retry" is what ends the loop.
fn purge(index: usize, about: &str, service: &str, distance: u32, picture: &Picture) -> Option<Intent> {
    let timeout_ms = picture.timeout_ms(service)?;
    Some(Intent {
        target: Target::service(service),
        setting: Setting::Purge { older_than_ms: (libm::ceil(timeout_ms) as u32).max(1) },
        about: about.to_owned(),
        distance,
        evidence: vec![fact("client_timeout_ms", service, timeout_ms, timeout_ms)],
        expected: format!("the stale backlog of {service} is gone and is not retried"),
        undone_by: "nothing: only work that its clients have given up on is dropped".to_owned(),
        summary: format!("drop what has waited at {service} longer than its clients did, answered \"do not retry\""),
        finding: index,
    })
}

/// Budget b with λ(1+b) ≤ .9 C on every edge into the overloaded service and, where retries are seen, along the path.
fn retry_budgets(index: usize, about: &str, picture: &Picture, distance: impl Fn(&str) -> Option<u32>) -> Vec<Intent> {
    let own = budget(about, picture);
    let on_path = |edge: &&EdgeFacts| {
        let retried = edge.retries_rps > RETRIES_NOTEWORTHY * edge.first_attempts_rps;
        let guardable = matches!(edge.kind, EdgeKind::Call | EdgeKind::Messaging) && !edge.caller.is_empty();
        guardable && !edge.biased && (&*edge.callee == about || retried)
    };
    let edges = picture.edges.iter().filter(on_path);
    edges
        .filter_map(|edge| {
            let distance = distance(&edge.callee)?;
            let ratio = budget(&edge.callee, picture).unwrap_or(RETRY_BUDGET_MAX).min(own.unwrap_or(0.0));
            let subject = format!("{}->{}", edge.caller, edge.callee);
            let per_first = edge.retries_rps / edge.first_attempts_rps.max(f64::MIN_POSITIVE);
            Some(Intent {
                target: Target::edge(&edge.caller, &edge.callee),
                setting: Setting::RetryBudget { ratio_permille: libm::floor(ratio * 1000.0) as u16 },
                about: about.to_owned(),
                distance: distance + 1,
                evidence: vec![
                    fact("retries_per_first_attempt", &subject, per_first, ratio),
                    fact("demand_rps", about, picture.demand_rps(about), HEADROOM * capacity_low(about, picture)),
                ],
                expected: format!("retries on {subject} stay below {:.1} % of first attempts", ratio * 100.0),
                undone_by: format!("the queue of {about} has drained and demand leaves headroom"),
                summary: format!("tie retries on {subject} to the headroom of {about}"),
                finding: index,
            })
        })
        .collect()
}

/// b = .9 C / λ − 1, clamped to 0 … 20 %; `None` where capacity or demand is not known.
fn budget(service: &str, picture: &Picture) -> Option<f64> {
    let capacity = picture.services.get(service)?.capacity_rps?.low;
    let demand = picture.demand_rps(service);
    (demand > 0.0).then(|| (HEADROOM * capacity / demand - 1.0).clamp(0.0, RETRY_BUDGET_MAX))
}

fn capacity_low(service: &str, picture: &Picture) -> f64 {
    picture.services.get(service).and_then(|facts| facts.capacity_rps).map_or(0.0, |capacity| capacity.low)
}
