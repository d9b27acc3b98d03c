//! Commands reach the guards through the subscriber's rule, leases end, and guards report.

use super::World;
use super::plan::Plan;
use control::{Clamps, Drop, InForce, Key, Keyring, Me, Record, Role, Signer, Subscriber, Verdict};
use model::{Command, GuardReport, Knob, Setting};

/// The subscribers of all instances, in the order of the plan.
pub(super) struct Control {
    domain: String,
    /// Signs what is commanded without a signature of its own, by tests and scenarios.
    signer: Signer,
    subscribers: Vec<Subscriber>,
    obey: bool,
}

/// The domain of a world that follows no engine's topic.
const DOMAIN: &str = "lab";

/// The knobs that guards of a simulated fleet have.
const KNOBS: [Knob; 7] = [
    Knob::Admission,
    Knob::QueueBound,
    Knob::RetryBudget,
    Knob::Timeout,
    Knob::Concurrency,
    Knob::Breaker,
    Knob::Purge,
];

impl Control {
    pub(super) fn new(plan: &Plan, obey: bool) -> Control {
        // inside a simulated world there is nobody to keep a secret from
        let signer = Signer::from_seed([7; 32]);
        let subscribers = subscribers(plan, DOMAIN, &with_own(Keyring::new(), &signer), &Clamps::default());
        Control { domain: DOMAIN.to_owned(), signer, subscribers, obey }
    }
}

impl World {
    /// From now on guards follow the control topic of `domain`, with these keys and the owner's clamps. What they held
    /// before is forgotten.
    pub fn subscribe(&mut self, domain: &str, keyring: Keyring, clamps: &Clamps) {
        let keyring = with_own(keyring, &self.control.signer);
        self.control.domain = domain.to_owned();
        self.control.subscribers = subscribers(&self.plan, domain, &keyring, clamps);
        self.obey();
    }

    /// A record of the control topic reaches every guard. `broker_ms` is the record's broker time, Unix milliseconds.
    /// Accepted if one guard accepts it; else the verdict of a guard that it means, if there is one.
    pub fn offer(&mut self, record: &Record, broker_ms: u64) -> Verdict {
        let verdicts = self.control.subscribers.iter_mut().map(|guard| guard.offer(record, broker_ms));
        let not_for_me = Verdict::Dropped(Drop::NotForMe);
        let verdict = verdicts.fold(not_for_me, |best, verdict| match (best, verdict) {
            (Verdict::Accepted, _) => best,
            (_, verdict) if verdict == not_for_me => best,
            (_, verdict) => verdict,
        });
        self.obey();
        verdict
    }

    /// A command that is not signed yet reaches every guard, as a test or a scenario gives it. `broker_ms` is the broker's
    /// time, Unix milliseconds.
    pub fn command(&mut self, command: &Command, broker_ms: u64) -> Verdict {
        let record = self.control.signer.command(&self.control.domain, 0, command, broker_ms);
        self.offer(&record, broker_ms)
    }

    /// Guards turn their knobs to what is in force now.
    pub(super) fn obey(&mut self) {
        if !self.control.obey {
            return;
        }
        let now_ms = self.unix_ms(self.now_ns);
        for place in 0..self.instances.len() {
            let in_force = self.control.subscribers[place].in_force(now_ms);
            self.instances[place].guard.obey(&in_force, now_ms);
            self.bound_queue(place as u32);
            for once in self.control.subscribers[place].take_one_shots(now_ms) {
                self.do_once(place as u32, &once);
            }
        }
    }

    fn do_once(&mut self, place: u32, once: &InForce) {
        if let (Setting::Purge { older_than_ms }, None) = (once.setting, &once.target.caller) {
            self.purge(place, older_than_ms, once.target.operation.as_deref());
        }
    }

    /// Every guard says what the last second was like.
    pub(super) fn report(&mut self) {
        let now_ms = self.unix_ms(self.now_ns);
        let start_unix_ns = self.start_unix_ns;
        for place in 0..self.instances.len() {
            let instance = &mut self.instances[place];
            let plan = &self.plan.instances[place];
            instance.guard.second_ends(now_ms);
            let arrived_ms = |key| self.jobs.get(key).map(|job| (start_unix_ns + job.arrived_ns) / 1_000_000);
            let queue_delay_ms = instance.queue.oldest_ms(now_ms, arrived_ms) as u32;
            let counts = instance.guard.take_report(now_ms);
            let obeyed = if self.control.obey { self.control.subscribers[place].obeyed(now_ms) } else { Vec::new() };
            self.reports.push(GuardReport {
                service: self.plan.services[instance.service as usize].name.clone(),
                instance: plan.id.clone(),
                at_ms: now_ms,
                queued: instance.queue.len() as u32,
                queue_delay_ms,
                in_flight: instance.busy,
                workers: instance.workers,
                knobs: KNOBS.to_vec(),
                obeyed,
                ..counts
            });
        }
    }
}

fn subscribers(plan: &Plan, domain: &str, keyring: &Keyring, clamps: &Clamps) -> Vec<Subscriber> {
    let of = |instance: &super::plan::InstancePlan| {
        let service = &plan.services[instance.service as usize];
        let me = Me {
            service: service.name.clone(),
            instance: instance.id.clone(),
            version: service.version.clone(),
            zone: instance.zone.clone(),
        };
        let mut subscriber = Subscriber::new(domain, me, keyring.clone(), clamps.clone());
        subscriber.caught_up();
        subscriber
    };
    plan.instances.iter().map(of).collect()
}

fn with_own(mut keyring: Keyring, signer: &Signer) -> Keyring {
    // a key that is already there is as good
    let key = Key { roles: vec![Role::Engine, Role::Operator], ..Key::new(signer.public(), Role::Engine) };
    let _ = keyring.add(key);
    keyring
}
