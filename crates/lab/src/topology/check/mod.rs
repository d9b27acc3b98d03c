//! What the format alone cannot say: names that exist, values that are possible, call graphs without cycles.

mod fault;
mod service;

use super::{Label, Service, Topology, TopologyError};

/// The first thing that is wrong with `topology`, which was read from `text`.
pub(super) fn check(topology: &Topology, text: &str) -> Result<(), TopologyError> {
    let check = Check { topology, text };
    check.all()
}

struct Check<'a> {
    topology: &'a Topology,
    text: &'a str,
}

impl Check<'_> {
    fn all(&self) -> Result<(), TopologyError> {
        let telemetry = &self.topology.telemetry;
        self.that(!self.topology.service.is_empty(), 0, || "a topology needs at least one [[service]]".to_owned())?;
        let sane = telemetry.sample > 0.0 && telemetry.sample <= 1.0;
        self.that(sane, 0, || "telemetry.sample must be above 0 and at most 1".to_owned())?;
        self.that(telemetry.flush_ms > 0, 0, || "telemetry.flush_ms must be at least 1".to_owned())?;
        self.that(telemetry.batch_max > 0, 0, || "telemetry.batch_max must be at least 1".to_owned())?;
        for (name, delay) in [("delay_ms", telemetry.delay_ms), ("jitter_ms", telemetry.jitter_ms)] {
            self.that(span(delay), 0, || format!("telemetry.{name} must not be negative"))?;
        }
        self.that(span(telemetry.skew_ms), 0, || "telemetry.skew_ms must not be negative".to_owned())?;
        self.that(share(telemetry.loss), 0, || "telemetry.loss must be 0 to 1".to_owned())?;
        let control = &self.topology.control;
        self.that(span(control.delay_ms), 0, || "control.delay_ms must not be negative".to_owned())?;
        self.that(share(control.loss), 0, || "control.loss must be 0 to 1".to_owned())?;
        self.that(share(control.report_loss), 0, || "control.report_loss must be 0 to 1".to_owned())?;
        for (index, service) in self.topology.service.iter().enumerate() {
            let twin = self.topology.service[..index].iter().any(|other| *other.name == *service.name);
            self.that(!twin, service.name.at_byte(), || format!("service `{}` stands twice", service.name))?;
        }
        self.topology.service.iter().try_for_each(|service| self.service(service))?;
        for client in &self.topology.client {
            let at = client.name.at_byte();
            self.reference(&client.to, client.operation.as_ref())?;
            self.that(positive(client.rate_rps), at, || "rate_rps must be above 0".to_owned())?;
            self.that((1..=128).contains(&client.cohorts), at, || "cohorts must be 1 to 128".to_owned())?;
            self.that(client.timeout_ms > 0, at, || "timeout_ms must be at least 1".to_owned())?;
            self.that(share(client.jitter), at, || "jitter must be 0 to 1".to_owned())?;
            self.that(client.backoff_ms >= 0.0, at, || "backoff_ms must not be negative".to_owned())?;
            self.that(share(client.diurnal_share), at, || "diurnal_share must be 0 to 1".to_owned())?;
            self.that(positive(client.diurnal_period_s), at, || "diurnal_period_s must be above 0".to_owned())?;
            self.that(client.retry_budget.is_none_or(span), at, || "retry_budget must not be negative".to_owned())?;
            let open = client.until_s.is_none_or(|until_s| until_s > client.from_s);
            self.that(span(client.from_s) && open, at, || "until_s must be after from_s".to_owned())?;
        }
        self.topology.fault.iter().try_for_each(|fault| self.fault(fault))?;
        self.acyclic()
    }

    fn reference(&self, to: &Label, operation: Option<&Label>) -> Result<(), TopologyError> {
        let service = self.find(to)?;
        let names = service.operation.iter().map(|operation| &*operation.name);
        match operation {
            Some(label) if !names.clone().any(|name| *name == **label) => {
                Err(TopologyError::unknown(self.text, label.at_byte(), "operation", label, names))
            }
            None if service.operation.len() > 1 => {
                let hint = Some(format!("say which: {}", names.collect::<Vec<_>>().join(", ")));
                Err(TopologyError::at(self.text, to.at_byte(), format!("`{to}` has several operations"), hint))
            }
            _ => Ok(()),
        }
    }

    fn find(&self, label: &Label) -> Result<&Service, TopologyError> {
        let names = self.topology.service.iter().map(|service| &*service.name);
        let found = self.topology.service.iter().find(|service| *service.name == **label);
        found.ok_or_else(|| TopologyError::unknown(self.text, label.at_byte(), "service", label, names))
    }

    /// Operations that call themselves by a detour would never end.
    fn acyclic(&self) -> Result<(), TopologyError> {
        let services = &self.topology.service;
        let mut done: Vec<Vec<u8>> = services.iter().map(|service| vec![0; service.operation.len()]).collect();
        for (place, service) in services.iter().enumerate() {
            for operation in 0..service.operation.len() {
                self.visit(place, operation, &mut done)?;
            }
        }
        Ok(())
    }

    fn visit(&self, service: usize, operation: usize, done: &mut [Vec<u8>]) -> Result<(), TopologyError> {
        const OPEN: u8 = 1;
        const DONE: u8 = 2;
        let here = &self.topology.service[service].operation[operation];
        match done[service][operation] {
            DONE => return Ok(()),
            OPEN => {
                let what = format!("operation `{}` calls itself by a detour", here.name);
                return Err(TopologyError::at(self.text, here.name.at_byte(), what, None));
            }
            _ => done[service][operation] = OPEN,
        }
        for call in &here.call {
            let (next, of) = self.topology.resolve(&call.to, call.operation.as_ref());
            self.visit(next, of, done)?;
        }
        done[service][operation] = DONE;
        Ok(())
    }

    fn that(&self, holds: bool, at_byte: usize, what: impl FnOnce() -> String) -> Result<(), TopologyError> {
        if holds { Ok(()) } else { Err(TopologyError::at(self.text, at_byte, what(), None)) }
    }
}

impl Topology {
    /// The places of a checked reference: service and operation.
    pub(crate) fn resolve(&self, to: &Label, operation: Option<&Label>) -> (usize, usize) {
        let service = self.service.iter().position(|service| *service.name == **to);
        let service = service.expect("a checked topology names services that exist");
        let operations = &self.service[service].operation;
        let found = operation.map_or(Some(0), |label| operations.iter().position(|known| *known.name == **label));
        (service, found.expect("a checked topology names operations that exist"))
    }
}

fn share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}

/// Not negative, and not infinite.
fn span(value: f64) -> bool {
    value >= 0.0 && value.is_finite()
}
