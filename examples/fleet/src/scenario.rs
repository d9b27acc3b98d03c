//! `fleet scenario`: the same fleet as a scenario of the lab, worked out from the plan, so that the two cannot drift apart.
//!
//! What a plan says in words of processes is said in words of the simulation: sleeps are constant work, a pool of workers is
//! held for the whole request, spans start at arrival, nobody looks at deadlines or cancels, and the queue holds as many
//! requests as the guard's bound in milliseconds holds on a calm day.

use crate::plan::{BUILT_IN, Operation, Plan, Service};
use serde_json::{Value, json};
use std::path::PathBuf;

/// From one process to another, one way, µs: a request over loopback, and timers that fire a little late.
const NETWORK_LATENCY_US: u64 = 1000;
/// As the exporter of `spans.rs`.
const FLUSH_MS: u64 = 200;
/// As the guard of `node.rs`.
const BACKOFF_MS: f64 = 20.0;

/// What can be said about it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Another plan than the built-in one.
    #[arg(long)]
    plan: Option<PathBuf>,
}

/// The scenario, as TOML.
///
/// # Errors
/// When the plan cannot be read.
pub(crate) fn run(arguments: &Arguments) -> Result<String, String> {
    let text = match &arguments.plan {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
        None => BUILT_IN.to_owned(),
    };
    toml::to_string(&of(&Plan::read(&text)?)).map_err(|error| error.to_string())
}

/// The plan in the words of `docs/scenarios.md`.
fn of(plan: &Plan) -> Value {
    let story = plan.story;
    let clients: Vec<Value> = plan
        .load
        .stream
        .iter()
        .map(|stream| {
            json!({
                "name": format!("clients of {}", stream.operation),
                "to": "web",
                "operation": name(false, &stream.operation),
                "rate_rps": stream.rate_rps,
                "criticality": stream.class.as_str(),
                "timeout_ms": plan.load.timeout_ms,
                "retries": plan.load.attempts.saturating_sub(1),
                "backoff_ms": 1.0,
            })
        })
        .collect();
    let faults: Vec<Value> = plan
        .service
        .iter()
        .filter(|service| service.database)
        .map(|service| {
            json!({
                "kind": "slow",
                "service": service.name,
                "factor": story.slow_ms as f64 / service.operation.first().map_or(1, |one| one.work_ms) as f64,
                "start_s": story.slow_at_s as f64,
                "duration_s": story.slow_for_s as f64,
            })
        })
        .collect();
    json!({
        "name": "real-fleet",
        "network_latency_us": NETWORK_LATENCY_US,
        "scenario": {
            "about": "The fleet of examples/fleet: its database is ten times slower for some seconds, and tries keep it down.",
            "kind": "metastable",
            "expected": "must_act",
            "length_s": story.slow_at_s + story.slow_for_s + story.watch_s,
        },
        "telemetry": { "flush_ms": FLUSH_MS, "batch_max": 256 },
        "client": clients,
        "service": plan.service.iter().map(|service| of_service(plan, service)).collect::<Vec<_>>(),
        "fault": faults,
    })
}

fn of_service(plan: &Plan, service: &Service) -> Value {
    let of_operation = |operation: &Operation| {
        let calls = operation.call.iter().map(|call| {
            let database = plan.service(&call.to).is_some_and(|callee| callee.database);
            json!({
                "to": call.to,
                "operation": name(database, &call.path),
                "timeout_ms": call.timeout_ms,
                "retries": call.attempts.saturating_sub(1),
                "backoff_ms": BACKOFF_MS,
            })
        });
        json!({
            "name": name(service.database, &operation.path),
            "mean_us": operation.work_ms as f64 * 1000.0,
            "distribution": "constant",
            "call": calls.collect::<Vec<_>>(),
        })
    };
    let holds_ms = service.operation.iter().map(|operation| holds_ms(plan, operation)).sum::<u64>();
    let mean_ms = holds_ms as f64 / service.operation.len().max(1) as f64;
    let length = f64::from(plan.guard.queue_ms) * f64::from(service.workers) / mean_ms.max(1.0);
    json!({
        "name": service.name,
        "workers": service.workers,
        "protocol": if service.database { "database" } else { "http" },
        "span_start": "arrival",
        "queue": { "length": length as u64 },
        "operation": service.operation.iter().map(of_operation).collect::<Vec<_>>(),
    })
}

/// How long a request holds its worker on a calm day.
fn holds_ms(plan: &Plan, operation: &Operation) -> u64 {
    let callees = operation.call.iter().filter_map(|call| {
        let callee = plan.service(&call.to)?;
        Some(holds_ms(plan, callee.operation.iter().find(|one| one.path == call.path)?))
    });
    operation.work_ms + callees.sum::<u64>()
}

/// What the spans call an operation, before the telemetry shortens it.
fn name(database: bool, path: &str) -> String {
    if database { format!("SELECT {}", path.trim_start_matches('/')) } else { format!("GET {path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_service_call_and_client_stands_in_the_scenario_which_the_lab_can_read() {
        let text = run(&Arguments { plan: None }).expect("a scenario");
        let scenario = lab::Scenario::from_toml(&text).expect("the lab reads it");
        let plan = Plan::read(BUILT_IN).expect("a plan");
        let calls =
            |plan: &Plan| plan.service.iter().flat_map(|one| &one.operation).map(|o| o.call.len()).sum::<usize>();
        let simulated = &scenario.topology;
        assert_eq!(simulated.service.len(), plan.service.len());
        let operations = simulated.service.iter().flat_map(|service| &service.operation);
        assert_eq!(operations.map(|operation| operation.call.len()).sum::<usize>(), calls(&plan));
        let offered_rps: f64 = simulated.client.iter().map(|client| client.rate_rps).sum();
        assert!((offered_rps - plan.offered_rps()).abs() < 1e-9);
        let stock = simulated.service.iter().find(|service| &*service.name == "stock").expect("it breaks");
        assert_eq!((stock.workers, stock.queue.length), (8, Some(603)));
    }
}
