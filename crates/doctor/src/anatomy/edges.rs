//! Where telemetry begins and ends: what is missing there is no fault.

use std::collections::BTreeMap;

/// A silence of so many seconds is a break: minutes that were left out of a capture.
pub(crate) const BREAK_S: u64 = 20;
/// So long before the end of a run what belongs together may not have come yet, seconds.
const UNSETTLED_S: u64 = 5;

/// Stretches of event time without a break, as (first, last) second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Vec<(u64, u64)>);

impl Runs {
    pub(crate) fn of(seconds: &BTreeMap<u64, u64>) -> Runs {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for second in seconds.keys() {
            match runs.last_mut() {
                Some(last) if second - last.1 <= BREAK_S => last.1 = *second,
                _ => runs.push((*second, *second)),
            }
        }
        Runs(runs)
    }

    /// Is this so near to the end of its run that its parent may still be under way?
    pub(crate) fn is_unsettled(&self, end_ns: u64) -> bool {
        let second = end_ns / 1_000_000_000;
        self.run(second).is_none_or(|run| second + UNSETTLED_S > run.1)
    }

    /// Is this so near to the start of its run that what it follows may have ended before?
    pub(crate) fn is_young(&self, start_ns: u64) -> bool {
        let second = start_ns / 1_000_000_000;
        self.run(second).is_none_or(|run| second < run.0 + UNSETTLED_S)
    }

    /// The runs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    fn run(&self, second: u64) -> Option<(u64, u64)> {
        let at = self.0.partition_point(|run| run.1 < second);
        self.0.get(at).copied().filter(|run| run.0 <= second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_part_runs_and_their_ends_are_unsettled() {
        let seconds = (100..130).chain(200..260).map(|second| (second, 1)).collect();
        let runs = Runs::of(&seconds);
        assert_eq!(runs.iter().collect::<Vec<_>>(), [(100, 129), (200, 259)]);
        let unsettled = |second: u64| runs.is_unsettled(second * 1_000_000_000);
        assert_eq!([110, 128, 205, 258, 150].map(unsettled), [false, true, false, true, true]);
        assert!(runs.is_young(202_000_000_000) && !runs.is_young(230_000_000_000));
    }
}
