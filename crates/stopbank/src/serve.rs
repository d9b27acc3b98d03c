//! The admin address: the console over a running pipeline.

use crate::exit::Failure;
use console::{
    Away, Control, ControlRecord, Door, Doors, Event, Events, Health, OrderRefused, Pulse, Server, Standing, Station,
    Status,
};
use kafka::{Connection, Topics};
use model::{Finding, GraphView, GuardReport, Order};
use runtime::{OrderError, Relay, Relayed, Remote, State};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the console listens, who may come in, and the topics that it relays.
pub(crate) struct Admin<'a> {
    pub(crate) address: &'a str,
    /// Orders need it, if it is not empty.
    pub(crate) token: &'a str,
    /// Guards' reports need it, if it is not empty.
    pub(crate) guard_token: &'a str,
    pub(crate) connection: Connection,
    pub(crate) topics: Topics,
}

/// Serves the console of `pipeline`.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) fn start(admin: &Admin<'_>, pipeline: Remote) -> Result<Server, Failure> {
    let address = admin.address;
    let resolved =
        address.to_socket_addrs().map_err(|error| Failure::usage(format!("admin.address {address}: {error}")))?;
    let resolved = resolved.into_iter().next().ok_or_else(|| Failure::usage(format!("{address} is no address")))?;
    let door = |token: &str| if token.is_empty() { Door::Loopback } else { Door::Token(token.to_owned()) };
    let doors = Doors { orders: door(admin.token), reports: door(admin.guard_token) };
    let state = pipeline.state();
    let relay = Relay::start(admin.connection.clone(), &admin.topics, &state.domain)?;
    console::serve(resolved, doors, Arc::new(Desk { state, pipeline, relay })).map_err(Failure::job)
}

/// The pipeline, as the console sees it.
struct Desk {
    state: Arc<State>,
    pipeline: Remote,
    relay: Relay,
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

    fn control(&self, next: u64) -> Result<Control, Away> {
        let changes = self.relay.since(next);
        let changes = changes.ok_or_else(|| Away { why: "the control topic has not been read yet".to_owned() })?;
        // What is no text was not written by a stopbank, and would not verify.
        let record = |(place, relayed): (u64, Arc<Relayed>)| {
            let Relayed { record, timestamp_ms } = &*relayed;
            let value = String::from_utf8(record.value.clone()).ok()?;
            let headers = record.headers.iter().cloned().collect();
            let record = ControlRecord { key: record.key.clone(), headers, value, timestamp_ms: *timestamp_ms };
            Some((place, Arc::new(record)))
        };
        Ok(Control { next: changes.next, records: changes.records.into_iter().filter_map(record).collect() })
    }

    fn report(&self, reports: Vec<GuardReport>) -> Result<(), Away> {
        self.relay.report(&reports).map_err(|error| Away { why: error.to_string() })
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
