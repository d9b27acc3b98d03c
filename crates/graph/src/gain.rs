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
/// Dense matrix: past this many services that load can come back to only the busiest are looked at.
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
    let nodes: Vec<(NameId, f64)> = graph.services().map(|(id, s)| (id, s.rates().calls_rps)).collect();
    let place = |id: NameId| nodes.binary_search_by_key(&id, |node| node.0).ok();
    let mut gains: Vec<Gain> = Vec::with_capacity(2 * graph.edges().count());
    let (mut edges, mut identified) = (0usize, 0usize);
    // Edges come by caller: each caller is looked up once.
    let mut last = (NameId::NONE, None);
    for (id, edge) in graph.edges() {
        let Some(callee) = place(id.callee) else { continue };
        edges += 1;
        if last.0 != id.caller {
            last = (id.caller, place(id.caller));
        }
        let (rates, caller) = (edge.rates(), last.1);
        if let Some(caller) = caller.filter(|caller| nodes[*caller].1 > 0.0) {
            gains.push(Gain { at: callee, by: caller, gain: rates.first_attempts_rps / nodes[caller].1 });
        }
        let retries = retry_slope(rates.retries_rps, rates.first_attempts_rps, rates.error_share());
        let (Some(slope), Some(response)) = (retries, response.get(&id.callee)) else { continue };
        identified += 1;
        let again = rates.first_attempts_rps * slope * response.max(0.0);
        gains.push(Gain { at: callee, by: callee, gain: again });
        let Some(caller) = caller else { continue };
        // The caller fails because the callee does: its own callers' retries arrive at the caller.
        let passed_on = response.max(0.0) * passed_share(graph, id);
        for above in graph.edges_to(id.caller) {
            let Some(above) = graph.edge(above) else { continue };
            let above = above.rates();
            if let Some(slope) = retry_slope(above.retries_rps, above.first_attempts_rps, above.error_share()) {
                gains.push(Gain { at: caller, by: callee, gain: above.first_attempts_rps * slope * passed_on });
            }
        }
    }
    let (matrix, circle) = dense(&nodes, gains);
    let (radius, vector) = dominant(&matrix);
    let mut carriers: Vec<(NameId, f64)> = circle
        .iter()
        .zip(&vector)
        .map(|(node, part)| (nodes[*node].0, *part))
        .filter(|carrier| radius > 0.0 && carrier.1 > 0.01)
        .collect();
    carriers.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    LoopGain { radius, identified: if edges == 0 { 0.0 } else { identified as f64 / edges as f64 }, carriers }
}

/// One entry of the Jacobian: how much load at `at` rises with load at `by`, both by their place.
#[derive(Clone, Copy, Debug)]
struct Gain {
    at: usize,
    by: usize,
    gain: f64,
}

/// The Jacobian of the services that load can come back to, and their places. All others leave its radius as it is, and a
/// fleet has few of these: what would be quadratic in services stays small.
fn dense(nodes: &[(NameId, f64)], mut gains: Vec<Gain>) -> (Array2<f64>, Vec<usize>) {
    gains.retain(|gain| gain.gain > 0.0);
    let mut circle = circle(nodes.len(), &gains);
    if circle.len() > NODES_MAX {
        circle.sort_by(|a, b| nodes[*b].1.total_cmp(&nodes[*a].1).then(a.cmp(b)));
        circle.truncate(NODES_MAX);
        circle.sort_unstable();
    }
    let mut matrix = Array2::<f64>::zeros((circle.len(), circle.len()));
    for Gain { at, by, gain } in gains {
        if let (Ok(at), Ok(by)) = (circle.binary_search(&at), circle.binary_search(&by)) {
            matrix[[at, by]] += gain;
        }
    }
    (matrix, circle)
}

/// The nodes that lie on a circle, or between two: all but those that no way leads out of, or into, and so on.
fn circle(size: usize, gains: &[Gain]) -> Vec<usize> {
    let mut inside = vec![true; size];
    for turned in [false, true] {
        let ends = |gain: &Gain| if turned { (gain.at, gain.by) } else { (gain.by, gain.at) };
        let mut ways = vec![0usize; size];
        // What leads to each node, node by node in one list: `starts[node]..starts[node + 1]` of `before`.
        let mut starts = vec![0usize; size + 1];
        for (from, to) in gains.iter().map(ends) {
            ways[from] += 1;
            starts[to] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut before = vec![0usize; gains.len()];
        for (from, to) in gains.iter().map(ends) {
            starts[to] -= 1;
            before[starts[to]] = from;
        }
        let mut open: Vec<usize> = (0..size).filter(|node| ways[*node] == 0).collect();
        while let Some(node) = open.pop() {
            inside[node] = false;
            for from in &before[starts[node]..starts[node + 1]] {
                ways[*from] -= 1;
                if ways[*from] == 0 {
                    open.push(*from);
                }
            }
        }
    }
    (0..size).filter(|node| inside[*node]).collect()
}

/// The largest eigenvalue of a matrix without negative entries and its vector, by power iteration on `G + I` (the shift
/// makes it converge for periodic matrices too). Zero for an empty one.
fn dominant(matrix: &Array2<f64>) -> (f64, Array1<f64>) {
    let size = matrix.nrows();
    let mut vector = Array1::<f64>::from_elem(size, 1.0 / size.max(1) as f64);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn radius(size: u64, entries: &[(usize, usize, f64)]) -> f64 {
        let nodes: Vec<(NameId, f64)> = (0..size).map(|at| (NameId(at), 1.0)).collect();
        let gains = entries.iter().map(|(at, by, gain)| Gain { at: *at, by: *by, gain: *gain }).collect();
        dominant(&dense(&nodes, gains).0).0
    }

    #[test]
    fn the_spectral_radius_of_known_matrices_is_found() {
        assert!((radius(2, &[(0, 1, 2.0), (1, 0, 0.5)]) - 1.0).abs() < 1e-6);
        assert!((radius(2, &[(0, 0, 0.3), (1, 0, 7.0), (1, 1, 0.9)]) - 0.9).abs() < 1e-2);
        assert!((radius(2, &[(0, 0, 2.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 2.0)]) - 3.0).abs() < 1e-6);
        assert_eq!(radius(3, &[(1, 0, 5.0), (2, 0, 1.0), (2, 1, 9.0)]), 0.0, "without a circle nothing comes back");
    }

    #[test]
    fn what_hangs_on_a_circle_does_not_change_its_radius_and_is_not_looked_at() {
        let mut entries = vec![(0, 1, 2.0), (1, 0, 0.5)];
        entries.extend((2..1000).map(|at| (at, at - 1, 3.0)));
        assert!((radius(1000, &entries) - 1.0).abs() < 1e-6);
        let gains: Vec<Gain> = entries.iter().map(|(at, by, gain)| Gain { at: *at, by: *by, gain: *gain }).collect();
        assert_eq!(circle(1000, &gains), [0, 1]);
    }
}
