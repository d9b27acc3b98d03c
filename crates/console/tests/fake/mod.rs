//! A station with a made-up incident, for looking at the console without a pipeline.

use console::{Away, Control, ControlRecord, Event, Events, Health, OrderRefused, Pulse, Standing, Station, Status};
use model::{
    Command, CommandId, Criticality, EdgeView, Evidence, Finding, FindingId, FindingState, FlowView, GraphView,
    GuardReport, Interval, Knob, Mode, Order, OrderKind, Reason, ServiceState, ServiceView, Setting, Signature, Target,
    Threshold,
};
use std::sync::{Arc, Mutex};

/// The time at which everything stands still.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// The made-up pipeline. Remembers the orders it was given.
#[derive(Default)]
pub(crate) struct Fake {
    /// Orders that were taken.
    pub(crate) orders: Mutex<Vec<Order>>,
    /// Reports that were taken.
    pub(crate) reports: Mutex<Vec<GuardReport>>,
    /// The control topic: place and record.
    pub(crate) control: Mutex<Vec<(u64, Arc<ControlRecord>)>>,
}

fn threshold(value: f64, normal: f64, limit: f64) -> Threshold {
    Threshold { value, normal: Some(normal), limit: Some(limit), frozen: value > limit }
}

fn edge(caller: &str, callee: &str, rate_rps: f64, errors: f64, p99_ms: f64) -> EdgeView {
    EdgeView {
        caller: caller.into(),
        callee: callee.into(),
        rate_rps,
        first_attempts_rps: rate_rps / 1.4,
        amplification: 1.4,
        errors: threshold(errors, 0.001, 0.02),
        p50_ms: p99_ms / 4.0,
        p99_ms: threshold(p99_ms, 40.0, 120.0),
        operations: vec![("POST /checkout".into(), "Charge".into(), rate_rps)],
        ..EdgeView::default()
    }
}

fn service(name: &str, rate_rps: f64, error_share: f64, p99_ms: f64) -> ServiceView {
    let deviating = p99_ms > 120.0;
    let capacity_rps = deviating.then_some(Interval { low: 180.0, high: 220.0 });
    ServiceView {
        name: name.into(),
        rate_rps,
        error_share,
        p50_ms: p99_ms / 4.0,
        p99_ms,
        capacity_rps,
        queue_delay_ms: None,
        deviating,
        state: if deviating { ServiceState::Deviating } else { ServiceState::Healthy },
        ..ServiceView::default()
    }
}

/// The fleet of the incident.
pub(crate) fn graph() -> GraphView {
    let nasty = "<img src=x onerror=alert(1)>";
    GraphView {
        at_ms: NOW_MS,
        goodput_rps: 212.0,
        offered_rps: 640.0,
        coverage: 0.97,
        services: vec![
            service("cart", 240.0, 0.0, 24.0),
            service("catalog", 410.0, 0.0, 18.0),
            service("checkout", 310.0, 0.41, 980.0),
            service("frontend", 640.0, 0.33, 1020.0),
            service("inventory", 300.0, 0.02, 61.0),
            service("payment", 520.0, 0.58, 1450.0),
            service("recommendation", 120.0, 0.0, 33.0),
            service(nasty, 12.0, 0.0, 9.0),
        ],
        edges: vec![
            edge("", "frontend", 640.0, 0.33, 1020.0),
            edge("checkout", "inventory", 300.0, 0.02, 61.0),
            edge("checkout", "payment", 520.0, 0.58, 1450.0),
            edge("frontend", "cart", 240.0, 0.0, 24.0),
            edge("frontend", "catalog", 410.0, 0.0, 18.0),
            edge("frontend", "checkout", 310.0, 0.41, 980.0),
            edge("frontend", "recommendation", 120.0, 0.0, 33.0),
            EdgeView { biased: true, ..edge("recommendation", nasty, 12.0, 0.0, 9.0) },
            edge("recommendation", "catalog", 100.0, 0.0, 17.0),
            edge("payment", "postgres", 510.0, 0.0, 101.0),
            EdgeView {
                errors: Threshold::default(),
                p99_ms: Threshold::default(),
                ..edge("cart", "redis", 700.0, 0.0, 2.0)
            },
        ],
        flows: vec![FlowView {
            entry: "frontend".into(),
            operation: "POST /checkout".into(),
            offered_rps: 310.0,
            good_rps: 180.0,
            visits_rps: vec![("checkout".into(), 310.0), ("payment".into(), 520.0)],
            ..FlowView::default()
        }],
    }
}

