//! The outlier: some instances of a service, or one version of it, fail their callers, their peers do not.
//!
//! What counts against an instance is what it fails, and answers that it gave well and in time and that never arrived (gray
//! failure: Huang et al., HotOS '17, "differential observability"). What it goes on with after its caller has gone does not:
//! that is told by its clock against its caller's, and one clock that is wrong would make an outlier.
//!
//! **Fact 1**: the share of requests that it fails is at least a tenth, and three times that of its peers.
//! **Fact 2**: that is no chance: the two shares differ by five standard errors (two-proportion z-test, pooled).
//! Only peers at the same time are compared, so that load, a slow dependency or a burst of bad requests, which hit all of
//! them alike, are no outliers. A version is blamed before its instances: most of what goes wrong is a change (Google SRE
//! book, ch. 8). Source of ejecting by comparison: Envoy's outlier detection by success rate.

use crate::suspicion::{Suspicion, fact_of_service, margin};
use crate::{DetectConfig, Scene};
use model::{NameId, ServiceRow, Signature, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// From this share of failed requests on an instance is worth leaving alone.
const FAILED_SHARE_MIN: f64 = 0.1;
/// It fails so many times as often as its peers.
const TIMES_PEERS: f64 = 3.0;
/// Standard errors between the two.
const Z_MIN: f64 = 5.0;
/// Requests in memory, on each side, below which nothing is said.
const CALLS_MIN: f64 = 10.0;
/// Instances are compared while no more than one span in so many is late.
const LATE_MAX: u64 = 20;
/// What was counted has half its weight after this time.
const HALF_LIFE_MS: f64 = 3_000.0;
/// What weighs less than this many requests is forgotten.
const FORGOTTEN: f64 = 0.05;
/// Parts remembered at most; new ones beyond are left out.
const PARTS_MAX: usize = 20_000;

/// How the instances and versions of services have fared lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outliers {
    /// By service, version and instance.
    parts: BTreeMap<(NameId, NameId, NameId), Fared>,
    end_ms: u64,
}

/// Decayed counts of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Fared {
    calls: f64,
    failed: f64,
    lost: f64,
}

impl Fared {
    fn add(&mut self, other: &Fared) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.lost += other.lost;
    }

    fn bad(&self) -> f64 {
        (self.failed + self.lost).min(self.calls)
    }

    fn share(&self) -> f64 {
        if self.calls > 0.0 { self.bad() / self.calls } else { 0.0 }
    }

    fn without(&self, part: &Fared) -> Fared {
        Fared { calls: self.calls - part.calls, failed: self.failed - part.failed, lost: self.lost - part.lost }
    }
}

/// A part of a service: its instances' names and how they fared together.
#[derive(Clone, Debug, Default)]
struct Part {
    instances: usize,
    fared: Fared,
}

impl Outliers {
    /// Takes in one window's rows and tells the parts of services that fail where their peers do not.
    pub(crate) fn look(&mut self, scene: &Scene<'_>, config: &DetectConfig) -> Vec<Suspicion> {
        // What came late from some instances is not of the time of their peers: nothing is compared.
        if scene.window.late.saturating_mul(LATE_MAX) > scene.window.spans {
            return Vec::new();
        }
        self.remember(scene);
        let rows: Vec<_> = self.parts.iter().collect();
        let services = rows.chunk_by(|a, b| a.0.0 == b.0.0);
        services.flat_map(|rows| self.of_service(scene, config, rows)).collect()
    }

    fn remember(&mut self, scene: &Scene<'_>) {
        let end_ms = scene.rollup.end_ms();
        let passed_ms = end_ms.saturating_sub(self.end_ms) as f64;
        let factor = libm::exp2(-passed_ms / HALF_LIFE_MS);
        self.end_ms = end_ms;
        self.parts.retain(|_, fared| {
            (fared.calls, fared.failed, fared.lost) =
                (fared.calls * factor, fared.failed * factor, fared.lost * factor);
            fared.calls >= FORGOTTEN
        });
        for row in &scene.window.services {
            let id = (row.key.service, row.key.version, row.key.instance);
            if !id.2.is_some() || (self.parts.len() >= PARTS_MAX && !self.parts.contains_key(&id)) {
                continue;
            }
            self.parts.entry(id).or_default().add(&fared(row));
        }
    }

