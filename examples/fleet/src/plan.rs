//! What the fleet is: `fleet.toml`, and where its processes listen.

use model::Criticality;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The fleet that is built in.
pub(crate) const BUILT_IN: &str = include_str!("../fleet.toml");

/// A whole fleet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// Who asks.
    pub(crate) load: Load,
    /// Who answers.
    pub(crate) service: Vec<Service>,
    /// What happens.
    pub(crate) story: Story,
    /// How the guards are set.
    pub(crate) guard: Guards,
    /// Where it runs; filled in when it is started.
    #[serde(default)]
    pub(crate) place: Place,
}

/// An open loop of clients.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Load {
    /// A client waits so long for one try.
    pub(crate) timeout_ms: u64,
    /// Tries of a client, the first included.
    pub(crate) attempts: u32,
    /// What is asked, how often.
    pub(crate) stream: Vec<Stream>,
}

/// One kind of request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stream {
    /// The path at the entry.
    pub(crate) operation: String,
    /// What it is worth.
    pub(crate) class: Criticality,
    /// Requests per second.
    pub(crate) rate_rps: f64,
}

/// One service: one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// Its name.
    pub(crate) name: String,
    /// Requests that are worked on at the same time; the others queue.
    pub(crate) workers: u32,
    /// It emits no spans and has no guard, as databases do.
    #[serde(default)]
    pub(crate) database: bool,
    /// Its guard hears stopbank over HTTP, from the console, instead of from Kafka.
    #[serde(default)]
    pub(crate) over_http: bool,
    /// What it can be asked.
    pub(crate) operation: Vec<Operation>,
}

/// One operation of a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    /// Its path.
    pub(crate) path: String,
    /// Its own work, before it calls others.
    pub(crate) work_ms: u64,
    /// Whom it calls, one after the other; all are needed.
    #[serde(default)]
    pub(crate) call: Vec<Call>,
}

/// A call to another service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// Whom.
    pub(crate) to: String,
    /// What.
    pub(crate) path: String,
    /// One try waits so long.
    pub(crate) timeout_ms: u32,
    /// Tries, the first included.
    pub(crate) attempts: u32,
}

/// What happens when, from the start of the load.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Story {
    /// The database becomes slow.
    pub(crate) slow_at_s: u64,
    /// For so long.
    pub(crate) slow_for_s: u64,
    /// Its work takes so long then.
    pub(crate) slow_ms: u64,
    /// How long the fleet is watched after the database is well again.
    pub(crate) watch_s: u64,
}

/// How the guards are set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guards {
    /// A queue holds so much work.
    pub(crate) queue_ms: u32,
    /// The way back when a lease ends takes so long.
    pub(crate) ramp_ms: u32,
}

/// Where a started fleet runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Place {
    /// Kafka.
    pub(crate) brokers: String,
    /// What the topics' names begin with.
    pub(crate) prefix: String,
    /// stopbank's domain.
    pub(crate) domain: String,
    /// The public keys whose commands count.
    pub(crate) keyring: String,
    /// Spans go to this Collector instead of the telemetry topic.
    pub(crate) collector: Option<Collector>,
    /// The port of each service.
    pub(crate) ports: BTreeMap<String, u16>,
}

/// An OpenTelemetry Collector.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collector {
    /// Where it takes OTLP over HTTP.
    pub(crate) url: String,
    /// The topic that it writes to.
    pub(crate) topic: String,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Plan, String> {
        let plan: Plan = toml::from_str(text).map_err(|error| error.to_string())?;
        for (from, call) in plan
            .service
            .iter()
            .flat_map(|one| one.operation.iter().flat_map(move |o| o.call.iter().map(move |c| (one, c))))
        {
            let known =
                plan.service.iter().any(|to| to.name == call.to && to.operation.iter().any(|o| o.path == call.path));
            if !known {
                return Err(format!("{} calls {} at {}, which does not exist", from.name, call.path, call.to));
            }
        }
        Ok(plan)
    }

    /// A service by name.
    pub(crate) fn service(&self, name: &str) -> Option<&Service> {
        self.service.iter().find(|service| service.name == name)
    }

    /// `host:port` of a service.
    pub(crate) fn address(&self, service: &str) -> String {
        format!("127.0.0.1:{}", self.place.ports.get(service).copied().unwrap_or_default())
    }

    /// The topics.
    pub(crate) fn topics(&self) -> kafka::Topics {
        let mut topics = kafka::Topics::prefixed(&self.place.prefix);
        if let Some(collector) = &self.place.collector {
            topics.traces = vec![collector.topic.clone()];
        }
        topics
    }

    /// Requests per second that the clients send.
    pub(crate) fn offered_rps(&self) -> f64 {
        self.load.stream.iter().map(|stream| stream.rate_rps).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_fleet_is_whole_and_has_room_when_nothing_is_wrong() {
        let plan = Plan::read(BUILT_IN).expect("a plan");
        assert!(plan.service.len() >= 8);
        let again: Plan = Plan::read(&toml::to_string(&plan).expect("TOML")).expect("what was written");
        assert_eq!(again.service.len(), plan.service.len());
        let stock = plan.service("stock").expect("it breaks");
        let held_ms = stock.operation[0].work_ms + plan.service("database").expect("it is slow").operation[0].work_ms;
        let capacity_rps = f64::from(stock.workers) * 1000.0 / held_ms as f64;
        // checkout asks twice: for the cart and for the reservation
        let demand_rps = plan.offered_rps() + plan.load.stream[0].rate_rps;
        assert!(demand_rps < 0.55 * capacity_rps, "{demand_rps} of {capacity_rps}");
        assert!(demand_rps * 3.0 > 1.2 * capacity_rps, "three tries each are too much for it");
        let slow_rps = f64::from(stock.workers) * 1000.0 / plan.story.slow_ms as f64;
        assert!(slow_rps < 0.5 * demand_rps, "a slow database cannot serve the demand");
    }
}
