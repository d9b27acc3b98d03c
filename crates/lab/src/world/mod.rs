//! The fleet in motion: a discrete-event simulation.
//!
//! Invariants: time never goes back; every request that was offered ends exactly once as good, failed or shed; nothing
//! depends on anything but topology, seed and commands.

mod agenda;
mod arena;
mod calls;
mod clients;
pub(crate) mod dice;
mod encode;
mod faults;
mod filling;
pub(crate) mod foresight;
mod guard;
mod health;
mod local;
mod obey;
pub(crate) mod plan;
mod pools;
mod process;
mod record;
mod scale;
mod serve;
mod spans;
mod state;
mod tally;

pub use record::Export;
pub use tally::Second;

use crate::Topology;
use crate::rival::local::Local;
use agenda::Agenda;
use arena::{Arena, Key};
use dice::Dice;
use faults::FaultState;
use model::GuardReport;
use obey::Control;
use plan::Plan;
use record::Answer;
use state::{Edge, Fleet, Instance, Job, Pending, Population};
use std::sync::Arc;

/// How a world starts.
#[derive(Clone, Debug, Default)]
pub struct WorldConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// The Unix time of the world's beginning, in nanoseconds.
    pub start_unix_ns: u64,
    /// Do guards obey commands? If not, commands are verified and then ignored.
    pub obey: bool,
}

