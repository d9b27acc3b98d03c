//! The admin address: the console over a running pipeline.

use crate::exit::Failure;
use console::{Door, Event, Events, Health, OrderRefused, Pulse, Server, Standing, Station, Status};
use model::{Finding, GraphView, Order};
use runtime::{OrderError, Remote, State};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Serves the console of `pipeline` on `address`; orders need `token` if it is not empty.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) fn start(address: &str, token: &str, pipeline: Remote) -> Result<Server, Failure> {
    let resolved =
        address.to_socket_addrs().map_err(|error| Failure::usage(format!("admin.address {address}: {error}")))?;
    let resolved = resolved.into_iter().next().ok_or_else(|| Failure::usage(format!("{address} is no address")))?;
    let door = if token.is_empty() { Door::Loopback } else { Door::Token(token.to_owned()) };
    let desk = Desk { state: pipeline.state(), pipeline };
    console::serve(resolved, door, Arc::new(desk)).map_err(Failure::job)
}

/// The pipeline, as the console sees it.
struct Desk {
    state: Arc<State>,
    pipeline: Remote,
}

impl Station for Desk {
    fn graph(&self) -> Arc<GraphView> {
        self.state.graph.get()
    }

    fn findings(&self) -> Vec<Finding> {
        self.state.findings.get().to_vec()
    }

    fn commands(&self) -> Vec<Standing> {
        let standing = |one: &runtime::Standing| Standing { command: one.command.clone(), expires_ms: one.expires_ms };
        self.state.commands.get().iter().map(standing).collect()
    }

    fn metrics(&self) -> String {
        self.state.metrics()
    }

    fn live(&self) -> Health {
        health(self.state.progress.live())
    }

    fn ready(&self) -> Health {
        health(self.state.progress.ready())
    }

    fn summary(&self) -> serde_json::Value {
        serde_json::to_value(self.pipeline.summary()).unwrap_or_default()
    }

    fn status(&self) -> Status {
        let autonomy = self.state.autonomy.get();
        Status {
            domain: self.state.domain.clone(),
            mode: autonomy.mode,
            armed: autonomy.disarmed_by.is_none(),
            now_ms: now_ms(),
        }
    }

    fn pulses(&self) -> Vec<Pulse> {
        let pulse = |one: runtime::Pulse| Pulse {
            at_ms: one.at_ms,
            goodput_rps: one.goodput_rps,
            offered_rps: one.offered_rps,
        };
        self.state.pulses().into_iter().map(pulse).collect()
    }

    fn events(&self, next: u64) -> Events {
        let happened = self.state.events(next);
        let event = |event| match event {
            runtime::Event::Finding(finding) => Event::Finding(Box::new(finding)),
            runtime::Event::Command(command) => Event::Command(Box::new(command)),
        };
        let events = happened.items.into_iter().map(|(place, one)| (place, event(one))).collect();
        Events { next: happened.next, events }
    }

    fn order(&self, order: Order) -> Result<(), OrderRefused> {
        self.pipeline.order(order).map_err(|error| match error {
            OrderError::NoEngine | OrderError::Busy => OrderRefused::Away { why: error.to_string() },
            OrderError::Unknown => OrderRefused::Refused { why: error.to_string() },
        })
    }
}

fn health(verdict: runtime::Verdict) -> Health {
    Health { well: verdict.well, complaints: verdict.remarks }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
