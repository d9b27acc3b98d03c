//! The bar: one fleet, healthy and then in a cascade, seen through every lens by the real reader, windows and engine.
//!
//! Nobody obeys, so the fleet is the same behind all lenses. The truth is counted on the spans themselves, as callers sent
//! them, before any lens.

use super::sight::{Look, Receivers};
use super::{Glass, Lens, Sight};
use crate::{Export, Topology, World, WorldConfig};
use std::collections::BTreeMap;

/// A share of all calls: an edge that does not exist may have so many at most.
pub const FALSE_SHARE: f64 = 0.001;
/// Rates may be wrong by this much, or must be flagged.
pub const RATE_ERROR: f64 = 0.05;
/// Sampled counts may be wrong by so many standard errors on top: what chance alone does.
const SIGMAS: f64 = 3.0;

/// How the bar is measured.
#[derive(Clone, Debug)]
pub struct BarConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// So many times the load and the workers.
    pub scale: f64,
    /// The first fault begins after so many virtual seconds.
    pub healthy_s: u64,
    /// Requests come for so many virtual seconds.
    pub seconds: u64,
    /// The lenses, the plain one always first.
    pub lenses: Vec<Lens>,
}

impl Default for BarConfig {
    fn default() -> Self {
        BarConfig { seed: 1, scale: 1.0, healthy_s: 45, seconds: 75, lenses: Lens::ALL.to_vec() }
    }
}

/// An edge as telemetry names it: caller and callee.
pub type EdgeName = (String, String);

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Bar {
    /// What callers sent, by edge.
    pub truth: BTreeMap<EdgeName, f64>,
    /// What was seen, by lens.
    pub sights: Vec<Sight>,
}

/// Where a lens missed the bar.
#[derive(Clone, Debug, PartialEq)]
pub enum Wrong {
    /// An edge that does not exist has this share of all calls.
    FalseEdge(EdgeName, f64),
    /// An edge was seen at this many times its rate, and is not flagged.
    Rate(EdgeName, f64),
    /// A command that the plain lens does not produce, neither on this target nor on the whole service.
    Command(String),
    /// A command that was released and came again within seconds.
    Flaps(String),
    /// A finding while nothing was wrong.
    FalseAlarm(String),
}

impl Bar {
    /// What was seen through `lens`.
    pub fn sight(&self, lens: Lens) -> Option<&Sight> {
        self.sights.iter().find(|sight| sight.lens == lens)
    }

    /// Everything that misses the bar through `lens`.
    pub fn wrongs(&self, lens: Lens) -> Vec<Wrong> {
        let Some(sight) = self.sight(lens) else { return Vec::new() };
        let mut wrongs: Vec<Wrong> =
            sight.false_edges(&self.truth).map(|(name, share)| Wrong::FalseEdge(name, share)).collect();
        wrongs.retain(|wrong| !matches!(wrong, Wrong::FalseEdge(_, share) if *share <= FALSE_SHARE));
        for (name, sent) in &self.truth {
            let (ratio, chance) = (sight.ratio(name, *sent), SIGMAS * sight.chance(name));
            let off = (ratio - 1.0).abs() > RATE_ERROR + chance;
            // what is hardly ever called has no rate to speak of
            if off && *sent >= 100.0 && !sight.is_flagged(name) {
                wrongs.push(Wrong::Rate(name.clone(), ratio));
            }
        }
        let plain = self.sight(Lens::Plain);
        for (target, knob) in &sight.commands {
            if plain.is_none_or(|plain| !plain.commands(target, *knob)) {
                wrongs.push(Wrong::Command(format!("{target} {}", knob.as_str())));
            }
        }
        wrongs.extend(sight.flapping().into_iter().map(Wrong::Flaps));
        wrongs.extend(sight.false_alarms.iter().cloned().map(Wrong::FalseAlarm));
        wrongs
    }
}

const MS: u64 = 1_000_000;
const STEP_MS: u64 = 250;
const START_UNIX_NS: u64 = 1_750_000_000_000 * MS;
/// How long the latest spans take to arrive.
const REST_S: u64 = 45;

/// Lets `topology` run and looks at it through every lens.
pub fn look(topology: &Topology, config: &BarConfig) -> Bar {
    let topology = topology.scaled(config.scale).with_first_fault_at(config.healthy_s as f64);
    let fault_ms = START_UNIX_NS / MS + config.healthy_s * 1000;
    let world = WorldConfig { seed: config.seed, start_unix_ns: START_UNIX_NS, obey: false };
    let mut world = World::new(topology.clone(), world);
    let others = config.lenses.iter().copied().filter(|lens| *lens != Lens::Plain);
    let looks = std::iter::once(Lens::Plain).chain(others);
    let receivers = receivers(&topology);
    let look = |lens| Look::new(lens, Glass::new(lens, config.seed, &topology), receivers.clone(), fault_ms);
    let mut looks: Vec<Look> = looks.map(look).collect();
    let mut truth = BTreeMap::new();
    for step in 1..=(config.seconds + REST_S) * 1000 / STEP_MS {
        let now_ns = step * STEP_MS * MS;
        if now_ns == config.seconds * 1000 * MS {
            world.stop_arrivals();
        }
        world.run_until(now_ns);
        let (exports, reports) = (world.take_exports(), world.take_reports());
        exports.iter().for_each(|export| count(export, &mut truth));
        for look in &mut looks {
            look.step(START_UNIX_NS + now_ns, &exports, &reports);
        }
    }
    Bar { truth, sights: looks.into_iter().map(Look::end).collect() }
}

/// Destinations are called after operations in the fleet, and after services by the lens that makes messages of calls.
fn receivers(topology: &Topology) -> Receivers {
    let mut receivers = Receivers::new();
    for service in &topology.service {
        let system = service.system.as_deref().unwrap_or("kafka");
        receivers.insert(format!("kafka:{}", service.name), service.name.to_string());
        for operation in &service.operation {
            receivers.insert(format!("{system}:{}", operation.name), service.name.to_string());
        }
    }
    receivers
}

/// Counts what callers sent.
fn count(export: &Export, truth: &mut BTreeMap<EdgeName, f64>) {
    for callee in export.callees() {
        *truth.entry((export.service().to_owned(), callee)).or_default() += 1.0;
    }
}
