//! What a run came to.

use crate::plan;
use crate::run::{Arm, Story};
use model::Knob;
use serde::Serialize;
use std::collections::BTreeSet;

/// The last so many seconds of a stretch are looked at.
const STRETCH_S: u64 = 6;
/// Back is at this share of what it was before.
const BACK_SHARE: f64 = 0.9;
/// For so many seconds.
const BACK_FOR_S: u64 = 3;

/// One run in numbers. Answers per second are those that the clients got.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    /// What was done for the fleet.
    pub(crate) arm: Arm,
    /// Requests per second that came.
    pub(crate) offered_rps: f64,
    /// Answers per second before the database was slow.
    pub(crate) before_rps: f64,
    /// Answers per second in the last seconds of the slow database.
    pub(crate) during_rps: f64,
    /// Answers per second at the end, long after the database was well again.
    pub(crate) after_rps: f64,
    /// From the end of the fault to 90 % of what it was before; nothing is never.
    pub(crate) back_after_s: Option<u64>,
    /// The same for the most important class alone, which is never refused.
    pub(crate) vital_back_after_s: Option<u64>,
    /// Changes of commands.
    pub(crate) commands: usize,
    /// Guards that obeyed something at the end.
    pub(crate) obeying_at_the_end: usize,
    /// When stopbank was killed, seconds after the end of the fault.
    pub(crate) killed_after_s: Option<f64>,
    /// The knobs that guards obeyed two seconds after it had been killed.
    pub(crate) held_on: BTreeSet<Knob>,
    /// For so long guards obeyed after it had been killed, seconds.
    pub(crate) obeyed_on_for_s: Option<f64>,
}

impl Verdict {
    /// The numbers of a story.
    pub(crate) fn of(arm: Arm, story: &Story, plan: &plan::Story) -> Verdict {
        let well_s = plan.slow_at_s + plan.slow_for_s;
        let end_s = story.seconds.last().map_or(0, |second| second.at_s + 1);
        let mean = |from_s: u64, to_s: u64, what: fn(&crate::load::Second) -> u32| {
            let these: Vec<f64> = story
                .seconds
                .iter()
                .filter(|second| (from_s..to_s).contains(&second.at_s))
                .map(|second| f64::from(what(second)))
                .collect();
            these.iter().sum::<f64>() / (these.len() as f64).max(1.0)
        };
        let good = |from_s, to_s| mean(from_s, to_s, |second| second.good);
        let back_after_s = |what: fn(&crate::load::Second) -> u32| {
            let before = mean(plan.slow_at_s.saturating_sub(STRETCH_S), plan.slow_at_s, what);
            let is_back = |at_s: &u64| mean(*at_s, *at_s + BACK_FOR_S, what) >= BACK_SHARE * before;
            (well_s..=end_s.saturating_sub(BACK_FOR_S)).find(is_back).map(|at_s| at_s - well_s)
        };
        let obeyed_on_for_s = story.killed_at_s.map(|killed_s| {
            let last = story.obeying.iter().rposition(|obeying| *obeying > 0).map_or(0.0, |at| at as f64 + 1.0);
            (last - killed_s).max(0.0)
        });
        Verdict {
            arm,
            offered_rps: mean(0, end_s, |second| second.offered),
            before_rps: good(plan.slow_at_s.saturating_sub(STRETCH_S), plan.slow_at_s),
            during_rps: good(well_s.saturating_sub(STRETCH_S.min(plan.slow_for_s)), well_s),
            after_rps: good(end_s.saturating_sub(STRETCH_S), end_s),
            back_after_s: back_after_s(|second| second.good),
            vital_back_after_s: back_after_s(|second| second.vital),
            commands: story.commands.len(),
            obeying_at_the_end: story.obeying.last().copied().unwrap_or(0),
            killed_after_s: story.killed_at_s.map(|killed_s| killed_s - well_s as f64),
            held_on: story.held_on.clone(),
            obeyed_on_for_s,
        }
    }

    /// One line for people.
    pub(crate) fn told(&self) -> String {
        let arm = match self.arm {
            Arm::Without => "without stopbank",
            Arm::With => "with stopbank",
            Arm::Killed => "killed half-way",
        };
        let after = |after_s: Option<u64>| after_s.map_or("never".to_owned(), |after_s| format!("{after_s} s"));
        let (vital, all) = (after(self.vital_back_after_s), after(self.back_after_s));
        format!(
            "{arm:<18}{:>8.1}/s{:>10.1}/s{:>10.1}/s{vital:>12}{all:>12}{:>10}{:>10}",
            self.before_rps, self.during_rps, self.after_rps, self.commands, self.obeying_at_the_end
        )
    }
}

/// What stands over the lines.
pub(crate) fn head() -> String {
    format!(
        "{:<18}{:>10}{:>12}{:>12}{:>14}{:>10}{:>10}",
        "answers", "before", "slow", "at the end", "back after", "commands", "obeying"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Second;

    fn story(good: impl Fn(u64) -> u32) -> Story {
        let second = |at_s| Second { at_s, offered: 60, good: good(at_s), ..Second::default() };
        let seconds = (0..40).map(second).collect();
        Story { seconds, obeying: vec![0; 40], ..Story::default() }
    }

    const PLAN: plan::Story = plan::Story { slow_at_s: 10, slow_for_s: 5, slow_ms: 1, watch_s: 25 };

    #[test]
    fn a_fleet_that_stays_down_is_never_back_and_one_that_returns_is_back_when_it_stays() {
        let down = Verdict::of(Arm::Without, &story(|at_s| if at_s < 10 { 60 } else { 2 }), &PLAN);
        assert_eq!((down.before_rps, down.after_rps, down.back_after_s), (60.0, 2.0, None));
        let up = Verdict::of(Arm::With, &story(|at_s| if (10..19).contains(&at_s) { 5 } else { 58 }), &PLAN);
        assert_eq!((up.during_rps, up.after_rps, up.back_after_s), (5.0, 58.0, Some(4)));
    }
}
