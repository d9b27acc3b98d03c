//! From a run to its scores.

use super::metric::{self, COUNT};
use super::{Ceiling, METRICS};
use crate::scenario::{BadState, Expected, Kind};
use crate::tunnel::{Run, Sent};
use crate::{Scenario, Second};
use model::{Criticality, FindingState, Knob, KnobKind, LEVELS, Target};
use std::collections::BTreeMap;

/// What a run came to: a value for each of [`METRICS`], or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// In the order of [`METRICS`].
    pub values: Vec<Option<f64>>,
}

/// Goodput below this share is the fall that detection should come before.
const FALL_SHARE: f64 = 0.9;
const FALL_S: u32 = 3;
/// Refusals are compared with what could have been served over so many seconds: answers come later than requests.
const HARM_S: usize = 5;

impl Scores {
    /// Judges a run of `scenario`, whose upper bound with the same seed is `ceiling`.
    pub fn of(scenario: &Scenario, run: &Run, ceiling: &Ceiling) -> Scores {
        let mut scores = Scores { values: vec![None; COUNT] };
        let onset_s = (scenario.onset_s() as usize).min(run.seconds.len());
        scores.served(scenario, &run.seconds[onset_s..]);
        scores.seen(scenario, run);
        scores.lasted(scenario, run);
        scores.set(metric::HARM, harm(run, ceiling, onset_s));
        scores.done(scenario, run);
        scores
    }

    /// Of [`METRICS`], by key.
    pub fn get(&self, key: &str) -> Option<f64> {
        METRICS.iter().position(|metric| metric.key == key).and_then(|place| self.values[place])
    }

    /// Business value not served since the onset.
    pub fn value_lost(&self) -> f64 {
        self.values[metric::VALUE_LOST].unwrap_or(0.0)
    }

    fn set(&mut self, place: usize, value: f64) {
        self.values[place] = Some(value);
    }

    fn served(&mut self, scenario: &Scenario, seconds: &[Second]) {
        let mut total = Second::default();
        seconds.iter().for_each(|second| total.add(second));
        let length_s = seconds.len().max(1) as f64;
        self.set(metric::OFFERED, total.offered as f64 / length_s);
        self.set(metric::THROUGHPUT, (total.good + total.wasted) as f64 / length_s);
        self.set(metric::GOODPUT, total.good as f64 / length_s);
        let value = |by: &[u64; LEVELS]| scenario.terms.value.of_all(by);
        let (offered, good) = (value(&total.offered_by), value(&total.good_by));
        self.values[metric::VALUE] = (offered > 0.0).then(|| good / offered);
        self.set(metric::VALUE_LOST, offered - good);
        let places = [
            (Criticality::CriticalPlus, metric::GOOD_CRITICAL_PLUS),
            (Criticality::Critical, metric::GOOD_CRITICAL),
            (Criticality::SheddablePlus, metric::GOOD_SHEDDABLE_PLUS),
            (Criticality::Sheddable, metric::GOOD_SHEDDABLE),
        ];
        for (class, place) in places {
            let (good, offered) = (total.good_by[class.index()], total.offered_by[class.index()]);
            self.values[place] = (offered > 0).then(|| good as f64 / offered as f64);
        }
    }

    /// Findings: in time, too late, or for nothing.
    fn seen(&mut self, scenario: &Scenario, run: &Run) {
        let onset_ms = (scenario.onset_s() * 1000.0) as u64;
        let opened = || run.findings.iter().filter(|told| told.what.state == FindingState::Opened);
        let calm = scenario.terms.kind == Kind::Benign;
        let false_alarms = opened().filter(|told| calm || told.at_ms < onset_ms).count();
        let days = run.seconds.len().max(1) as f64 / 86_400.0;
        self.set(metric::FALSE_ALARMS, false_alarms as f64 / days);
        if calm {
            return;
        }
        let Some(found_ms) = opened().map(|told| told.at_ms).find(|at_ms| *at_ms >= onset_ms) else { return };
        self.set(metric::DETECT, (found_ms - onset_ms) as f64 / 1000.0);
        let fall = BadState { good_below: FALL_SHARE, over_s: FALL_S, criticality: Criticality::Sheddable };
        let fell = fall.judge(&run.seconds).into_iter().skip((onset_ms / 1000) as usize).position(|bad| bad);
        self.values[metric::LEAD] = fell.map(|after_s| {
            let fell_ms = onset_ms / 1000 * 1000 + (after_s as u64 + 1) * 1000;
            (fell_ms as f64 - found_ms as f64) / 1000.0
        });
    }

