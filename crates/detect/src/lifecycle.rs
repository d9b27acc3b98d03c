//! The life of a finding: held for a few windows before it opens, and gone for a few before it closes.

use crate::{DetectConfig, Scene, Suspicion};
use learn::Calibration;
use model::{Finding, FindingId, FindingState, NameId, stable_hash};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A change of confidence that is worth telling.
const CONFIDENCE_STEP: f64 = 0.1;

/// A signature on a subject over the windows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Life {
    held: u32,
    missed: u32,
    since_ms: u64,
    told: u32,
    pub(crate) affected: BTreeSet<NameId>,
    pub(crate) finding: Option<Finding>,
}

impl Life {
    /// The signature holds in this window. Returns the finding if it opened, or changed enough to be told.
    pub(crate) fn hold(
        &mut self,
        config: &DetectConfig,
        scene: &Scene<'_>,
        seen: Suspicion,
        coverage: f64,
    ) -> Option<Finding> {
        if self.held == 0 {
            self.since_ms = scene.rollup.end_ms();
        }
        self.held = self.held.saturating_add(1);
        self.missed = 0;
        self.told = self.told.saturating_add(1);
        let needed = config.open_after.max(seen.hold);
        self.affected.clone_from(&seen.affected);
        let mut next = self.finding(scene, seen, coverage);
        match &self.finding {
            None if self.held >= needed && coverage >= config.coverage_min => {}
            None => return None,
            Some(before) => {
                next.state = FindingState::Changed;
                let news = before.origin != next.origin
                    || before.affected != next.affected
                    || libm::fabs(before.confidence - next.confidence) >= CONFIDENCE_STEP;
                if !news && self.told < config.tell_every {
                    return None;
                }
            }
        }
        self.told = 0;
        self.finding = Some(next.clone());
        Some(next)
    }

    /// The signature does not hold in this window. Returns the finding if that closes it.
    pub(crate) fn miss(&mut self, config: &DetectConfig, scene: &Scene<'_>) -> Option<Finding> {
        self.missed = self.missed.saturating_add(1);
        if self.missed < config.close_after {
            return None;
        }
        let mut finding = self.finding.take()?;
        finding.state = FindingState::Closed;
        finding.at_ms = scene.rollup.end_ms();
        (finding.late, finding.behind_ms) = (scene.late(), scene.behind_ms());
        Some(finding)
    }

    /// Nothing is left of it.
    pub(crate) fn is_over(&self, config: &DetectConfig) -> bool {
        self.finding.is_none() && self.missed >= if self.held >= config.open_after { config.close_after } else { 1 }
    }

    fn finding(&self, scene: &Scene<'_>, seen: Suspicion, coverage: f64) -> Finding {
        let mut affected: Vec<String> = seen.affected.iter().map(|id| scene.graph.name(*id)).collect();
        affected.sort_unstable();
        Finding {
            id: identity(scene.domain, &seen, self.since_ms),
            state: FindingState::Opened,
            signature: seen.signature,
            subject: seen.subject,
            origin: seen.origin.map(|id| scene.graph.name(id)),
            affected,
            summary: seen.summary,
            evidence: seen.evidence,
            // Left out are whole traces, by hash, and weights make up for them: that hides nothing that could speak against it.
            confidence: Calibration::SIGNATURE.confidence(seen.strength, coverage),
            coverage: coverage * (1.0 - scene.graph.left_out()),
            late: scene.late(),
            behind_ms: scene.behind_ms(),
            predicts: seen.predicts,
            since_ms: self.since_ms,
            at_ms: scene.rollup.end_ms(),
        }
    }
}

fn identity(domain: &str, seen: &Suspicion, since_ms: u64) -> FindingId {
    let text = format!("{domain}\n{:?}\n{}\n{since_ms}", seen.signature, seen.subject);
    FindingId(format!(
        "{:016x}{:016x}",
        stable_hash(text.as_bytes()),
        stable_hash(format!("finding\n{text}").as_bytes())
    ))
}
