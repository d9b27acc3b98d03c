//! All signatures together, and the findings that are open.

use crate::deviation_front::Fronts;
use crate::hysteresis::Served;
use crate::lifecycle::Life;
use crate::outlier::Outliers;
use crate::{Scene, Suspicion, coverage, inversion, metastable, retry_amplification};
use model::{Finding, FindingId, NameId, Signature};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// When findings open, change and close, and what the signatures demand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectConfig {
    /// Windows in which a signature must hold before its finding opens.
    pub open_after: u32,
    /// Windows without it before the finding closes.
    pub close_after: u32,
    /// An open finding is told again at least this often, in windows.
    pub tell_every: u32,
    /// Below this coverage (0..1) nothing opens.
    pub coverage_min: f64,
    /// First attempts in a window below which an edge is no evidence.
    pub first_attempts_min: f64,
    /// Effective retries are never assumed to be fewer than observed, nor more than this.
    pub retries_max: f64,
    /// From this share of wasted completions on nobody waits for most of the work any more (a clock-free witness).
    pub wasted_share: f64,
    /// Findings open at the same time at most.
    pub findings_max: usize,
}

impl Default for DetectConfig {
    fn default() -> Self {
        DetectConfig {
            open_after: 2,
            close_after: 5,
            tell_every: 5,
            coverage_min: 0.5,
            first_attempts_min: 5.0,
            retries_max: 10.0,
            wasted_share: 0.5,
            findings_max: 200,
        }
    }
}

/// The signatures' memory and the open findings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    config: DetectConfig,
    fronts: Fronts,
    served: Served,
    outliers: Outliers,
    /// By signature and subject.
    lives: BTreeMap<(Signature, String), Life>,
}

impl Detector {
    /// Nothing is open.
    pub fn new(config: DetectConfig) -> Detector {
        Detector { config, ..Detector::default() }
    }

    /// Looks at one window and tells the findings that opened, changed or closed in it, sorted by signature and subject.
    /// A thin window (completeness below `coverage_min`) neither opens nor closes anything.
    pub fn step(&mut self, scene: &Scene<'_>) -> Vec<Finding> {
        if scene.graph.completeness() < self.config.coverage_min {
            return Vec::new();
        }
        let mut seen: BTreeMap<(Signature, String), Suspicion> = BTreeMap::new();
        for suspicion in self.look(scene) {
            seen.entry((suspicion.signature, suspicion.subject.clone())).or_insert(suspicion);
        }
        let mut told = Vec::new();
        for (key, life) in &mut self.lives {
            if !seen.contains_key(key) {
                told.extend(life.miss(&self.config, scene));
            }
        }
        for (key, suspicion) in seen {
            if self.lives.len() >= self.config.findings_max && !self.lives.contains_key(&key) {
                continue;
            }
            let coverage = coverage(scene, suspicion.service);
            let life = self.lives.entry(key).or_default();
            told.extend(life.hold(&self.config, scene, suspicion, coverage));
        }
        self.lives.retain(|_, life| !life.is_over(&self.config));
        told.sort_by(|a, b| (a.signature, &a.subject, &a.id).cmp(&(b.signature, &b.subject, &b.id)));
        told
    }

    /// Open findings (state opened or changed), sorted by signature and subject.
    pub fn open(&self) -> Vec<&Finding> {
        self.lives.values().filter_map(|life| life.finding.as_ref()).collect()
    }

    /// One open finding.
    pub fn finding(&self, id: &FindingId) -> Option<&Finding> {
        self.open().into_iter().find(|finding| finding.id == *id)
    }

    /// Services that an open finding, or a signature about to open one, says are affected: nothing is to be learned of them.
    pub fn unhealthy(&self) -> BTreeSet<NameId> {
        self.lives.values().flat_map(|life| life.affected.iter().copied()).collect()
    }

    fn look(&mut self, scene: &Scene<'_>) -> Vec<Suspicion> {
        let deviations = scene.learner.deviations();
        let mut seen = metastable::look(scene, &self.config);
        seen.extend(retry_amplification::look(scene, &self.config, &deviations));
        seen.extend(self.fronts.look(scene, &deviations));
        seen.extend(self.served.look(scene));
        let is_open = |signature: Signature, subject: &str| {
            self.lives.get(&(signature, subject.to_owned())).is_some_and(|life| life.finding.is_some())
        };
        seen.extend(inversion::look(scene, &self.config, is_open));
        seen.extend(self.outliers.look(scene, &self.config));
        seen
    }
}
