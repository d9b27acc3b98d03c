//! One instance that most of what enters needs.

use crate::assess::{Kind, Risk};
use crate::fleet::Fleet;

/// The share of the entering requests above which a service is needed by nearly everything.
const NEEDED: f64 = 0.5;
/// In a fleet of fewer services everything needs everything.
const SERVICES_MIN: usize = 3;

pub(crate) fn single_point(fleet: &Fleet) -> Vec<Risk> {
    if fleet.services.values().filter(|service| service.emits).count() < SERVICES_MIN {
        return Vec::new();
    }
    let alone = fleet.services.iter().filter(|(id, service)| {
        let optional = fleet.calls.iter().filter(|(key, _)| key.callee == **id).all(|(_, call)| call.is_optional());
        let called = fleet.calls.keys().any(|key| key.callee == **id);
        service.emits && service.instances == 1 && service.needed >= NEEDED && !(called && optional)
    });
    let risks = alone.map(|(id, service)| {
        let name = fleet.name(*id);
        let lost_rps = service.needed * fleet.entry_rps;
        Risk {
            kind: Kind::SinglePoint,
            subject: name.to_owned(),
            summary: format!("{name} has one instance, and {:.0} % of all requests need it", service.needed * 100.0),
            cost_rps: lost_rps,
            factor: 1.0 + service.needed,
            evidence: vec![
                format!("one instance in {:.0} s of telemetry", fleet.seconds),
                format!("{:.0} requests a second at {name}", service.rps),
            ],
            arithmetic: format!(
                "{:.2} × {:.0} entering requests a second = {lost_rps:.0} that fail while it restarts",
                service.needed, fleet.entry_rps
            ),
            change: format!("Run {name} on two instances at least, in two zones."),
            traces: Vec::new(),
        }
    });
    risks.collect()
}
