//! The caller's side: attempts, deadlines, repetitions.

use super::arena::Key;
use super::guard::Refused;
use super::record::Answer;
use super::state::{Baggage, Job, Owner, Pending, Phase};
use super::{Event, World};
use crate::topology::Balance;
use admission::{CallEnd, Retry, RetryVerdict};
use model::Failure;

impl World {
    /// Begins a call. [`Key::NONE`] if it has ended at once.
    pub(super) fn call(&mut self, edge: u32, owner: Owner, caller: Option<u32>, parent: u64, baggage: Baggage) -> Key {
        if let Some(ratio) = self.plan.edges[edge as usize].budget {
            let number = self.number(caller);
            self.edges[edge as usize].earn(number, ratio);
        }
        let pending = Pending {
            baggage,
            owner,
            edge,
            caller,
            parent,
            attempt: 1,
            span: 0,
            started_ns: self.now_ns,
            deadline_ns: u64::MAX,
            connected: false,
            job: Key::NONE,
            ticket: None,
            asked: None,
            word: None,
        };
        self.second.first_attempts += 1;
        if let Some(place) = caller {
            let (start_unix_ns, now_ns) = (self.start_unix_ns, self.now_ns);
            let now_ms = || (start_unix_ns + now_ns) / 1_000_000;
            self.instances[place as usize].guard.callees.first_attempt(edge, now_ms);
        }
        let key = self.calls.insert(pending);
        self.attempt(key)
    }

    /// Sends one attempt. Gives the call's key, or [`Key::NONE`] if it has ended at once.
    fn attempt(&mut self, key: Key) -> Key {
        let Some(call) = self.calls.get_mut(key) else { return Key::NONE };
        let plan = self.plan.clone();
        let edge = call.edge;
        let edge_plan = &plan.edges[edge as usize];
        self.second.attempts += 1;
        call.started_ns = self.now_ns;
        call.span = self.ids.span();
        if let Owner::Client = call.owner {
            // each try of a browser or an app is a trace of its own
            call.baggage.trace = self.ids.trace();
        }
        let mut timeout_ns = edge_plan.timeout_ns;
        if let Some(place) = call.caller {
            let callees = &mut self.instances[place as usize].guard.callees;
            timeout_ns = callees.timeout_ns(edge).unwrap_or(timeout_ns);
            let now_ms = (self.start_unix_ns + self.now_ns) / 1_000_000;
            match callees.acquire(edge, now_ms, || self.call_dice.bits()) {
                Ok(ticket) => call.ticket = ticket,
                Err(Refused) => {
                    // no call is made, so no span tells of it
                    self.attempt_ends(key, Answer::final_failure(Failure::Shed));
                    return Key::NONE;
                }
            }
        }
        if self.local.is_some() && !self.may_send(key) {
            self.attempt_ends(key, Answer::final_failure(Failure::Shed));
            return Key::NONE;
        }
        let Some(call) = self.calls.get_mut(key) else { return Key::NONE };
        let deadline_ns = self.now_ns + timeout_ns;
        call.deadline_ns = deadline_ns;
        if self.connect(key) {
            self.dispatch(key);
        }
        self.set_timer(edge, deadline_ns, key);
        key
    }

    /// An attempt that has a connection goes on its way.
    pub(super) fn dispatch(&mut self, key: Key) {
        let Some(call) = self.calls.get(key) else { return };
        let mut baggage = call.baggage;
        baggage.deadline_ns = baggage.deadline_ns.min(call.deadline_ns);
        let parent = if call.caller.is_some() { call.span } else { 0 };
        let job = self.send(call.edge, key, parent, call.attempt, baggage);
        if let Some(call) = self.calls.get_mut(key) {
            call.job = job;
        }
    }

    /// Sends a request on its way, unless it is lost there.
    pub(super) fn send(&mut self, edge: u32, asked_by: Key, parent: u64, attempt: u8, baggage: Baggage) -> Key {
        if self.call_dice.chance(self.edges[edge as usize].loss) {
            return Key::NONE;
        }
        let (caller, asked) = self.calls.get(asked_by).map_or((None, None), |call| (call.caller, call.asked));
        let Some(instance) = asked.or_else(|| self.choose(edge)) else {
            self.break_off(asked_by);
            return Key::NONE;
        };
        let span = self.ids.span();
        let job = self.jobs.insert(Job {
            baggage,
            asked_by,
            caller,
            edge,
            instance,
            entered: false,
            attempt,
            span,
            parent,
            arrived_ns: self.now_ns,
            started_ns: self.now_ns,
            work_done_ns: self.now_ns,
            stalled_ns: 0,
            phase: Phase::Waiting,
            locking: false,
            missed: false,
            fell: false,
            next_edge: 0,
            waiting_for: 0,
            pending: Vec::new(),
            answer: Answer::Good,
        });
        self.agenda.put_in_line(self.now_ns + self.plan.latency_ns, Event::Deliver { job });
        job
    }

