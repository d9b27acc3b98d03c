//! What will happen whatever anybody does: who comes when, and what the faults leave of the fleet.

use super::plan::Plan;
use super::{Arrivals, SECOND_NS, World, WorldConfig};
use crate::Topology;
use std::sync::Arc;

/// A run foreseen.
pub(crate) struct Foresight {
    pub(crate) plan: Arc<Plan>,
    pub(crate) seconds: Vec<Bare>,
}

/// A second of it.
pub(crate) struct Bare {
    /// Requests that clients begin, by client.
    pub(crate) arrivals: Vec<u32>,
    /// The middle of the second, by instance.
    pub(crate) instances: Vec<Health>,
    /// The share of requests that are lost on each edge.
    pub(crate) loss: Vec<f64>,
}

/// What an instance is able to do when it has nothing to do. Instances that an autoscaler could start count as started,
/// processes as warm, caches as full, and nothing stops for a collection: whoever acts well may keep it so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    pub(crate) workers: u32,
    pub(crate) slowness: f64,
    pub(crate) errors: f64,
}

impl Foresight {
    /// Lets the clock of a world run in which clients are counted and nobody serves them.
    pub(crate) fn new(topology: &Topology, seed: u64, seconds: u64) -> Foresight {
        let mut world = World::new(topology.clone(), WorldConfig { seed, ..WorldConfig::default() });
        world.discard_spans();
        world.arrivals = Arrivals::Counted;
        let mut foreseen = Vec::with_capacity(seconds as usize);
        for second in 0..seconds {
            world.run_until(second * SECOND_NS + SECOND_NS / 2);
            let health = |instance: &super::Instance| Health {
                workers: if instance.struck.is_some() { 0 } else { instance.workers },
                slowness: instance.slowness,
                errors: 1.0 - (1.0 - instance.errors) * (1.0 - instance.gray),
            };
            let instances = world.instances.iter().map(health).collect();
            let loss = world.edges.iter().map(|edge| edge.loss).collect();
            world.run_until((second + 1) * SECOND_NS);
            world.take_reports();
            let clients = world.populations.iter_mut();
            let arrivals = clients.map(|population| std::mem::take(&mut population.counted)).collect();
            foreseen.push(Bare { arrivals, instances, loss });
        }
        Foresight { plan: world.plan.clone(), seconds: foreseen }
    }
}