/// What is found.
pub(crate) fn finding() -> Finding {
    let fact = |fact: &str, subject: &str, value, limit| Evidence {
        fact: fact.into(),
        subject: subject.into(),
        value,
        limit,
        exemplars: vec!["4bf92f3577b34da6a3ce929d0e0e4736".into()],
    };
    Finding {
        id: FindingId("f1".into()),
        state: FindingState::Changed,
        signature: Signature::Metastable,
        subject: "payment".into(),
        origin: Some("payment".into()),
        affected: vec!["checkout".into(), "frontend".into()],
        summary: "payment is kept down by retries of checkout: work waits longer than its callers do".into(),
        evidence: vec![fact("queue_delay_ms", "payment", 1380.0, 1000.0), fact("offered_rps", "payment", 520.0, 200.0)],
        confidence: 0.92,
        coverage: 0.97,
        late: 0.02,
        behind_ms: 1_300,
        predicts: "goodput stays down after the fault is gone".into(),
        since_ms: NOW_MS - 42_000,
        at_ms: NOW_MS,
    }
}

/// A command of the given mode.
pub(crate) fn command(mode: Mode, knob: Knob, target: Target, setting: Setting) -> Command {
    let reason = Reason {
        summary: "shed the least important requests at the entry until payment keeps up".into(),
        expected: "queue delay of payment below 300 ms".into(),
        ..Reason::default()
    };
    let id = CommandId(format!("{}-{}", target, knob.as_str()));
    Command { id, sequence: 3, ttl_ms: 15_000, target, knob, setting: Some(setting), reason, mode }
}

impl Station for Fake {
    fn graph(&self) -> Arc<GraphView> {
        Arc::new(graph())
    }

    fn findings(&self) -> Vec<Finding> {
        vec![finding()]
    }

    fn commands(&self) -> Vec<Standing> {
        let admission = Setting::Admission { lowest: Criticality::SheddablePlus, fraction_permille: 400 };
        let retries = Setting::RetryBudget { ratio_permille: 50 };
        let held = [
            command(Mode::Act, Knob::Admission, Target::service("frontend"), admission),
            command(Mode::Propose, Knob::RetryBudget, Target::edge("checkout", "payment"), retries),
        ];
        held.map(|command| Standing { command, expires_ms: NOW_MS + 9_000 }).to_vec()
    }

    fn metrics(&self) -> String {
        "stopbank_spans_total 7\n".into()
    }

    fn live(&self) -> Health {
        Health { well: true, complaints: vec![] }
    }

    fn ready(&self) -> Health {
        Health { well: false, complaints: vec!["no broker answers".into()] }
    }

    fn summary(&self) -> serde_json::Value {
        serde_json::json!({ "spans": 7 })
    }

    fn status(&self) -> Status {
        let armed = !self.orders.lock().is_ok_and(|orders| orders.iter().any(|order| order.kind == OrderKind::Disarm));
        Status { domain: "shop".into(), mode: Mode::Act, armed, now_ms: NOW_MS }
    }

    fn pulses(&self) -> Vec<Pulse> {
        let at = |second: u64| Pulse {
            at_ms: NOW_MS - 120_000 + second * 1000,
            goodput_rps: if second < 78 { 600.0 + (second % 7) as f64 * 5.0 } else { 212.0 },
            offered_rps: 620.0 + (second % 5) as f64 * 8.0,
        };
        (0..120).map(at).collect()
    }

    fn events(&self, next: u64) -> Events {
        let all = [(1, Event::Finding(Box::new(finding())))];
        Events { next: 2, events: all.into_iter().filter(|(at, _)| *at >= next).collect() }
    }

    fn control(&self, next: u64) -> Result<Control, Away> {
        let away = |_| Away { why: "broken".into() };
        let records = self.control.lock().map_err(away)?;
        let end = records.last().map_or(0, |(place, _)| place + 1);
        Ok(Control { next: end, records: records.iter().filter(|(place, _)| *place >= next).cloned().collect() })
    }

    fn report(&self, reports: Vec<GuardReport>) -> Result<(), Away> {
        self.reports.lock().map_err(|_| Away { why: "broken".into() })?.extend(reports);
        Ok(())
    }

    fn order(&self, order: Order) -> Result<(), OrderRefused> {
        if let OrderKind::Approve { .. } = order.kind {
            return Err(OrderRefused::Refused { why: "it is not proposed any more".into() });
        }
        self.orders.lock().map_err(|_| OrderRefused::Away { why: "broken".into() })?.push(order);
        Ok(())
    }
}
