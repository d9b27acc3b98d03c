//! Commands reach the guards through the subscriber's rule, leases end, and guards report.

use super::plan::Plan;
use super::{Event, World};
use control::{Clamps, Drop, InForce, Key, Keyring, Me, Record, Role, Signer, Subscriber, Verdict};
use model::{Command, GuardReport, Knob, Setting};
use std::collections::BTreeMap;

/// The subscribers of all instances, in the order of the plan.
pub(super) struct Control {
    domain: String,
    /// Signs what is commanded without a signature of its own, by tests and scenarios.
    signer: Signer,
    subscribers: Vec<Subscriber>,
    keyring: Keyring,
    clamps: Clamps,
    /// The compacted topic, which an instance that starts reads again.
    topic: BTreeMap<String, (Record, u64)>,
    /// Records that are, or were, on their way to some guards.
    sent: Vec<(Record, u64)>,
    obey: bool,
}

/// The domain of a world that follows no engine's topic.
const DOMAIN: &str = "lab";

/// The knobs that guards of a simulated fleet have.
const KNOBS: [Knob; 8] = [
    Knob::Admission,
    Knob::QueueBound,
    Knob::RetryBudget,
    Knob::Timeout,
    Knob::Concurrency,
    Knob::Breaker,
    Knob::Purge,
    Knob::Route,
];

impl Control {
    pub(super) fn new(plan: &Plan, obey: bool) -> Control {
        // inside a simulated world there is nobody to keep a secret from
        let signer = Signer::from_seed([7; 32]);
        let keyring = with_own(Keyring::new(), &signer);
        let mut control = Control {
            domain: DOMAIN.to_owned(),
            signer,
            subscribers: Vec::new(),
            keyring,
            clamps: Clamps::default(),
            topic: BTreeMap::new(),
            sent: Vec::new(),
            obey,
        };
        control.subscribe(plan);
        control
    }

    fn subscribe(&mut self, plan: &Plan) {
        self.subscribers = (0..plan.instances.len() as u32).map(|place| self.subscriber(plan, place, None)).collect();
    }

    fn subscriber(&self, plan: &Plan, place: u32, deploy: Option<u32>) -> Subscriber {
        let instance = &plan.instances[place as usize];
        let me = Me {
            service: plan.services[instance.service as usize].name.clone(),
            instance: instance.id.clone(),
            version: plan.version(place, deploy).to_owned(),
            zone: instance.zone.clone(),
        };
        let mut subscriber = Subscriber::new(&self.domain, me, self.keyring.clone(), self.clamps.clone());
        for (record, broker_ms) in self.topic.values() {
            subscriber.offer(record, *broker_ms);
        }
        subscriber.caught_up();
        subscriber
    }

    /// A new process reads the topic from its beginning.
    pub(super) fn restart(&mut self, plan: &Plan, place: u32, deploy: Option<u32>) {
        self.subscribers[place as usize] = self.subscriber(plan, place, deploy);
    }
}

impl World {
    /// From now on guards follow the control topic of `domain`, with these keys and the owner's clamps. What they held
    /// before is forgotten.
    pub fn subscribe(&mut self, domain: &str, keyring: Keyring, clamps: &Clamps) {
        self.control.keyring = with_own(keyring, &self.control.signer);
        self.control.domain = domain.to_owned();
        self.control.clamps = clamps.clone();
        self.control.topic.clear();
        self.control.subscribe(&self.plan);
        self.obey();
    }

    /// A record of the control topic sets out for every guard: each hears it after a time of its own, some never, as
    /// `[control]` of the topology says. `broker_ms` is the record's broker time, Unix milliseconds. Accepted if one guard
    /// that hears it accepts it, as it stands now; else the verdict of a guard that it means, if there is one.
    pub fn offer(&mut self, record: &Record, broker_ms: u64) -> Verdict {
        let (delay_ms, loss) = (self.plan.control.delay_ms, self.plan.control.loss);
        self.control.topic.insert(record.key.clone(), (record.clone(), broker_ms));
        let not_for_me = Verdict::Dropped(Drop::NotForMe);
        let mut best = not_for_me;
        for place in 0..self.instances.len() as u32 {
            if self.export_dice.chance(loss) {
                continue;
            }
            let subscriber = &mut self.control.subscribers[place as usize];
            let verdict = if delay_ms == 0.0 {
                subscriber.offer(record, broker_ms)
            } else {
                let sent = self.control.sent.len() as u32;
                // between half and one and a half times the mean
                let delay_ns = (delay_ms * 1e6 * (0.5 + self.export_dice.uniform())) as u64;
                self.agenda.put(self.now_ns + delay_ns, Event::Told { sent, instance: place });
                subscriber.clone().offer(record, broker_ms)
            };
            best = match (best, verdict) {
                (Verdict::Accepted, _) => best,
                (_, verdict) if verdict == not_for_me => best,
                (_, verdict) => verdict,
            };
        }
        if delay_ms == 0.0 {
            self.obey();
        } else {
            self.control.sent.push((record.clone(), broker_ms));
        }
        best
    }

    /// A record reaches a guard.
    pub(super) fn told(&mut self, sent: u32, place: u32) {
        if self.instances[place as usize].down.is_some() {
            return;
        }
        let (record, broker_ms) = &self.control.sent[sent as usize];
        self.control.subscribers[place as usize].offer(record, *broker_ms);
        self.obey_one(place);
    }

    /// A command that is not signed yet sets out for every guard, as a test or a scenario gives it. `broker_ms` is the broker's
    /// time, Unix milliseconds.
    pub fn command(&mut self, command: &Command, broker_ms: u64) -> Verdict {
        let record = self.control.signer.command(&self.control.domain, 0, command, broker_ms);
        self.offer(&record, broker_ms)
    }

    /// Guards turn their knobs to what is in force now.
    pub(super) fn obey(&mut self) {
        (0..self.instances.len() as u32).for_each(|place| self.obey_one(place));
    }

    /// One guard turns its knobs.
    pub(super) fn obey_one(&mut self, place: u32) {
        if !self.control.obey || self.instances[place as usize].down.is_some() {
            return;
        }
        let now_ms = self.unix_ms(self.now_ns);
        let subscriber = &mut self.control.subscribers[place as usize];
        let (in_force, once) = (subscriber.in_force(now_ms), subscriber.take_one_shots(now_ms));
        self.instances[place as usize].guard.obey(&in_force, now_ms);
        self.bound_queue(place);
        for once in once {
            self.do_once(place, &once);
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
            let lost = self.export_dice.chance(self.plan.control.report_loss);
            let instance = &mut self.instances[place];
            if instance.down.is_some() {
                continue;
            }
            let plan = &self.plan.instances[place];
            instance.guard.second_ends(now_ms);
            let arrived_ms = |key| self.jobs.get(key).map(|job| (start_unix_ns + job.arrived_ns) / 1_000_000);
            let queue_delay_ms = instance.queue.oldest_ms(now_ms, arrived_ms) as u32;
            let counts = instance.guard.take_report(now_ms);
            let obeyed = if self.control.obey { self.control.subscribers[place].obeyed(now_ms) } else { Vec::new() };
            if lost {
                continue;
            }
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

fn with_own(mut keyring: Keyring, signer: &Signer) -> Keyring {
    // a key that is already there is as good
    let key = Key { roles: vec![Role::Engine, Role::Operator], ..Key::new(signer.public(), Role::Engine) };
    let _ = keyring.add(key);
    keyring
}
