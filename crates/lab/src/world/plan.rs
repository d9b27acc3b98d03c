//! A topology as flat tables: every reference is an index, every duration is in nanoseconds.

use super::dice::Law;
use super::filling::Filling;
use crate::topology::{
    Balance, Call, Client, Control, Distribution, Fault, Holds, Order, Protocol, Service, SpanStart, Telemetry,
    Topology, Way, When,
};
use model::{Criticality, NameId, SpanKind};
use std::ops::Range;

/// The tables.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) latency_ns: u64,
    pub(crate) flush_ns: u64,
    pub(crate) telemetry: Telemetry,
    pub(crate) control: Control,
    /// Traces whose low 56 bits are below this are not sampled (OpenTelemetry's rejection threshold).
    pub(crate) reject_below: u64,
    /// `ot=th:…`, empty without sampling.
    pub(crate) trace_state: String,
    /// What agents add to every span.
    pub(crate) filling: Filling,
    /// Does any caller cancel what it has given up?
    pub(crate) cancels: bool,
    pub(crate) services: Vec<ServicePlan>,
    pub(crate) operations: Vec<OperationPlan>,
    pub(crate) edges: Vec<EdgePlan>,
    pub(crate) clients: Vec<ClientPlan>,
    pub(crate) instances: Vec<InstancePlan>,
    pub(crate) faults: Vec<FaultPlan>,
}

#[derive(Debug)]
pub(crate) struct ServicePlan {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) namespace: String,
    pub(crate) protocol: Protocol,
    pub(crate) system: String,
    pub(crate) holds: Holds,
    pub(crate) span_start: SpanStart,
    pub(crate) balance: Balance,
    pub(crate) order: Order,
    pub(crate) length_max: usize,
    pub(crate) adaptive_limit: bool,
    pub(crate) workers: u32,
    /// Its instances, as places in [`Plan::instances`]; with an autoscaler as many as there ever can be.
    pub(crate) instances: Range<u32>,
    /// What else the topology says of it.
    pub(crate) spec: Service,
}

#[derive(Debug)]
pub(crate) struct OperationPlan {
    pub(crate) service: u32,
    pub(crate) name: String,
    /// What telemetry and commands call it: the route of an HTTP operation, otherwise the name.
    pub(crate) known_as: String,
    /// The id of `known_as`.
    pub(crate) id: NameId,
    /// The part before the first space (`GET`, `SELECT`), or the gRPC service.
    pub(crate) verb: String,
    /// What follows it (`/route`, the table), or the gRPC method.
    pub(crate) object: String,
    pub(crate) law: Law,
    pub(crate) mean_ns: f64,
    pub(crate) lock_ns: f64,
    /// Does it ask the service's cache?
    pub(crate) cached: bool,
    pub(crate) error_share: f64,
    pub(crate) internal_span: Option<String>,
    /// Its calls, as places in [`Plan::edges`].
    pub(crate) edges: Range<u32>,
}

/// One call of one operation, or the request of a client.
#[derive(Debug)]
pub(crate) struct EdgePlan {
    /// The calling service; none for a client.
    pub(crate) caller: Option<u32>,
    pub(crate) callee: u32,
    pub(crate) operation: u32,
    pub(crate) kind: SpanKind,
    /// The caller's pool of connections, as a place in its service's list.
    pub(crate) pool: Option<u32>,
    pub(crate) when: When,
    pub(crate) parallel: bool,
    pub(crate) probability: f64,
    pub(crate) optional: bool,
    pub(crate) timeout_ns: u64,
    pub(crate) retries: u8,
    pub(crate) backoff_ns: f64,
    pub(crate) jitter: f64,
    pub(crate) budget: Option<f64>,
    pub(crate) breaker: bool,
    pub(crate) cancel: bool,
    pub(crate) honours_no_retry: bool,
}

