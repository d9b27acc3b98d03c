//! Where a policy beside the requests is asked and told. Without one none of this is reached.

use super::World;
use super::arena::Key;
use super::guard::Bounds;
use super::record::Answer;
use super::state::Job;
use crate::rival::local::{Arrival, Attempt, Departure, Heard, Local, Outcome};
use crate::world::plan::Plan;
use admission::Retry;
use model::{Failure, SpanKind};

impl World {
    /// From now on every service has good bounds of its own: the guard, without an engine.
    pub(crate) fn harden(&mut self) {
        for place in 0..self.instances.len() {
            let bounds = Bounds::of(&self.plan, self.instances[place].service);
            self.instances[place].guard.harden(&bounds, place as u32);
            self.bound_queue(place as u32);
        }
    }

    /// From now on this policy stands beside the requests.
    pub(crate) fn follow(&mut self, make: impl FnOnce(&Plan) -> Box<dyn Local>) {
        self.local = Some(make(&self.plan));
    }

    /// May an attempt be sent, and where to?
    pub(super) fn may_send(&mut self, key: Key) -> bool {
        let Some((edge, caller)) = self.calls.get(key).map(|call| (call.edge, call.caller)) else { return false };
        // where nobody is, the attempt finds out by itself
        let Some(place) = self.choose_among(edge, caller) else { return true };
        let (Some(call), Some(local)) = (self.calls.get_mut(key), &mut self.local) else { return true };
        let attempt = Attempt {
            now_ns: self.now_ns,
            edge,
            caller,
            callee: place,
            number: call.attempt,
            criticality: call.baggage.criticality,
            cohort: call.baggage.cohort,
        };
        let sent = local.may_send(&attempt);
        call.asked = sent.then_some(place);
        self.second.sheds[attempt.criticality.index()] += u64::from(!sent);
        sent
    }

    /// An instance that the balancer does not leave out; where it would leave out all, any.
    fn choose_among(&mut self, edge: u32, caller: Option<u32>) -> Option<u32> {
        let count = self.fleets[self.plan.edges[edge as usize].callee as usize].listed.len();
        let mut place = self.choose(edge)?;
        for _ in 1..count {
            if !self.local.as_ref().is_some_and(|local| local.avoids(caller, place, self.now_ns)) {
                break;
            }
            place = self.choose(edge)?;
        }
        Some(place)
    }

    /// An attempt that was sent has ended.
    pub(super) fn heard(&mut self, key: Key, answer: Answer) {
        let (Some(call), Some(local)) = (self.calls.get_mut(key), &mut self.local) else { return };
        let Some(callee) = call.asked.take() else { return };
        let attempt = Attempt {
            now_ns: self.now_ns,
            edge: call.edge,
            caller: call.caller,
            callee,
            number: call.attempt,
            criticality: call.baggage.criticality,
            cohort: call.baggage.cohort,
        };
        let outcome = outcome(answer);
        let word = call.word.take();
        local.heard(&Heard { attempt, outcome, word });
    }

    /// Is a request let in? Messages are: nobody waits for them who could be told.
    pub(super) fn may_enter(&mut self, key: Key) -> Result<(), Retry> {
        if self.local.is_none() {
            return Ok(());
        }
        let Some(job) = self.jobs.get(key) else { return Ok(()) };
        if self.plan.edges[job.edge as usize].kind != SpanKind::Client {
            return Ok(());
        }
        let (place, caller) = (job.instance, job.caller);
        let (criticality, cohort) = (job.baggage.criticality, job.baggage.cohort);
        let delay_ns = self.delay_ns(place);
        let Some(local) = self.local.as_mut() else { return Ok(()) };
        let arrival = Arrival { now_ns: self.now_ns, place, caller, criticality, cohort, delay_ns };
        local.may_enter(&arrival)?;
        if let Some(job) = self.jobs.get_mut(key) {
            job.entered = true;
        }
        Ok(())
    }

    /// A request leaves its instance with an answer, and with what rides on it.
    pub(super) fn departs(&mut self, job: &Job, answer: Answer) {
        let Some(local) = &mut self.local else { return };
        if self.plan.edges[job.edge as usize].kind != SpanKind::Client {
            return;
        }
        let word = local.departs(&departure(job, outcome(answer), self.now_ns));
        if let Some(call) = self.calls.get_mut(job.asked_by) {
            call.word = Some(word);
        }
    }

    /// A request that was cancelled leaves without an answer.
    pub(super) fn vanish(&mut self, key: Key) {
        let Some(job) = self.jobs.remove(key) else { return };
        if let (Some(local), true) = (&mut self.local, job.entered) {
            local.departs(&departure(&job, Outcome::Cancelled, self.now_ns));
        }
    }

    /// A second has ended.
    pub(super) fn tell_second(&mut self) {
        if self.local.is_none() {
            return;
        }
        let mut delays_ns = std::mem::take(&mut self.delays_ns);
        delays_ns.clear();
        delays_ns.extend((0..self.instances.len() as u32).map(|place| self.delay_ns(place)));
        if let Some(local) = &mut self.local {
            local.second(self.now_ns, &delays_ns);
        }
        self.delays_ns = delays_ns;
    }

    /// How long the head of a queue has waited.
    fn delay_ns(&self, place: u32) -> u64 {
        let arrived_ms = |key| self.jobs.get(key).map(|job| (self.start_unix_ns + job.arrived_ns) / 1_000_000);
        let now_ms = (self.start_unix_ns + self.now_ns) / 1_000_000;
        self.instances[place as usize].queue.oldest_ms(now_ms, arrived_ms) * 1_000_000
    }
}

fn departure(job: &Job, outcome: Outcome, now_ns: u64) -> Departure {
    Departure {
        place: job.instance,
        caller: job.caller,
        criticality: job.baggage.criticality,
        outcome,
        entered: job.entered,
        stayed_ns: now_ns.saturating_sub(job.arrived_ns),
    }
}

fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::Good => Outcome::Good,
        Answer::Failed { failure: Failure::Shed, .. } => Outcome::Refused,
        Answer::Failed { failure: Failure::Cancelled, .. } => Outcome::Cancelled,
        Answer::Failed { failure: Failure::Timeout, .. } => Outcome::TimedOut,
        Answer::Failed { .. } => Outcome::Failed,
    }
}
