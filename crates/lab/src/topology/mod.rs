//! What a fleet is: the TOML format of topology files.
//!
//! The fields of these types are the keys of the file; a list such as [`Topology::service`] is written as `[[service]]`.
//! Unknown keys, unknown names and impossible values are errors with a line. A [`Topology`] that exists has been checked.

mod call;
mod check;
mod client;
mod error;
mod fault;
mod fleet;
mod label;
mod load;
mod service;

pub use call::{Call, Way, When};
pub use client::Client;
pub(crate) use client::criticality;
pub use error::TopologyError;
pub use fault::{Fault, FaultKind};
pub use fleet::{Autoscale, Liveness, Pool};
pub use label::Label;
pub use load::{Cache, Gc, WarmUp};
pub use service::{Balance, Distribution, Holds, Operation, Order, Protocol, Queue, Service, SpanStart};

use crate::scenario::Terms;
use serde::Deserialize;

/// A fleet, its clients and its faults.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// The fleet's name; also `deployment.environment.name` of its spans.
    pub name: String,
    /// How long a message takes from one service to another, one way, in microseconds.
    #[serde(default = "default_latency_us")]
    pub network_latency_us: u64,
    /// How spans leave the fleet: `[telemetry]`.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// How commands reach the guards: `[control]`.
    #[serde(default)]
    pub control: Control,
    /// The services: `[[service]]`.
    #[serde(default)]
    pub service: Vec<Service>,
    /// The clients: `[[client]]`.
    #[serde(default)]
    pub client: Vec<Client>,
    /// What goes wrong, and when: `[[fault]]`.
    #[serde(default)]
    pub fault: Vec<Fault>,
    /// What counts as success, which makes the file a scenario: `[scenario]`.
    #[serde(default)]
    pub scenario: Option<Terms>,
}

/// How spans leave the fleet.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// How long an exporter collects spans before it sends them, in milliseconds.
    pub flush_ms: u64,
    /// An exporter sends earlier when it holds this many spans.
    pub batch_max: usize,
    /// The share of traces that is kept (head sampling); below 1 spans carry `tracestate: ot=th:…`.
    pub sample: f64,
    /// Do client spans say their attempt number (`http.request.resend_count`)?
    pub attempt_numbers: bool,
    /// How long a batch takes from the exporter to the topic, in milliseconds.
    pub delay_ms: f64,
    /// A part of that time that is drawn for each batch (exponential, with this mean), in milliseconds.
    pub jitter_ms: f64,
    /// The share of batches that never arrive, 0 to 1.
    pub loss: f64,
    /// Clocks of instances are wrong by up to so much, either way, in milliseconds.
    pub skew_ms: f64,
    /// Spans are filled up to about so many bytes with what agents add (user agent, thread, stack); 0 adds nothing.
    pub span_bytes: usize,
}

/// How commands reach the guards, and reports the engine.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// How long a command takes to a guard, on average, in milliseconds; each guard hears it at a time of its own.
    pub delay_ms: f64,
    /// The share of guards that do not hear a command, drawn for each, 0 to 1. Leases are renewed, so the next may arrive.
    pub loss: f64,
    /// The share of reports that are lost, 0 to 1.
    pub report_loss: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            flush_ms: 500,
            batch_max: 512,
            sample: 1.0,
            attempt_numbers: true,
            delay_ms: 0.0,
            jitter_ms: 0.0,
            loss: 0.0,
            skew_ms: 0.0,
            span_bytes: 0,
        }
    }
}

impl Topology {
    /// Reads and checks a topology.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn from_toml(text: &str) -> Result<Topology, TopologyError> {
        let topology: Topology = toml::from_str(text).map_err(|error| TopologyError::parse(text, &error))?;
        check::check(&topology, text)?;
        Ok(topology)
    }

    /// The same fleet with `factor` times the load and `factor` times the workers, queue lengths, connections, heaps and
    /// keys (at least one), so that it is about as busy. For `generate`, which must reach a wanted span rate.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Topology {
        let scale = |count: u32| (f64::from(count) * factor).round().clamp(1.0, 1e6) as u32;
        let mut topology = self.clone();
        for service in &mut topology.service {
            service.workers = scale(service.workers);
            service.queue.length = service.queue.length.map(scale);
            service.pool.iter_mut().for_each(|pool| pool.connections = scale(pool.connections));
            service.gc.iter_mut().for_each(|gc| gc.heap = scale(gc.heap));
            service.cache.iter_mut().for_each(|cache| cache.keys = scale(cache.keys));
        }
        for client in &mut topology.client {
            client.rate_rps *= factor;
        }
        topology
    }

    /// The same fleet, and everything that goes wrong moved so that the first of it begins then, in seconds.
    #[must_use]
    pub fn with_first_fault_at(&self, start_s: f64) -> Topology {
        let mut topology = self.clone();
        let first_s = topology.fault.iter().map(|fault| fault.start_s).fold(f64::INFINITY, f64::min);
        for fault in &mut topology.fault {
            fault.start_s += start_s - first_s;
            fault.until_s = fault.until_s.map(|until_s| until_s + start_s - first_s);
        }
        topology
    }

    /// The same fleet on which nothing goes wrong.
    #[must_use]
    pub fn without_faults(&self) -> Topology {
        Topology { fault: Vec::new(), ..self.clone() }
    }
}

const BUILTIN: [(&str, &str); 3] = [
    ("shop", include_str!("../../topologies/shop.toml")),
    ("payments", include_str!("../../topologies/payments.toml")),
    ("twelve", include_str!("../../topologies/twelve.toml")),
];

/// A topology that comes with the program, by name.
pub fn builtin(name: &str) -> Option<Topology> {
    builtin_toml(name).map(|text| Topology::from_toml(text).expect("a test reads every built-in topology"))
}

/// The text of a topology that comes with the program: an example to start from.
pub fn builtin_toml(name: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names that [`builtin`] knows.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|(name, _)| *name)
}

fn default_latency_us() -> u64 {
    250
}
