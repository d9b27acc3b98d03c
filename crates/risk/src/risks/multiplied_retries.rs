//! Retries on several hops of one path: a failure at its end is asked for as often as the product of the attempts.
//!
//! Google SRE book, ch. 22: three attempts at each of four layers are 64 (4³) requests to the database.

use crate::assess::{Kind, Risk, hex};
use crate::fleet::{Call, CallKey, Fleet};
use model::NameId;
use std::collections::BTreeMap;

/// Hops that are followed.
const HOPS_MAX: usize = 12;
/// Steps of the whole search.
const STEPS_MAX: usize = 200_000;

type Hop<'a> = (&'a CallKey, &'a Call);

pub(crate) fn multiplied_retries(fleet: &Fleet) -> Vec<Risk> {
    let mut worst: BTreeMap<NameId, (u64, Vec<Hop<'_>>)> = BTreeMap::new();
    let mut steps = 0;
    for hop in fleet.calls.iter().filter(|(_, call)| call.attempts_max > 1) {
        walk(fleet, &mut vec![hop], &mut worst, &mut steps);
    }
    // A path that is the beginning of a worse one says nothing new.
    let paths: Vec<(u64, Vec<Hop<'_>>)> = worst.into_values().collect();
    let inside = |short: &[Hop<'_>]| {
        paths.iter().any(|(_, long)| {
            long.len() > short.len()
                && long.windows(short.len()).any(|part| part.iter().map(|hop| hop.0).eq(short.iter().map(|hop| hop.0)))
        })
    };
    paths.iter().filter(|(_, path)| !inside(path)).map(|(product, path)| risk(fleet, *product, path)).collect()
}

fn walk<'a>(
    fleet: &'a Fleet,
    path: &mut Vec<Hop<'a>>,
    worst: &mut BTreeMap<NameId, (u64, Vec<Hop<'a>>)>,
    steps: &mut usize,
) {
    *steps += 1;
    if path.len() >= HOPS_MAX || *steps > STEPS_MAX {
        return;
    }
    let (_, last) = path[path.len() - 1];
    let callee = path[path.len() - 1].0.callee;
    let retrying = path.iter().filter(|(_, call)| call.attempts_max > 1).count();
    if retrying >= 2 && last.attempts_max > 1 {
        let product = path.iter().map(|(_, call)| u64::from(call.attempts_max.max(1))).product();
        if worst.get(&callee).is_none_or(|known| product > known.0) {
            worst.insert(callee, (product, path.clone()));
        }
    }
    for operation in &last.answers {
        for hop in fleet.calls_of(callee, *operation) {
            if path.iter().all(|(key, _)| key.caller != hop.0.callee) {
                path.push(hop);
                walk(fleet, path, worst, steps);
                path.pop();
            }
        }
    }
}

fn risk(fleet: &Fleet, product: u64, path: &[Hop<'_>]) -> Risk {
    let mut names = vec![fleet.name(path[0].0.caller)];
    names.extend(path.iter().map(|(key, _)| fleet.name(key.callee)));
    let end = names[names.len() - 1];
    let factors: Vec<String> =
        path.iter().filter(|(_, call)| call.attempts_max > 1).map(|(_, call)| call.attempts_max.to_string()).collect();
    let (last_key, last) = path[path.len() - 1];
    let evidence = path.iter().filter(|(_, call)| call.attempts_max > 1).map(|(key, call)| {
        format!("{} tries {} up to {} times", fleet.name(key.caller), fleet.name(key.callee), call.attempts_max)
    });
    let worst_rps = last.first_rps * product as f64;
    Risk {
        kind: Kind::MultipliedRetries,
        subject: names.join("->"),
        summary: format!("when {end} fails, one request becomes {product}"),
        cost_rps: path.iter().map(|(_, call)| call.entry_rps).fold(f64::INFINITY, f64::min),
        factor: product as f64,
        evidence: evidence.collect(),
        arithmetic: format!(
            "{} = {product} attempts at {end} for one request at {}: {:.0} calls a second become up to {:.0}",
            factors.join(" × "),
            names[0],
            last.first_rps,
            worst_rps
        ),
        change: format!(
            "Retry on one hop only, next to {} ({} -> {end}), and give it a budget: at most one retry for ten calls.",
            end,
            fleet.name(last_key.caller)
        ),
        traces: hex(&last.exemplars),
    }
}
