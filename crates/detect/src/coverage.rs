//! How much of the telemetry behind a service is there.

use crate::Scene;
use model::{EdgeKind, NameId};

/// The share of the telemetry of `service` and the edges into it that is complete, paired and of known weight, 0..1;
/// zero where an edge into it is biased. A client span that timed out and has no server half yet is a censored delay, not
/// missing telemetry.
pub fn coverage(scene: &Scene<'_>, service: NameId) -> f64 {
    let complete = scene.graph.completeness();
    let (mut calls, mut lost) = (0.0, 0.0);
    for id in scene.graph.edges_to(service) {
        if scene.graph.is_biased(id) {
            return 0.0;
        }
        let Some(edge) = scene.graph.edge(id) else { continue };
        if edge.kind == EdgeKind::Call {
            let rates = edge.rates();
            calls += rates.calls_rps;
            lost += (rates.unpaired_rps - rates.timeouts_rps).max(0.0);
        }
    }
    let paired = if calls > 0.0 { (1.0 - lost / calls).clamp(0.0, 1.0) } else { 1.0 };
    let weighted = scene.graph.service(service).map_or(1.0, |service| {
        let rates = service.rates();
        if rates.calls_rps > 0.0 { (1.0 - rates.unweighted_rps / rates.calls_rps).clamp(0.0, 1.0) } else { 1.0 }
    });
    complete * paired * weighted
}
