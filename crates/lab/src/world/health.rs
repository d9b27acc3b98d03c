//! Instances die and start, and callers learn of it.

use super::arena::Key;
use super::guard::Guard;
use super::plan::Plan;
use super::process::Process;
use super::record::Answer;
use super::state::{Phase, Pool, Silence};
use super::{Event, World};
use model::{Failure, SpanKind};
use std::collections::VecDeque;

impl World {
    /// An instance follows what has been decided of it. `detect_ns` later callers know.
    pub(super) fn settle(&mut self, place: u32, detect_ns: u64) {
        let instance = &mut self.instances[place as usize];
        let out = !instance.wanted || instance.restarting;
        let down = if out { Some(Silence::Refuses) } else { instance.struck };
        match (std::mem::replace(&mut instance.down, down), down) {
            (None, Some(silence)) => {
                self.die(place, silence);
                self.agenda.put(self.now_ns + detect_ns, Event::Delist { instance: place });
            }
            (Some(_), None) => self.start_instance(place),
            _ => {}
        }
    }

    /// Callers do not send to an instance any more.
    pub(super) fn delist(&mut self, place: u32) {
        let service = self.plan.instances[place as usize].service;
        self.fleets[service as usize].listed.retain(|listed| *listed != place);
    }

    fn start_instance(&mut self, place: u32) {
        self.instances[place as usize].process = Process::cold(self.now_ns);
        self.control.restart(&self.plan, place, self.instances[place as usize].deploy);
        self.obey_one(place);
        self.list(place);
    }

    /// Callers send to an instance again.
    pub(super) fn list(&mut self, place: u32) {
        let listed = &mut self.fleets[self.plan.instances[place as usize].service as usize].listed;
        if let Err(at) = listed.binary_search(&place) {
            listed.insert(at, place);
        }
    }

    /// A process ends with everything it holds: what waits and is worked on, its own calls, spans that were not yet sent.
    fn die(&mut self, place: u32, silence: Silence) {
        let plan = self.plan.clone();
        let mut lost = self.instances[place as usize].queue.drain();
        // those on their way are not in its hands yet
        lost.extend(self.jobs.keys(|job| job.instance == place && job.phase != Phase::Waiting));
        for key in lost {
            self.turn_away(key, silence);
        }
        for key in self.calls.keys(|call| call.caller == Some(place)) {
            let Some(call) = self.calls.remove(key) else { continue };
            if plan.edges[call.edge as usize].cancel {
                self.cancel(call.job);
            }
        }
        let instance = &mut self.instances[place as usize];
        instance.busy = 0;
        instance.spans.clear();
        instance.pools = pools(&plan, instance.service);
        instance.guard = Guard::new(&plan, place, &plan.instances[place as usize]);
    }

    /// A request finds nobody, or whoever worked on it is gone.
    pub(super) fn turn_away(&mut self, key: Key, silence: Silence) {
        let Some(job) = self.jobs.get(key) else { return };
        let (asked_by, kind) = (job.asked_by, self.plan.edges[job.edge as usize].kind);
        self.vanish(key);
        if silence == Silence::Refuses && kind == SpanKind::Client {
            self.break_off(asked_by);
        }
    }

    /// A caller hears that its connection is gone.
    pub(super) fn break_off(&mut self, call: Key) {
        self.second.broken += 1;
        let reply = Event::Reply { call, answer: Answer::failed(Failure::Unavailable) };
        self.agenda.put_in_line(self.now_ns + self.plan.latency_ns, reply);
    }

    /// Instances whose oldest request has waited too long are killed.
    pub(super) fn probe(&mut self) {
        let now_ns = self.now_ns;
        for place in 0..self.instances.len() {
            let instance = &self.instances[place];
            let Some(liveness) = self.plan.services[instance.service as usize].spec.liveness else { continue };
            let arrived_ms = |key| self.jobs.get(key).map(|job| job.arrived_ns / 1_000_000);
            let delay_ms = instance.queue.oldest_ms(now_ns / 1_000_000, arrived_ms);
            if instance.down.is_none() && delay_ms > liveness.delay_ms {
                self.instances[place].restarting = true;
                self.settle(place as u32, 0);
                let restart_ns = (liveness.restart_s * 1e9) as u64;
                self.agenda.put(now_ns + restart_ns, Event::Restarted { instance: place as u32 });
            }
        }
    }

    pub(super) fn restarted(&mut self, place: u32) {
        self.instances[place as usize].restarting = false;
        self.settle(place, 0);
    }
}

/// The connections of an instance that has just started.
pub(super) fn pools(plan: &Plan, service: u32) -> Vec<Pool> {
    let pools = &plan.services[service as usize].spec.pool;
    pools.iter().map(|pool| Pool { free: pool.connections, waiting: VecDeque::new() }).collect()
}
