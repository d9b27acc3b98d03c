//! A map with a cap that heavy keys survive: a flood of light newcomers cannot push out what carries traffic.
//!
//! While there is room everybody enters. Past the cap a newcomer waits until its decayed weight exceeds that of the
//! lightest resident by a margin, then takes its place. The waiting room has a cap of its own, kept by weight too.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hint::black_box;

/// A newcomer must be heavier than a resident by this factor, so that equals do not swap places all the time.
const MARGIN: f64 = 1.25;

pub(crate) trait Weighted {
    /// Decayed calls.
    fn weight(&self) -> f64;

    /// Reads a little of each piece of memory that a step touches; the number says nothing.
    fn warm(&self) -> u32;
}

/// Residents that are looked at ahead of their turn: their cache misses overlap instead of queueing up. A fleet of ten
/// thousand edges does not fit into a core's cache.
const WARM: usize = 16;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bounded<K: Ord, V> {
    max: usize,
    pub(crate) kept: BTreeMap<K, V>,
    waiting: BTreeMap<K, f64>,
    /// Newcomers turned away or residents replaced since the start.
    pub(crate) refused: u64,
    /// How often the set of residents changed.
    pub(crate) changes: u64,
}

impl<K: Ord + Copy, V: Weighted> Bounded<K, V> {
    pub(crate) fn new(max: usize) -> Bounded<K, V> {
        Bounded { max: max.max(1), kept: BTreeMap::new(), waiting: BTreeMap::new(), refused: 0, changes: 0 }
    }

    /// Fades the waiting room; residents fade by themselves.
    pub(crate) fn decay(&mut self, factor: f64) {
        self.waiting.retain(|_, weight| {
            *weight *= factor;
            *weight >= 0.01
        });
    }

    /// Keeps the residents that `keep` says, which may change them.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        let before = self.kept.len();
        self.kept.retain(|_, value| keep(value));
        self.changes += (before - self.kept.len()) as u64;
    }

    /// One pass over all residents in the order of their keys, each with its row, if `rows` (sorted, each key once) has one
    /// for it; `visit` says whether it stays, `warm` reads a little of a row's memory. Gives back the rows that are about
    /// nobody here.
    pub(crate) fn step<R: Copy>(
        &mut self,
        rows: impl Iterator<Item = (K, R)>,
        warm: impl Fn(R) -> u64,
        mut visit: impl FnMut(&mut V, Option<R>) -> bool,
    ) -> Vec<(K, R)> {
        let mut rows = rows.peekable();
        let (mut strangers, mut gone) = (Vec::new(), Vec::new());
        let mut residents: Vec<(&K, &mut V)> = self.kept.iter_mut().collect();
        for ahead in residents.chunks_mut(WARM) {
            let mut met = [None; WARM];
            for ((key, value), met) in ahead.iter().zip(&mut met) {
                while let Some(row) = rows.next_if(|row| row.0 < **key) {
                    strangers.push(row);
                }
                *met = rows.next_if(|row| row.0 == **key).map(|row| row.1);
                black_box((value.warm(), met.map(&warm)));
            }
            for ((key, value), row) in ahead.iter_mut().zip(met) {
                if !visit(value, row) {
                    gone.push(**key);
                }
            }
        }
        strangers.extend(rows);
        for key in &gone {
            self.kept.remove(key);
        }
        self.changes += gone.len() as u64;
        strangers
    }

    /// Lets in those of `arrivals` (key, calls in this window) that may enter, making a new value for each.
    pub(crate) fn admit(&mut self, arrivals: &[(K, f64)], fresh: impl Fn() -> V) {
        let mut newcomers: Vec<(K, f64)> =
            arrivals.iter().filter(|(key, _)| !self.kept.contains_key(key)).copied().collect();
        if newcomers.is_empty() {
            return;
        }
        newcomers.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let room = self.max.saturating_sub(self.kept.len()).min(newcomers.len());
        for (key, _) in newcomers.drain(..room) {
            self.waiting.remove(&key);
            self.kept.insert(key, fresh());
            self.changes += 1;
        }
        if newcomers.is_empty() {
            return;
        }
        for (key, calls) in &mut newcomers {
            let waited = self.waiting.entry(*key).or_insert(0.0);
            *waited += *calls;
            *calls = *waited;
        }
        newcomers.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        self.replace_the_lightest(&newcomers, fresh);
        self.bound_the_waiting_room();
    }

    fn replace_the_lightest(&mut self, newcomers: &[(K, f64)], fresh: impl Fn() -> V) {
        let mut residents: Vec<(f64, K)> = self.kept.iter().map(|(key, value)| (value.weight(), *key)).collect();
        residents.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for ((key, weight), (lightest, resident)) in newcomers.iter().zip(&residents) {
            if *weight <= lightest * MARGIN {
                break;
            }
            self.kept.remove(resident);
            self.kept.insert(*key, fresh());
            self.waiting.remove(key);
            self.refused += 1;
            self.changes += 1;
        }
    }

    fn bound_the_waiting_room(&mut self) {
        let room = (self.max / 4).max(16);
        if self.waiting.len() <= room {
            return;
        }
        let mut by_weight: Vec<(f64, K)> = self.waiting.iter().map(|(key, weight)| (*weight, *key)).collect();
        by_weight.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, key) in &by_weight[room..] {
            self.waiting.remove(key);
            self.refused += 1;
        }
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = &K> {
        self.waiting.keys()
    }
}