    /// The bad state: how long, and how long after its cause.
    fn lasted(&mut self, scenario: &Scenario, run: &Run) {
        let bad = scenario.terms.bad.judge(&run.seconds);
        let onset_s = (scenario.onset_s() as usize).min(bad.len());
        let last = bad.iter().rposition(|bad| *bad);
        self.set(metric::BAD, bad[onset_s..].iter().filter(|bad| **bad).count() as f64);
        let left_s = last.filter(|last| *last >= onset_s).map_or(0.0, |last| last as f64 + 1.0);
        self.set(metric::LEAVE, (left_s - scenario.cause_ends_s()).max(0.0));
        self.set(metric::STUCK, f64::from(u8::from(bad.last() == Some(&true))));
    }

    fn done(&mut self, scenario: &Scenario, run: &Run) {
        let begun = begun(run);
        let onset_ms = (scenario.onset_s() * 1000.0) as u64;
        let never = scenario.terms.expected == Expected::MustNotAct;
        let wrong = begun.iter().filter(|sent| never || sent.at_ms < onset_ms).count();
        self.set(metric::COMMANDS, begun.len() as f64);
        self.set(metric::WRONG, wrong as f64);
        self.set(metric::REVERSALS, reversals(run));
    }
}

/// Commands that began or changed something: renewals and releases are not counted.
fn begun(run: &Run) -> Vec<&Sent> {
    let mut last: BTreeMap<(&Target, Knob), &Sent> = BTreeMap::new();
    let mut begun = Vec::new();
    for sent in run.acts() {
        let command = &sent.command;
        let before = last.insert((&command.target, command.knob), sent).map(|before| &before.command);
        let same = before.is_some_and(|before| before.id == command.id && before.setting == command.setting);
        if command.setting.is_some() && !same {
            begun.push(sent);
        }
    }
    begun
}

/// Changes of direction (looser after stricter, or the other way), for each knob of each target that was commanded.
fn reversals(run: &Run) -> f64 {
    let mut knobs: BTreeMap<(&Target, Knob), (u64, i8, u32)> = BTreeMap::new();
    for sent in run.acts().filter(|sent| sent.command.knob.kind() == KnobKind::State) {
        let command = &sent.command;
        // a release is looser than everything; the first command is stricter than that
        let strictness = command.setting.map_or(0, |setting| setting.strictness() + 1);
        let (before, direction, reversals) = knobs.entry((&command.target, command.knob)).or_insert((0, 0, 0));
        let next = match strictness.cmp(before) {
            std::cmp::Ordering::Greater => 1,
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => *direction,
        };
        *reversals += u32::from(*direction != 0 && next != *direction);
        (*before, *direction) = (strictness, next);
    }
    let sum: u32 = knobs.values().map(|(.., reversals)| reversals).sum();
    f64::from(sum) / knobs.len().max(1) as f64
}

/// Requests that were refused although the fleet could have served them.
fn harm(run: &Run, ceiling: &Ceiling, onset_s: usize) -> f64 {
    let seconds = run.seconds.iter().zip(&ceiling.served).skip(onset_s).collect::<Vec<_>>();
    let of_block = |block: &[(&Second, &[f64; LEVELS])]| {
        let shed: u64 = block.iter().map(|(second, _)| second.shed).sum();
        let missing = |level: usize| {
            let could: f64 = block.iter().map(|(_, served)| served[level]).sum();
            let did: u64 = block.iter().map(|(second, _)| second.good_by[level]).sum();
            (could - did as f64).max(0.0)
        };
        (shed as f64).min((0..LEVELS).map(missing).sum())
    };
    seconds.chunks(HARM_S).map(of_block).sum()
}
