//! How much of the telemetry behind a service is there.

use crate::Scene;
use model::NameId;

/// The share of the telemetry of `service` and the edges into it that is complete, paired and of known weight, 0..1;
/// zero where an edge into it is biased.
#[allow(clippy::todo)]
pub fn coverage(scene: &Scene<'_>, service: NameId) -> f64 {
    let _ = (scene, service);
    todo!()
}
