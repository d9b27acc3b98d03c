//! Root cause over whole periods: compares an incident with a baseline and ranks likely origins.

use graph::Graph;
use model::{NameId, Window};
use serde::{Deserialize, Serialize};

/// What a period looked like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    windows: u64,
}

/// One candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// The service.
    pub service: NameId,
    /// Its score; not comparable across incidents.
    pub score: f64,
    /// The calibrated probability that it is the origin, 0..1.
    pub confidence: f64,
    /// The facts in words, the strongest first.
    pub why: Vec<String>,
}

/// Below this confidence of the first candidate the verdict should be an abstention.
pub const ABSTAIN_BELOW: f64 = 0.2;

impl Profile {
    /// Adds a window.
    pub fn add(&mut self, window: &Window) {
        self.windows += u64::from(window.spans > 0);
    }
}

/// Ranks likely origins, best first, scores not increasing; empty where nothing differs from the baseline. `graph` gives
/// the names and edges and may hold more than the two periods.
#[allow(clippy::todo)]
pub fn rank(baseline: &Profile, incident: &Profile, graph: &Graph) -> Vec<Ranked> {
    let _ = (baseline, incident, graph);
    todo!()
}
