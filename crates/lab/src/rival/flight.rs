//! A scenario under a policy, from its beginning to its end.

use super::Policy;
use super::hindsight::{Cure, Healer, SEARCH_SEED};
use crate::score::{Ceiling, Scores};
use crate::tunnel::{self, Pilot, Run, Seen, Stopbank, StopbankConfig, TunnelConfig};
use crate::{Scenario, World};
use control::Role;
use engine::Effect;
use model::GraphView;

/// Windows that the engine learns from before it may act: scenarios give it half a minute of calm, a fleet gives it days.
const WARM_UP_WINDOWS: u32 = 20;

/// Runs a scenario under a policy with a seed. `cure` is the plan of [`Policy::Hindsight`], which [`cure`] finds; without
/// one nothing is planned.
pub fn fly(scenario: &Scenario, policy: Policy, seed: u64, cure: Option<&Cure>) -> Run {
    let config = TunnelConfig { seed, seconds: u64::from(scenario.terms.length_s), ..TunnelConfig::default() };
    let mut pilot: Box<dyn Pilot> = match policy {
        Policy::Clairvoyant => return Ceiling::new(scenario, seed).as_run(),
        Policy::Stopbank | Policy::Commanded => {
            let mut settings = StopbankConfig::default();
            settings.engine.warmup_windows = WARM_UP_WINDOWS;
            Box::new(Steered { policy, engine: Stopbank::new(settings) })
        }
        Policy::Hindsight => match cure {
            Some(cure) => Box::new(Healer::new(scenario, cure, config.start_unix_ns / 1_000_000)),
            None => Box::new(Beside { policy, seed }),
        },
        _ => Box::new(Beside { policy, seed }),
    };
    tunnel::fly(&scenario.topology, &config, pilot.as_mut())
}

/// The best static plan for a scenario, known beforehand: at most [`super::RUNS_MAX`] runs.
pub fn cure(scenario: &Scenario) -> Cure {
    let ceiling = Ceiling::new(scenario, SEARCH_SEED);
    Cure::search(scenario, |cure| {
        let run = fly(scenario, Policy::Hindsight, SEARCH_SEED, Some(cure));
        -Scores::of(scenario, &run, &ceiling).value_lost()
    })
}

/// A policy that lives beside the requests and says nothing.
struct Beside {
    policy: Policy,
    seed: u64,
}

impl Pilot for Beside {
    fn name(&self) -> &str {
        self.policy.as_str()
    }

    fn board(&mut self, world: &mut World) {
        world.protect(self.policy, self.seed);
    }

    fn step(&mut self, _: &Seen<'_>) -> Vec<Effect> {
        Vec::new()
    }
}

/// The engine over services that obey it, with the bounds of the guard or without any.
struct Steered {
    policy: Policy,
    engine: Stopbank,
}

impl Pilot for Steered {
    fn name(&self) -> &str {
        self.policy.as_str()
    }

    fn reads(&self) -> bool {
        self.engine.reads()
    }

    fn role(&self) -> Role {
        self.engine.role()
    }

    fn board(&mut self, world: &mut World) {
        world.protect(self.policy, 0);
        self.engine.board(world);
    }

    fn step(&mut self, seen: &Seen<'_>) -> Vec<Effect> {
        self.engine.step(seen)
    }

    fn view(&self) -> Option<GraphView> {
        self.engine.view()
    }
}
