//! The callee's side: a request arrives, waits, is worked on, calls others, and is answered.

use super::arena::Arena;
use super::arena::Key;
use super::dice::Law;
use super::guard::{Bound, Drop, GuardLoad, Wait};
use super::record::Answer;
use super::state::{Job, Owner, Phase};
use super::{Event, World};
use crate::topology::{Holds, When};
use admission::{Decision, Retry};
use model::{Failure, SpanKind};

impl World {
    /// A request reaches its instance.
    pub(super) fn deliver(&mut self, key: Key) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        job.arrived_ns = self.now_ns;
        job.started_ns = self.now_ns;
        if job.phase == Phase::Cancelled {
            self.vanish(key);
            return;
        }
        let (place, trace) = (job.instance, job.baggage.trace);
        if let Some(silence) = self.instances[place as usize].down {
            return self.turn_away(key, silence);
        }
        let operation = self.plan.operations[self.plan.edges[job.edge as usize].operation as usize].id;
        let Some(wait) = look(&self.jobs, key, self.start_unix_ns, self.now_ns) else { return };
        let instance = &mut self.instances[place as usize];
        let (queued, busy, workers) = (instance.queue.len(), instance.busy, instance.workers);
        let length_max = self.plan.services[instance.service as usize].length_max;
        let load = GuardLoad { queued: queued as u32, busy, workers };
        if let Decision::Refuse { retry, .. } = instance.guard.admit(&wait, operation, trace, load) {
            self.refuse(key, retry);
        } else if let Err(retry) = self.may_enter(key) {
            self.refuse(key, retry);
        } else if busy < workers {
            self.start(key);
        } else if queued < length_max {
            let mut dropped = Vec::new();
            let instance = &mut self.instances[place as usize];
            instance.queue.push(key, &wait, instance.guard.work_us(), &mut dropped);
            self.drop_all(place, dropped);
        } else {
            self.second.overflows += 1;
            self.answer(key, Answer::failed(Failure::Unavailable));
        }
    }

    /// Free workers take up what waits.
    pub(super) fn take_up_work(&mut self, place: u32) {
        let mut dropped = Vec::new();
        loop {
            let instance = &mut self.instances[place as usize];
            if instance.busy >= instance.workers || instance.down.is_some() {
                break;
            }
            let service = &self.plan.services[instance.service as usize];
            let (order, drops) = (service.order, service.spec.queue.drop_expired);
            if drops {
                self.drop_expired(place);
            }
            let now_ms = (self.start_unix_ns + self.now_ns) / 1_000_000;
            let instance = &mut self.instances[place as usize];
            let Some(key) = instance.queue.pop(order, now_ms, &mut dropped) else { break };
            match self.jobs.get(key) {
                Some(job) if job.phase == Phase::Cancelled => self.vanish(key),
                Some(_) => self.start(key),
                None => {}
            }
        }
        self.drop_all(place, dropped);
    }

    /// The service looks at deadlines itself: the oldest requests are dropped as long as theirs have passed.
    fn drop_expired(&mut self, place: u32) {
        let (jobs, now_ns) = (&self.jobs, self.now_ns);
        let expired = |key| jobs.get(key).is_none_or(|job: &Job| job.baggage.deadline_ns <= now_ns);
        let mut late = Vec::new();
        while let Some(key) = self.instances[place as usize].queue.pop_expired(expired) {
            late.push(key);
        }
        for key in late {
            self.second.expired += 1;
            self.answer(key, Answer::final_failure(Failure::Timeout));
        }
    }

    /// What has waited longer than `older_than_ms`, or for nobody, is dropped and answered "do not retry".
    pub(super) fn purge(&mut self, place: u32, older_than_ms: u32, operation: Option<&str>) {
        let (plan, jobs, start_unix_ns, now_ns) = (&self.plan, &self.jobs, self.start_unix_ns, self.now_ns);
        let mut dropped = Vec::new();
        let meant = |key| {
            let edge = jobs.get(key).map(|job: &Job| &plan.edges[job.edge as usize]);
            let name = edge.map(|edge| plan.operations[edge.operation as usize].known_as.as_str());
            operation.is_none() || name == operation
        };
        let look = |key| look(jobs, key, start_unix_ns, now_ns);
        let now_ms = (start_unix_ns + now_ns) / 1_000_000;
        self.instances[place as usize].queue.purge(older_than_ms, now_ms, look, meant, &mut dropped);
        self.drop_all(place, dropped);
    }

    /// The queue's bound follows the guard's table.
    pub(super) fn bound_queue(&mut self, place: u32) {
        let (jobs, start_unix_ns, now_ns) = (&self.jobs, self.start_unix_ns, self.now_ns);
        let instance = &mut self.instances[place as usize];
        let bound = Bound {
            bound_ms: instance.guard.queue_bound_ms(),
            workers: instance.workers,
            work_us: instance.guard.work_us(),
            retry: instance.guard.retry(),
            order: self.plan.services[instance.service as usize].order,
        };
        let mut dropped = Vec::new();
        instance.queue.set_bound(bound, |key| look(jobs, key, start_unix_ns, now_ns), &mut dropped);
        self.drop_all(place, dropped);
    }

    fn drop_all(&mut self, place: u32, dropped: Vec<Drop>) {
        if dropped.is_empty() {
            return;
        }
        self.instances[place as usize].guard.dropped(dropped.len() as u32);
        for (key, retry) in dropped {
            self.refuse(key, retry);
        }
    }

    /// A worker begins.
    fn start(&mut self, key: Key) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        let instance = &mut self.instances[job.instance as usize];
        let operation = &self.plan.operations[self.plan.edges[job.edge as usize].operation as usize];
        let service = &self.plan.services[instance.service as usize];
        instance.busy += 1;
        job.started_ns = self.now_ns;
        job.phase = Phase::Working;
        if job.entered
            && let Some(local) = &mut self.local
        {
            local.begins(job.instance, self.now_ns - job.arrived_ns, self.now_ns);
        }
        let slowness = instance.slowness * instance.process.slowness(service, instance.busy, self.now_ns);
        let work_ns = self.work_dice.duration_ns(operation.law, slowness);
        let (end_ns, stalled_ns) = instance.process.begin(work_ns, self.now_ns);
        job.stalled_ns = stalled_ns;
        self.agenda.put(end_ns, Event::WorkDone { job: key });
        if let Some(gc) = service.spec.gc {
            let live = instance.queue.len() as u32 + instance.busy;
            instance.process.allocate(gc, live, self.now_ns);
        }
    }

    /// The service's own work on a request is done; now it calls others.
    pub(super) fn work_done(&mut self, key: Key) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        let place = job.instance;
        let plan = self.plan.clone();
        let operation = &plan.operations[plan.edges[job.edge as usize].operation as usize];
        let service = &plan.services[operation.service as usize];
        let instance = &mut self.instances[place as usize];
        if let Some(end_ns) = instance.process.delayed(&mut job.stalled_ns, self.now_ns) {
            return self.agenda.put(end_ns, Event::WorkDone { job: key });
        }
        if operation.lock_ns > 0.0 && job.phase == Phase::Working && !job.locking {
            job.locking = true;
            let hold_ns = self.work_dice.duration_ns(Law::Exponential { mean: operation.lock_ns }, instance.slowness);
            let end_ns = instance.process.lock(hold_ns, service.spec.handover_us * 1000.0, self.now_ns);
            return self.agenda.put(end_ns, Event::WorkDone { job: key });
        }
        if job.locking {
            instance.process.unlock();
        }
        if let (true, Some(cache)) = (operation.cached, service.spec.cache) {
            job.missed = !self.work_dice.chance(instance.process.hit_share(cache, self.now_ns));
        }
        if operation.internal_span.is_some() {
            self.internal_span(key);
        }
        let Some(job) = self.jobs.get_mut(key) else { return };
        let cancelled = job.phase == Phase::Cancelled;
        job.phase = Phase::Calling;
        job.work_done_ns = self.now_ns;
        job.next_edge = operation.edges.start;
        if service.holds == Holds::Work {
            self.instances[place as usize].busy -= 1;
            self.take_up_work(place);
        }
        let errors = self.instances[place as usize].errors;
        let failed = self.work_dice.chance(1.0 - (1.0 - errors) * (1.0 - operation.error_share));
        if cancelled {
            self.answer(key, Answer::final_failure(Failure::Cancelled));
        } else if failed {
            self.answer(key, Answer::failed(Failure::Error));
        } else {
            self.go_on(key);
        }
    }

    /// The next calls of a request, or its answer.
    pub(super) fn go_on(&mut self, key: Key) {
        let plan = self.plan.clone();
        loop {
            let Some(job) = self.jobs.get_mut(key) else { return };
            let end = plan.operations[plan.edges[job.edge as usize].operation as usize].edges.end;
            if job.answer != Answer::Good || job.next_edge >= end {
                let answer = job.answer;
                return self.answer(key, answer);
            }
            let (from, place, span, baggage) = (job.next_edge, job.instance, job.span, job.baggage);
            let mut to = from + 1;
            while to < end && plan.edges[to as usize].parallel {
                to += 1;
            }
            job.next_edge = to;
            let (missed, fell) = (job.missed, std::mem::take(&mut job.fell));
            // held up while the group begins, so that a call that fails at once does not end the request
            job.waiting_for = 1;
            for edge in from..to {
                let due = match plan.edges[edge as usize].when {
                    When::Always => true,
                    When::Miss => missed,
                    When::Failed => fell,
                };
                if !due || !self.call_dice.chance(plan.edges[edge as usize].probability) {
                    continue;
                }
                if plan.edges[edge as usize].kind == SpanKind::Producer {
                    self.produce(edge, place, span, baggage);
                    continue;
                }
                let Some(job) = self.jobs.get_mut(key) else { return };
                job.waiting_for += 1;
                let call = self.call(edge, Owner::Job(key), Some(place), span, baggage);
                if plan.cancels
                    && let Some(job) = self.jobs.get_mut(key)
                {
                    job.pending.push(call);
                }
            }
            let Some(job) = self.jobs.get_mut(key) else { return };
            job.waiting_for -= 1;
            if job.waiting_for > 0 {
                return;
            }
            job.pending.clear();
        }
    }

    /// A call that a request waits for has ended.
    pub(super) fn owner_hears(&mut self, key: Key, edge: u32, answer: Answer) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        let optional = self.plan.edges[edge as usize].optional;
        job.fell |= optional && answer != Answer::Good;
        if !optional && job.answer == Answer::Good {
            job.answer = answer;
        }
        job.waiting_for -= 1;
        if job.waiting_for == 0 {
            job.pending.clear();
            self.go_on(key);
        }
    }

    /// A caller that has given up takes its request back.
    pub(super) fn cancel(&mut self, key: Key) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        if job.phase != Phase::Calling {
            // whoever works on it, or would have begun, sees it
            job.phase = Phase::Cancelled;
            return;
        }
        let pending = std::mem::take(&mut job.pending);
        self.answer(key, Answer::final_failure(Failure::Cancelled));
        for call in pending {
            self.abandon(call);
        }
    }

    /// A refusal on purpose.
    fn refuse(&mut self, key: Key, retry: Retry) {
        if let Some(job) = self.jobs.get(key) {
            self.second.sheds[job.baggage.criticality.index()] += 1;
            self.answer(key, Answer::Failed { failure: Failure::Shed, retry });
        }
    }

    /// A request ends: its span, its worker, its caller.
    fn answer(&mut self, key: Key, answer: Answer) {
        let Some(job) = self.jobs.remove(key) else { return };
        self.server_span(&job, answer);
        let instance = &mut self.instances[job.instance as usize];
        let worked = job.phase == Phase::Calling;
        if worked {
            instance.guard.completed(job.hold_ns(self.now_ns, &self.plan));
        }
        let service = instance.service;
        if let (true, Answer::Good, Some(cache)) = (job.missed, answer, self.plan.services[service as usize].spec.cache)
        {
            instance.process.keep(cache);
        }
        let heard = !self.call_dice.chance(instance.gray);
        self.departs(&job, answer);
        let service = &self.plan.services[service as usize];
        if self.plan.edges[job.edge as usize].kind == SpanKind::Client {
            if worked && self.calls.get(job.asked_by).is_none() {
                self.second.wasted += 1;
            }
            if heard {
                let reply = Event::Reply { call: job.asked_by, answer };
                self.agenda.put_in_line(self.now_ns + self.plan.latency_ns, reply);
            }
        }
        // a request that was refused never had a worker; one that only held it for its own work has given it back
        if worked && service.holds == Holds::Request {
            self.instances[job.instance as usize].busy -= 1;
            self.take_up_work(job.instance);
        }
    }
}

/// What a queue must know of a request.
fn look(jobs: &Arena<Job>, key: Key, start_unix_ns: u64, now_ns: u64) -> Option<Wait> {
    let job = jobs.get(key)?;
    let deadline_ns = job.baggage.deadline_ns;
    Some(Wait {
        now_ms: (start_unix_ns + now_ns) / 1_000_000,
        arrived_ms: (start_unix_ns + job.arrived_ns) / 1_000_000,
        deadline_ms: (deadline_ns != u64::MAX).then(|| (start_unix_ns + deadline_ns) / 1_000_000),
        criticality: job.baggage.criticality,
        cohort: job.baggage.cohort,
    })
}
