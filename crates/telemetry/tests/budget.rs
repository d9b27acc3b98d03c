//! Memory: bounded for any payload, and none at all in the steady state. A counting allocator watches.
#![allow(missing_docs)]

#[path = "../../../tests/watched/mod.rs"]
mod watched;

use telemetry::emit::{Attribute, LinkOut, ResourceSpans, SpanOut, Value, otlp_json, otlp_proto};
use telemetry::{Encoding, Facts, PoisonReason, Reader, ReaderConfig};
use watched::spent;

fn nested(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

fn span_with(content: &[u8]) -> Vec<u8> {
    nested(1, &nested(2, &nested(2, content)))
}

#[test]
fn a_megabyte_of_nothing_costs_next_to_nothing() {
    let many = 500_000;
    let one_span = [nested(1, &[1; 16]), nested(2, &[2; 8]), [vec![0x41], vec![1; 8]].concat()].concat();
    let huge = ReaderConfig { spans_max: 2_000_000, resources_max: 2_000_000, ..ReaderConfig::default() };
    for (what, payload) in [
        ("empty spans", nested(1, &nested(2, &[0x12, 0x00].repeat(many)))),
        ("empty resource_spans", [0x0a, 0x00].repeat(many)),
        ("empty scope_spans", nested(1, &[0x12, 0x00].repeat(many))),
        ("empty attributes", span_with(&[one_span.clone(), [0x4a, 0x00].repeat(many)].concat())),
        ("empty events", span_with(&[one_span.clone(), [0x5a, 0x00].repeat(many)].concat())),
        ("empty links", span_with(&[one_span.clone(), [0x6a, 0x00].repeat(many)].concat())),
        ("empty resource attributes", nested(1, &nested(1, &[0x0a, 0x00].repeat(many)))),
        ("JSON, empty spans", list(r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#, "{}", "]}]}]}", 300_000)),
        ("JSON, empty resources", list(r#"{"resourceSpans":["#, "{}", "]}", 300_000)),
        (
            "JSON, empty attributes",
            list(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":["#, "{}", "]}]}]}]}", 300_000),
        ),
        ("JSON, deep lists", [b"{\"x\":".to_vec(), vec![b'['; 1_000_000]].concat()),
        ("JSON, deep objects", list(r#"{"resourceSpans":[{"x":"#, "{\"y\":", "", 150_000)),
    ] {
        for config in [ReaderConfig::default(), huge.clone()] {
            let mut reader = Reader::new(config);
            let mut facts = Facts::default();
            let (peak, _, _) = spent(|| reader.read(Encoding::Auto, &payload, &mut facts));
            assert!(peak < 3 << 20, "{what}: {peak} bytes for {} bytes", payload.len());
            assert!(facts.spans.len() <= 1, "{what}");
        }
    }
}

fn list(before: &str, each: &str, after: &str, many: usize) -> Vec<u8> {
    format!("{before}{}{after}", vec![each; many].join(if each.ends_with(':') { "" } else { "," })).into_bytes()
}

#[test]
fn resources_after_their_spans_are_bounded_too() {
    let each = r#"{"scopeSpans":[{"spans":[{}]}],"resource":{}}"#;
    let payload = list(r#"{"resourceSpans":["#, each, "]}", 20_000);
    let mut facts = Facts::default();
    let poison = Reader::new(ReaderConfig::default()).read(Encoding::Auto, &payload, &mut facts);
    assert_eq!(poison.err().map(|poison| poison.reason), Some(PoisonReason::TooManyResources));
}

#[test]
fn links_and_names_are_bounded() {
    let links: Vec<LinkOut> =
        (1..30_000u64).map(|id| LinkOut { trace: model::TraceId(id.into()), id: model::SpanId(id) }).collect();
    let span = SpanOut {
        trace: model::TraceId(1),
        id: model::SpanId(1),
        kind: model::SpanKind::Consumer,
        end_ns: 1,
        links: &links,
        ..SpanOut::default()
    };
    let payload = otlp_proto(&[ResourceSpans { resource: &[], scope: "", scope_attributes: &[], spans: &[span] }]);
    let mut facts = Facts::default();
    let mut reader = Reader::new(ReaderConfig::default());
    let (peak, _, read) = spent(|| reader.read(Encoding::Auto, &payload, &mut facts));
    assert_eq!(read.ok(), Some(1));
    assert_eq!(facts.spans.len(), 1 + 128);
    assert!(peak < 1 << 20, "{peak}");
}

#[test]
fn a_flood_of_names_stays_within_the_bound() {
    let config = ReaderConfig { names_max: 2_000, ..ReaderConfig::default() };
    let mut reader = Reader::new(config);
    let mut facts = Facts::default();
    let (live, _, ()) = spent(|| {
        for flood in 0..40_000u64 {
            let (service, name) = (format!("service-x{flood:07}y"), format!("operation x{flood:07}y"));
            let resource = [("service.name", Value::Str(&service))];
            let span = SpanOut {
                trace: model::TraceId(1),
                id: model::SpanId(1),
                end_ns: 1,
                name: &name,
                ..SpanOut::default()
            };
            let payload =
                otlp_proto(&[ResourceSpans { resource: &resource, scope: "", scope_attributes: &[], spans: &[span] }]);
            facts.clear();
            reader.read(Encoding::Auto, &payload, &mut facts).expect("a good record");
            assert_eq!(facts.spans.len(), 1);
        }
    });
    assert!(live < 4 << 20, "{live}");
}

#[test]
fn the_steady_state_allocates_nothing() {
    let attributes: Vec<Attribute<'_>> = vec![
        ("http.request.method", Value::Str("GET")),
        ("http.response.status_code", Value::Int(200)),
        ("server.address", Value::Str("10.0.0.1")),
        ("server.port", Value::Int(8080)),
        ("url.path", Value::Str("/api/v1/cart/12345")),
        ("thread.id", Value::Int(42)),
        ("stopbank.timeout_ms", Value::Int(250)),
    ];
    let database = [("db.system.name", Value::Str("postgresql")), ("db.namespace", Value::Str("orders"))];
    let links = [LinkOut { trace: model::TraceId(7), id: model::SpanId(8) }];
    let kinds =
        [model::SpanKind::Server, model::SpanKind::Client, model::SpanKind::Consumer, model::SpanKind::Internal];
    let spans: Vec<SpanOut<'_>> = (1..101u64)
        .map(|id| SpanOut {
            trace: model::TraceId(u128::from(id)),
            id: model::SpanId(id),
            kind: kinds[id as usize % 4],
            name: "GET /api/v1/cart/12345",
            start_ns: 1_790_000_000_000_000_000,
            end_ns: 1_790_000_000_001_000_000,
            attributes: if id % 8 == 1 { &database } else { &attributes },
            links: &links,
            trace_state: "ot=th:8",
            status_message: "connection refused",
            status: if id % 10 == 0 { telemetry::emit::StatusCode::Error } else { Default::default() },
            ..SpanOut::default()
        })
        .collect();
    let resource = [("service.name", Value::Str("shop")), ("service.version", Value::Str("1"))];
    let request = [ResourceSpans { resource: &resource, scope: "http", scope_attributes: &[], spans: &spans }];
    for (what, payload) in [("protobuf", otlp_proto(&request)), ("JSON", otlp_json(&request))] {
        let mut reader = Reader::new(ReaderConfig::default());
        let mut facts = Facts::default();
        for _ in 0..3 {
            facts.clear();
            reader.read(Encoding::Auto, &payload, &mut facts).expect("a good record");
        }
        let (_, calls, spans) = spent(|| {
            (0..50)
                .map(|_| {
                    facts.clear();
                    reader.read(Encoding::Auto, &payload, &mut facts).expect("a good record")
                })
                .sum::<usize>()
        });
        assert_eq!((spans, calls), (5_000, 0), "{what}");
    }
}
