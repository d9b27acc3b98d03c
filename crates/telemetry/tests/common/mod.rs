//! What several of the tests need: reading a record fresh, and a span as one line of text.
#![allow(dead_code)]

use model::{NameId, Outcome, Span, SpanFlags};
use std::collections::BTreeMap;
use std::fmt::Write;
use telemetry::emit::{Attribute, ResourceSpans, SpanOut, otlp_json, otlp_proto};
use telemetry::{Encoding, Facts, Poison, Reader, ReaderConfig};

/// Reads one record with a reader of its own.
pub(crate) fn read(encoding: Encoding, payload: &[u8]) -> Result<Facts, Poison> {
    read_with(ReaderConfig::default(), encoding, payload)
}

/// Reads one record with a reader of its own.
pub(crate) fn read_with(config: ReaderConfig, encoding: Encoding, payload: &[u8]) -> Result<Facts, Poison> {
    let mut facts = Facts::default();
    Reader::new(config).read(encoding, payload, &mut facts).map(|_| facts)
}

/// The span as both encodings say it; they must agree.
pub(crate) fn both_ways(resource: &[Attribute<'_>], scope: &str, span: SpanOut<'_>) -> Facts {
    let request = [ResourceSpans { resource, scope, scope_attributes: &[], spans: &[span] }];
    let from_proto = read(Encoding::Auto, &otlp_proto(&request)).expect("legal protobuf");
    let from_json = read(Encoding::Auto, &otlp_json(&request)).expect("legal JSON");
    assert_eq!(from_proto, from_json, "protobuf and JSON say the same");
    from_proto
}

/// A name's text.
pub(crate) fn text(facts: &Facts, id: NameId) -> &str {
    if id == NameId::NONE {
        return "-";
    }
    facts.names.iter().find(|named| named.id == id).map_or("?", |named| &named.text)
}

/// The span, all its facts in one line.
pub(crate) fn line(facts: &Facts, span: &Span) -> String {
    let outcome = match span.outcome {
        Outcome::Ok => "ok".to_owned(),
        Outcome::Failed(failure) => format!("{failure:?}").to_lowercase(),
    };
    let mut line = format!(
        "{:032x} {:016x} {:016x} {}..{} {:?} {} | {} | peer {} | {outcome}",
        span.trace.0,
        span.id.0,
        span.parent.0,
        span.start_ns,
        span.end_ns,
        span.kind,
        text(facts, span.service),
        text(facts, span.operation),
        text(facts, span.peer),
    );
    let mut also = |name: &str, value: String| write!(line, " {name}={value}").expect("a String takes it");
    for (name, id) in [("version", span.version), ("zone", span.zone), ("instance", span.instance)] {
        if id.is_some() {
            also(name, text(facts, id).to_owned());
        }
    }
    if span.weight.0 != 1024 {
        also("weight", span.weight.0.to_string());
    }
    if span.timeout_ms != 0 {
        also("timeout_ms", span.timeout_ms.to_string());
    }
    if span.attempt != 0 {
        also("attempt", span.attempt.to_string());
    }
    if span.cohort != Span::COHORT_UNKNOWN {
        also("cohort", span.cohort.to_string());
    }
    if span.queued.is_known() {
        also("queue_ms", span.queued.ms().to_string());
    }
    if let Some(criticality) = span.criticality {
        also("criticality", criticality.as_str().to_owned());
    }
    if span.flags != SpanFlags::default() {
        also("flags", flags(span.flags).join(","));
    }
    line
}

/// The flags' names.
pub(crate) fn flags(flags: SpanFlags) -> Vec<&'static str> {
    let all = BTreeMap::from([
        (1, "LINKED"),
        (2, "PROXY"),
        (4, "DATABASE"),
        (8, "STREAMING"),
        (16, "BIASED"),
        (32, "ADDRESS"),
        (64, "MESSAGING"),
        (128, "SIDECAR"),
        (256, "FOR_TRACE"),
    ]);
    all.into_iter().filter(|(bit, _)| flags.0 & bit != 0).map(|(_, name)| name).collect()
}
