//! The three kinds of evidence, each per service.

use super::profile::{Profile, Tally};
use graph::Graph;
use model::{NameId, SparseHistogram};
use std::collections::BTreeMap;

/// Requests of an operation in the baseline below which a drop of its calls says nothing.
const BASELINE_MIN: f64 = 20.0;
/// The same in the incident.
const INCIDENT_MIN: f64 = 3.0;
/// A call counts as missing if at most this share of the usual number is left.
const LEFT_MAX: f64 = 0.7;
/// Calls per request that are usually more than one vary more than independent ones (loops over a result's length): their
/// log-likelihood is divided by this.
const OVERDISPERSION: f64 = 3.0;
/// Durations below this are all the same, µs.
const SHORT_US: f64 = 10.0;

/// A fact with its weight in nats.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fact {
    pub(crate) nats: f64,
    pub(crate) why: String,
}

/// How much more time is spent at a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Time {
    /// Seconds more per request from outside, each shift weighted by its relative size (at most one).
    pub(crate) excess_s: f64,
    /// The clearest shift's z-score on the log scale.
    pub(crate) z: f64,
    /// Where it is largest.
    pub(crate) why: String,
    largest_s: f64,
}

/// The strongest rise of a failure share per service: operations and inner steps. A step with an error's name that the
/// baseline has never seen counts as failing.
pub(crate) fn failures(before: &Profile, now: &Profile, graph: &Graph) -> BTreeMap<NameId, Fact> {
    let mut facts: BTreeMap<NameId, Fact> = BTreeMap::new();
    let served = now.served.iter().map(|(key, served)| (*key, served.tally, before.served.get(key).map(|s| s.tally)));
    let steps = now.steps.iter().map(|(key, step)| (*key, *step, before.steps.get(key).copied()));
    for ((service, operation), tally, usual) in served.chain(steps) {
        let usual = usual.unwrap_or_default();
        let nats = rise(tally, usual);
        let named = || {
            let (failed, calls) = (tally.failed.calls(), tally.calls.calls());
            let share = usual.failed.share_of(usual.calls).unwrap_or(0.0) * 100.0;
            format!("{} fails {failed:.0} of {calls:.0} times (usually {share:.1} %)", graph.name(operation))
        };
        keep(&mut facts, service, nats, named);
    }
    for ((service, operation), step) in &now.steps {
        let is_new =
            !before.steps.contains_key(&(*service, *operation)) && before.requests_of(*service) >= BASELINE_MIN;
        if is_new && is_an_error(&graph.name(*operation)) {
            let failed = Tally { calls: step.calls.max(calls_of(now, *service)), failed: step.calls };
            let usual = Tally { calls: calls_of(before, *service), ..Tally::default() };
            let named = || format!("{} appears, {:.0} times", graph.name(*operation), step.calls.calls());
            keep(&mut facts, *service, rise(failed, usual), named);
        }
    }
    facts
}

/// The clearest drop of calls that a service's operation used to make.
pub(crate) fn missing(before: &Profile, now: &Profile, graph: &Graph) -> BTreeMap<NameId, Fact> {
    let mut facts = BTreeMap::new();
    for ((caller, callee), usual) in &before.calls {
        let (Some(then), Some(here)) = (before.served.get(caller), now.served.get(caller)) else { continue };
        let (requests_before, requests) = (then.tally.calls.calls(), here.tally.calls.calls());
        if requests_before < BASELINE_MIN || requests < INCIDENT_MIN {
            continue;
        }
        // Calls whose operation at the caller was not known might be any of these: count them in, so that a slow caller
        // does not look like one that stopped calling.
        let unknown = now.calls.get(&((caller.0, NameId::NONE), *callee)).copied().unwrap_or_default();
        let made = (now.calls.get(&(*caller, *callee)).copied().unwrap_or_default() + unknown).calls();
        let per_request = usual.calls() / requests_before;
        if made > LEFT_MAX * per_request * requests {
            continue;
        }
        let nats = if per_request <= 1.0 {
            share_rise(
                (requests - made).max(0.0),
                requests,
                (requests_before - usual.calls()).max(0.0),
                requests_before,
            )
        } else {
            let expected = per_request * requests;
            let log = if made > 0.0 { made * libm::log(made / expected) } else { 0.0 };
            (log - (made - expected)) / OVERDISPERSION
        };
        let named = || {
            let (operation, to) = (graph.name(caller.1), graph.name(callee.0));
            format!("{operation} makes {:.2} calls to {to} per request (usually {per_request:.2})", made / requests)
        };
        keep(&mut facts, caller.0, nats, named);
    }
    facts
}

