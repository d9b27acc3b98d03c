//! What the fleet's services count themselves, before any lens: the histograms of HTTP and RPC servers, cumulative, as SDKs
//! export them (opentelemetry.io/docs/specs/semconv/http/http-metrics and rpc/rpc-metrics).

use super::Batch;
use super::batch::{Datum, Span};
use crate::Export;
use model::SpanKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;
/// Attributes of a server span that its metrics have too.
const SHARED: [&str; 7] = [
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "rpc.service",
    "rpc.method",
    "rpc.grpc.status_code",
    "error.type",
];

/// Counts what every instance serves. Each exports in its own rhythm.
pub struct Counter {
    every_ns: u64,
    instances: BTreeMap<String, Instance>,
}

struct Instance {
    /// Its service, and its own name.
    names: [String; 2],
    start_ns: u64,
    next_ns: u64,
    /// Requests of the intervals to come: when they ended, and their series.
    ended: Vec<(u64, Series)>,
    counts: BTreeMap<Series, u64>,
}

/// A metric and its attributes, as JSON.
type Series = (&'static str, String);

impl Counter {
    /// Exports so often, seconds.
    pub fn new(every_s: u64) -> Counter {
        Counter { every_ns: every_s * SECOND_NS, instances: BTreeMap::new() }
    }

    /// Counts what an exporter's spans say of requests.
    pub fn take(&mut self, export: &Export) {
        let batch = Batch::of(export);
        let known = self.instances.len() as u64;
        let instance = self.instances.entry(batch.instance().to_owned()).or_insert_with(|| Instance {
            names: [batch.service().to_owned(), batch.instance().to_owned()],
            start_ns: export.at_ns,
            next_ns: export.at_ns + self.every_ns - known % 7 * (self.every_ns / 7),
            ended: Vec::new(),
            counts: BTreeMap::new(),
        });
        let served = batch.spans.iter().filter(|span| span.kind == SpanKind::Server);
        instance.ended.extend(served.map(|span| (span.end_ns, series(span))));
    }

    /// The records of OTLP JSON that are exported by `now_ns`, Unix nanoseconds: a second after an interval's end, when all
    /// that ended in it was said.
    pub fn due(&mut self, now_ns: u64) -> Vec<Vec<u8>> {
        let every_ns = self.every_ns;
        let due = self.instances.values_mut().filter(|instance| instance.next_ns + SECOND_NS <= now_ns);
        due.map(|instance| instance.export(every_ns).to_string().into_bytes()).collect()
    }
}

impl Instance {
    fn export(&mut self, every_ns: u64) -> Value {
        let end_ns = self.next_ns;
        self.next_ns += every_ns;
        for (_, series) in self.ended.extract_if(.., |(ended_ns, _)| *ended_ns <= end_ns) {
            *self.counts.entry(series).or_default() += 1;
        }
        let metric = |(series, count): (&Series, &u64)| {
            let attributes: Value = serde_json::from_str(&series.1).expect("it was written as JSON");
            json!({"name": series.0, "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [{
                "attributes": attributes, "startTimeUnixNano": self.start_ns.to_string(),
                "timeUnixNano": end_ns.to_string(), "count": count.to_string()
            }]}})
        };
        let metrics: Vec<Value> = self.counts.iter().map(metric).collect();
        let [service, instance] = &self.names;
        let resource = json!({"attributes": [
            {"key": "service.name", "value": {"stringValue": service}},
            {"key": "service.instance.id", "value": {"stringValue": instance}}
        ]});
        json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]})
    }
}

fn series(span: &Span) -> Series {
    let rpc = span.attributes.has("rpc.method");
    let name = if rpc { "rpc.server.call.duration" } else { "http.server.request.duration" };
    let shared = SHARED.iter().filter_map(|key| Some((key, span.attributes.get(key)?)));
    let attributes = shared.map(|(key, value)| match value {
        Datum::Int(int) => json!({"key": key, "value": {"intValue": int.to_string()}}),
        Datum::Text(text) => json!({"key": key, "value": {"stringValue": text}}),
        Datum::Bool(flag) => json!({"key": key, "value": {"boolValue": flag}}),
        Datum::Double(number) => json!({"key": key, "value": {"doubleValue": number}}),
    });
    (name, Value::Array(attributes.collect()).to_string())
}
