//! Who gets a row of their own when there are more names than rows.
//!
//! Space-saving style (Metwally et al. 2005, with guaranteed counts): a newcomer past the cap is counted among few
//! candidates and takes the lightest row's place only when what it has certainly weighed is more. A flood of names that
//! come once each weighs one each, so it never displaces a name that keeps coming.

use crate::rows::table::Plain;
use hashbrown::HashMap;

const SETS: usize = 128;
const WAYS: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    hash: u64,
    count: u64,
    error: u64,
}

impl Candidate {
    /// What it has certainly weighed.
    fn sure(self) -> u64 {
        self.count - self.error
    }
}

/// The admitted keys (by hash) with their decayed weights, and the candidates for their places.
#[derive(Debug)]
pub(crate) struct Admission {
    cap: usize,
    admitted: HashMap<u64, u64, Plain>,
    candidates: Vec<[Candidate; WAYS]>,
    waiting: bool,
}

impl Admission {
    pub(crate) fn new(cap: usize) -> Admission {
        Admission { cap, admitted: HashMap::with_hasher(Plain), candidates: Vec::new(), waiting: false }
    }

    pub(crate) fn cap(&self) -> usize {
        self.cap
    }

    /// May this key have a row? One that may not is remembered as a candidate with this weight.
    pub(crate) fn admit(&mut self, hash: u64, weight: u64) -> bool {
        if self.admitted.contains_key(&hash) {
            return true;
        }
        if self.admitted.len() < self.cap {
            self.admitted.insert(hash, 0);
            return true;
        }
        self.wait(hash, weight);
        false
    }

    fn wait(&mut self, hash: u64, weight: u64) {
        if self.candidates.is_empty() {
            self.candidates = vec![[Candidate::default(); WAYS]; SETS];
        }
        self.waiting = true;
        let set = &mut self.candidates[(hash >> 40) as usize % SETS];
        if let Some(known) = set.iter_mut().find(|candidate| candidate.hash == hash) {
            known.count = known.count.saturating_add(weight);
            return;
        }
        let lightest = set.iter_mut().min_by_key(|candidate| candidate.count).expect("a set has four ways");
        let error = lightest.count;
        *lightest = Candidate { hash, count: error.saturating_add(weight), error };
    }

    /// A window has closed with these rows: weights decay by an eighth and grow by what the rows weighed; what has faded is
    /// forgotten; candidates that weigh more than the lightest take their places.
    pub(crate) fn turn(&mut self, rows: impl Iterator<Item = (u64, u64)>) {
        for weight in self.admitted.values_mut() {
            *weight -= weight.div_ceil(8);
        }
        for (hash, count) in rows {
            if let Some(weight) = self.admitted.get_mut(&hash) {
                *weight = weight.saturating_add(count);
            }
        }
        self.admitted.retain(|_, weight| *weight > 0);
        if std::mem::take(&mut self.waiting) {
            self.promote();
        }
    }

    fn promote(&mut self) {
        let mut wanting: Vec<Candidate> = self.candidates.drain(..).flatten().filter(|one| one.count > 0).collect();
        wanting.sort_unstable_by_key(|one| (std::cmp::Reverse(one.sure()), one.hash));
        let mut lightest: Vec<(u64, u64)> = self.admitted.iter().map(|(hash, weight)| (*weight, *hash)).collect();
        lightest.sort_unstable();
        let free = self.cap.saturating_sub(self.admitted.len());
        for newcomer in wanting.iter().take(free) {
            self.admitted.insert(newcomer.hash, newcomer.sure());
        }
        for (newcomer, (weight, hash)) in wanting.iter().skip(free).zip(lightest) {
            if newcomer.sure() <= weight {
                break;
            }
            self.admitted.remove(&hash);
            self.admitted.insert(newcomer.hash, newcomer.sure());
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.admitted.capacity() * 20 + self.candidates.capacity() * std::mem::size_of::<[Candidate; WAYS]>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(step: u64) -> u64 {
        model::stable_hash(&step.to_le_bytes())
    }

    #[test]
    fn a_flood_of_light_names_never_displaces_heavy_ones() {
        let mut admission = Admission::new(8);
        let heavy: Vec<u64> = (1..=8).map(|name| noise(1 << 60 | name)).collect();
        for window in 0..20u64 {
            heavy.iter().for_each(|name| assert!(admission.admit(*name, 1024)));
            (0..100_000).for_each(|light| assert!(!admission.admit(noise(window << 32 | light), 1024)));
            admission.turn(heavy.iter().map(|name| (*name, 50 * 1024)));
        }
    }

    #[test]
    fn a_heavy_name_gets_its_row_although_the_flood_came_first() {
        let mut admission = Admission::new(8);
        let flood: Vec<u64> = (0..8).map(noise).collect();
        flood.iter().for_each(|name| assert!(admission.admit(*name, 1024)));
        let late = noise(1 << 50);
        for _ in 0..100 {
            assert!(!admission.admit(late, 1024));
        }
        admission.turn(flood.iter().map(|name| (*name, 1024)));
        assert!(admission.admit(late, 1024));
    }

    #[test]
    fn names_that_stopped_coming_free_their_rows() {
        let mut admission = Admission::new(2);
        assert!(admission.admit(1, 1) && admission.admit(2, 1));
        admission.turn([(1, 4096), (2, 4096)].into_iter());
        (0..80).for_each(|_| admission.turn(std::iter::empty()));
        assert!(admission.admit(3, 1) && admission.admit(4, 1));
    }
}
