//! `hindsight`: the best static plan, found by somebody who has seen it all before.
//!
//! A plan is what an operator with perfect memory of the incident would have written into a runbook: when to begin and to
//! end, whom to admit at the entry, how many retries, how long queues, and whether to purge. A coordinate search runs the
//! scenario at most thirty times with a seed that no score is taken with, and keeps what is worth most.

use crate::tunnel::{Pilot, Seen};
use crate::{Scenario, World};
use control::Role;
use engine::Effect;
use model::{Command, CommandId, Criticality, Mode, Reason, Setting, Target};

/// A static plan, carried out once.
#[derive(Clone, Debug, PartialEq)]
pub struct Cure {
    /// When it begins, seconds.
    pub from_s: u64,
    /// When it ends, seconds.
    pub until_s: u64,
    /// The lowest class that is admitted at the entries, and the share of it in 1/1000.
    pub admits: Option<(Criticality, u16)>,
    /// Retries of every service, in 1/1000 of first attempts.
    pub retry_permille: Option<u16>,
    /// Every queue, in milliseconds of work.
    pub queue_ms: Option<u32>,
    /// What has waited longer than this is dropped at the beginning.
    pub purge_ms: Option<u32>,
}

/// The search runs the scenario at most so often.
pub const RUNS_MAX: usize = 30;
/// No score is taken with this seed.
pub const SEARCH_SEED: u64 = 0;

impl Cure {
    /// Nothing is done.
    fn nothing(scenario: &Scenario) -> Cure {
        Cure {
            from_s: scenario.onset_s() as u64 + 2,
            until_s: scenario.cause_ends_s() as u64 + 10,
            admits: None,
            retry_permille: None,
            queue_ms: None,
            purge_ms: None,
        }
    }

    /// The best plan for a scenario. `worth` runs it once and says what it came to.
    pub fn search(scenario: &Scenario, mut worth: impl FnMut(&Cure) -> f64) -> Cure {
        let mut best = Cure::nothing(scenario);
        let mut most = worth(&best);
        let mut runs = 1;
        // the second round settles what the first choices hid from each other
        for change in changes(scenario).iter().chain(&changes(scenario)) {
            let mut next = best.clone();
            change.apply(&mut next);
            if runs == RUNS_MAX || next == best {
                continue;
            }
            runs += 1;
            let value = worth(&next);
            if value > most {
                (best, most) = (next, value);
            }
        }
        best
    }

    fn settings(&self) -> Vec<Setting> {
        let admission = |(lowest, fraction_permille)| Setting::Admission { lowest, fraction_permille };
        let budget = |ratio_permille| Setting::RetryBudget { ratio_permille };
        let bound = |work_ms| Setting::QueueBound { work_ms };
        let purge = |older_than_ms| Setting::Purge { older_than_ms };
        let all = [
            self.admits.map(admission),
            self.retry_permille.map(budget),
            self.queue_ms.map(bound),
            self.purge_ms.map(purge),
        ];
        all.into_iter().flatten().collect()
    }
}

/// One step of the search.
enum Change {
    Admits(Criticality, u16),
    Retries(u16),
    Queue(u32),
    Purge,
    From(u64),
    Until(u64),
}

impl Change {
    fn apply(&self, cure: &mut Cure) {
        match *self {
            Change::Admits(lowest, permille) => cure.admits = Some((lowest, permille)),
            Change::Retries(permille) => cure.retry_permille = Some(permille),
            Change::Queue(queue_ms) => cure.queue_ms = Some(queue_ms),
            Change::Purge => cure.purge_ms = Some(50),
            Change::From(from_s) => cure.from_s = from_s,
            Change::Until(until_s) => cure.until_s = until_s,
        }
    }
}

fn changes(scenario: &Scenario) -> Vec<Change> {
    let (onset_s, ends_s) = (scenario.onset_s() as u64, scenario.cause_ends_s() as u64);
    vec![
        Change::Retries(0),
        Change::Admits(Criticality::SheddablePlus, 1000),
        Change::Admits(Criticality::Critical, 1000),
        Change::Admits(Criticality::Critical, 700),
        Change::Admits(Criticality::Critical, 400),
        Change::Queue(60),
        Change::Queue(25),
        Change::Purge,
        Change::From(onset_s),
        Change::Until(ends_s),
        Change::Until(onset_s + 10),
        Change::Until(u64::from(scenario.terms.length_s)),
        Change::Retries(50),
        Change::From(ends_s),
    ]
}

/// Carries a plan out.
pub(super) struct Healer {
    cure: Cure,
    services: Vec<String>,
    entries: Vec<String>,
    start_ms: u64,
    done: bool,
}

impl Healer {
    pub(super) fn new(scenario: &Scenario, cure: &Cure, start_ms: u64) -> Healer {
        let topology = &scenario.topology;
        let mut entries: Vec<String> = topology.client.iter().map(|client| client.to.to_string()).collect();
        entries.sort();
        entries.dedup();
        let services = topology.service.iter().map(|service| service.name.to_string()).collect();
        Healer { cure: cure.clone(), services, entries, start_ms, done: false }
    }

    fn command(&self, service: &str, setting: Setting) -> Effect {
        let knob = setting.knob();
        Effect::Command(Command {
            id: CommandId(format!("hindsight/{service}/{}", knob.as_str())),
            sequence: 1,
            ttl_ms: (self.cure.until_s.saturating_sub(self.cure.from_s).max(1) * 1000) as u32,
            target: Target::service(service),
            knob,
            setting: Some(setting),
            reason: Reason { summary: "a plan made in hindsight".to_owned(), ..Reason::default() },
            mode: Mode::Act,
        })
    }
}

impl Pilot for Healer {
    fn name(&self) -> &str {
        "hindsight"
    }

    fn role(&self) -> Role {
        Role::Operator
    }

    fn board(&mut self, world: &mut World) {
        world.harden();
    }

    fn step(&mut self, seen: &Seen<'_>) -> Vec<Effect> {
        if self.done || seen.now_ms < self.start_ms + self.cure.from_s * 1000 {
            return Vec::new();
        }
        self.done = true;
        let mut effects = Vec::new();
        for setting in self.cure.settings() {
            let at_entry = matches!(setting, Setting::Admission { .. });
            let targets = if at_entry { &self.entries } else { &self.services };
            effects.extend(targets.iter().map(|service| self.command(service, setting)));
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_finds_the_best_combination_within_thirty_runs() {
        let scenario = crate::scenario::builtin("retry-storm").expect("it comes with the program");
        let mut runs = 0;
        let best = Cure::search(&scenario, |cure| {
            runs += 1;
            let admits = if cure.admits == Some((Criticality::Critical, 700)) { 10.0 } else { 0.0 };
            let retries = if cure.retry_permille == Some(50) && cure.admits.is_some() { 5.0 } else { 0.0 };
            admits + retries + if cure.purge_ms.is_some() { 1.0 } else { 0.0 }
        });
        assert!(runs <= RUNS_MAX);
        assert_eq!((best.admits, best.retry_permille), (Some((Criticality::Critical, 700)), Some(50)));
        assert!(best.purge_ms.is_some() && best.queue_ms.is_none());
    }
}
