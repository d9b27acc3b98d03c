//! Every state that a small breaker can reach, by any sequence of events of any length, keeps the invariants.
//!
//! Times count from "now" and generations by "is it the one of now", so the states are finitely many and all are visited.

use super::*;
use std::collections::{BTreeSet, VecDeque};

/// More tickets under way than this are the same again.
const TICKETS_MAX: usize = 2;

fn small() -> BreakerConfig {
    BreakerConfig {
        window: BreakerWindow::Calls(2),
        calls_min: 2,
        open_base_ms: 1,
        open_max_ms: 2,
        jitter_permille: 0,
        probes: 2,
        probe_timeout_ms: 2,
        ramp_ms: 2,
        ramp_start_permille: 100,
        ..BreakerConfig::default()
    }
}

#[derive(Clone)]
struct World {
    breaker: Breaker,
    tickets: Vec<Ticket>,
    now_ms: u64,
}

impl World {
    /// What the future depends on, and nothing else: no reason, and no failures in a row, which open nothing here.
    fn shape(&self) -> String {
        let Breaker { config, commanded, state, window, openings, generation, .. } = &self.breaker;
        let (mode, window) = (config.mode, window.calls());
        let ago = |at_ms: u64| self.now_ms.saturating_sub(at_ms).min(3);
        let state = match state {
            State::Closed => "closed".to_owned(),
            State::Open { until_ms: u64::MAX } => "held".to_owned(),
            State::Open { until_ms } => format!("open {}", until_ms.saturating_sub(self.now_ms)),
            State::HalfOpen { waiting, succeeded, failed } => {
                let waiting: Vec<u64> = waiting.iter().map(|(_, sent_ms)| ago(*sent_ms)).collect();
                format!("half {waiting:?} {succeeded} {failed}")
            }
            State::Ramp { since_ms } => format!("ramp {}", ago(*since_ms)),
        };
        let mut tickets: Vec<(bool, Option<usize>)> = self
            .tickets
            .iter()
            .map(|ticket| {
                let place = match &self.breaker.state {
                    State::HalfOpen { waiting, .. } => {
                        waiting.iter().position(|(probe, _)| Some(*probe) == ticket.probe)
                    }
                    _ => None,
                };
                (ticket.generation == *generation, place)
            })
            .collect();
        tickets.sort_unstable();
        // the order of the window's calls decides which one is forgotten next
        format!("{mode:?} {commanded:?} {state} {window:?} {} {tickets:?}", (*openings).min(2))
    }

    fn next(&self) -> Vec<World> {
        let mut all = Vec::new();
        let mut then = |change: &dyn Fn(&mut World)| {
            let mut world = self.clone();
            change(&mut world);
            world.tickets.truncate(TICKETS_MAX);
            all.push(world);
        };
        then(&|world| world.now_ms += 1);
        for random in [0, 999] {
            then(&|world| world.tickets.extend(allowed(world.breaker.acquire(world.now_ms, random))));
        }
        for at in 0..self.tickets.len() {
            for end in [CallEnd::Success, CallEnd::Failure, CallEnd::Ignored] {
                then(&|world| {
                    let ticket = world.tickets.remove(at);
                    world.breaker.record(ticket, end, 0, world.now_ms, 0);
                });
            }
            then(&|world| _ = world.tickets.remove(at));
        }
        for phase in [None, Some(BreakerPhase::Open), Some(BreakerPhase::HalfOpen)] {
            then(&|world| world.breaker.command(phase, world.now_ms));
        }
        for mode in [BreakerMode::Auto, BreakerMode::ForcedOpen] {
            then(&|world| world.breaker.set_config(BreakerConfig { mode, ..small() }));
        }
        all
    }

    fn check(&self) {
        let config = small();
        match &self.breaker.state {
            State::HalfOpen { waiting, succeeded, failed } => {
                let all = waiting.len() as u32 + succeeded + failed;
                assert!(all <= config.probes, "more probes than configured: {}", self.shape());
            }
            State::Open { until_ms } if self.breaker.commanded.is_none() => {
                let longest_ms = self.now_ms + u64::from(config.open_max_ms);
                assert!(*until_ms <= longest_ms, "open for longer than the longest: {}", self.shape());
            }
            _ => {}
        }
        // every answer is lost, and whoever held it by hand or by command lets go
        let mut alone = self.clone();
        alone.breaker.set_config(small());
        alone.breaker.command(None, alone.now_ms);
        let bound_ms = alone.now_ms + u64::from(config.open_max_ms + config.probe_timeout_ms + config.open_max_ms);
        let through = (alone.now_ms..=bound_ms).any(|now_ms| allowed(alone.breaker.acquire(now_ms, 0)).is_some());
        assert!(through, "wedged: {}", self.shape());
    }
}

#[test]
fn no_reachable_state_is_wedged() {
    let start = World { breaker: Breaker::new(small()), tickets: Vec::new(), now_ms: 0 };
    let (mut seen, mut todo) = (BTreeSet::from([start.shape()]), VecDeque::from([start]));
    let mut phases = BTreeSet::new();
    while let Some(world) = todo.pop_front() {
        world.check();
        phases.insert(world.breaker.phase(world.now_ms));
        for next in world.next() {
            if seen.insert(next.shape()) {
                todo.push_back(next);
            }
        }
        assert!(seen.len() < 100_000, "the states are not finitely many: shape() lets a counter through");
    }
    println!("{} states", seen.len());
    assert_eq!(phases.len(), 4, "every phase was visited");
    assert!(seen.len() > 1000, "{} states are too few to be all", seen.len());
}