    /// A message goes to its queue; nobody waits for it.
    pub(super) fn produce(&mut self, edge: u32, place: u32, parent: u64, baggage: Baggage) {
        let span = self.ids.span();
        self.producer_span(edge, place, span, parent, baggage);
        // whoever consumes it later does so for its own sake
        self.send(edge, Key::NONE, span, 1, Baggage { deadline_ns: u64::MAX, ..baggage });
    }

    /// The callee answers, if anybody still listens.
    pub(super) fn reply(&mut self, key: Key, answer: Answer) {
        if self.calls.get(key).is_some() {
            self.client_span(key, answer);
            self.attempt_ends(key, answer);
        }
    }

    /// The deadline of the earliest attempts on an edge has come.
    pub(super) fn timers(&mut self, edge: u32) {
        self.edges[edge as usize].armed = false;
        while let Some((deadline_ns, key)) = self.edges[edge as usize].timers.front().copied() {
            let alive = self.calls.get(key).is_some();
            if alive && deadline_ns > self.now_ns {
                self.edges[edge as usize].armed = true;
                self.agenda.put(deadline_ns, Event::Timers { edge });
                return;
            }
            self.edges[edge as usize].timers.pop_front();
            if alive {
                self.give_up(key);
            }
            if self.edges[edge as usize].armed {
                // giving up may have begun another attempt on this edge, which armed it again
                return;
            }
        }
    }

    /// A caller has waited long enough.
    pub(super) fn give_up(&mut self, key: Key) {
        let Some(call) = self.calls.get_mut(key) else { return };
        // what rides on an answer that is still on its way is not heard
        call.word = None;
        let (edge, job) = (call.edge, call.job);
        let answer = Answer::failed(Failure::Timeout);
        if self.plan.edges[edge as usize].cancel {
            self.cancel(job);
        }
        self.client_span(key, answer);
        self.attempt_ends(key, answer);
    }

    /// The caller of a call is no longer there: nobody waits, and the callee hears of it.
    pub(super) fn abandon(&mut self, key: Key) {
        let Some(call) = self.calls.get(key) else { return };
        let (job, waiting) = (call.job, call.started_ns <= self.now_ns);
        self.heard(key, Answer::final_failure(Failure::Cancelled));
        if waiting {
            self.client_span(key, Answer::final_failure(Failure::Cancelled));
        }
        self.disconnect(key);
        self.calls.remove(key);
        self.cancel(job);
    }

    /// The wait before a repetition is over.
    pub(super) fn repeat(&mut self, key: Key) {
        self.attempt(key);
    }

    /// What comes after an attempt: another one, or the end of the call.
    fn attempt_ends(&mut self, key: Key, answer: Answer) {
        self.heard(key, answer);
        self.disconnect(key);
        let Some(call) = self.calls.get_mut(key) else { return };
        let (edge, caller, attempt) = (call.edge, call.caller, call.attempt);
        if let (Some(place), Some(ticket)) = (caller, call.ticket.take()) {
            let took_ms = (self.now_ns - call.started_ns) / 1_000_000;
            let now_ms = self.unix_ms(self.now_ns);
            self.instances[place as usize].guard.callees.record(edge, ticket, end(answer), took_ms, now_ms);
        }
        if let Answer::Failed { retry, .. } = answer
            && self.repeats(edge, caller, attempt, retry)
        {
            let renewed = self.calls.renew(key);
            let wait_ns = self.backoff_ns(edge, attempt, retry);
            if let Some(call) = self.calls.get_mut(renewed) {
                call.attempt += 1;
                call.job = Key::NONE;
                // not under way until the wait is over
                call.started_ns = self.now_ns + wait_ns;
                let owner = call.owner;
                self.relink(owner, key, renewed);
            }
            self.agenda.put(self.now_ns + wait_ns, Event::Repeat { call: renewed });
            return;
        }
        let Some(call) = self.calls.remove(key) else { return };
        match call.owner {
            Owner::Job(job) => self.owner_hears(job, edge, answer),
            Owner::Client => self.client_hears(call.baggage.criticality, answer),
        }
    }

