//! Who is refused deep inside for the sake of lower classes gets the room: lower classes are refused where they enter.
//!
//! Nobody knows what a service could serve whose guards refuse, so no capacity is reckoned with: step by step half as much more
//! is shed at the entries as is refused above, and less again when nothing is refused (additive both ways, from Chiu and Jain,
//! 1989, and TopFull's control by feedback, SIGCOMM '24). What is refused in all stays the same; who is refused changes.
//! Never as high as the class that suffers.

use super::{Callers, Intent, admission, fact};
use crate::measure::INVERTED_SLACK_RPS;
use crate::picture::{FlowFacts, Inverted, Picture};
use crate::shed;
use model::{Criticality, Target};

/// The part of what is refused above that is shed below at a time: what is seen is seconds old, and more would overshoot.
const GAIN: f64 = 0.5;
/// The share of demand that is let back in at a time while nothing is refused any more.
const RELIEF: f64 = 0.04;
/// A service that refuses less than this share of all that it is asked has room.
const CROWDED_SHARE: f64 = 0.01;

/// Intents at the entries of the flows that use `about`.
pub(super) fn intents(index: usize, about: &str, picture: &Picture, callers: &Callers) -> Vec<Intent> {
    let Some(facts) = picture.services.get(about) else { return Vec::new() };
    let none = Inverted { class: Criticality::CriticalPlus, ..Inverted::default() };
    let Inverted { class, rps: inverted_rps } = facts.inverted.unwrap_or(none);
    let users: Vec<&FlowFacts> = picture.flows.iter().filter(|flow| flow.demand_on(about) > 0.0).collect();
    let by_level = admission::by_level(&users, about);
    let demand_rps: f64 = by_level.iter().sum();
    if demand_rps <= 0.0 {
        return Vec::new();
    }
    let now = picture.admission.get(about).map_or(0.0, |setting| shed::share(*setting, &by_level));
    let suffers = inverted_rps > INVERTED_SLACK_RPS;
    let below = by_level[..class.index()].iter().sum::<f64>() / demand_rps;
    let wanted = match (suffers, facts.crowded_share >= CROWDED_SHARE) {
        (true, _) => (now + GAIN * inverted_rps / demand_rps).min(below.max(now)),
        (false, true) => now,
        (false, false) => now - RELIEF,
    };
    if wanted <= 0.0 && now <= 0.0 {
        return Vec::new();
    }
    let setting = shed::setting(wanted, &by_level);
    let intent = |target: Target| Intent {
        distance: callers.get(&target.service).copied().unwrap_or(0),
        about: about.to_owned(),
        setting,
        evidence: vec![
            fact("inverted_rps", about, inverted_rps, INVERTED_SLACK_RPS),
            fact("demand_rps", about, demand_rps, demand_rps * (1.0 - wanted)),
        ],
        expected: format!("{about} refuses no {} for the sake of lower classes", class.as_str()),
        undone_by: format!("{about} refuses nothing any more, tried step by step"),
        summary: format!(
            "refuse {:.0} % of what uses {about}, lowest classes first, at {target}: {about}, or who waits for it, refuses {}",
            wanted * 100.0,
            class.as_str()
        ),
        finding: index,
        target,
    };
    admission::targets(&users, picture, setting).into_iter().map(intent).collect()
}
