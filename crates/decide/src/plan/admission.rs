//! Shedding at the entry, by priority, for the flows that use what is overloaded: the second step, only when first-attempt
//! demand alone exceeds capacity. Work already paid for upstream is the worst to drop, so nothing is shed deeper.

use super::{Callers, HEADROOM, Intent, fact};
use crate::picture::{FlowFacts, Picture};
use crate::shed;
use model::{Criticality, Finding, LEVELS, Setting, Signature, Target};
use std::collections::{BTreeMap, BTreeSet};

/// If at least this share of an entry's requests uses the overloaded service, the whole entry is the target.
const WHOLE_ENTRY: f64 = 0.9;
/// It stays the target down to this share: a few requests more or less must not change whom a command addresses.
const WHOLE_ENTRY_STAYS: f64 = 0.75;
/// An operation with a smaller share of what an entry is asked is no target: names that hardly ever come again would make a
/// command each, and none of them would meet a request.
const OPERATION_MIN: f64 = 0.01;
/// What telemetry calls the operations past its cap; no guard calls any so.
const REST: &str = "other";

/// Intents at the entries of the flows that use `about`.
pub(super) fn intents(
    index: usize,
    finding: &Finding,
    about: &str,
    picture: &Picture,
    callers: &Callers,
) -> Vec<Intent> {
    if finding.signature == Signature::RetryAmplification {
        return Vec::new();
    }
    let Some(capacity) = picture.services.get(about).and_then(|facts| facts.capacity_rps) else { return Vec::new() };
    let room_rps = HEADROOM * capacity.low;
    let users: Vec<&FlowFacts> = picture.flows.iter().filter(|flow| flow.demand_on(about) > 0.0).collect();
    let demand_rps: f64 = users.iter().map(|flow| flow.demand_on(about)).sum();
    if demand_rps <= room_rps {
        return Vec::new();
    }
    let by_level = by_level(&users, about);
    let setting = shed::setting(1.0 - room_rps / demand_rps, &by_level);
    let targets = targets(&users, picture, setting);
    let intent = |target: Target| Intent {
        distance: callers.get(&target.service).copied().unwrap_or(0),
        about: about.to_owned(),
        setting,
        evidence: vec![
            fact("demand_rps", about, demand_rps, room_rps),
            fact("capacity_rps", about, capacity.low, capacity.high),
        ],
        expected: format!("demand on {about} falls below {room_rps:.0} requests per second"),
        undone_by: format!("demand on {about} fits its capacity again, tried step by step"),
        summary: format!(
            "admit at {target} only as much, by priority, as {about} can serve ({:.0} % of what is asked of it)",
            100.0 * room_rps / demand_rps
        ),
        finding: index,
        target,
    };
    targets.into_iter().map(intent).collect()
}

/// What these flows ask of `about`, by criticality, lowest first, requests per second.
pub(super) fn by_level(users: &[&FlowFacts], about: &str) -> [f64; LEVELS] {
    let mut by_level = [0.0; LEVELS];
    for flow in users {
        by_level[flow.criticality.index()] += flow.demand_on(about);
    }
    by_level
}

/// The entries whose flows the setting touches: whole services, or single operations where the others do not use what is
/// overloaded.
pub(super) fn targets(users: &[&FlowFacts], picture: &Picture, setting: Setting) -> BTreeSet<Target> {
    let Setting::Admission { lowest, .. } = setting else { return BTreeSet::new() };
    let touched = |level: Criticality| level <= lowest;
    let mut entries: BTreeMap<&str, (f64, BTreeMap<&str, f64>)> = BTreeMap::new();
    for flow in users.iter().filter(|flow| touched(flow.criticality) && picture.is_entry(&flow.entry)) {
        let entry = entries.entry(&flow.entry).or_default();
        *entry.1.entry(&flow.operation).or_default() += flow.offered_rps;
    }
    for flow in users {
        if let Some(entry) = entries.get_mut(flow.entry.as_str()) {
            entry.0 += flow.offered_rps;
        }
    }
    let mut targets = BTreeSet::new();
    for (entry, (using_rps, operations)) in entries {
        let all_rps: f64 = picture.entry_mix(entry, None).iter().sum();
        let whole = if picture.whole_entries.contains(entry) { WHOLE_ENTRY_STAYS } else { WHOLE_ENTRY };
        if using_rps >= whole * all_rps {
            targets.insert(Target::service(entry));
        } else {
            let named = operations.into_iter().filter(|(name, rps)| *name != REST && *rps >= OPERATION_MIN * all_rps);
            targets.extend(named.map(|(operation, _)| Target::operation(entry, operation)));
        }
    }
    targets
}
