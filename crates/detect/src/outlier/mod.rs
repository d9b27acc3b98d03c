//! The outlier: some instances of a service, or one version of it, fail their callers, their peers do not.
//!
//! What counts against an instance is what it fails, and answers that it gave well and in time and that never arrived (gray
//! failure: Huang et al., HotOS '17, "differential observability"). What it goes on with after its caller has gone does not:
//! that is told by its clock against its caller's, and one clock that is wrong would make an outlier.
//!
//! **Fact 1**: the share of requests that it fails is at least a tenth, and three times that of its peers.
//! **Fact 2**: that is no chance: the two shares differ by five standard errors.
//! Only peers at the same time are compared, so that load, a slow dependency or a burst of bad requests, which hit all of
//! them alike, are no outliers. Where clocks disagree, "the same time" is known so well only, and both facts must hold for
//! longer. A version is blamed before its instances: most of what goes wrong is a change (Google SRE book, ch. 8). Source
//! of ejecting by comparison: Envoy's outlier detection by success rate.

mod peers;

use crate::suspicion::{Suspicion, fact_of_service, margin};
use crate::{DetectConfig, Scene};
use model::{NameId, Signature, Target};
use peers::{Fared, PartId, Peers};
use serde::{Deserialize, Serialize};

/// From this share of failed requests on an instance is worth leaving alone.
const FAILED_SHARE_MIN: f64 = 0.1;
/// It fails so many times as often as its peers.
const TIMES_PEERS: f64 = 3.0;
/// Standard errors between the two.
const Z_MIN: f64 = 5.0;
/// Requests in memory below which nothing is said.
const CALLS_MIN: f64 = 10.0;
/// Seconds in which both an instance and its peers were asked, the present one among them, before anything is said of it. With
/// those in which the facts must hold that is three in a row: whose name is made up for each record lives for less, and is
/// nobody who could be left alone.
const COMPARED_MIN: u32 = 2;
/// Instances are compared while no more than one span in so many is late.
const LATE_MAX: u64 = 20;
/// One that is hit a second before its peers, by the clocks, fails three times as often as they do for up to 2.4 s (memory
/// of the counts included, where failures rise linearly).
const LONGER: f64 = 2.5;
/// Clocks that disagree by less make no difference in windows of a second, ms.
const CLOCKS_EXACT_MS: f64 = 100.0;

/// How the instances and versions of services have fared lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outliers {
    peers: Peers,
}

/// What is said of a part, and of its whole.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    fared: &'a Fared,
    /// Its share of the requests, 0..1.
    traffic_share: f64,
    /// Its share of the instances, 0..1.
    instances_share: f64,
}

impl Outliers {
    /// Takes in one window's rows and tells the parts of services that fail where their peers do not.
    pub(crate) fn look(&mut self, scene: &Scene<'_>, config: &DetectConfig) -> Vec<Suspicion> {
        // What came late from some instances is not of the time of their peers: nothing is compared.
        if scene.window.late.saturating_mul(LATE_MAX) > scene.window.spans {
            return Vec::new();
        }
        self.peers.remember(&scene.window.services, scene.rollup.end_ms());
        self.peers.by_service().flat_map(|(service, parts)| of_service(scene, config, service, &parts)).collect()
    }
}

fn of_service(scene: &Scene<'_>, config: &DetectConfig, service: NameId, parts: &[(PartId, &Fared)]) -> Vec<Suspicion> {
    let bad: Vec<_> = parts.iter().filter(|(id, fared)| is_outlying(scene, config, id, fared)).collect();
    if bad.is_empty() || scene.graph.edges_to(service).any(|id| scene.graph.is_biased(id)) {
        return Vec::new();
    }
    let instances = || parts.iter().filter(|(id, _)| id.instance.is_some());
    let traffic: f64 = instances().map(|(_, fared)| fared.traffic).sum();
    let whole = Target::service(&scene.graph.name(service));
    let hold = hold(scene, service);
    let is_version = |id: &PartId| id.version.is_some() && !id.instance.is_some();
    let suspicion = |(id, fared): &&(PartId, &Fared)| {
        let blamed = |(other, _): &&(PartId, &Fared)| is_version(other) && other.version == id.version;
        let (target, members) = if is_version(id) {
            let members = instances().filter(|(member, _)| member.version == id.version).count();
            (Target { version: Some(scene.graph.name(id.version)), ..whole.clone() }, members)
        } else if id.instance.is_some() && !bad.iter().any(blamed) {
            (Target { instance: Some(scene.graph.name(id.instance)), ..whole.clone() }, 1)
        } else {
            return None;
        };
        let instances_share = members as f64 / instances().count().max(1) as f64;
        let part = Part { fared, traffic_share: fared.traffic / traffic.max(1.0), instances_share };
        Some(Suspicion { hold, ..suspicion(scene, service, &target, part) })
    };
    bad.iter().filter_map(suspicion).collect()
}

/// Both facts.
fn is_outlying(scene: &Scene<'_>, config: &DetectConfig, id: &PartId, part: &Fared) -> bool {
    part.calls >= CALLS_MIN.max(config.first_attempts_min)
        && (part.compared >= COMPARED_MIN || !id.instance.is_some())
        && part.compared_ms == scene.rollup.end_ms()
        && part.share() >= FAILED_SHARE_MIN.max(TIMES_PEERS * part.share_of_peers())
        && part.standard_errors() >= Z_MIN
}

/// Windows in which the facts must hold: enough that instances whose clocks disagree have had the same behind them. Two
/// instances disagree by no more than the one is ahead of whom they both talk to, and that one ahead of the other.
fn hold(scene: &Scene<'_>, service: NameId) -> u32 {
    let talks = scene.graph.edges_to(service).chain(scene.graph.edges_from(service));
    let apart_ms = talks.filter_map(|id| scene.graph.edge(id)).map(|edge| edge.ahead_ms + edge.behind_ms);
    let apart_ms = apart_ms.fold(0.0, f64::max);
    if apart_ms <= CLOCKS_EXACT_MS {
        0
    } else {
        1 + libm::ceil(LONGER * apart_ms / scene.rollup.seconds() / 1000.0) as u32
    }
}

fn suspicion(scene: &Scene<'_>, service: NameId, target: &Target, part: Part<'_>) -> Suspicion {
    let subject = target.to_string();
    let fared = part.fared;
    let (share, peers) = (fared.share(), fared.share_of_peers());
    let limit = FAILED_SHARE_MIN.max(TIMES_PEERS * peers);
    let fact = |what: &str, value: f64, limit: f64| model::Evidence {
        subject: subject.clone(),
        ..fact_of_service(scene, service, what, value, limit)
    };
    let how = if fared.lost > fared.failed { "its answers do not arrive" } else { "it fails" };
    Suspicion {
        signature: Signature::Outlier,
        subject: subject.clone(),
        service,
        origin: Some(service),
        affected: [service].into(),
        summary: format!(
            "{:.0} % of what {subject} is asked goes wrong ({how}), {:.1} % at its peers",
            share * 100.0,
            peers * 100.0
        ),
        evidence: vec![
            fact("failed_share", share, limit),
            fact("failed_share_of_peers", peers, limit),
            fact("standard_errors", fared.standard_errors().min(1e6), Z_MIN),
            fact("lost_share", fared.lost / fared.calls.max(1.0), 0.0),
            fact("calls_share", part.traffic_share, 1.0),
            fact("instances_share", part.instances_share, 1.0),
        ],
        strength: 2.0 + margin(share, limit),
        hold: 0,
        predicts: format!("callers of {} go on losing what they send to {subject}", scene.graph.name(service)),
    }
}
