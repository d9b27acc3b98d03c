//! Semantic conventions, new names and old, mean the same facts in protobuf and in JSON.
#![allow(missing_docs)]

mod common;

use common::{both_ways, flags, read as read_payload, read_with, text};
use model::{Criticality, Failure, Outcome, Span, SpanFlags, SpanId, SpanKind, TraceId};
use telemetry::emit::{Attribute, EventOut, ResourceSpans, SpanOut, StatusCode, Value, otlp_json, otlp_proto};
use telemetry::{Encoding, Facts, ReaderConfig, weight_of_share};

fn str<'a>(key: &'a str, value: &'a str) -> Attribute<'a> {
    (key, Value::Str(value))
}

fn int(key: &str, value: i64) -> Attribute<'_> {
    (key, Value::Int(value))
}

fn span<'a>(kind: SpanKind, attributes: &'a [Attribute<'a>]) -> SpanOut<'a> {
    SpanOut {
        trace: TraceId(0x5b8e_fff7_9803_8103_d269_b633_813f_c60c),
        id: SpanId(0xeee1_9b7e_c3c1_b174),
        kind,
        name: "the name",
        start_ns: 1_790_000_000_000_000_000,
        end_ns: 1_790_000_000_012_000_000,
        attributes,
        ..SpanOut::default()
    }
}

fn read(out: SpanOut<'_>) -> (Facts, Span) {
    let facts = both_ways(&[("service.name", Value::Str("shop"))], "", out);
    let span = facts.spans[0];
    (facts, span)
}

#[test]
fn outcomes_follow_from_status_codes_error_types_and_flags() {
    use Failure::{Cancelled, Error, Shed, Timeout, Unavailable};
    use SpanKind::{Client, Server};
    let failed = |failure| Outcome::Failed(failure);
    for (kind, attributes, status, wanted) in [
        (Server, vec![], StatusCode::Unset, Outcome::Ok),
        (Server, vec![], StatusCode::Ok, Outcome::Ok),
        (Server, vec![], StatusCode::Error, failed(Error)),
        (Server, vec![int("http.response.status_code", 200)], StatusCode::Unset, Outcome::Ok),
        (Server, vec![int("http.response.status_code", 200)], StatusCode::Error, failed(Error)),
        (Server, vec![int("http.response.status_code", 404)], StatusCode::Unset, Outcome::Ok),
        (Client, vec![int("http.response.status_code", 404)], StatusCode::Error, Outcome::Ok),
        (Server, vec![int("http.response.status_code", 500)], StatusCode::Error, failed(Error)),
        (Server, vec![int("http.status_code", 500)], StatusCode::Unset, failed(Error)),
        (Client, vec![str("http.status_code", "503")], StatusCode::Unset, failed(Unavailable)),
        (Server, vec![int("http.response.status_code", 504)], StatusCode::Unset, failed(Timeout)),
        (Server, vec![int("http.response.status_code", 429)], StatusCode::Unset, failed(Shed)),
        (Server, vec![int("http.response.status_code", 499)], StatusCode::Unset, failed(Cancelled)),
        (Client, vec![int("http.response.status_code", 408)], StatusCode::Error, failed(Timeout)),
        (Server, vec![int("http.response.status_code", 408)], StatusCode::Unset, Outcome::Ok),
        (Server, vec![int("rpc.grpc.status_code", 0)], StatusCode::Unset, Outcome::Ok),
        (Client, vec![int("rpc.grpc.status_code", 1)], StatusCode::Error, failed(Cancelled)),
        (Client, vec![int("rpc.grpc.status_code", 4)], StatusCode::Error, failed(Timeout)),
        (Client, vec![int("rpc.grpc.status_code", 5)], StatusCode::Error, Outcome::Ok),
        (Client, vec![int("rpc.grpc.status_code", 8)], StatusCode::Error, failed(Shed)),
        (Client, vec![int("rpc.grpc.status_code", 13)], StatusCode::Error, failed(Error)),
        (Client, vec![int("rpc.grpc.status_code", 14)], StatusCode::Error, failed(Unavailable)),
        (Client, vec![int("rpc.grpc.status_code", 99)], StatusCode::Unset, failed(Error)),
        (Client, vec![str("grpc.status_code", "14")], StatusCode::Unset, failed(Unavailable)),
        (Client, vec![str("rpc.response.status_code", "DEADLINE_EXCEEDED")], StatusCode::Error, failed(Timeout)),
        (Client, vec![str("rpc.response.status_code", "UNAVAILABLE")], StatusCode::Error, failed(Unavailable)),
        (Client, vec![str("rpc.response.status_code", "NOT_FOUND")], StatusCode::Error, Outcome::Ok),
        (Client, vec![str("rpc.response.status_code", "OK")], StatusCode::Unset, Outcome::Ok),
        (
            Client,
            vec![int("http.response.status_code", 200), int("rpc.grpc.status_code", 14)],
            StatusCode::Unset,
            failed(Unavailable),
        ),
        (Client, vec![str("error.type", "timeout")], StatusCode::Unset, failed(Timeout)),
        (Client, vec![str("error.type", "java.net.ConnectException")], StatusCode::Error, failed(Unavailable)),
        (Client, vec![str("error.type", "503")], StatusCode::Error, failed(Unavailable)),
        (Client, vec![str("error.type", "404")], StatusCode::Error, Outcome::Ok),
        (Client, vec![str("error.type", "RESOURCE_EXHAUSTED")], StatusCode::Error, failed(Shed)),
        (Client, vec![str("error.type", "_OTHER")], StatusCode::Unset, failed(Error)),
        (Client, vec![("error", Value::Bool(true))], StatusCode::Unset, failed(Error)),
        (Client, vec![str("error", "true")], StatusCode::Unset, failed(Error)),
        (Server, vec![("stopbank.shed", Value::Bool(true))], StatusCode::Unset, failed(Shed)),
        (
            Server,
            vec![int("http.response.status_code", 503), ("stopbank.shed", Value::Bool(true))],
            StatusCode::Error,
            failed(Shed),
        ),
        (
            Server,
            vec![int("http.response.status_code", 503), str("response_flags", "UO")],
            StatusCode::Unset,
            failed(Shed),
        ),
        (Server, vec![str("http.status_code", "0"), str("response_flags", "DC")], StatusCode::Unset, failed(Cancelled)),
        (Server, vec![str("http.status_code", "200"), str("response_flags", "-")], StatusCode::Unset, Outcome::Ok),
    ] {
        let (_, read) = read(SpanOut { status, ..span(kind, &attributes) });
        assert_eq!(read.outcome, wanted, "{kind:?} {attributes:?} {status:?}");
    }
}

#[test]
fn the_words_of_a_failed_span_and_its_exceptions_name_the_failure() {
    for (message, exception, wanted) in [
        ("context deadline exceeded", "", Failure::Timeout),
        ("", "java.net.SocketTimeoutException", Failure::Timeout),
        ("", "java.net.ConnectException", Failure::Unavailable),
        ("boom", "io.grpc.StatusRuntimeException: CANCELLED: context cancelled", Failure::Cancelled),
        ("boom", "java.lang.NullPointerException", Failure::Error),
    ] {
        let attributes = [str("exception.type", exception)];
        let events = [EventOut { time_ns: 1, name: "exception", attributes: &attributes }];
        let status = StatusCode::Error;
        let (_, failed) =
            read(SpanOut { status, status_message: message, events: &events, ..span(SpanKind::Client, &[]) });
        assert_eq!(failed.outcome, Outcome::Failed(wanted), "{message} {exception}");
        let (_, handled) = read(SpanOut { events: &events, ..span(SpanKind::Client, &[]) });
        assert_eq!(handled.outcome, Outcome::Ok, "an exception that was handled is no failure");
    }
}

#[test]
fn operations_come_from_the_most_stable_name() {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    for (kind, attributes, wanted) in [
        (Server, vec![], "the name"),
        (Server, vec![str("http.route", "/cart/{id}"), str("url.template", "/x")], "/cart/{id}"),
        (Client, vec![str("url.template", "/cart/{id}")], "/cart/{id}"),
        (Server, vec![str("rpc.service", "shop.Cart"), str("rpc.method", "Get")], "shop.Cart/Get"),
        (Server, vec![str("rpc.method", "shop.Cart/Get")], "shop.Cart/Get"),
        (Client, vec![str("rpc.method", "Get")], "Get"),
        (Client, vec![str("db.query.summary", "SELECT orders")], "SELECT orders"),
        (Client, vec![str("db.operation.name", "SELECT"), str("db.collection.name", "orders")], "SELECT orders"),
        (Client, vec![str("db.operation", "SELECT"), str("db.sql.table", "orders_2024_01")], "SELECT orders_{id}"),
        (Client, vec![str("db.system", "redis"), str("db.operation", "GET")], "GET"),
        (
            Producer,
            vec![str("messaging.operation.name", "send"), str("messaging.destination.name", "orders")],
            "send orders",
        ),
        (
            Consumer,
            vec![str("messaging.operation", "process"), str("messaging.destination", "orders")],
            "process orders",
        ),
        (
            Consumer,
            vec![
                str("messaging.operation.type", "process"),
                str("messaging.destination.template", "/customers/{id}"),
                str("messaging.destination.name", "/customers/7"),
            ],
            "process /customers/{id}",
        ),
        (Producer, vec![str("messaging.destination.name", "orders")], "orders"),
        (Internal, vec![str("thread.name", "main")], "the name"),
    ] {
        let (facts, read) = read(span(kind, &attributes));
        assert_eq!(text(&facts, read.operation), wanted, "{attributes:?}");
    }
    let (facts, named) = read(SpanOut { name: "GET /users/12345/orders?x=1", ..span(Server, &[]) });
    assert_eq!(text(&facts, named.operation), "GET /users/{id}/orders");
}

#[test]
fn peers_are_services_databases_destinations_or_addresses() {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    for (kind, attributes, wanted, marks) in [
        (Client, vec![], "-", vec![]),
        (Client, vec![str("service.peer.name", "cart"), str("server.address", "10.0.0.1")], "cart", vec![]),
        (Client, vec![str("peer.service", "cart")], "cart", vec![]),
        (Client, vec![str("server.address", "cart.svc"), int("server.port", 80)], "cart.svc", vec!["ADDRESS"]),
        (Client, vec![str("net.peer.name", "cart.svc")], "cart.svc", vec!["ADDRESS"]),
        (Client, vec![str("server.address", "10.0.0.1"), int("server.port", 8080)], "10.0.0.1:8080", vec!["ADDRESS"]),
        (
            Client,
            vec![str("network.peer.address", "10.0.0.1"), int("network.peer.port", 80)],
            "10.0.0.1:80",
            vec!["ADDRESS"],
        ),
        (Client, vec![str("net.peer.ip", "fd00::1")], "fd00::1", vec!["ADDRESS"]),
        (Client, vec![str("http.host", "cart.svc:8080")], "cart.svc", vec!["ADDRESS"]),
        (Client, vec![str("http.url", "https://me:pw@cart.svc:8080/a/b?c")], "cart.svc", vec!["ADDRESS"]),
        (Client, vec![str("url.full", "http://127.0.0.1:9/x")], "127.0.0.1:9", vec!["ADDRESS"]),
        (Client, vec![str("peer.address", "10.0.0.1:80")], "10.0.0.1:80", vec!["ADDRESS"]),
        (
            Client,
            vec![str("upstream_cluster", "outbound|80||cart.ns.svc.cluster.local"), str("component", "proxy")],
            "cart.ns.svc.cluster.local",
            vec!["PROXY", "ADDRESS"],
        ),
        (Client, vec![str("db.system", "redis")], "redis", vec!["DATABASE"]),
        (
            Client,
            vec![str("db.system.name", "postgresql"), str("db.namespace", "orders"), str("server.address", "db1")],
            "postgresql:db1/orders",
            vec!["DATABASE"],
        ),
        (
            Client,
            vec![str("db.system", "mysql"), str("db.name", "orders"), str("net.peer.name", "10.0.0.9")],
            "mysql:orders",
            vec!["DATABASE"],
        ),
        (
            Client,
            vec![str("db.system", "redis"), str("db.namespace", "0"), str("server.address", "10.0.0.9")],
            "redis:10.0.0.9/0",
            vec!["DATABASE"],
        ),
        (Client, vec![str("db.system", "redis"), str("peer.service", "cache")], "cache", vec!["DATABASE"]),
        (
            Producer,
            vec![str("messaging.system", "kafka"), str("messaging.destination.name", "orders")],
            "kafka:orders",
            vec!["MESSAGING"],
        ),
        (
            Consumer,
            vec![str("messaging.system", "kafka"), str("messaging.destination", "orders")],
            "kafka:orders",
            vec!["MESSAGING"],
        ),
        (Producer, vec![], "-", vec!["MESSAGING"]),
        (Server, vec![str("server.address", "me")], "-", vec![]),
        (Internal, vec![str("peer.service", "x")], "-", vec![]),
    ] {
        let (facts, read) = read(span(kind, &attributes));
        assert_eq!(text(&facts, read.peer), wanted, "{attributes:?}");
        assert_eq!(flags(read.flags), marks, "{attributes:?}");
    }
}

#[test]
fn marks_of_proxies_streams_and_samplers_are_flags() {
    use SpanKind::{Client, Server};
    for (attributes, trace_state, marks, weight) in [
        (vec![], "", vec![], 1024),
        (vec![str("component", "proxy")], "", vec!["PROXY"], 1024),
        (vec![str("component", "grpc")], "", vec![], 1024),
        (vec![str("upstream_cluster.name", "x")], "", vec!["PROXY"], 1024),
        (vec![str("istio.canonical_service", "x")], "", vec!["PROXY"], 1024),
        (vec![int("http.response.status_code", 101)], "", vec!["STREAMING"], 1024),
        (vec![str("http.response.header.content-type", "text/event-stream; x")], "", vec!["STREAMING"], 1024),
        (vec![str("network.protocol.name", "websocket")], "", vec!["STREAMING"], 1024),
        (vec![str("url.scheme", "wss")], "", vec!["STREAMING"], 1024),
        (vec![str("rpc.type", "SERVER_STREAMING")], "", vec!["STREAMING"], 1024),
        (vec![str("rpc.type", "UNARY")], "", vec![], 1024),
        (vec![str("rpc.method", "etcdserverpb.Watch/Watch")], "", vec!["STREAMING"], 1024),
        (vec![], "ot=th:8", vec![], 2048),
        (vec![], "vendor=1,ot=p:2;r:9", vec![], 4096),
        (vec![("sampling.probability", Value::Double(0.25))], "", vec![], 4096),
        (vec![str("sampling.threshold", "c")], "", vec![], 4096),
        (vec![int("SampleRate", 10)], "", vec![], 10240),
        (
            vec![str("sampler.type", "probabilistic"), ("sampler.param", Value::Double(0.5))],
            "",
            vec!["FOR_TRACE"],
            2048,
        ),
        (vec![str("sampler.type", "probabilistic"), ("sampler.param", Value::Double(1.0))], "", vec![], 1024),
        (vec![str("sampler.type", "const"), ("sampler.param", Value::Bool(true))], "", vec![], 1024),
        (vec![str("sampler.type", "ratelimiting")], "", vec!["BIASED", "FOR_TRACE"], 0),
        (vec![str("sampler.type", "lowerbound")], "", vec!["BIASED", "FOR_TRACE"], 0),
        (vec![str("sampler.type", "adaptive")], "", vec!["BIASED", "FOR_TRACE"], 0),
        (vec![str("tailsampling.policy", "errors")], "ot=th:8", vec!["BIASED"], 0),
        (vec![("sampling.probability", Value::Double(0.0))], "", vec![], 0),
        (vec![("sampling.probability", Value::Double(f64::NAN))], "", vec![], 0),
    ] {
        let kind = if attributes.iter().any(|attribute| attribute.0.starts_with("upstream")) { Server } else { Client };
        let (_, read) = read(SpanOut { trace_state, ..span(kind, &attributes) });
        assert_eq!((flags(read.flags), read.weight.0), (marks, weight), "{attributes:?} {trace_state}");
    }
    for (scope, sdk, is_proxy) in
        [("envoy", "", true), ("x", "Envoy", true), ("io.opentelemetry.tomcat", "otel", false)]
    {
        let facts = both_ways(&[str("telemetry.sdk.name", sdk)], scope, span(Server, &[]));
        assert_eq!(flags(facts.spans[0].flags) == ["PROXY"], is_proxy, "{scope} {sdk}");
    }
}

#[test]
fn a_scope_that_names_the_policy_of_a_tail_sampler_makes_its_spans_biased() {
    for (scope_attributes, wanted) in [
        (vec![str("tailsampling.policy", "errors")], (vec!["BIASED"], 0)),
        (vec![str("tailsampling.composite_policy", "rest"), str("x", "y")], (vec!["BIASED"], 0)),
        (vec![str("library.language", "go")], (vec![], 1024)),
        (vec![], (vec![], 1024)),
    ] {
        let plain = span(SpanKind::Server, &[]);
        let request = [ResourceSpans {
            resource: &[str("service.name", "shop")],
            scope: "http",
            scope_attributes: &scope_attributes,
            spans: &[plain],
        }];
        let from_proto = read_payload(Encoding::Auto, &otlp_proto(&request)).expect("legal protobuf");
        let from_json = read_payload(Encoding::Auto, &otlp_json(&request)).expect("legal JSON");
        assert_eq!(from_proto, from_json);
        let span = from_proto.spans[0];
        assert_eq!((flags(span.flags), span.weight.0), wanted, "{scope_attributes:?}");
    }
}

#[test]
fn a_configured_ratio_weighs_what_says_nothing_of_its_sampling() {
    let config = ReaderConfig { unmarked: weight_of_share(0.05), ..ReaderConfig::default() };
    assert_eq!(config.unmarked.0, 20 * 1024);
    for (trace_state, weight) in [("", 20 * 1024), ("vendor=1", 20 * 1024), ("ot=th:8", 2048)] {
        let spans = [SpanOut { trace_state, ..span(SpanKind::Server, &[]) }];
        let request = [ResourceSpans { spans: &spans, ..ResourceSpans::default() }];
        let facts = read_with(config.clone(), Encoding::Auto, &otlp_proto(&request)).expect("legal protobuf");
        assert_eq!(facts.spans[0].weight.0, weight, "{trace_state}");
    }
}

#[test]
fn fetching_messages_is_neither_a_call_nor_a_request() {
    use SpanKind::{Client, Consumer, Internal, Producer};
    let doing = |doing| vec![str("messaging.system", "kafka"), str("messaging.operation.type", doing)];
    let batch = |old| vec![str("messaging.operation", old), int("messaging.batch.message_count", 3)];
    for (kind, attributes, parent, wanted) in [
        (Client, doing("receive"), 0, Internal),
        (Client, doing("settle"), 7, Internal),
        (Client, doing("send"), 7, Client),
        (Producer, doing("send"), 7, Producer),
        (Consumer, doing("process"), 0, Consumer),
        (Consumer, batch("receive"), 0, Internal),
        (Consumer, batch("receive"), 7, Consumer),
        (Consumer, doing("receive"), 0, Consumer),
    ] {
        let (_, read) = read(SpanOut { parent: SpanId(parent), ..span(kind, &attributes) });
        assert_eq!(read.kind, wanted, "{kind:?} {attributes:?} under {parent}");
        let polls = wanted == Internal;
        assert_eq!(read.flags.has(SpanFlags::STREAMING), polls, "it says nothing of latency");
    }
}

#[test]
fn what_goes_on_for_a_minute_and_ends_well_says_nothing_of_latency() {
    let lasting = |seconds: u64, status| {
        let good = span(SpanKind::Server, &[]);
        read(SpanOut { end_ns: good.start_ns + seconds * 1_000_000_000, status, ..good }).1
    };
    assert!(lasting(60, StatusCode::Unset).flags.has(SpanFlags::STREAMING));
    assert!(!lasting(59, StatusCode::Unset).flags.has(SpanFlags::STREAMING));
    assert!(!lasting(60, StatusCode::Error).flags.has(SpanFlags::STREAMING), "a timeout is none");
}

#[test]
fn attempts_deadlines_criticality_and_cohort_are_read() {
    for (attributes, attempt, timeout_ms, criticality, cohort) in [
        (vec![], 0, 0, None, 255),
        (vec![int("stopbank.attempt", 3)], 3, 0, None, 255),
        (vec![int("http.request.resend_count", 1)], 2, 0, None, 255),
        (vec![int("http.resend_count", 300)], 255, 0, None, 255),
        (vec![str("previous-rpc-attempts", "2")], 3, 0, None, 255),
        (vec![int("stopbank.timeout_ms", 250)], 0, 250, None, 255),
        (vec![int("stopbank.timeout_ms", -1)], 0, 0, None, 255),
        (vec![str("http.request.header.grpc-timeout", "2S")], 0, 2000, None, 255),
        (vec![str("stopbank.criticality", "SHEDDABLE_PLUS")], 0, 0, Some(Criticality::SheddablePlus), 255),
        (vec![str("stopbank.criticality", "nonsense")], 0, 0, None, 255),
        (vec![int("stopbank.cohort", 127)], 0, 0, None, 127),
        (vec![int("stopbank.cohort", 128)], 0, 0, None, 255),
    ] {
        let (_, read) = read(span(SpanKind::Client, &attributes));
        assert_eq!(
            (read.attempt, read.timeout_ms, read.criticality, read.cohort),
            (attempt, timeout_ms, criticality, cohort),
            "{attributes:?}"
        );
    }
}

#[test]
fn what_a_guard_says_of_its_queue_is_read() {
    for (attributes, wanted) in [
        (vec![], None),
        (vec![int("stopbank.queue_ms", 0)], Some(0)),
        (vec![int("stopbank.queue_ms", 25)], Some(25)),
        (vec![str("stopbank.queue_ms", "25")], Some(25)),
        (vec![int("stopbank.queue_ms", 1000)], Some(992)),
        (vec![int("stopbank.queue_ms", -5)], None),
    ] {
        let (_, read) = read(span(SpanKind::Server, &attributes));
        assert_eq!(read.queued.is_known().then(|| read.queued.ms()), wanted, "{attributes:?}");
    }
}

#[test]
fn a_resource_says_who_in_which_version_zone_and_instance() {
    for (resource, wanted) in [
        (vec![], ["unknown_service", "-", "-", "-"]),
        (vec![str("k8s.deployment.name", "cart")], ["cart", "-", "-", "-"]),
        (
            vec![
                str("service.name", "cart"),
                str("service.version", "1.2"),
                str("cloud.availability_zone", "eu-1a"),
                str("k8s.pod.name", "cart-1"),
                str("host.name", "h"),
            ],
            ["cart", "1.2", "eu-1a", "cart-1"],
        ),
        (vec![str("service.instance.id", "i"), str("k8s.pod.name", "p")], ["unknown_service", "-", "-", "i"]),
    ] {
        let facts = both_ways(&resource, "", span(SpanKind::Server, &[]));
        let read = facts.spans[0];
        let found = [read.service, read.version, read.zone, read.instance].map(|id| text(&facts, id));
        assert_eq!(found, wanted, "{resource:?}");
    }
}
