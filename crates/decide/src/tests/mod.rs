//! A small shop: `front` is the entry, it calls `cart`, `cart` calls `stock`; `search` stands aside.

mod blast;
mod looking;
mod orders;
mod pace;
mod planning;

use crate::{EdgeFacts, FlowFacts, Lease, Ledger, Outcome, Picture, Policy, ServiceFacts, plan};
use model::{
    AuditKind, Command, Criticality, EdgeKind, Finding, FindingId, GuardReport, Interval, Knob, Mode, Obeyed, Order,
    OrderKind, Signature,
};
use std::collections::{BTreeMap, BTreeSet};

/// A storm at `stock`: 100 rps of demand, `capacity` rps of capacity, every call tried `attempts` times.
fn storm(capacity: f64, attempts: f64) -> Picture {
    let demand = 100.0;
    let service = |capacity_rps, queue_ms: f64, saturated| ServiceFacts {
        capacity_rps,
        offered_rps: demand * attempts,
        first_attempts_rps: demand,
        shed_rps: 0.0,
        inverted: None,
        crowded_share: 0.0,
        queue_delay_ms: Interval::between(queue_ms, queue_ms),
        saturated,
        slow: false,
    };
    let edge = |caller: &str, callee: &str, retries_rps| EdgeFacts {
        caller: caller.into(),
        callee: callee.into(),
        kind: EdgeKind::Call,
        first_attempts_rps: demand,
        retries_rps,
        timeout_ms: Some(1000.0),
        biased: false,
    };
    let visits =
        |stock| BTreeMap::from([("front".to_owned(), 1.0), ("cart".to_owned(), 1.0), ("stock".to_owned(), stock)]);
    let flow = |operation: &str, criticality, offered_rps, stock| FlowFacts {
        entry: "front".to_owned(),
        operation: operation.to_owned(),
        criticality,
        offered_rps,
        visits: visits(stock),
    };
    let queue_ms = if attempts > 1.0 { 4000.0 } else { 1.0 };
    Picture {
        at_ms: 0,
        coverage: 1.0,
        left_out: 0.0,
        services_total: 10,
        services: BTreeMap::from([
            ("front".to_owned(), service(None, 0.0, false)),
            ("cart".to_owned(), service(None, 0.0, false)),
            ("search".to_owned(), service(None, 0.0, false)),
            ("stock".to_owned(), service(Interval::between(capacity, capacity * 1.1), queue_ms, attempts > 1.0)),
        ]),
        edges: vec![
            edge("front", "cart", 0.0),
            edge("", "front", 0.0),
            edge("front", "search", 0.0),
            edge("cart", "stock", demand * (attempts - 1.0)),
        ],
        admission: BTreeMap::new(),
        whole_entries: BTreeSet::new(),
        flows: vec![
            flow("buy", Criticality::CriticalPlus, 10.0, 1.0),
            flow("browse", Criticality::Critical, 60.0, 1.0),
            flow("suggest", Criticality::Sheddable, 30.0, 1.0),
        ],
    }
}

fn finding(signature: Signature) -> Finding {
    Finding {
        id: FindingId("f-1".to_owned()),
        signature,
        subject: "stock".to_owned(),
        origin: Some("stock".to_owned()),
        affected: vec!["cart".to_owned(), "front".to_owned()],
        confidence: 0.95,
        coverage: 1.0,
        since_ms: 5_000,
        at_ms: 7_000,
        ..Finding::default()
    }
}

fn acting() -> Policy {
    Policy { mode: Mode::Act, ..Policy::default() }
}

/// A ledger with its policy, driven second by second.
struct Desk {
    ledger: Ledger,
    policy: Policy,
    now_ms: u64,
    /// What guards report.
    queue_delay_ms: u32,
}

impl Desk {
    fn new(policy: Policy) -> Desk {
        Desk { ledger: Ledger::default(), policy, now_ms: 1_000_000, queue_delay_ms: 0 }
    }

    /// One second: a tick, then a window with these findings.
    fn second(&mut self, findings: &[Finding], picture: &Picture) -> Vec<Outcome> {
        let mut out = self.blind_second();
        let plan = plan(findings, picture, self.ledger.guards());
        out.extend(self.ledger.consider(findings, plan, picture, &self.policy));
        out
    }

    /// One second without telemetry.
    fn blind_second(&mut self) -> Vec<Outcome> {
        self.now_ms += 1000;
        self.ledger.tick(self.now_ms, &self.policy)
    }

    fn order(&mut self, id: &str, kind: OrderKind) -> Vec<Outcome> {
        let order = Order { id: id.to_owned(), by: "ada".to_owned(), note: String::new(), at_ms: self.now_ms, kind };
        self.ledger.order(&order, &self.policy)
    }

    /// Every guard of these services obeys everything that is in force.
    fn obey(&mut self, services: &[&str]) {
        let obeyed: Vec<Obeyed> = self.ledger.leases().values().map(obeyed).collect();
        for service in services {
            self.report(service, obeyed.clone());
        }
    }

    fn report(&mut self, service: &str, obeyed: Vec<Obeyed>) {
        let report = GuardReport {
            service: (*service).to_owned(),
            instance: "1".to_owned(),
            obeyed,
            queue_delay_ms: self.queue_delay_ms,
            ..GuardReport::default()
        };
        self.ledger.hear(&report);
    }
}

fn obeyed(lease: &Lease) -> Obeyed {
    let sequence = lease.sent.as_ref().map_or(0, |sent| sent.sequence);
    Obeyed { id: lease.id.clone(), sequence, ..Obeyed::default() }
}

fn commands(outcomes: &[Outcome]) -> Vec<&Command> {
    outcomes
        .iter()
        .filter_map(|outcome| if let Outcome::Command(command) = outcome { Some(command) } else { None })
        .collect()
}

fn knobs(outcomes: &[Outcome]) -> Vec<(Knob, String)> {
    commands(outcomes).iter().map(|command| (command.knob, command.target.to_string())).collect()
}

fn audited(outcomes: &[Outcome], kind: AuditKind) -> Vec<String> {
    let entries =
        outcomes.iter().filter_map(|outcome| if let Outcome::Audit(entry) = outcome { Some(entry) } else { None });
    entries.filter(|entry| entry.kind == kind).map(|entry| entry.text.clone()).collect()
}