    fn of_service(
        &self,
        scene: &Scene<'_>,
        config: &DetectConfig,
        rows: &[(&(NameId, NameId, NameId), &Fared)],
    ) -> Vec<Suspicion> {
        let Some(((service, ..), _)) = rows.first() else { return Vec::new() };
        if rows.len() < 2 || scene.graph.edges_to(*service).any(|id| scene.graph.is_biased(id)) {
            return Vec::new();
        }
        let mut whole = Part::default();
        let (mut versions, mut instances) = (BTreeMap::<NameId, Part>::new(), BTreeMap::<NameId, Part>::new());
        for ((_, version, instance), fared) in rows {
            for part in [versions.entry(*version).or_default(), instances.entry(*instance).or_default(), &mut whole] {
                part.instances += 1;
                part.fared.add(fared);
            }
        }
        let outlying = |part: &Part| is_outlying(config, &part.fared, &whole.fared.without(&part.fared));
        let bad_versions: Vec<_> = versions.iter().filter(|(id, part)| id.is_some() && outlying(part)).collect();
        let blamed = |instance: &NameId| {
            rows.iter()
                .any(|((_, version, id), _)| id == instance && bad_versions.iter().any(|(bad, _)| *bad == version))
        };
        let bad_instances = instances.iter().filter(|(id, part)| !blamed(id) && outlying(part));
        let name = scene.graph.name(*service);
        let by_version = bad_versions
            .iter()
            .map(|(id, part)| (Target { version: Some(scene.graph.name(**id)), ..Target::service(&name) }, *part));
        let by_instance = bad_instances
            .map(|(id, part)| (Target { instance: Some(scene.graph.name(*id)), ..Target::service(&name) }, part));
        by_version.chain(by_instance).map(|(target, part)| suspicion(scene, *service, &target, part, &whole)).collect()
    }
}

fn fared(row: &ServiceRow) -> Fared {
    Fared { calls: row.calls.calls(), failed: row.failed().calls(), lost: row.lost.calls() }
}

/// Both facts.
fn is_outlying(config: &DetectConfig, part: &Fared, peers: &Fared) -> bool {
    let calls_min = CALLS_MIN.max(config.first_attempts_min);
    part.calls >= calls_min
        && peers.calls >= calls_min
        && part.share() >= FAILED_SHARE_MIN.max(TIMES_PEERS * peers.share())
        && standard_errors(part, peers) >= Z_MIN
}

fn standard_errors(part: &Fared, peers: &Fared) -> f64 {
    let pooled = (part.bad() + peers.bad()) / (part.calls + peers.calls);
    let variance = pooled * (1.0 - pooled) * (1.0 / part.calls + 1.0 / peers.calls);
    if variance > 0.0 { (part.share() - peers.share()) / libm::sqrt(variance) } else { f64::INFINITY }
}

fn suspicion(scene: &Scene<'_>, service: NameId, target: &Target, part: &Part, whole: &Part) -> Suspicion {
    let subject = target.to_string();
    let peers = whole.fared.without(&part.fared);
    let (share, limit) = (part.fared.share(), FAILED_SHARE_MIN.max(TIMES_PEERS * peers.share()));
    let fact = |what: &str, value: f64, limit: f64| model::Evidence {
        subject: subject.clone(),
        ..fact_of_service(scene, service, what, value, limit)
    };
    let lost = part.fared.lost > part.fared.failed;
    let how = if lost { "its answers do not arrive" } else { "it fails" };
    Suspicion {
        signature: Signature::Outlier,
        subject: subject.clone(),
        service,
        origin: Some(service),
        affected: [service].into(),
        summary: format!(
            "{:.0} % of what {subject} is asked goes wrong ({how}), {:.1} % at its peers",
            share * 100.0,
            peers.share() * 100.0
        ),
        evidence: vec![
            fact("failed_share", share, limit),
            fact("failed_share_of_peers", peers.share(), limit),
            fact("standard_errors", standard_errors(&part.fared, &peers).min(1e6), Z_MIN),
            fact("lost_share", part.fared.lost / part.fared.calls.max(1.0), 0.0),
            fact("calls_share", part.fared.calls / whole.fared.calls.max(1.0), 1.0),
            fact("instances_share", part.instances as f64 / whole.instances.max(1) as f64, 1.0),
        ],
        strength: 2.0 + margin(share, limit),
        hold: 0,
        predicts: format!("callers of {} go on losing what they send to {subject}", scene.graph.name(service)),
    }
}
