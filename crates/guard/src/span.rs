//! What the guard knows of a request, as fields of the current span.
//!
//! A field is recorded if the span was made with it: `info_span!("request", stopbank.criticality = Empty, …)`. The names are
//! those that stopbank reads back from the telemetry.

use crate::labels::Labels;
use crate::refusal::Refusal;
use tracing::Span;

/// A request has come.
pub(crate) fn asked(labels: &Labels) {
    carries(labels);
    Span::current().record("stopbank.attempt", labels.attempt);
}

/// A call is made. Fields are recorded once: OpenTelemetry keeps what was said before, and readers take one of the two.
pub(crate) fn calls(labels: &Labels, timeout_ms: u64) {
    carries(labels);
    Span::current().record("stopbank.timeout_ms", timeout_ms);
}

/// It has ended with its try number `attempt`.
pub(crate) fn called(attempt: u32) {
    Span::current().record("stopbank.attempt", attempt);
}

fn carries(labels: &Labels) {
    let span = Span::current();
    if let Some(class) = labels.criticality {
        span.record("stopbank.criticality", class.as_str());
    }
    if let Some(cohort) = labels.cohort {
        span.record("stopbank.cohort", u64::from(cohort));
    }
}

pub(crate) fn waited(waited_ms: u32) {
    Span::current().record("stopbank.queue_ms", waited_ms);
}

pub(crate) fn refused(refusal: &Refusal) {
    let span = Span::current();
    span.record("stopbank.shed", true);
    span.record("stopbank.reason", refusal.reason.as_str());
    span.record("stopbank.queue_ms", refusal.waited_ms);
}
