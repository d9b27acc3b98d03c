//! What a signature saw in one window: the material of a finding, without a life of its own.

use crate::Scene;
use model::{EdgeId, Evidence, NameId, Signature};
use std::collections::BTreeSet;

/// Exemplar traces per piece of evidence.
const EXEMPLARS_MAX: usize = 4;

/// A signature that holds in this window.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspicion {
    /// Which.
    pub signature: Signature,
    /// The service or edge it holds for, as it is shown.
    pub subject: String,
    /// The service that is overloaded, or where the front stands deepest.
    pub service: NameId,
    /// The likely origin; `None` is an abstention.
    pub origin: Option<NameId>,
    /// Affected services.
    pub affected: BTreeSet<NameId>,
    /// One sentence.
    pub summary: String,
    /// The facts, the strongest first.
    pub evidence: Vec<Evidence>,
    /// Strength of the evidence as [`learn::Calibration::SIGNATURE`] counts it.
    pub strength: f64,
    /// Windows in which it must hold before a finding opens, if that is more than usual.
    pub hold: u32,
    /// What happens next if nobody acts.
    pub predicts: String,
}

/// How far above its limit a value is, as strength: the logarithm of the ratio, from 0 to 1.
pub(crate) fn margin(value: f64, limit: f64) -> f64 {
    if limit > 0.0 && value > limit { libm::log(value / limit).min(1.0) } else { 0.0 }
}

/// A fact about a service; exemplars come from the edges into it.
pub(crate) fn fact_of_service(scene: &Scene<'_>, service: NameId, fact: &str, value: f64, limit: f64) -> Evidence {
    let exemplars = scene.graph.edges_to(service).flat_map(|id| exemplars(scene, id)).take(EXEMPLARS_MAX).collect();
    Evidence { fact: fact.to_owned(), subject: scene.graph.name(service), value, limit, exemplars }
}

/// A fact about an edge, with its exemplars.
pub(crate) fn fact_of_edge(scene: &Scene<'_>, id: EdgeId, fact: &str, value: f64, limit: f64) -> Evidence {
    let exemplars = exemplars(scene, id);
    Evidence { fact: fact.to_owned(), subject: scene.graph.edge_name(id), value, limit, exemplars }
}

fn exemplars(scene: &Scene<'_>, id: EdgeId) -> Vec<String> {
    scene.graph.edge(id).map_or_else(Vec::new, |edge| edge.exemplars.iter().map(|trace| trace.hex()).collect())
}
