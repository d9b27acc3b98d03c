//! The wind tunnel: a world and whoever steers it, in closed loop and in virtual time.
//!
//! What exporters and guards send reaches the pilot after a delay, what the pilot commands is signed, encoded and reaches the
//! guards after another; some of it is lost. One thread, no clock: the same topology, configuration and pilot give the
//! same [`Run`].

mod pilot;
mod post;
mod run;
mod stopbank;

pub use pilot::{Arrived, Nobody, Pilot, Seen};
pub use post::Way;
pub use run::{Detection, Run, Sent, Told};
pub use stopbank::{Stopbank, StopbankConfig};

use crate::world::dice::Dice;
use crate::{Topology, World, WorldConfig};
use control::{Clamps, Keyring, Record, Role, Signer};
use engine::Effect;
use post::Post;
use run::Log;

/// How a run goes.
#[derive(Clone, Debug)]
pub struct TunnelConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// The Unix time of the beginning, nanoseconds.
    pub start_unix_ns: u64,
    /// How long, virtual seconds.
    pub seconds: u64,
    /// How often the pilot looks and speaks, milliseconds: the pipeline's tick.
    pub step_ms: u64,
    /// From an exporter to the pilot: the Collector's batches and Kafka.
    pub telemetry: Way,
    /// From a guard to the pilot.
    pub reports: Way,
    /// From the pilot to the guards. Records keep their order, as on one partition.
    pub commands: Way,
    /// A machine that is too busy for the pilot now and then.
    pub stalls: Stalls,
    /// What the owners of the services allow.
    pub clamps: Clamps,
}

/// How often, and for how long, the pilot gets no processor: what comes meanwhile waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stalls {
    /// Mean time from the end of one stall to the next (exponential), seconds; zero for never.
    pub every_s: f64,
    /// How long one lasts, milliseconds.
    pub length_ms: u64,
}

impl Default for TunnelConfig {
    fn default() -> Self {
        TunnelConfig {
            seed: 1,
            start_unix_ns: 1_750_000_000_000_000_000,
            seconds: 120,
            step_ms: 250,
            telemetry: Way { delay_ms: 100, jitter_ms: 50, loss: 0.0 },
            reports: Way { delay_ms: 100, jitter_ms: 50, loss: 0.0 },
            commands: Way { delay_ms: 100, jitter_ms: 50, loss: 0.0 },
            stalls: Stalls::default(),
            clamps: Clamps::default(),
        }
    }
}

/// The decision domain of a tunnel's control topic.
pub const DOMAIN: &str = "lab";

/// The pilot's claim: there is no other.
const EPOCH: u64 = 1;
const MS: u64 = 1_000_000;
/// Streams of chance of the tunnel's own, beyond those of the world.
const STREAM: u64 = 1 << 32;

/// Lets `pilot` steer a fleet of this topology.
pub fn fly(topology: &Topology, config: &TunnelConfig, pilot: &mut dyn Pilot) -> Run {
    let mut tunnel = Tunnel::new(topology, config, pilot);
    let step_ns = config.step_ms.max(1) * MS;
    let end_ns = config.seconds * 1000 * MS;
    let mut now_ns = 0;
    while now_ns < end_ns {
        now_ns = (now_ns + step_ns).min(end_ns);
        tunnel.let_happen(now_ns);
        if !tunnel.is_stalled(now_ns, &config.stalls) {
            tunnel.ask(now_ns, pilot);
        }
    }
    tunnel.log.close(tunnel.world.tally())
}

struct Tunnel {
    world: World,
    signer: Signer,
    telemetry: Post<crate::Export>,
    reports: Post<model::GuardReport>,
    commands: Post<(usize, Record)>,
    stall_dice: Dice,
    /// The pilot is stalled from the first to the second, nanoseconds.
    stall: Option<(u64, u64)>,
    log: Log,
}

impl Tunnel {
    fn new(topology: &Topology, config: &TunnelConfig, pilot: &mut dyn Pilot) -> Tunnel {
        let world_config = WorldConfig { seed: config.seed, start_unix_ns: config.start_unix_ns, obey: true };
        let mut world = World::new(topology.clone(), world_config);
        // inside a simulated world there is nobody to keep a secret from
        let signer = Signer::from_seed([11; 32]);
        let mut keyring = Keyring::new();
        let key = control::Key::new(signer.public(), pilot.role());
        // whoever commands signs as an engine does; an operator's key may do more besides
        let key = control::Key { roles: vec![Role::Engine, pilot.role()], ..key };
        keyring.add(key).expect("the keyring is empty");
        world.subscribe(DOMAIN, keyring, &config.clamps);
        if !pilot.reads() {
            world.discard_spans();
        }
        pilot.board(&mut world);
        let dice = |stream| Dice::new(config.seed, STREAM + stream);
        Tunnel {
            world,
            signer,
            telemetry: Post::new(config.telemetry, dice(0)),
            reports: Post::new(config.reports, dice(1)),
            commands: Post::in_order(config.commands, dice(2)),
            stall_dice: dice(3),
            stall: None,
            log: Log::new(pilot.name(), config, topology),
        }
    }

    /// The fleet goes on; commands reach it when they reach it.
    fn let_happen(&mut self, now_ns: u64) {
        while let Some(letter) = self.commands.next_due(now_ns) {
            self.world.run_until(letter.arrives_ns);
            let (place, record) = letter.item;
            let verdict = self.world.offer(&record, self.log.unix_ms(letter.sent_ns));
            self.log.delivered(place, letter.arrives_ns, verdict);
        }
        self.world.run_until(now_ns);
        for export in self.world.take_exports() {
            self.telemetry.send(self.log.since_start_ns(export.at_ns), export);
        }
        for report in self.world.take_reports() {
            self.reports.send(self.log.since_start_ns(report.at_ms * MS), report);
        }
    }

    fn is_stalled(&mut self, now_ns: u64, stalls: &Stalls) -> bool {
        if stalls.every_s <= 0.0 {
            return false;
        }
        while self.stall.is_none_or(|(_, until_ns)| until_ns <= now_ns) {
            let before_ns = self.stall.map_or(0, |(_, until_ns)| until_ns);
            let from_ns = before_ns + (self.stall_dice.exponential(stalls.every_s) * 1e9) as u64;
            self.stall = Some((from_ns, from_ns + stalls.length_ms.max(1) * MS));
        }
        self.stall.is_some_and(|(from_ns, until_ns)| (from_ns..until_ns).contains(&now_ns))
    }

    /// The pilot hears what has arrived, and what it wants is sent.
    fn ask(&mut self, now_ns: u64, pilot: &mut dyn Pilot) {
        let exports = self
            .telemetry
            .due(now_ns)
            .map(|letter| Arrived { at_ms: self.log.unix_ms(letter.arrives_ns), export: letter.item });
        let exports: Vec<Arrived> = exports.collect();
        let reports: Vec<model::GuardReport> = self.reports.due(now_ns).map(|letter| letter.item).collect();
        let now_ms = self.log.unix_ms(now_ns);
        let seen = Seen { now_ms, exports: &exports, reports: &reports, world: &self.world };
        for effect in pilot.step(&seen) {
            let place = self.log.note(now_ns, &effect, || pilot.view());
            if let (Effect::Command(command), Some(place)) = (effect, place) {
                let record = self.signer.command(DOMAIN, EPOCH, &command, now_ms);
                self.commands.send(now_ns, (place, record));
            }
        }
    }
}
