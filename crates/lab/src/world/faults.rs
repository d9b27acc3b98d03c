//! Faults begin, end and come again. Faults of the same kind at the same place add up: factors multiply, shares overlap by
//! chance.

use super::plan::Plan;
use super::state::Silence;
use super::{Event, World};
use crate::topology::{Fault, FaultKind};
use std::sync::Arc;

/// How a fault stands at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FaultState {
    on: bool,
    begun_ns: u64,
    ends_ns: u64,
}

/// A flash crowd's rate is worked out anew so often.
const CROWD_STEP_NS: u64 = 250_000_000;
/// Time constants of a flash crowd's fall that lie between its peak and its end.
const CROWD_FALL: f64 = 3.0;

impl World {
    pub(super) fn fault_begins(&mut self, at: u32) {
        let plan = self.plan.clone();
        let fault = &plan.faults[at as usize].fault;
        let duration_s = match fault.random {
            true => self.fault_dice.exponential(fault.duration_s),
            false => fault.duration_s,
        };
        let ends_ns = self.now_ns + nanos(duration_s).max(1);
        self.faults[at as usize] = FaultState { on: true, begun_ns: self.now_ns, ends_ns };
        self.agenda.put(ends_ns, Event::FaultEnds { fault: at });
        let hit = (0..self.instances.len()).filter(|place| hits(fault, &plan, *place));
        match fault.kind {
            FaultKind::CacheFlush => {
                hit.for_each(|place| self.instances[place].process.forget(fault.share.unwrap_or(0.0)));
            }
            FaultKind::Lock => hit.for_each(|place| self.instances[place].process.hold_lock(ends_ns)),
            FaultKind::FlashCrowd => self.agenda.put(self.now_ns + CROWD_STEP_NS, Event::FaultMoves { fault: at }),
            FaultKind::Deploy if fault.step_s > 0.0 => {
                for step in 1..hit.count() {
                    let step_ns = nanos(fault.step_s * step as f64);
                    self.agenda.put(self.now_ns + step_ns, Event::FaultMoves { fault: at });
                }
            }
            _ => {}
        }
        self.apply_faults();
    }

    pub(super) fn fault_ends(&mut self, at: u32) {
        self.faults[at as usize].on = false;
        let fault = &self.plan.faults[at as usize].fault;
        if let Some(every_s) = fault.every_s {
            let gap_s = every_s - fault.duration_s;
            let gap_s = if fault.random { self.fault_dice.exponential(gap_s) } else { gap_s };
            let next_ns = self.now_ns + nanos(gap_s);
            if fault.until_s.is_none_or(|until_s| next_ns <= nanos(until_s)) {
                self.agenda.put(next_ns, Event::FaultBegins { fault: at });
            }
        }
        self.apply_faults();
    }

    /// A fault that is on goes on to its next step.
    pub(super) fn fault_moves(&mut self, at: u32) {
        if !self.faults[at as usize].on {
            return;
        }
        if self.plan.faults[at as usize].fault.kind == FaultKind::FlashCrowd {
            self.agenda.put(self.now_ns + CROWD_STEP_NS, Event::FaultMoves { fault: at });
            self.apply_surges();
        } else {
            self.apply_faults();
        }
    }

    /// Works out every effect anew from the faults that are on: nothing is left behind by one that ends.
    fn apply_faults(&mut self) {
        let plan = self.plan.clone();
        let on = On::new(&plan, &self.faults);
        for place in 0..self.instances.len() {
            let here = |kind| on.of(kind).filter(|(_, fault)| hits(fault, &plan, place)).map(|(_, fault)| fault);
            let share = |kind| 1.0 - here(kind).map(|fault| 1.0 - fault.share.unwrap_or(0.0)).product::<f64>();
            let slow: f64 = here(FaultKind::Slow).map(factor).product();
            let deploy = on.of(FaultKind::Deploy).rfind(|(at, fault)| self.has_reached(*at, fault, place));
            let deployed = deploy.map(|(_, fault)| fault);
            let deploy_errors = deployed.and_then(|fault| fault.share).unwrap_or(0.0);
            let gone = here(FaultKind::Crash).map(|fault| (Silence::Refuses, fault.detect_s));
            let gone = gone.chain(here(FaultKind::ZoneLoss).map(|fault| (Silence::Mute, fault.detect_s))).last();
            let (errors, left, gray) =
                (share(FaultKind::Errors), 1.0 - share(FaultKind::Capacity), share(FaultKind::Gray));
            let instance = &mut self.instances[place];
            instance.slowness = slow * deployed.map_or(1.0, factor);
            instance.errors = 1.0 - (1.0 - errors) * (1.0 - deploy_errors);
            instance.gray = gray;
            instance.workers = (f64::from(plan.services[instance.service as usize].workers) * left).round() as u32;
            instance.struck = gone.map(|(silence, _)| silence);
            self.deploy(place as u32, deploy.map(|(at, _)| at));
            self.settle(place as u32, gone.map_or(0, |(_, detect_s)| nanos(detect_s)));
            self.take_up_work(place as u32);
        }
        for (edge, edge_plan) in self.edges.iter_mut().zip(&plan.edges) {
            let lost = on.of(FaultKind::PacketLoss).filter(|(_, fault)| {
                let caller = edge_plan.caller.map(|caller| plan.services[caller as usize].name.as_str());
                names(fault, &plan.services[edge_plan.callee as usize].name)
                    && fault.caller.as_ref().is_none_or(|name| caller == Some(&**name))
            });
            edge.loss = 1.0 - lost.map(|(_, fault)| 1.0 - fault.share.unwrap_or(0.0)).product::<f64>();
        }
        self.apply_surges();
    }

