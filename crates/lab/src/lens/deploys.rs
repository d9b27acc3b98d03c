//! Deployments: each service gets a new version and new instances once a minute, and one in four a new name with it
//! (`cart`, `cart-v2`, `cart-v3`).

use super::batch::Datum;
use super::{Batch, Bend, chance_of};
use model::GuardReport;

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

/// A deployment of a service: its number, and what the service is called since.
struct Deployment {
    number: u64,
    service: String,
}

impl Deploys {
    /// The last deployment of `service` by `at_ns`; `None` before the first.
    fn last(&self, service: &str, at_ns: u64) -> Option<Deployment> {
        let drawn = chance_of(self.seed, 0xde, service);
        let phase_ns = drawn % EVERY_NS;
        let number = (at_ns.saturating_sub(self.began_ns.unwrap_or(at_ns)) + phase_ns) / EVERY_NS;
        let renamed = (drawn >> 40).is_multiple_of(4);
        let service = if renamed { format!("{service}-v{}", number + 1) } else { service.to_owned() };
        (number > 0).then_some(Deployment { number, service })
    }
}

impl Bend for Deploys {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        self.began_ns.get_or_insert(batch.at_ns);
        if let Some(Deployment { number, service }) = self.last(batch.service(), batch.at_ns) {
            let version = format!("{}+{number}", batch.resource.text("service.version"));
            let instance = format!("{}-{number}", batch.instance());
            batch.resource.set("service.version", Datum::Text(version));
            batch.resource.set_text("service.instance.id", instance);
            batch.resource.set_text("service.name", service);
        }
        out.push(batch);
    }

    fn rename(&self, report: &mut GuardReport) {
        if let Some(Deployment { number, service }) = self.last(&report.service, report.at_ms * 1_000_000) {
            report.instance = format!("{}-{number}", report.instance);
            report.service = service;
        }
    }
}

/// The name before any deployment.
pub(super) fn real_name(name: &str) -> &str {
    match name.rsplit_once("-v") {
        Some((real, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => real,
        _ => name,
    }
}
