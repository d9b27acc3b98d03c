//! The walkers against prost, the oracle: what prost reads, they read, and they take from it what it says.
#![allow(missing_docs)]

mod common;

use common::{read, text};
use model::{Outcome, SpanFlags, SpanKind};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Request;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value as Json, json};
use telemetry::{Encoding, Facts, Oddity, PoisonReason};

const KEYS: [&str; 14] = [
    "service.name",
    "http.route",
    "http.response.status_code",
    "rpc.grpc.status_code",
    "server.address",
    "server.port",
    "db.system",
    "error.type",
    "messaging.system",
    "stopbank.attempt",
    "sampling.probability",
    "thread.name",
    "exception.type",
    "",
];

fn value() -> impl Strategy<Value = Option<Value>> {
    let leaf = prop_oneof![
        "[a-z/{}0-9 é\"\\\\]{0,20}".prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        prop_oneof![any::<i64>(), 0..600i64].prop_map(Value::IntValue),
        (-1000.0..1000.0f64).prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..8).prop_map(Value::BytesValue),
    ];
    let nested = leaf.prop_recursive(3, 12, 3, |inner| {
        let any = inner.prop_map(|value| AnyValue { value: Some(value) });
        prop_oneof![
            vec(any.clone(), 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(any, 0..3).prop_map(|values| {
                let pair = |value| KeyValue { key: "k".into(), value: Some(value), ..KeyValue::default() };
                Value::KvlistValue(KeyValueList { values: values.into_iter().map(pair).collect() })
            }),
        ]
    });
    proptest::option::of(nested)
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (proptest::sample::select(&KEYS[..]), value());
    // A key stands once, as the specification wants it.
    vec(pair, 0..8).prop_map(|pairs| {
        let mut pairs: Vec<KeyValue> = pairs
            .into_iter()
            .map(|(key, value)| KeyValue {
                key: key.into(),
                value: value.map(|value| AnyValue { value: Some(value) }),
                ..KeyValue::default()
            })
            .collect();
        pairs.sort_by(|a, b| a.key.cmp(&b.key));
        pairs.dedup_by(|a, b| a.key == b.key);
        pairs
    })
}

fn id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), bytes), 1 => Just(vec![0; bytes]), 1 => vec(any::<u8>(), 0..20)]
}