#[derive(Debug)]
pub(crate) struct ClientPlan {
    pub(crate) name: String,
    pub(crate) edge: u32,
    pub(crate) rate_rps: f64,
    pub(crate) criticality: Criticality,
    pub(crate) cohorts: u8,
    pub(crate) diurnal_share: f64,
    pub(crate) diurnal_period_ns: f64,
    pub(crate) from_ns: f64,
    pub(crate) until_ns: f64,
}

#[derive(Debug)]
pub(crate) struct InstancePlan {
    pub(crate) service: u32,
    pub(crate) id: String,
    pub(crate) zone: String,
}

#[derive(Debug)]
pub(crate) struct FaultPlan {
    pub(crate) fault: Fault,
}

impl Plan {
    pub(crate) fn new(topology: &Topology) -> Plan {
        let telemetry = &topology.telemetry;
        let reject_below = ((1.0 - telemetry.sample) * (1u64 << 56) as f64) as u64;
        let mut plan = Plan {
            name: topology.name.clone(),
            latency_ns: topology.network_latency_us * 1000,
            flush_ns: telemetry.flush_ms * 1_000_000,
            telemetry: telemetry.clone(),
            control: topology.control.clone(),
            reject_below,
            trace_state: if reject_below == 0 { String::new() } else { format!("ot=th:{}", threshold(reject_below)) },
            filling: Filling::new(telemetry.span_bytes),
            cancels: false,
            services: Vec::new(),
            operations: Vec::new(),
            edges: Vec::new(),
            clients: Vec::new(),
            instances: Vec::new(),
            faults: topology.fault.iter().map(|fault| FaultPlan { fault: fault.clone() }).collect(),
        };
        for service in &topology.service {
            plan.add_service(service);
        }
        for service in topology.service.iter() {
            for operation in &service.operation {
                let index = plan.operation(topology, service, operation);
                let from = plan.edges.len() as u32;
                for call in &operation.call {
                    let edge = plan.edge(topology, index, call);
                    plan.edges.push(edge);
                }
                plan.operations[index as usize].edges = from..plan.edges.len() as u32;
            }
        }
        for client in &topology.client {
            plan.add_client(topology, client);
        }
        plan.cancels = plan.edges.iter().any(|edge| edge.cancel);
        plan
    }

    fn add_service(&mut self, service: &Service) {
        let place = self.services.len() as u32;
        let first = self.instances.len() as u32;
        for number in 0..service.autoscale.map_or(service.instances, |scale| scale.max) {
            let zone = service.zones[number as usize % service.zones.len()].clone();
            self.instances.push(InstancePlan { service: place, id: format!("{}-{number}", service.name), zone });
        }
        for operation in &service.operation {
            let mean_ns = operation.mean_us * 1000.0;
            let separator = if service.protocol == Protocol::Rpc { '/' } else { ' ' };
            let (verb, object) = operation.name.split_once(separator).unwrap_or(("", &operation.name));
            let known_as = if service.protocol == Protocol::Http { object } else { &operation.name };
            self.operations.push(OperationPlan {
                service: place,
                name: operation.name.to_string(),
                known_as: known_as.to_owned(),
                id: NameId::of(known_as),
                verb: verb.to_owned(),
                object: object.to_owned(),
                law: match operation.distribution {
                    Distribution::Lognormal => Law::lognormal(mean_ns, operation.cv),
                    Distribution::Exponential => Law::Exponential { mean: mean_ns },
                    Distribution::Constant => Law::Constant { value: mean_ns },
                },
                mean_ns,
                lock_ns: operation.lock_us * 1000.0,
                cached: operation.call.iter().any(|call| call.when == When::Miss),
                error_share: operation.error_share,
                internal_span: operation.internal_span.clone(),
                edges: 0..0,
            });
        }
        self.services.push(ServicePlan {
            name: service.name.to_string(),
            version: service.version.clone(),
            namespace: service.namespace.clone(),
            protocol: service.protocol,
            system: service.system.clone().unwrap_or_else(|| default_system(service.protocol).to_owned()),
            holds: service.holds,
            span_start: service.span_start,
            balance: service.balance,
            order: service.queue.order,
            length_max: service.queue.length.map_or(usize::MAX, |length| length as usize),
            adaptive_limit: service.adaptive_limit,
            workers: service.workers,
            instances: first..self.instances.len() as u32,
            spec: service.clone(),
        });
    }

