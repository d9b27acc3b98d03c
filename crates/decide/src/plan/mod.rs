//! Findings to intents: what should hold now, before gates, limits and leases.
//!
//! Pure and without memory: the same findings and picture give the same intents. An intent says what the evidence asks
//! for; whether it is sent, in what steps and until when is the ledger's matter.

mod admission;
mod inversion;
mod isolate;
mod overload;

use crate::guards::Guards;
use crate::picture::Picture;
use model::{EdgeKind, Evidence, Finding, Setting, Signature, Target};
use std::collections::BTreeMap;

/// The share of capacity that a plan fills at most: at .96 of capacity recovery was slow, at .99 it failed.
pub const HEADROOM: f64 = 0.9;

/// Services from which the overloaded one is reached, with their distance in edges.
type Callers = BTreeMap<String, u32>;

/// One knob of one target as the evidence wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// What it acts on.
    pub target: Target,
    /// The value that is wanted.
    pub setting: Setting,
    /// The overloaded service that it is for.
    pub about: String,
    /// How many edges lie between the target and the overloaded service; 0 is the service itself. Commands go out and
    /// recovery begins at the small distances: leaves first.
    pub distance: u32,
    /// Facts beside the finding's own.
    pub evidence: Vec<Evidence>,
    /// What should be seen, in words.
    pub expected: String,
    /// What would undo it, in words.
    pub undone_by: String,
    /// One sentence of why.
    pub summary: String,
    /// Which of the plan's findings it rests on.
    pub finding: usize,
}

/// What should hold now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Intents in the order in which they are to be sent; each (target, knob) once.
    pub intents: Vec<Intent>,
    /// Findings that nothing is done about, and why: (overloaded service, reason).
    pub abstained: Vec<(String, String)>,
}

/// Plans against `findings` (open ones).
pub fn plan(findings: &[Finding], picture: &Picture, guards: &Guards) -> Plan {
    let mut plan = Plan::default();
    for (about, index) in leading(findings) {
        match refusal(&findings[index], about, picture, guards) {
            Some(reason) => plan.abstained.push((about.to_owned(), reason)),
            None => {
                let callers = picture.callers_of(about);
                plan.intents.extend(overload::intents(index, &findings[index], about, picture, &callers));
                plan.intents.extend(admission::intents(index, &findings[index], about, picture, &callers));
            }
        }
    }
    for (index, finding) in of(findings, Signature::Inversion) {
        let about = overloaded(finding);
        match refusal(finding, about, picture, guards) {
            Some(reason) => plan.abstained.push((about.to_owned(), reason)),
            None => plan.intents.extend(inversion::intents(index, about, picture, &picture.callers_of(about))),
        }
    }
    for (index, finding) in of(findings, Signature::Outlier) {
        match isolate::intent(index, finding, guards) {
            Ok(intent) => plan.intents.push(intent),
            Err(reason) => plan.abstained.push((finding.subject.clone(), reason)),
        }
    }
    plan.intents = strictest(plan.intents);
    plan
}

fn of(findings: &[Finding], signature: Signature) -> impl Iterator<Item = (usize, &Finding)> {
    findings.iter().enumerate().filter(move |(_, finding)| finding.signature == signature)
}

/// For each overloaded service the finding that says most about it, by its place; sorted by service.
fn leading(findings: &[Finding]) -> BTreeMap<&str, usize> {
    let mut leading: BTreeMap<&str, (u8, usize)> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        if let Some(rank) = rank(finding.signature) {
            let best = leading.entry(overloaded(finding)).or_insert((rank, index));
            *best = (*best).min((rank, index));
        }
    }
    leading.into_iter().map(|(about, (_, index))| (about, index)).collect()
}

/// How much a signature asks for, most first. A front of deviation alone is no reason to act: most overloads heal
/// themselves, and shedding then fights them.
fn rank(signature: Signature) -> Option<u8> {
    match signature {
        Signature::Metastable => Some(0),
        Signature::Hysteresis => Some(1),
        Signature::RetryAmplification => Some(2),
        Signature::DeviationFront | Signature::Manual | Signature::Outlier | Signature::Inversion => None,
    }
}

/// The service in trouble: the subject, the callee where the subject is an edge, the whole where it is a part.
pub fn overloaded(finding: &Finding) -> &str {
    let subject = finding.subject.as_str();
    if finding.signature == Signature::Outlier {
        return subject.split_once('@').map_or(subject, |(service, _)| service);
    }
    subject.split_once("->").map_or(subject, |(_, callee)| callee)
}

/// Retries alone do no harm where guards keep the queue below this share of the clients' timeout.
const QUEUE_SHARE_SHORT: f64 = 0.5;

/// Why nothing may be done about an overload of `service`; `None` if something may.
fn refusal(finding: &Finding, service: &str, picture: &Picture, guards: &Guards) -> Option<String> {
    let Some(facts) = picture.services.get(service) else {
        return Some("it is not a service that emits spans".to_owned());
    };
    let into: Vec<_> = picture.edges_into(service).collect();
    let resolved = into.is_empty()
        || into.iter().any(|edge| matches!(edge.kind, EdgeKind::Call | EdgeKind::Messaging))
        || guards.reports(service);
    if !resolved {
        return Some(
            "it is a peer that is known by its address or as a database only, and no guard reports for it".to_owned(),
        );
    }
    let short_ms = picture.timeout_ms(service).map(|timeout| QUEUE_SHARE_SHORT * timeout);
    if finding.signature == Signature::RetryAmplification
        && guards.queue_delay_ms(service).zip(short_ms).is_some_and(|(delay, short)| delay < short)
    {
        return Some("its guards keep its queue short: retries feed no backlog".to_owned());
    }
    if into.iter().any(|edge| edge.biased) {
        return Some("sampling on an edge into it cannot be reconciled".to_owned());
    }
    if facts.capacity_rps.is_none_or(|capacity| capacity.low <= 0.0 || capacity.low.is_nan()) {
        return Some("its capacity is not known: saturation was never observed".to_owned());
    }
    None
}

/// Of several intents on one knob of a target the strictest stays, in the place of the first.
fn strictest(intents: Vec<Intent>) -> Vec<Intent> {
    let mut places: BTreeMap<(Target, model::Knob), usize> = BTreeMap::new();
    let mut kept: Vec<Intent> = Vec::with_capacity(intents.len());
    for intent in intents {
        let key = (intent.target.clone(), intent.setting.knob());
        match places.get(&key) {
            Some(&place) => {
                let setting = kept[place].setting.stricter(intent.setting);
                if setting != kept[place].setting {
                    kept[place] = intent;
                }
            }
            None => {
                places.insert(key, kept.len());
                kept.push(intent);
            }
        }
    }
    kept.sort_by_key(|intent| (crate::order::sending(intent.setting.knob()), intent.distance));
    kept
}

/// A fact of the planner's own.
fn fact(name: &str, subject: &str, value: f64, limit: f64) -> Evidence {
    Evidence { fact: name.to_owned(), subject: subject.to_owned(), value, limit, exemplars: Vec::new() }
}