fn one_span() -> impl Strategy<Value = Span> {
    let sane = (1..u64::from(u32::MAX), 0..u64::from(u32::MAX)).prop_map(|(start, more)| (start, start + more));
    let times = prop_oneof![4 => sane, 1 => any::<(u64, u64)>().prop_map(|(a, b)| (a >> 1, b >> 1))];
    let links = vec((id(16), id(8)), 0..3);
    let parts = (id(16), id(8), prop_oneof![Just(vec![]), id(8)], "[a-zA-Z/ 0-9é\"]{0,30}", -1..8i32, times);
    let more = (
        attributes(),
        links,
        vec(attributes(), 0..3),
        proptest::option::of(("[a-z ]{0,12}", -1..4i32)),
        "(ot=th:[0-9a-f]{0,3})?",
    );
    (parts, more).prop_map(
        |(
            (trace_id, span_id, parent_span_id, name, kind, (start, end)),
            (attributes, links, events, status, trace_state),
        )| Span {
            trace_id,
            span_id,
            parent_span_id,
            name,
            kind,
            trace_state,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            links: links
                .into_iter()
                .map(|(trace_id, span_id)| span::Link { trace_id, span_id, ..Default::default() })
                .collect(),
            events: events
                .into_iter()
                .map(|attributes| span::Event { name: "exception".into(), attributes, ..Default::default() })
                .collect(),
            status: status.map(|(message, code)| Status { message, code }),
            flags: 257,
            dropped_attributes_count: 3,
            ..Default::default()
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let scope = proptest::option::of("[a-z.]{0,8}")
        .prop_map(|name| name.map(|name| InstrumentationScope { name, version: "1".into(), ..Default::default() }));
    let scopes = vec((scope, vec(one_span(), 0..4)), 0..3);
    let resource = proptest::option::of(attributes())
        .prop_map(|attributes| attributes.map(|attributes| Resource { attributes, ..Default::default() }));
    vec((resource, scopes), 0..3).prop_map(|resources| Request {
        resource_spans: resources
            .into_iter()
            .map(|(resource, scopes)| ResourceSpans {
                resource,
                scope_spans: scopes
                    .into_iter()
                    .map(|(scope, spans)| ScopeSpans { scope, spans, schema_url: "s".into() })
                    .collect(),
                schema_url: String::new(),
            })
            .collect(),
    })
}

/// What the walker must have taken from a span, field by field, by other means.
fn check(span: &Span, service: &str, read: &model::Span, facts: &Facts) {
    assert_eq!(read.trace.0.to_be_bytes(), span.trace_id[..]);
    assert_eq!(read.id.0.to_be_bytes(), span.span_id[..]);
    let parent = <[u8; 8]>::try_from(&span.parent_span_id[..]).map_or(0, u64::from_be_bytes);
    assert_eq!(read.parent.0, parent);
    assert_eq!(read.end_ns, span.end_time_unix_nano);
    let start = span.start_time_unix_nano;
    assert_eq!(read.start_ns, if start == 0 || start > read.end_ns { read.end_ns } else { start });
    let kind = [
        SpanKind::Internal,
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ];
    assert_eq!(
        read.kind,
        usize::try_from(span.kind).ok().and_then(|kind_at| kind.get(kind_at)).copied().unwrap_or_default()
    );
    assert_eq!(text(facts, read.service), service);
    let attribute =
        |wanted: &str| span.attributes.iter().find(|pair| pair.key == wanted)?.value.as_ref()?.value.as_ref();
    if let Some(Value::StringValue(route)) = attribute("http.route")
        && !route.is_empty()
    {
        assert_eq!(text(facts, read.operation), route);
    }
    if let (None, Some(Value::IntValue(code @ 0..600))) =
        (attribute("rpc.grpc.status_code"), attribute("http.response.status_code"))
        && *code >= 400
    {
        assert_eq!(
            read.outcome == Outcome::Ok,
            (400..500).contains(code) && ![429, 499].contains(code) && !(*code == 408 && read.kind == SpanKind::Client)
        );
    }
}

fn service_name(resource: Option<&Resource>) -> String {
    let pair = resource.and_then(|resource| resource.attributes.iter().find(|pair| pair.key == "service.name"));
    // Of a list the first element is taken.
    let mut value = pair.and_then(|pair| pair.value.clone()).and_then(|value| value.value);
    if let Some(Value::ArrayValue(list)) = value {
        value = list.values.into_iter().next().and_then(|first| first.value);
    }
    match value {
        Some(Value::StringValue(name)) if !name.is_empty() => name,
        _ => "unknown_service".into(),
    }
}

fn usable(span: &Span) -> bool {
    span.trace_id.len() == 16
        && span.trace_id.iter().any(|byte| *byte != 0)
        && span.span_id.len() == 8
        && span.span_id.iter().any(|byte| *byte != 0)
        && span.end_time_unix_nano != 0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn json_value(value: &Value) -> Json {
    let all = |values: &[AnyValue]| {
        values.iter().map(|value| value.value.as_ref().map_or(json!({}), json_value)).collect::<Vec<_>>()
    };
    match value {
        Value::StringValue(text) => json!({"stringValue": text}),
        Value::BoolValue(flag) => json!({"boolValue": flag}),
        Value::IntValue(int) => json!({"intValue": int.to_string()}),
        Value::DoubleValue(number) => json!({"doubleValue": number}),
        Value::BytesValue(_) => json!({"bytesValue": "AAE="}),
        Value::ArrayValue(list) => json!({"arrayValue": {"values": all(&list.values)}}),
        Value::KvlistValue(list) => json!({"kvlistValue": {"values": json_attributes(&list.values)}}),
        Value::StringValueStrindex(_) => json!({}),
    }
}

fn json_attributes(attributes: &[KeyValue]) -> Json {
    let pair = |pair: &KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        json!({"key": pair.key, "value": value.map_or(json!({}), json_value)})
    };
    attributes.iter().map(pair).collect()
}

/// The request in OTLP/JSON, written by serde_json and nothing of ours. Its objects' fields come in alphabetical order:
/// resources before and scopes before their spans, attributes' keys before values.
fn as_json(request: &Request) -> Vec<u8> {
    let event = |event: &span::Event| json!({"name": event.name, "attributes": json_attributes(&event.attributes)});
    let link = |link: &span::Link| json!({"traceId": hex(&link.trace_id), "spanId": hex(&link.span_id)});
    let status = |status: &Status| json!({"code": status.code, "message": status.message});
    let span = |span: &Span| {
        json!({
            "traceId": hex(&span.trace_id), "spanId": hex(&span.span_id), "parentSpanId": hex(&span.parent_span_id),
            "traceState": span.trace_state, "name": span.name, "kind": span.kind,
            "startTimeUnixNano": span.start_time_unix_nano.to_string(), "endTimeUnixNano": span.end_time_unix_nano,
            "attributes": json_attributes(&span.attributes), "droppedAttributesCount": span.dropped_attributes_count,
            "events": span.events.iter().map(event).collect::<Vec<_>>(),
            "links": span.links.iter().map(link).collect::<Vec<_>>(),
            "status": span.status.as_ref().map(status),
        })
    };
    let name = |scope: &InstrumentationScope| json!({"name": scope.name});
    let scope = |scope: &ScopeSpans| {
        let spans = scope.spans.iter().map(span).collect::<Vec<_>>();
        json!({"scope": scope.scope.as_ref().map(name), "spans": spans})
    };
    let attributes = |resource: &Resource| json!({"attributes": json_attributes(&resource.attributes)});
    let resource = |resource: &ResourceSpans| {
        let scopes = resource.scope_spans.iter().map(scope).collect::<Vec<_>>();
        json!({"resource": resource.resource.as_ref().map(attributes), "scopeSpans": scopes})
    };
    let resources = request.resource_spans.iter().map(resource).collect::<Vec<_>>();
    json!({"resourceSpans": resources}).to_string().into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_prost_writes_is_read_as_prost_reads_it(request in request()) {
        let bytes = request.encode_to_vec();
        let facts = read(Encoding::OtlpProto, &bytes).expect("prost writes legal protobuf");
        let mut read_spans = facts.spans.iter().filter(|span| !span.flags.has(SpanFlags::LINKED));
        let mut left_out = 0;
        for resource in &request.resource_spans {
            let service = service_name(resource.resource.as_ref());
            for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
                if usable(span) {
                    check(span, &service, read_spans.next().expect("a span for each usable one"), &facts);
                } else {
                    left_out += 1;
                }
            }
        }
        prop_assert!(read_spans.next().is_none());
        prop_assert_eq!(facts.oddities.spans_left_out(), left_out);
    }

    #[test]
    fn json_says_the_same_as_protobuf(request in request()) {
        let proto = read(Encoding::Auto, &request.encode_to_vec()).expect("legal protobuf");
        let text = as_json(&request);
        let json = read(Encoding::Auto, &text).map_err(|poison| poison.to_string());
        prop_assert_eq!(Ok(proto), json, "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn damaged_bytes_never_panic_and_are_read_only_whole(
        request in request(),
        cut in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        for bytes in [request.encode_to_vec(), as_json(&request)] {
            if bytes.is_empty() {
                continue;
            }
            let mut damaged = bytes.clone();
            for (at, byte) in &flips {
                damaged[at.index(bytes.len())] = *byte;
            }
            for payload in [&bytes[..cut.index(bytes.len())], &damaged, &damaged[..cut.index(bytes.len())]] {
                for encoding in [Encoding::Auto, Encoding::OtlpProto, Encoding::OtlpJson] {
                    let mut facts = Facts::default();
                    let mut reader = telemetry::Reader::new(Default::default());
                    match reader.read(encoding, payload, &mut facts) {
                        Ok(spans) => prop_assert!(facts.spans.len() >= spans),
                        Err(poison) => {
                            prop_assert_eq!(&facts, &Facts::default());
                            prop_assert!(poison.at_byte <= payload.len(), "{}", poison);
                        }
                    }
                }
            }
            // What prost reads is no poison for us, but for groups, which no exporter writes and prost skips.
            if let (Ok(_), Err(poison)) = (Request::decode(&damaged[..]), read(Encoding::OtlpProto, &damaged)) {
                prop_assert_eq!(poison.reason, PoisonReason::WireType);
            }
        }
    }

    #[test]
    fn any_bytes_at_all_never_panic(payload in vec(any::<u8>(), 0..300)) {
        for encoding in [Encoding::Auto, Encoding::OtlpProto, Encoding::OtlpJson] {
            let _ = read(encoding, &payload);
        }
    }
}

#[test]
fn fields_may_come_in_any_order_and_messages_in_pieces() {
    let attribute = KeyValue {
        key: "service.name".into(),
        value: Some(AnyValue { value: Some(Value::StringValue("late".into())) }),
        ..Default::default()
    };
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        end_time_unix_nano: 5,
        start_time_unix_nano: 4,
        ..Default::default()
    };
    let scope = ScopeSpans { spans: vec![span], ..Default::default() };
    let first = ResourceSpans { scope_spans: vec![scope], ..Default::default() }.encode_to_vec();
    let then = ResourceSpans {
        resource: Some(Resource { attributes: vec![attribute], ..Default::default() }),
        ..Default::default()
    }
    .encode_to_vec();
    let whole = [first, then].concat();
    let mut bytes = vec![0x0a, whole.len() as u8];
    bytes.extend(whole);
    let facts = read(Encoding::Auto, &bytes).expect("legal");
    assert_eq!(text(&facts, facts.spans[0].service), "late");
    assert_eq!(facts.oddities.of(Oddity::ServiceName), 0);
}

#[test]
fn a_span_is_read_alike_in_every_order_of_its_fields() {
    let route = KeyValue {
        key: "http.route".into(),
        value: Some(AnyValue { value: Some(Value::StringValue("/".into())) }),
        ..KeyValue::default()
    };
    let nothing = Span::default;
    let fields = [
        Span { trace_id: vec![1; 16], ..nothing() },
        Span { span_id: vec![2; 8], ..nothing() },
        Span { trace_state: "ot=th:8".into(), ..nothing() },
        Span { parent_span_id: vec![3; 8], ..nothing() },
        Span { name: "GET".into(), ..nothing() },
        Span { kind: 3, ..nothing() },
        Span { start_time_unix_nano: 4, ..nothing() },
        Span { end_time_unix_nano: 5, ..nothing() },
        Span { attributes: vec![route], ..nothing() },
        Span { status: Some(Status { code: 2, ..Status::default() }), ..nothing() },
    ]
    .map(|field| field.encode_to_vec());
    let read_in = |order: &[usize]| {
        let mut bytes: Vec<u8> = order.iter().flat_map(|at| fields[*at].clone()).collect();
        for tag in [0x12, 0x12, 0x0a] {
            assert!(bytes.len() < 126, "its length has one byte");
            bytes.splice(0..0, [tag, bytes.len() as u8]);
        }
        read(Encoding::OtlpProto, &bytes).expect("legal")
    };
    let usual: Vec<usize> = (0..fields.len()).collect();
    let expected = read_in(&usual);
    assert_eq!((expected.spans[0].parent.0, expected.spans[0].end_ns), (0x0303_0303_0303_0303, 5));
    for (one, other) in usual.iter().flat_map(|one| usual.iter().map(move |other| (*one, *other))) {
        let mut order = usual.clone();
        order.swap(one, other);
        assert_eq!(read_in(&order), expected, "{order:?}");
        order.rotate_left(one);
        assert_eq!(read_in(&order), expected, "{order:?}");
        // Of a field that stands twice the last one counts.
        order.insert(0, other);
        assert_eq!(read_in(&order), expected, "{order:?}");
    }
}