    /// The version that an instance runs, with the deployment that has reached it last.
    pub(crate) fn version(&self, instance: u32, deploy: Option<u32>) -> &str {
        let deployed = deploy.and_then(|fault| self.faults[fault as usize].fault.version.as_deref());
        deployed.unwrap_or(&self.services[self.instances[instance as usize].service as usize].version)
    }

    fn operation(&self, topology: &Topology, service: &Service, operation: &crate::topology::Operation) -> u32 {
        let (place, within) = topology.resolve(&service.name, Some(&operation.name));
        self.operation_place(place, within)
    }

    fn operation_place(&self, service: usize, within: usize) -> u32 {
        let first = self.operations.iter().position(|operation| operation.service as usize == service);
        (first.expect("every service has an operation") + within) as u32
    }

    fn edge(&self, topology: &Topology, from: u32, call: &Call) -> EdgePlan {
        let (callee, within) = topology.resolve(&call.to, call.operation.as_ref());
        let caller = self.operations[from as usize].service;
        EdgePlan {
            caller: Some(caller),
            callee: callee as u32,
            operation: self.operation_place(callee, within),
            kind: if call.way == Way::Produce { SpanKind::Producer } else { SpanKind::Client },
            pool: self.services[caller as usize]
                .spec
                .pool
                .iter()
                .position(|pool| *pool.to == *call.to)
                .map(|at| at as u32),
            when: call.when,
            parallel: call.parallel,
            probability: call.probability,
            optional: call.optional,
            timeout_ns: call.timeout_ms * 1_000_000,
            retries: call.retries,
            backoff_ns: call.backoff_ms * 1e6,
            jitter: call.jitter,
            budget: call.retry_budget,
            breaker: call.breaker,
            cancel: call.cancel,
            honours_no_retry: true,
        }
    }

    fn add_client(&mut self, topology: &Topology, client: &Client) {
        let (callee, within) = topology.resolve(&client.to, client.operation.as_ref());
        let edge = self.edges.len() as u32;
        self.edges.push(EdgePlan {
            caller: None,
            callee: callee as u32,
            operation: self.operation_place(callee, within),
            kind: SpanKind::Client,
            pool: None,
            when: When::Always,
            parallel: false,
            probability: 1.0,
            optional: false,
            timeout_ns: client.timeout_ms * 1_000_000,
            retries: client.retries,
            backoff_ns: client.backoff_ms * 1e6,
            jitter: client.jitter,
            budget: client.retry_budget,
            breaker: false,
            cancel: client.cancel,
            honours_no_retry: client.honours_no_retry,
        });
        self.clients.push(ClientPlan {
            name: client.name.to_string(),
            edge,
            rate_rps: client.rate_rps,
            criticality: client.criticality,
            cohorts: client.cohorts,
            diurnal_share: client.diurnal_share,
            diurnal_period_ns: client.diurnal_period_s * 1e9,
            from_ns: client.from_s * 1e9,
            until_ns: client.until_s.map_or(f64::INFINITY, |until_s| until_s * 1e9),
        });
    }
}

fn default_system(protocol: Protocol) -> &'static str {
    if protocol == Protocol::Database { "postgresql" } else { "kafka" }
}

/// OpenTelemetry's `th`: 56 bits in hex without trailing zeros.
fn threshold(reject_below: u64) -> String {
    let hex = format!("{reject_below:014x}");
    let short = hex.trim_end_matches('0');
    if short.is_empty() { "0".to_owned() } else { short.to_owned() }
}
