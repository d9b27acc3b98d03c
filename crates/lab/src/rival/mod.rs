//! Whom the engine is compared with: policies from the literature and from production, each in a file of its own with its
//! source, its constants and a test of a behaviour it is known for.

mod breakwater;
mod dagor;
mod envoy;
mod fleet;
mod gradient;
pub(crate) mod local;
mod throttle;
mod topfull;

use crate::World;
use crate::world::dice::Dice;
use breakwater::Breakwater;
use dagor::Dagor;
use envoy::Envoy;
use fleet::Fleet;
use gradient::Gradient;
use local::Local;
use throttle::Throttle;
use topfull::TopFull;

/// Who looks after the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Nobody.
    None,
    /// A mesh with Envoy's defaults.
    Static,
    /// Google's client-side adaptive throttling.
    Throttle,
    /// Netflix's Gradient2 in every instance, with partitions.
    Gradient,
    /// WeChat's DAGOR.
    Dagor,
    /// Breakwater's credits.
    Breakwater,
    /// Rate control at the entry in the manner of TopFull.
    TopFull,
}

impl Policy {
    /// All of them.
    pub const ALL: [Policy; 7] = [
        Policy::None,
        Policy::Static,
        Policy::Throttle,
        Policy::Gradient,
        Policy::Dagor,
        Policy::Breakwater,
        Policy::TopFull,
    ];

    /// Its name on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::None => "none",
            Policy::Static => "static",
            Policy::Throttle => "throttle",
            Policy::Gradient => "gradient",
            Policy::Dagor => "dagor",
            Policy::Breakwater => "breakwater",
            Policy::TopFull => "topfull",
        }
    }

    /// The policy of that name.
    pub fn parse(name: &str) -> Option<Policy> {
        Policy::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

impl World {
    /// Puts a policy beside the requests, before the world has begun to move.
    pub fn protect(&mut self, policy: Policy, seed: u64) {
        let boxed: fn(&crate::world::plan::Plan, u64) -> Box<dyn Local> = match policy {
            Policy::None => return,
            Policy::Static => |plan, _| Box::new(Envoy::new(Fleet::new(plan))),
            // streams below 16 are the world's; this one is nobody else's
            Policy::Throttle => |plan, seed| Box::new(Throttle::new(Fleet::new(plan), Dice::new(seed, 4))),
            Policy::Gradient => |plan, _| Box::new(Gradient::new(&Fleet::new(plan))),
            Policy::Dagor => |plan, _| Box::new(Dagor::new(&Fleet::new(plan))),
            Policy::Breakwater => |plan, _| {
                let workers = |place: usize| plan.services[plan.instances[place].service as usize].workers;
                Box::new(Breakwater::new(&Fleet::new(plan), workers))
            },
            Policy::TopFull => |plan, _| Box::new(TopFull::new(Fleet::new(plan))),
        };
        self.follow(|plan| boxed(plan, seed));
    }
}
