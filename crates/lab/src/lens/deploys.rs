//! Deployments: each service gets a new version and new instances once a minute, and one in four a new name with it
//! (`cart`, `cart-v2`, `cart-v3`).

use super::batch::Datum;
use super::{Batch, Bend, chance_of};

/// How often a service is deployed.
const EVERY_NS: u64 = 60_000_000_000;

pub(super) struct Deploys {
    seed: u64,
    began_ns: Option<u64>,
}

impl Deploys {
    pub(super) fn new(seed: u64) -> Deploys {
        Deploys { seed, began_ns: None }
    }
}

impl Bend for Deploys {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        let began_ns = *self.began_ns.get_or_insert(batch.at_ns);
        let service = batch.service().to_owned();
        let drawn = chance_of(self.seed, 0xde, &service);
        let phase_ns = drawn % EVERY_NS;
        let deployment = (batch.at_ns.saturating_sub(began_ns) + phase_ns) / EVERY_NS;
        if deployment > 0 {
            let version = format!("{}+{deployment}", batch.resource.text("service.version"));
            let instance = format!("{}-{deployment}", batch.instance());
            batch.resource.set("service.version", Datum::Text(version));
            batch.resource.set_text("service.instance.id", instance);
            if (drawn >> 40).is_multiple_of(4) {
                batch.resource.set_text("service.name", format!("{service}-v{}", deployment + 1));
            }
        }
        out.push(batch);
    }
}

/// The name before any deployment.
pub(super) fn real_name(name: &str) -> &str {
    match name.rsplit_once("-v") {
        Some((real, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => real,
        _ => name,
    }
}
