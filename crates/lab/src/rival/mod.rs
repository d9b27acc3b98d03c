//! Whom the engine is compared with: policies from the literature and from production, each in a file of its own with its
//! source, its constants and a test of a behaviour it is known for.

mod breakwater;
mod dagor;
mod envoy;
mod fleet;
mod flight;
mod gradient;
mod hindsight;
pub(crate) mod local;
mod policy;
mod throttle;
mod topfull;

pub use flight::{cure, fly};
pub use hindsight::{Cure, RUNS_MAX, SEARCH_SEED};
pub use policy::Policy;

use crate::World;
use crate::world::dice::Dice;
use crate::world::plan::Plan;
use breakwater::Breakwater;
use dagor::Dagor;
use envoy::Envoy;
use fleet::Fleet;
use gradient::Gradient;
use local::Local;
use throttle::Throttle;
use topfull::TopFull;

impl World {
    /// Puts a policy beside the requests, before the world has begun to move. What a policy does from outside, through
    /// commands, is no matter of the world.
    pub fn protect(&mut self, policy: Policy, seed: u64) {
        let make: fn(&Plan, u64) -> Box<dyn Local> = match policy {
            Policy::None | Policy::Commanded | Policy::Clairvoyant => return,
            Policy::GuardAlone | Policy::Stopbank | Policy::Hindsight => return self.harden(),
            Policy::Static => |plan, _| Box::new(Envoy::new(Fleet::new(plan))),
            // the world draws from streams of its own; this one is nobody else's
            Policy::Throttle => |plan, seed| Box::new(Throttle::new(Fleet::new(plan), Dice::new(seed, 1 << 33))),
            Policy::Gradient => |plan, _| Box::new(Gradient::new(&Fleet::new(plan))),
            Policy::Dagor => |plan, _| Box::new(Dagor::new(&Fleet::new(plan))),
            Policy::Breakwater => |plan, _| {
                let workers = |place: usize| plan.services[plan.instances[place].service as usize].workers;
                Box::new(Breakwater::new(&Fleet::new(plan), workers))
            },
            Policy::TopFull => |plan, _| Box::new(TopFull::new(Fleet::new(plan))),
        };
        self.follow(|plan| make(plan, seed));
    }
}