/// A fleet in virtual time. Times are nanoseconds since the world's beginning unless they say Unix.
pub struct World {
    plan: Arc<Plan>,
    start_unix_ns: u64,
    now_ns: u64,
    agenda: Agenda<Event>,
    jobs: Arena<Job>,
    calls: Arena<Pending>,
    instances: Vec<Instance>,
    fleets: Vec<Fleet>,
    edges: Vec<Edge>,
    populations: Vec<Population>,
    faults: Vec<FaultState>,
    /// Streams of chance: service times and errors; everything about calls; ids; faults; ways of spans and commands.
    work_dice: Dice,
    call_dice: Dice,
    fault_dice: Dice,
    export_dice: Dice,
    ids: Ids,
    control: Control,
    /// The policy beside the requests, if there is one.
    local: Option<Box<dyn Local>>,
    delays_ns: Vec<u64>,
    arrivals: Arrivals,
    telemetry: Telemetry,
    exports: Vec<Export>,
    exports_under_way: Arena<Export>,
    reports: Vec<GuardReport>,
    second: Second,
    tally: Vec<Second>,
    total: Second,
    alive: u64,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Arrive { client: u32 },
    Deliver { job: Key },
    WorkDone { job: Key },
    Reply { call: Key, answer: Answer },
    Timers { edge: u32 },
    GiveUp { call: Key },
    Repeat { call: Key },
    Flush { instance: u32 },
    SecondEnds,
    FaultBegins { fault: u32 },
    FaultMoves { fault: u32 },
    FaultEnds { fault: u32 },
    Delist { instance: u32 },
    Restarted { instance: u32 },
    Look,
    Scale { service: u32 },
    Wanted { instance: u32 },
    Unwanted { instance: u32 },
    Arrived { export: Key },
    Told { sent: u32, instance: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrivals {
    Come,
    Stopped,
    /// They come, and nobody serves them: for those who only want to know how many there are.
    Counted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telemetry {
    Kept,
    Discarded,
}

/// Trace and span ids: a counter through a bijection, so they never repeat.
struct Ids {
    salt: u64,
    next: u64,
}

const SECOND_NS: u64 = 1_000_000_000;

impl World {
    /// A world at time 0.
    pub fn new(topology: Topology, config: WorldConfig) -> World {
        let plan = Arc::new(Plan::new(&topology));
        let dice = |stream| Dice::new(config.seed, stream);
        let mut export_dice = dice(5);
        let instances: Vec<Instance> =
            (0..plan.instances.len() as u32).map(|place| Instance::new(&plan, place, &mut export_dice)).collect();
        let fleets = plan.services.iter().map(|service| Fleet::new(service.instances.start, service.spec.instances));
        let edges = plan.edges.iter().map(|edge| {
            let callers = edge.caller.map_or(1, |caller| plan.services[caller as usize].instances.len() as u32);
            Edge::new(edge, callers)
        });
        let populations =
            (0..plan.clients.len()).map(|client| Population { dice: dice(16 + client as u64), surge: 1.0, counted: 0 });
        let mut world = World {
            start_unix_ns: config.start_unix_ns,
            now_ns: 0,
            agenda: Agenda::new(),
            jobs: Arena::new(),
            calls: Arena::new(),
            instances,
            fleets: fleets.collect(),
            edges: edges.collect(),
            populations: populations.collect(),
            faults: vec![FaultState::default(); plan.faults.len()],
            work_dice: dice(1),
            call_dice: dice(2),
            fault_dice: dice(4),
            export_dice,
            ids: Ids { salt: dice(3).bits(), next: 0 },
            control: Control::new(&plan, config.obey),
            local: None,
            delays_ns: Vec::new(),
            arrivals: Arrivals::Come,
            telemetry: Telemetry::Kept,
            exports: Vec::new(),
            exports_under_way: Arena::new(),
            reports: Vec::new(),
            second: Second::default(),
            tally: Vec::new(),
            total: Second::default(),
            alive: 0,
            plan,
        };
        world.begin();
        world
    }

    /// Lets everything happen up to `t_ns` after the beginning, inclusive.
    pub fn run_until(&mut self, t_ns: u64) {
        while let Some((at_ns, event)) = self.agenda.pop(t_ns) {
            self.now_ns = at_ns;
            self.happen(event);
        }
        self.now_ns = self.now_ns.max(t_ns);
    }

    /// Virtual nanoseconds since the beginning.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The same as Unix time.
    pub fn now_unix_ns(&self) -> u64 {
        self.start_unix_ns + self.now_ns
    }

    /// What exporters have sent since the last call, in the order of sending.
    pub fn take_exports(&mut self) -> Vec<Export> {
        std::mem::take(&mut self.exports)
    }

    /// From now on spans are thrown away as they end, for runs in which nobody reads them.
    pub fn discard_spans(&mut self) {
        self.telemetry = Telemetry::Discarded;
    }

    /// From now on no new requests come; what is under way goes on.
    pub fn stop_arrivals(&mut self) {
        self.arrivals = Arrivals::Stopped;
    }

    /// What guards have reported since the last call: one report an instance a virtual second.
    pub fn take_reports(&mut self) -> Vec<GuardReport> {
        std::mem::take(&mut self.reports)
    }

    /// The seconds that have ended, from the first.
    pub fn tally(&self) -> &[Second] {
        &self.tally
    }

    /// Everything counted since the beginning, the running second included.
    pub fn total(&self) -> Second {
        let mut total = self.total;
        total.add(&self.second);
        total
    }

    /// Clients' requests that have not ended yet.
    pub fn in_flight(&self) -> u64 {
        self.alive
    }

    /// The names of the services and how many requests wait and are worked on in each, over its instances.
    pub fn load(&self) -> impl Iterator<Item = (&str, usize, u32)> {
        self.plan.services.iter().map(|service| {
            let range = service.instances.start as usize..service.instances.end as usize;
            let instances = &self.instances[range];
            let queued = instances.iter().map(|instance| instance.queue.len()).sum();
            (service.name.as_str(), queued, instances.iter().map(|instance| instance.busy).sum())
        })
    }

    fn unix_ms(&self, at_ns: u64) -> u64 {
        (self.start_unix_ns + at_ns) / 1_000_000
    }

    fn begin(&mut self) {
        for fault in 0..self.plan.faults.len() as u32 {
            let start_ns = (self.plan.faults[fault as usize].fault.start_s * 1e9) as u64;
            self.agenda.put(start_ns, Event::FaultBegins { fault });
        }
        for (service, plan) in (0..).zip(&self.plan.services) {
            if let Some(scale) = plan.spec.autoscale {
                self.agenda.put((scale.every_s * 1e9) as u64, Event::Scale { service });
            }
        }
        for client in 0..self.populations.len() as u32 {
            self.plan_arrival(client);
        }
        if self.plan.services.iter().any(|service| service.spec.autoscale.is_some()) {
            self.agenda.put(scale::LOOK_NS, Event::Look);
        }
        let count = self.instances.len() as u64;
        for instance in 0..self.instances.len() as u32 {
            // exporters do not beat in time with each other
            let offset = self.plan.flush_ns * u64::from(instance + 1) / count;
            self.agenda.put(offset.max(1), Event::Flush { instance });
        }
        self.agenda.put(SECOND_NS, Event::SecondEnds);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { client } => self.arrive(client),
            Event::Deliver { job } => self.deliver(job),
            Event::WorkDone { job } => self.work_done(job),
            Event::Reply { call, answer } => self.reply(call, answer),
            Event::Timers { edge } => self.timers(edge),
            Event::GiveUp { call } => self.give_up(call),
            Event::Repeat { call } => self.repeat(call),
            Event::Flush { instance } => {
                self.flush(instance);
                self.agenda.put(self.now_ns + self.plan.flush_ns, Event::Flush { instance });
            }
            Event::SecondEnds => self.second_ends(),
            Event::FaultBegins { fault } => self.fault_begins(fault),
            Event::FaultMoves { fault } => self.fault_moves(fault),
            Event::FaultEnds { fault } => self.fault_ends(fault),
            Event::Delist { instance } if self.instances[instance as usize].down.is_some() => self.delist(instance),
            // it is back before anybody has missed it
            Event::Delist { .. } => {}
            Event::Restarted { instance } => self.restarted(instance),
            Event::Look => self.look_at_load(),
            Event::Scale { service } => self.scale(service),
            Event::Wanted { instance } => self.wanted(instance),
            Event::Unwanted { instance } => self.unwanted(instance),
            Event::Arrived { export } => self.arrived(export),
            Event::Told { sent, instance } => self.told(sent, instance),
        }
    }

    fn second_ends(&mut self) {
        self.total.add(&self.second);
        self.second.queued = self.instances.iter().map(|instance| instance.queue.len() as u64).sum();
        self.tally.push(std::mem::take(&mut self.second));
        self.report();
        self.obey();
        self.probe();
        self.tell_second();
        self.agenda.put(self.now_ns + SECOND_NS, Event::SecondEnds);
    }
}

impl Ids {
    fn span(&mut self) -> u64 {
        self.next += 1;
        mix(self.next ^ self.salt).max(1)
    }

    fn trace(&mut self) -> u128 {
        let high = self.span();
        u128::from(high) << 64 | u128::from(self.span())
    }
}

/// SplitMix64's finaliser (Steele, Lea, Flood, 2014): a bijection of 64 bits.
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
