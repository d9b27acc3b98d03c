//! Loop gain: does a small rise of load come back larger?
//!
//! The call graph's own spectral radius is 0 for any DAG whatever the load. What decides is the Jacobian of load,
//! `G_ij = ∂load_i(t+1)/∂load_j(t)`: one request at j makes `fan-out` first attempts at each callee i (down), and failures
//! at j come back as retries at j itself and, passed on by its callers, at the callers (up). At spectral radius 1 the
//! fleet keeps itself down. (notes/overload-control.md §13.5: sustaining effect, and the slope `dA/dp = Σ k·p^(k-1)`.)
//! Up-edges that are not identified (no retries seen, or no response to load known) are damped to zero, and the share
//! of edges that were identified is told.

use crate::Graph;
use model::{EdgeId, NameId};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tries per call at most that the slope assumes: gRPC's and most clients' default of three retries.
const RETRIES_MAX: u32 = 3;
/// Power iteration stops here; the gain is read to two digits at most.
const STEPS_MAX: usize = 200;
/// Dense matrix: past this many services only the busiest are looked at.
const NODES_MAX: usize = 256;

/// The gain of the whole fleet's load loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoopGain {
    /// The spectral radius of the Jacobian: below 1 disturbances die out.
    pub radius: f64,
    /// The share of edges whose way up is identified, 0..1.
    pub identified: f64,
    /// Services by their part in the loop (the dominant eigenvector, summing to 1), largest first; empty at radius 0.
    pub carriers: Vec<(NameId, f64)>,
}

/// The loop gain of `graph`. `response` says for a service how its failure share rises with its load (∂p/∂load, per
/// request per second); services without an entry are unidentified.
pub fn loop_gain(graph: &Graph, response: &BTreeMap<NameId, f64>) -> LoopGain {
    let mut nodes: Vec<(NameId, f64)> = graph.services().map(|(id, s)| (id, s.rates().calls_rps)).collect();
    nodes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    nodes.truncate(NODES_MAX);
    nodes.sort_by_key(|node| node.0);
    let place: BTreeMap<NameId, usize> = nodes.iter().enumerate().map(|(at, node)| (node.0, at)).collect();
    let mut jacobian = Array2::<f64>::zeros((nodes.len(), nodes.len()));
    let (mut edges, mut identified) = (0usize, 0usize);
    for (id, edge) in graph.edges() {
        let Some(&callee) = place.get(&id.callee) else { continue };
        edges += 1;
        let rates = edge.rates();
        if let Some(&caller) = place.get(&id.caller) {
            let visits = nodes[caller].1;
            if visits > 0.0 {
                jacobian[[callee, caller]] += rates.first_attempts_rps / visits;
            }
        }
        let retries = retry_slope(rates.retries_rps, rates.first_attempts_rps, rates.error_share());
        let (Some(slope), Some(response)) = (retries, response.get(&id.callee)) else { continue };
        identified += 1;
        let again = rates.first_attempts_rps * slope * response.max(0.0);
        jacobian[[callee, callee]] += again;
        let Some(&caller) = place.get(&id.caller) else { continue };
        // The caller fails because the callee does: its own callers' retries arrive at the caller.
        let passed_on = response.max(0.0) * passed_share(graph, id);
        for above in graph.edges_to(id.caller) {
            let Some(above) = graph.edge(above) else { continue };
            let above = above.rates();
            if let Some(slope) = retry_slope(above.retries_rps, above.first_attempts_rps, above.error_share()) {
                jacobian[[caller, callee]] += above.first_attempts_rps * slope * passed_on;
            }
        }
    }
    let (radius, vector) = dominant(&jacobian);
    let mut carriers: Vec<(NameId, f64)> = Vec::new();
    if radius > 0.0 {
        carriers = nodes.iter().zip(vector.iter()).map(|(node, part)| (node.0, *part)).filter(|c| c.1 > 0.01).collect();
        carriers.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    }
    LoopGain { radius, identified: if edges == 0 { 0.0 } else { identified as f64 / edges as f64 }, carriers }
}

/// The largest eigenvalue of a matrix without negative entries, by power iteration on `G + I` (the shift makes it
/// converge for periodic matrices too). Zero for an empty or nilpotent one.
pub fn spectral_radius(matrix: &Array2<f64>) -> f64 {
    dominant(matrix).0
}

fn dominant(matrix: &Array2<f64>) -> (f64, Array1<f64>) {
    let size = matrix.nrows();
    let mut vector = Array1::<f64>::from_elem(size, 1.0 / size.max(1) as f64);
    if is_nilpotent(matrix) {
        return (0.0, vector);
    }
    let mut grown = 1.0;
    for _ in 0..STEPS_MAX {
        let next = matrix.dot(&vector) + &vector;
        let sum: f64 = next.iter().sum();
        if !(sum.is_finite() && sum > 0.0) {
            return (0.0, vector);
        }
        vector = next / sum;
        let settled = libm::fabs(sum - grown) < 1e-9;
        grown = sum;
        if settled {
            break;
        }
    }
    ((grown - 1.0).max(0.0), vector)
}

/// No cycle at all: the radius is exactly zero, but power iteration would approach it only as 1/n.
fn is_nilpotent(matrix: &Array2<f64>) -> bool {
    let size = matrix.nrows();
    let mut open: Vec<bool> = vec![true; size];
    loop {
        let leaves: Vec<usize> =
            (0..size).filter(|i| open[*i] && (0..size).all(|j| !open[j] || matrix[[j, *i]] == 0.0)).collect();
        if leaves.is_empty() {
            return !open.contains(&true);
        }
        leaves.iter().for_each(|leaf| open[*leaf] = false);
    }
}

/// `dA/dp` at failure share `p`; `None` while no retry was seen on the edge.
fn retry_slope(retries_rps: f64, first_rps: f64, p: f64) -> Option<f64> {
    if retries_rps <= 0.0 || first_rps <= 0.0 {
        return None;
    }
    let (mut slope, mut power) = (0.0, 1.0);
    for k in 1..=RETRIES_MAX {
        slope += f64::from(k) * power;
        power *= p;
    }
    Some(slope)
}

/// The share of the callee's failures that the caller passes on: at most one, zero where the caller has none.
fn passed_share(graph: &Graph, id: EdgeId) -> f64 {
    let failing = graph.edge(id).map_or(0.0, |edge| edge.rates().failed_rps);
    let caller = graph.service(id.caller).map_or(0.0, |service| service.rates().failed_rps);
    if failing > 0.0 { (caller / failing).clamp(0.0, 1.0) } else { 0.0 }
}
