//! What is emitted is OTLP: prost and the reader agree on it; a record can be stamped anew in place.
#![allow(missing_docs)]

mod common;

use model::{SpanId, SpanKind, TraceId};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Request;
use opentelemetry_proto::tonic::common::v1::any_value;
use prost::Message;
use telemetry::emit::{EventOut, LinkOut, ResourceSpans, SpanOut, StatusCode, Value, otlp_json, otlp_proto, restamp};
use telemetry::{Encoding, Facts};

const LONG: &str = "a text of more than one hundred and twenty-eight bytes, so that its length takes two bytes on \
                    the wire, and a \"quote\", a \\ and a line\nfeed";

fn with_request<T>(use_it: impl FnOnce(&[ResourceSpans<'_>]) -> T) -> T {
    let attributes = [
        ("text", Value::Str(LONG)),
        ("int", Value::Int(i64::MIN)),
        ("flag", Value::Bool(true)),
        ("float", Value::Double(0.1)),
        ("empty", Value::Str("")),
    ];
    let exception = [("exception.type", Value::Str("java.net.SocketTimeoutException"))];
    let events = [EventOut { time_ns: 5, name: "exception", attributes: &exception }];
    let links = [LinkOut { trace: TraceId(77), id: SpanId(78) }];
    let span = SpanOut {
        trace: TraceId(u128::MAX - 5),
        id: SpanId(6),
        parent: SpanId(7),
        kind: SpanKind::Consumer,
        name: LONG,
        start_ns: 1_000,
        end_ns: 2_000,
        status: StatusCode::Error,
        status_message: "boom",
        trace_state: "ot=th:8",
        attributes: &attributes,
        links: &links,
        events: &events,
    };
    let root = SpanOut { parent: SpanId::NONE, kind: SpanKind::Server, status_message: "", ..span };
    let bare = SpanOut { trace: TraceId(1), id: SpanId(2), start_ns: 2, end_ns: 3, ..SpanOut::default() };
    let resource = [("service.name", Value::Str("shop"))];
    let spans = [span, root, bare];
    use_it(&[
        ResourceSpans { resource: &resource, scope: "a scope", scope_attributes: &[], spans: &spans },
        ResourceSpans { resource: &[], scope: "", scope_attributes: &[], spans: &[] },
    ])
}

#[test]
fn prost_reads_what_is_emitted() {
    let request = with_request(|request| Request::decode(&otlp_proto(request)[..])).expect("legal protobuf");
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.trace_id, (u128::MAX - 5).to_be_bytes());
    assert_eq!((span.name.as_str(), span.kind, span.trace_state.as_str()), (LONG, 5, "ot=th:8"));
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (1_000, 2_000));
    assert_eq!(span.status.as_ref().map(|status| (status.code, status.message.as_str())), Some((2, "boom")));
    assert_eq!(span.links[0].trace_id, 77u128.to_be_bytes());
    assert_eq!(span.events[0].name, "exception");
    let values: Vec<_> = span.attributes.iter().map(|pair| pair.value.clone().and_then(|value| value.value)).collect();
    assert_eq!(values[0], Some(any_value::Value::StringValue(LONG.into())));
    assert_eq!(values[1], Some(any_value::Value::IntValue(i64::MIN)));
    assert_eq!(values[2], Some(any_value::Value::BoolValue(true)));
    assert_eq!(values[3], Some(any_value::Value::DoubleValue(0.1)));
    assert_eq!(values[4], Some(any_value::Value::StringValue(String::new())));
    assert_eq!(
        request.resource_spans[0].scope_spans[0].scope.as_ref().map(|scope| scope.name.as_str()),
        Some("a scope")
    );
    assert_eq!(request.encode_to_vec().len(), with_request(otlp_proto).len(), "nothing superfluous");
}

#[test]
fn both_encodings_are_read_as_the_same_facts() {
    let proto = with_request(|request| common::read(Encoding::Auto, &otlp_proto(request))).expect("legal protobuf");
    let json = with_request(|request| common::read(Encoding::Auto, &otlp_json(request))).expect("legal JSON");
    assert_eq!(proto, json);
    assert_eq!(proto.spans.len(), 5, "two of the three have a link");
    serde_json::from_slice::<serde_json::Value>(&with_request(otlp_json)).expect("legal JSON");
}

#[test]
fn restamping_changes_ids_and_times_and_nothing_else() {
    let before = with_request(otlp_proto);
    let mut after = before.clone();
    restamp(&mut after, 0xff << 64, 0xf0, 1_000_000).expect("legal protobuf");
    let read = |bytes: &[u8]| -> Facts { common::read(Encoding::Auto, bytes).expect("legal protobuf") };
    let mut expected = read(&before);
    for span in &mut expected.spans {
        span.trace.0 ^= 0xff << 64;
        span.id.0 ^= 0xf0;
        if span.parent.is_some() {
            span.parent.0 ^= 0xf0;
        }
        span.end_ns += 1_000_000;
        span.start_ns += 1_000_000;
    }
    assert_eq!(read(&after), expected);
    restamp(&mut after, 0xff << 64, 0xf0, 1_000_000u64.wrapping_neg()).expect("legal protobuf");
    assert_eq!(after, before, "and back");
    let length = after.len();
    assert!(restamp(&mut after[..length - 1], 0, 0, 0).is_err());
}