    fn apply_surges(&mut self) {
        let plan = self.plan.clone();
        let on = On::new(&plan, &self.faults);
        for (population, client) in self.populations.iter_mut().zip(&plan.clients) {
            let meant = |fault: &&Fault| fault.client.as_ref().is_none_or(|name| **name == *client.name);
            let surges = on.of(FaultKind::Surge).map(|(_, fault)| fault).filter(meant).map(factor).product::<f64>();
            let crowds = on.of(FaultKind::FlashCrowd).filter(|(_, fault)| meant(fault));
            // an arrival that is already on the agenda keeps its time: surges begin within one interarrival time
            population.surge = surges
                * crowds.map(|(at, fault)| crowd(fault, &self.faults[at as usize], self.now_ns)).product::<f64>();
        }
    }

    /// Has a deployment got as far as this instance?
    fn has_reached(&self, at: u32, fault: &Fault, place: usize) -> bool {
        let service = &self.plan.services[self.plan.instances[place].service as usize];
        let number = place as u32 - service.instances.start;
        let reached_ns = self.faults[at as usize].begun_ns + nanos(fault.step_s * f64::from(number));
        let part = (fault.part * service.instances.len() as f64).ceil() as u32;
        hits(fault, &self.plan, place) && number < part && reached_ns <= self.now_ns
    }

    /// An instance goes over to another version: a new process takes over, cold, and finishes what the old one has.
    fn deploy(&mut self, place: u32, deploy: Option<u32>) {
        if self.instances[place as usize].deploy == deploy {
            return;
        }
        self.flush(place);
        let instance = &mut self.instances[place as usize];
        instance.deploy = deploy;
        if instance.down.is_none() {
            instance.process = instance.process.succeeded(self.now_ns);
            self.control.restart(&self.plan, place, deploy);
        }
    }
}

/// The faults that are on.
struct On {
    plan: Arc<Plan>,
    on: Vec<u32>,
}

impl On {
    fn new(plan: &Arc<Plan>, faults: &[FaultState]) -> On {
        let on = faults.iter().zip(0..).filter(|(state, _)| state.on).map(|(_, at)| at);
        On { plan: plan.clone(), on: on.collect() }
    }

    fn of(&self, kind: FaultKind) -> impl DoubleEndedIterator<Item = (u32, &Fault)> {
        let faults = self.on.iter().map(|at| (*at, &self.plan.faults[*at as usize].fault));
        faults.filter(move |(_, fault)| fault.kind == kind)
    }
}

/// How many times as many arrivals a flash crowd makes at the moment.
fn crowd(fault: &Fault, state: &FaultState, now_ns: u64) -> f64 {
    let (age, rise) = ((now_ns - state.begun_ns) as f64, fault.step_s * 1e9);
    let fall = ((state.ends_ns - state.begun_ns) as f64 - rise).max(1.0);
    let height = if age < rise { age / rise } else { libm::exp(-CROWD_FALL * (age - rise) / fall) };
    1.0 + (factor(fault) - 1.0) * height
}

fn factor(fault: &Fault) -> f64 {
    fault.factor.unwrap_or(1.0)
}

fn names(fault: &Fault, service: &str) -> bool {
    fault.service.as_ref().is_some_and(|name| **name == *service)
}

fn hits(fault: &Fault, plan: &Plan, place: usize) -> bool {
    let instance = &plan.instances[place];
    if let Some(zone) = &fault.zone {
        return **zone == *instance.zone;
    }
    let service = &plan.services[instance.service as usize];
    let number = place as u32 - service.instances.start;
    names(fault, &service.name) && fault.instance.is_none_or(|only| only == number)
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