/// Own time and gaps above the baseline.
pub(crate) fn time(before: &Profile, now: &Profile, graph: &Graph) -> BTreeMap<NameId, Time> {
    let mut times: BTreeMap<NameId, Time> = BTreeMap::new();
    let requests = now.entries.calls().max(1.0);
    for (key, served) in &now.served {
        let Some(usual) = before.served.get(key) else { continue };
        let named = |ms: f64, usual_ms: f64| {
            format!("{} takes {ms:.1} ms of its own (usually {usual_ms:.1})", graph.name(key.1))
        };
        times.entry(key.0).or_default().add(&served.exclusive, &usual.exclusive, requests, named);
    }
    for (key @ (callee, caller), gap) in &now.gaps {
        let Some(usual) = before.gaps.get(key) else { continue };
        let named = |ms: f64, usual_ms: f64| {
            format!(
                "calls from {} wait {ms:.1} ms more than the server takes (usually {usual_ms:.1})",
                graph.name(*caller)
            )
        };
        times.entry(callee.0).or_default().add(gap, usual, requests, named);
    }
    times.remove(&NameId::NONE);
    times
}

impl Time {
    fn add(
        &mut self,
        now: &SparseHistogram,
        usual: &SparseHistogram,
        requests: f64,
        named: impl Fn(f64, f64) -> String,
    ) {
        let (here, then) = (Moments::of(now), Moments::of(usual));
        if here.count <= 0.0 || then.count < INCIDENT_MIN {
            return;
        }
        let shift = here.log_mean - then.log_mean;
        // At least a tenth: a baseline without any spread is a coarse histogram, not certainty.
        let spread = then.log_deviation + 0.1;
        let z = shift / (spread * libm::sqrt(1.0 / here.count + 1.0 / then.count));
        let excess_s = (here.mean_us - then.mean_us) / 1e6 * here.count / requests * libm::fabs(shift).min(1.0);
        self.excess_s += excess_s;
        if excess_s > self.largest_s {
            self.largest_s = excess_s;
            self.z = self.z.max(z);
            self.why = named(here.mean_us / 1000.0, then.mean_us / 1000.0);
        }
    }
}

/// Moments of a histogram, plain and of the logarithm.
struct Moments {
    count: f64,
    mean_us: f64,
    log_mean: f64,
    log_deviation: f64,
}

impl Moments {
    fn of(histogram: &SparseHistogram) -> Moments {
        let (mut count, mut sum, mut logs, mut squares) = (0.0, 0.0, 0.0, 0.0);
        for (value_us, calls) in &histogram.0 {
            let (calls, log) = (calls.calls(), libm::log(*value_us as f64 + SHORT_US));
            count += calls;
            sum += calls * *value_us as f64;
            logs += calls * log;
            squares += calls * log * log;
        }
        let per = if count > 0.0 { 1.0 / count } else { 0.0 };
        let log_mean = logs * per;
        let log_deviation = libm::sqrt((squares * per - log_mean * log_mean).max(0.0));
        Moments { count, mean_us: sum * per, log_mean, log_deviation }
    }
}

fn keep(facts: &mut BTreeMap<NameId, Fact>, service: NameId, nats: f64, why: impl FnOnce() -> String) {
    if service.is_some() && nats > facts.get(&service).map_or(0.0, |fact| fact.nats) {
        facts.insert(service, Fact { nats, why: why() });
    }
}

fn calls_of(profile: &Profile, service: NameId) -> model::Count {
    let own = profile.served.range((service, NameId(0))..=(service, NameId(u64::MAX)));
    own.map(|(_, served)| served.tally.calls).sum()
}

fn rise(now: Tally, usual: Tally) -> f64 {
    share_rise(now.failed.calls(), now.calls.calls(), usual.failed.calls(), usual.calls.calls())
}

/// Log-likelihood ratio (nats) of "the share rose" against "it is the same", by two binomials; half a failure is added to
/// the baseline, so that something never seen before is not infinitely surprising. Zero where the share did not rise.
fn share_rise(hits: f64, of: f64, usual_hits: f64, usual_of: f64) -> f64 {
    let (usual_hits, usual_of) = (usual_hits.min(usual_of) + 0.5, usual_of + 1.0);
    if of <= 0.0 || hits <= 0.0 || hits / of <= usual_hits / usual_of {
        return 0.0;
    }
    let together = (hits + usual_hits) / (of + usual_of);
    let gain = |hits: f64, of: f64| likelihood(hits, of, hits / of) - likelihood(hits, of, together);
    (gain(hits.min(of), of) + gain(usual_hits, usual_of)).max(0.0)
}

fn likelihood(hits: f64, of: f64, share: f64) -> f64 {
    let misses = of - hits;
    let hit = if hits > 0.0 && share > 0.0 { hits * libm::log(share) } else { 0.0 };
    let miss = if misses > 0.0 && share < 1.0 { misses * libm::log(1.0 - share) } else { 0.0 };
    hit + miss
}

/// Words that frameworks put into the names of their error handlers, in any language's spelling of case.
fn is_an_error(operation: &str) -> bool {
    let lower = operation.to_ascii_lowercase();
    ["error", "exception", "fallback"].iter().any(|word| lower.contains(word))
}
