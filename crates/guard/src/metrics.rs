//! The guard's figures in Prometheus' text format.

use crate::callee::StoppedCounts;
use crate::health::Health;
use crate::shared::Shared;
use admission::Reason;
use model::{BreakerPhase, Criticality, LEVELS};
use std::fmt::Write as _;

const REASONS: [Reason; 5] =
    [Reason::Priority, Reason::Concurrency, Reason::QueueFull, Reason::Expired, Reason::Purged];
const PHASES: [(BreakerPhase, &str); 4] = [
    (BreakerPhase::Closed, "closed"),
    (BreakerPhase::Open, "open"),
    (BreakerPhase::HalfOpen, "half_open"),
    (BreakerPhase::Ramp, "ramp"),
];

/// Every figure.
pub(crate) fn text(shared: &Shared) -> String {
    let health = shared.health();
    let totals = shared.control().totals;
    let mut out = Text(String::new());
    out.head("admitted_total", "counter", "Requests let in, by class.");
    for class in Criticality::ALL {
        out.line("admitted_total", &[("criticality", class.as_str())], totals.admitted[class.index()]);
    }
    out.head("refused_total", "counter", "Requests refused, by class.");
    for class in Criticality::ALL {
        out.line("refused_total", &[("criticality", class.as_str())], totals.refused[class.index()]);
    }
    out.head("refused_reason_total", "counter", "Requests refused, by reason.");
    for reason in REASONS {
        let at = crate::shards::reason_index(reason);
        out.line("refused_reason_total", &[("reason", reason.as_str())], totals.reasons[at]);
    }
    out.one("completed_total", "counter", "Requests that ended well.", totals.completed);
    out.one("in_flight", "gauge", "Requests being worked on.", health.in_flight);
    out.one("in_flight_limit", "gauge", "Requests that may be worked on.", health.in_flight_max[LEVELS - 1]);
    out.one("queued", "gauge", "Requests waiting.", health.queued);
    out.one("queue_delay_milliseconds", "gauge", "How long the oldest has waited.", health.queue_delay_ms);
    out.one("queue_bound_milliseconds", "gauge", "The queue's bound, as work.", health.queue_bound_ms);
    out.one("kill_level", "gauge", "The degradation level; 0 is everything on.", health.kill_level);
    out.one(
        "takes_permille",
        "gauge",
        "The share of its usual traffic that the instance is to be given, in 1/1000.",
        health.takes_permille,
    );
    out.one("orders", "gauge", "Commands in force.", health.orders.len());
    if let Some(age_ms) = health.orders_age_ms {
        out.one("orders_age_milliseconds", "gauge", "How old the newest command is.", age_ms);
    }
    if let Some(ago_ms) = health.heard_ago_ms {
        out.one("heard_ago_milliseconds", "gauge", "How long ago stopbank or Kafka was heard.", ago_ms);
    }
    out.one("applied_microseconds", "gauge", "From the last command's receipt to its effect.", health.applied_us);
    out.head("orders_dropped_total", "counter", "Records of the control topic that were dropped, by reason.");
    for (why, count) in &health.dropped {
        out.line("orders_dropped_total", &[("reason", why)], *count);
    }
    callees(&mut out, &health);
    out.0
}

fn callees(out: &mut Text, health: &Health) {
    out.head("breaker_phase", "gauge", "1 for the phase that the callee's breaker is in.");
    for callee in &health.callees {
        for (phase, name) in PHASES {
            let is = u8::from(callee.phase == phase);
            out.line("breaker_phase", &[("callee", &callee.callee), ("phase", name)], is);
        }
    }
    type Figure = (&'static str, &'static str, &'static str, fn(&crate::BreakerHealth) -> u64);
    let figures: [Figure; 6] = [
        ("breaker_calls", "gauge", "Calls in the breaker's window.", |callee| u64::from(callee.calls)),
        ("breaker_failed", "gauge", "Calls in the window that failed.", |callee| u64::from(callee.failed)),
        ("breaker_slow", "gauge", "Calls in the window that were slow.", |callee| u64::from(callee.slow)),
        ("retry_budget_permille", "gauge", "Retries allowed, of first attempts.", |callee| {
            u64::from(callee.retry_ratio_permille)
        }),
        ("retries_refused_total", "counter", "Retries that the budget refused.", |callee| callee.retries_refused),
        ("try_timeout_milliseconds", "gauge", "How long one try may take.", |callee| u64::from(callee.timeout_ms)),
    ];
    out.head("stopped_total", "counter", "Tries towards a callee that were not made, by reason.");
    for callee in &health.callees {
        let StoppedCounts { breaker, throttle, deadline } = callee.stopped;
        for (why, count) in [("breaker", breaker), ("throttle", throttle), ("deadline", deadline)] {
            out.line("stopped_total", &[("callee", &callee.callee), ("reason", why)], count);
        }
    }
    for (name, kind, help, value) in figures {
        out.head(name, kind, help);
        for callee in &health.callees {
            out.line(name, &[("callee", &callee.callee)], value(callee));
        }
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // writing to a string cannot fail
        let _ = writeln!(self.0, "# HELP stopbank_guard_{name} {help}\n# TYPE stopbank_guard_{name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "stopbank_guard_{name}{labels} {value}");
    }
}
