//! By how much each host's clock is wrong: the offsets that fit all paired calls best.
//!
//! Each pair of hosts that call each other bounds the difference of their clocks ([`super::clocks`]). Along the tree of
//! the narrowest bounds every host gets an offset; then each is moved, in a fixed number of rounds, to where its bounds pull
//! it, the narrow ones harder. Offsets count from the median of the hosts that are connected by calls: what most clocks say
//! is taken for the time.

use model::NameId;
use std::collections::BTreeMap;

const ROUNDS: usize = 32;

/// What the calls between two hosts allow: the callee's clock minus the caller's, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bound {
    pub(super) caller: NameId,
    pub(super) callee: NameId,
    pub(super) low_ns: i64,
    pub(super) high_ns: i64,
}

/// A host's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Host {
    pub(crate) host: NameId,
    /// Its clock minus the median clock of the hosts that it is connected with, nanoseconds.
    pub(crate) offset_ns: i64,
    /// Half the width of the narrowest bound on it: an estimate below this says nothing.
    pub(crate) error_ns: i64,
}

impl Bound {
    fn width_ns(&self) -> i64 {
        self.high_ns.saturating_sub(self.low_ns).max(1)
    }

    fn middle_ns(&self) -> f64 {
        i64::midpoint(self.low_ns, self.high_ns) as f64
    }
}

/// Every host of which calls tell, sorted by name.
pub(super) fn estimate(bounds: &[Bound]) -> Vec<Host> {
    let mut bounds = bounds.to_vec();
    bounds.sort_by_key(|bound| (bound.width_ns(), bound.caller, bound.callee));
    let names: Vec<NameId> = {
        let mut names: Vec<NameId> = bounds.iter().flat_map(|bound| [bound.caller, bound.callee]).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let at: BTreeMap<NameId, usize> = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let ends = |bound: &Bound| (at[&bound.caller], at[&bound.callee]);
    let mut offsets = vec![0.0; names.len()];
    let mut part: Vec<usize> = (0..names.len()).collect();
    for bound in &bounds {
        let (caller, callee) = ends(bound);
        let (kept, joined) = (part[caller], part[callee]);
        if kept != joined {
            // The whole part moves to where this bound wants it.
            let shift = offsets[caller] + bound.middle_ns() - offsets[callee];
            for host in (0..names.len()).filter(|host| part[*host] == joined).collect::<Vec<_>>() {
                offsets[host] += shift;
                part[host] = kept;
            }
        }
    }
    for _ in 0..ROUNDS {
        let mut pulls = vec![(0.0, 0.0); names.len()];
        for bound in &bounds {
            let (caller, callee) = ends(bound);
            let weight = 1.0 / bound.width_ns() as f64;
            for (host, wanted) in
                [(callee, offsets[caller] + bound.middle_ns()), (caller, offsets[callee] - bound.middle_ns())]
            {
                pulls[host].0 += weight * wanted;
                pulls[host].1 += weight;
            }
        }
        for (offset, (sum, weight)) in offsets.iter_mut().zip(pulls) {
            // Half of the way: where two pull at each other, neither overshoots.
            *offset = (*offset + sum / weight) / 2.0;
        }
    }
    let mut parts: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (part, offset) in part.iter().zip(&offsets) {
        parts.entry(*part).or_default().push(*offset);
    }
    for part in parts.values_mut() {
        part.sort_unstable_by(f64::total_cmp);
    }
    let median = |part: usize| parts.get(&part).map_or(0.0, |offsets| offsets[(offsets.len() - 1) / 2]);
    names
        .iter()
        .enumerate()
        .map(|(host, name)| {
            let narrowest = bounds.iter().find(|bound| bound.caller == *name || bound.callee == *name);
            Host {
                host: *name,
                offset_ns: (offsets[host] - median(part[host])) as i64,
                error_ns: narrowest.map_or(i64::MAX, |bound| bound.width_ns() / 2),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Twelve hosts in a row and two calls across, whose clocks are wrong by up to a second, with delays there and back that
    /// differ.
    fn bounds(truth: &[i64]) -> Vec<Bound> {
        let pairs = (1..truth.len()).map(|at| (at - 1, at)).chain([(0, 7), (3, 11)]);
        pairs
            .map(|(caller, callee)| {
                let offset = truth[callee] - truth[caller];
                let (there, back) = (2 + caller as i64 % 3, 1 + callee as i64 % 4);
                let name = |at: usize| NameId(at as u64 + 1);
                Bound {
                    caller: name(caller),
                    callee: name(callee),
                    low_ns: offset - back * MS,
                    high_ns: offset + there * MS,
                }
            })
            .collect()
    }

    #[test]
    fn clocks_that_are_wrong_by_up_to_a_second_are_told_from_calls_along_a_chain() {
        let truth: Vec<i64> = [0, 0, -950, 0, 400, 0, 0, 1000, 0, -3, 0, 0].map(|ms| ms * MS).to_vec();
        let hosts = estimate(&bounds(&truth));
        assert_eq!(hosts.len(), truth.len());
        for (host, truth) in hosts.iter().zip(&truth) {
            assert!((host.offset_ns - truth).abs() < 10 * MS, "{host:?} instead of {truth}");
            assert!((MS..4 * MS).contains(&host.error_ns), "{host:?}");
        }
        let mut other_order = bounds(&truth);
        other_order.reverse();
        assert_eq!(estimate(&other_order), hosts);
    }

    #[test]
    fn hosts_that_no_call_connects_are_each_measured_by_their_own() {
        let bound = |caller, callee, middle_ms: i64| Bound {
            caller: NameId(caller),
            callee: NameId(callee),
            low_ns: (middle_ms - 1) * MS,
            high_ns: (middle_ms + 1) * MS,
        };
        let hosts = estimate(&[bound(1, 2, 0), bound(2, 3, 500), bound(8, 9, 0)]);
        let offsets: Vec<i64> = hosts.iter().map(|host| (host.offset_ns + MS / 2) / MS).collect();
        assert_eq!(offsets, [0, 0, 500, 0, 0]);
        assert_eq!(estimate(&[]), []);
    }
}
