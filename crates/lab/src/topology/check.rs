//! What the format alone cannot say: names that exist, values that are possible, call graphs without cycles.

use super::{Fault, FaultKind, Label, Protocol, Service, Topology, TopologyError};

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
        }
        self.topology.fault.iter().try_for_each(|fault| self.fault(fault))?;
        self.acyclic()
    }

    fn service(&self, service: &Service) -> Result<(), TopologyError> {
        let at = service.name.at_byte();
        self.that(!service.name.is_empty(), at, || "a service needs a name".to_owned())?;
        self.that(service.workers > 0, at, || "workers must be at least 1".to_owned())?;
        self.that(service.instances > 0, at, || "instances must be at least 1".to_owned())?;
        self.that(!service.zones.is_empty(), at, || "zones must name at least one zone".to_owned())?;
        self.that(!service.operation.is_empty(), at, || format!("service `{}` needs an operation", service.name))?;
        for (index, operation) in service.operation.iter().enumerate() {
            let at = operation.name.at_byte();
            let twin = service.operation[..index].iter().any(|other| *other.name == *operation.name);
            self.that(!twin, at, || format!("operation `{}` stands twice", operation.name))?;
            self.that(positive(operation.mean_us), at, || "mean_us must be above 0".to_owned())?;
            self.that(operation.cv >= 0.0 && operation.cv.is_finite(), at, || "cv must not be negative".to_owned())?;
            self.that(share(operation.error_share), at, || "error_share must be 0 to 1".to_owned())?;
            self.that(service.protocol != Protocol::Database || operation.call.is_empty(), at, || {
                "a database calls nobody; move the call to the service that uses it".to_owned()
            })?;
            for call in &operation.call {
                let at = call.to.at_byte();
                self.reference(&call.to, call.operation.as_ref())?;
                self.that(call.timeout_ms > 0, at, || "timeout_ms must be at least 1".to_owned())?;
                self.that(share(call.probability), at, || "probability must be 0 to 1".to_owned())?;
                self.that(share(call.jitter), at, || "jitter must be 0 to 1".to_owned())?;
                self.that(call.backoff_ms >= 0.0, at, || "backoff_ms must not be negative".to_owned())?;
                let budget = call.retry_budget.is_none_or(|ratio| ratio >= 0.0 && ratio.is_finite());
                self.that(budget, at, || "retry_budget must not be negative".to_owned())?;
            }
        }
        Ok(())
    }

    fn fault(&self, fault: &Fault) -> Result<(), TopologyError> {
        let at = fault.service.as_ref().or(fault.client.as_ref()).map_or(0, Label::at_byte);
        let at = if at == 0 { self.text.find("[[fault]]").unwrap_or(0) } else { at };
        self.that(fault.start_s >= 0.0, at, || "start_s must not be negative".to_owned())?;
        self.that(positive(fault.duration_s), at, || "duration_s must be above 0".to_owned())?;
        let (needs_factor, needs_service) = match fault.kind {
            FaultKind::Slow => (true, true),
            FaultKind::Surge => (true, false),
            _ => (false, true),
        };
        self.that(fault.service.is_some() == needs_service, at, || match needs_service {
            true => "this kind of fault needs `service`".to_owned(),
            false => "a surge has no `service`; say `client`, or nothing for all clients".to_owned(),
        })?;
        if needs_factor {
            self.that(fault.factor.is_some_and(positive), at, || "this fault needs `factor`, above 0".to_owned())?;
        } else {
            self.that(fault.share.is_some_and(share), at, || "this fault needs `share`, 0 to 1".to_owned())?;
        }
        for service in fault.service.iter().chain(&fault.caller) {
            let known = self.find(service)?;
            let instance = fault.instance.is_none_or(|instance| instance < known.instances);
            self.that(instance, at, || format!("`{}` has {} instances, numbered from 0", service, known.instances))?;
        }
        let clients = self.topology.client.iter().map(|client| &*client.name);
        match &fault.client {
            Some(client) if !clients.clone().any(|name| *name == **client) => {
                Err(TopologyError::unknown(self.text, client.at_byte(), "client", client, clients))
            }
            _ => Ok(()),
        }
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