    /// Is a failed attempt repeated?
    fn repeats(&mut self, edge: u32, caller: Option<u32>, attempt: u8, retry: Retry) -> bool {
        let plan = &self.plan.edges[edge as usize];
        if attempt > plan.retries || (retry == Retry::Never && plan.honours_no_retry) {
            return false;
        }
        let plain = plan.budget.is_none() || {
            let number = self.number(caller);
            self.edges[edge as usize].spend(number)
        };
        let Some(place) = caller else {
            self.second.retries_refused += u64::from(!plain);
            return plain;
        };
        let now_ms = self.unix_ms(self.now_ns);
        let callees = &mut self.instances[place as usize].guard.callees;
        let allowed = plain && callees.may_retry(edge, now_ms) == RetryVerdict::Granted;
        let now_ns = self.now_ns;
        let allowed = allowed && self.local.as_mut().is_none_or(|local| local.may_retry(edge, place, now_ns));
        self.second.retries_refused += u64::from(!allowed);
        allowed
    }

    /// Doubling, with a share drawn by chance; never before the callee's own hint.
    fn backoff_ns(&mut self, edge: u32, attempt: u8, retry: Retry) -> u64 {
        let hint_ns = if let Retry::AfterMs(after_ms) = retry { u64::from(after_ms) * 1_000_000 } else { 0 };
        let plan = &self.plan.edges[edge as usize];
        let full = plan.backoff_ns * f64::from(1u32 << u32::from(attempt - 1).min(16));
        hint_ns + (full * (1.0 - plan.jitter * self.call_dice.uniform())) as u64 + 1
    }

    /// The owner's list of calls names the renewed key instead of the old one.
    fn relink(&mut self, owner: Owner, old: Key, renewed: Key) {
        let Owner::Job(job) = owner else { return };
        let Some(job) = self.jobs.get_mut(job) else { return };
        for key in job.pending.iter_mut().filter(|key| **key == old) {
            *key = renewed;
        }
    }

    /// One event for the earliest deadline of an edge is enough as long as deadlines come in order.
    fn set_timer(&mut self, edge: u32, deadline_ns: u64, key: Key) {
        let timers = &mut self.edges[edge as usize];
        if timers.timers.back().is_some_and(|(last_ns, _)| *last_ns > deadline_ns) {
            self.agenda.put(deadline_ns, Event::GiveUp { call: key });
            return;
        }
        timers.timers.push_back((deadline_ns, key));
        if !timers.armed {
            timers.armed = true;
            let first_ns = timers.timers.front().map_or(deadline_ns, |(first_ns, _)| *first_ns);
            self.agenda.put(first_ns.max(self.now_ns), Event::Timers { edge });
        }
    }

    /// Which instance of the callee, of those that its callers know of.
    pub(super) fn choose(&mut self, edge: u32) -> Option<u32> {
        let callee = self.plan.edges[edge as usize].callee as usize;
        let listed = &self.fleets[callee].listed;
        let count = listed.len() as u32;
        let load = |at: u32| {
            let instance = &self.instances[listed[at as usize] as usize];
            instance.queue.len() + instance.busy as usize
        };
        let at = match self.plan.services[callee].balance {
            _ if count < 2 => 0,
            Balance::RoundRobin => {
                let turn = &mut self.edges[edge as usize].turn;
                *turn = (*turn + 1) % count;
                *turn
            }
            Balance::Random => self.call_dice.below(count),
            Balance::LeastOfTwo => {
                let one = self.call_dice.below(count);
                let two = self.call_dice.below(count);
                if load(two) < load(one) { two } else { one }
            }
        };
        let place = listed.get(at as usize).copied()?;
        let takes_permille = self.instances[place as usize].guard.takes_permille();
        if takes_permille < 1000 && !self.call_dice.chance(f64::from(takes_permille) / 1000.0) {
            return Some(self.another(callee, place));
        }
        Some(place)
    }

    /// An instance that takes all that comes, in place of one that does not: the less busy of two. If there is none, the same.
    fn another(&mut self, callee: usize, place: u32) -> u32 {
        let takes_all = |place: &&u32| self.instances[**place as usize].guard.takes_permille() >= 1000;
        let others: Vec<u32> = self.fleets[callee].listed.iter().filter(takes_all).copied().collect();
        if others.is_empty() {
            return place;
        }
        let [one, two] = [(); 2].map(|()| others[self.call_dice.below(others.len() as u32) as usize]);
        let load =
            |place: u32| self.instances[place as usize].queue.len() + self.instances[place as usize].busy as usize;
        if load(two) < load(one) { two } else { one }
    }

    /// A caller's number within its service; all clients of a population are one.
    fn number(&self, caller: Option<u32>) -> usize {
        let Some(place) = caller else { return 0 };
        let service = self.plan.instances[place as usize].service;
        (place - self.plan.services[service as usize].instances.start) as usize
    }
}

/// What an answer says of the callee's health. Refusals and cancellations say nothing.
fn end(answer: Answer) -> CallEnd {
    match answer {
        Answer::Good => CallEnd::Success,
        Answer::Failed { failure: Failure::Shed | Failure::Cancelled, .. } => CallEnd::Ignored,
        Answer::Failed { .. } => CallEnd::Failure,
    }
}
