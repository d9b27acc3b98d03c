//! Which operations of a caller call which operations of a callee: the heaviest pairs of one edge.

use model::{Count, NameId};
use serde::{Deserialize, Serialize};

/// A pair lighter than this many calls is forgotten while decaying.
const WEIGHT_MIN: f64 = 1e-3;

/// Caller operation, callee operation.
pub type OperationPair = (NameId, NameId);

/// One operation pair of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Decayed calls.
    pub(crate) weight: f64,
    /// Calls since it was first seen.
    pub calls_total: Count,
}

/// Operation pairs, sorted, each once; past the cap the lightest is left out. A list and no map: most edges have one or two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Operations(Vec<(OperationPair, Operation)>);

impl Operations {
    /// All pairs, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (OperationPair, &Operation)> {
        self.0.iter().map(|(pair, operation)| (*pair, operation))
    }

    /// Is this pair among them?
    pub(crate) fn has(&self, pair: OperationPair) -> bool {
        self.0.binary_search_by_key(&pair, |known| known.0).is_ok()
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        self.0.retain_mut(|(_, operation)| {
            operation.weight *= factor;
            operation.weight >= WEIGHT_MIN
        });
    }

    /// Counts calls of one pair; past `max` pairs the lightest makes room for a heavier one.
    pub(crate) fn count(&mut self, pair: OperationPair, calls: Count, max: usize) {
        let place = match self.0.binary_search_by_key(&pair, |known| known.0) {
            Ok(place) => place,
            Err(_) if self.0.len() >= max && !self.drop_lighter_than(calls.calls()) => return,
            Err(_) => {
                let place = self.0.partition_point(|known| known.0 < pair);
                self.0.reserve_exact(1);
                self.0.insert(place, (pair, Operation::default()));
                place
            }
        };
        let operation = &mut self.0[place].1;
        operation.weight += calls.calls();
        operation.calls_total += calls;
    }

    fn drop_lighter_than(&mut self, weight: f64) -> bool {
        let light = |(_, a): &(usize, f64), (_, b): &(usize, f64)| a.total_cmp(b);
        let lightest = self.0.iter().map(|known| known.1.weight).enumerate().min_by(light);
        match lightest {
            Some((place, light)) if light < weight => {
                self.0.remove(place);
                true
            }
            _ => false,
        }
    }

    /// Brings it into the cache; the number says nothing.
    pub(crate) fn warm(&self) -> u32 {
        self.0.first().map_or(0, |(pair, _)| pair.0.0 as u32)
    }
}
