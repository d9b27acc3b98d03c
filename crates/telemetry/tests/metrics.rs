//! What producers counted, exactly: against prost as oracle, in both encodings, in both temporalities, with restarts, repeats
//! and points out of order.
#![allow(missing_docs)]

use model::{NameId, Producer, Side, WitnessRow};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Request;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde_json::json;
use telemetry::{Encoding, Measured, MetricsReader, PoisonReason, ReaderConfig};

const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;
const SECOND: u64 = 1_000_000_000;

fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let value = |text: &str| match text.parse() {
        Ok(number) => any_value::Value::IntValue(number),
        Err(_) => any_value::Value::StringValue(text.to_owned()),
    };
    let pair = |(key, text): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(value(text)) }),
        ..KeyValue::default()
    };
    pairs.iter().map(pair).collect()
}

fn request(service: &str, name: &str, data: Data) -> Request {
    let metric = Metric { name: name.into(), data: Some(data), ..Metric::default() };
    let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    let resource = Resource { attributes: attributes(&[("service.name", service)]), ..Resource::default() };
    let resource = ResourceMetrics { resource: Some(resource), scope_metrics: vec![scope], ..Default::default() };
    Request { resource_metrics: vec![resource] }
}

/// Labels, from and until when in seconds, and the value.
type Counted<'a> = (&'a [(&'a str, &'a str)], u64, u64, i64);

fn counter(temporality: i32, points: &[Counted<'_>]) -> Data {
    let point = |(labels, start, end, value): &Counted<'_>| NumberDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: start * SECOND,
        time_unix_nano: end * SECOND,
        value: Some(number_data_point::Value::AsInt(*value)),
        ..NumberDataPoint::default()
    };
    let data_points = points.iter().map(point).collect();
    Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic: true })
}

const SERVER: &[(&str, &str)] = &[("span.name", "GET /"), ("span.kind", "SPAN_KIND_SERVER")];
const FAILED: &[(&str, &str)] =
    &[("span.name", "GET /"), ("span.kind", "SPAN_KIND_SERVER"), ("status.code", "STATUS_CODE_ERROR")];

fn read(reader: &mut MetricsReader, request: &Request) -> Measured {
    let mut measured = Measured::default();
    reader.read(Encoding::Auto, &request.encode_to_vec(), &mut measured).expect("legal protobuf");
    measured
}

fn seconds(rows: &[WitnessRow]) -> Vec<(u64, u64, u64, u64)> {
    rows.iter().map(|row| (row.start_ns / SECOND, row.end_ns / SECOND, row.calls, row.failed)).collect()
}

#[test]
fn a_cumulative_counter_is_read_as_what_was_added_also_over_gaps_repeats_and_restarts() {
    let mut reader = MetricsReader::new(ReaderConfig::default());
    let mut said = |start, end, value| {
        let points = counter(CUMULATIVE, &[(SERVER, start, end, value)]);
        let measured = read(&mut reader, &request("shop", "traces.span.metrics.calls", points));
        (seconds(&measured.rows), measured.tally)
    };
    assert_eq!(said(100, 110, 50).0, [(100, 110, 50, 0)], "it began with the stream");
    assert_eq!(said(100, 120, 80).0, [(110, 120, 30, 0)]);
    assert_eq!(said(100, 120, 80).1.repeated, 1, "the same point twice");
    assert_eq!(said(100, 115, 60).1.repeated, 1, "a point that comes late says nothing that is not known");
    assert_eq!(said(100, 150, 200).0, [(120, 150, 120, 0)], "two points were lost, their calls were not");
    assert_eq!(said(155, 160, 7).0, [(155, 160, 7, 0)], "the process began anew and says so");
    let fell = said(155, 170, 3);
    assert_eq!((fell.0, fell.1.resets), (vec![], 1), "it fell without saying so: how much is lost is not known");
    assert_eq!(said(155, 180, 13).0, [(170, 180, 10, 0)]);
    assert_eq!(said(100, 190, 900).1.repeated, 1, "the old process is over");
}

#[test]
fn a_cumulative_stream_whose_start_is_not_known_is_first_a_baseline() {
    let mut reader = MetricsReader::new(ReaderConfig::default());
    for (start, end, value, rows) in [(0, 110, 500, vec![]), (0, 120, 520, vec![(110, 120, 20, 0)])] {
        let points = counter(CUMULATIVE, &[(SERVER, start, end, value)]);
        assert_eq!(seconds(&read(&mut reader, &request("shop", "calls", points)).rows), rows);
    }
    // Prometheus's receiver dates the start to the first scrape.
    for (end, value, rows) in [(110, 500, vec![]), (120, 520, vec![(110, 120, 20, 0)])] {
        let points = counter(CUMULATIVE, &[(SERVER, 110, end, value)]);
        assert_eq!(seconds(&read(&mut reader, &request("cart", "calls_total", points)).rows), rows);
    }
}

#[test]
fn a_delta_counter_counts_each_interval_once_in_any_order() {
    let mut reader = MetricsReader::new(ReaderConfig::default());
    let points = [(110, 5), (130, 7), (120, 6), (130, 7), (110, 5)];
    let points: Vec<_> = points.iter().map(|(end, value)| (FAILED, end - 10, *end, *value)).collect();
    let measured = read(&mut reader, &request("shop", "traces.span.metrics.calls", counter(DELTA, &points)));
    assert_eq!(seconds(&measured.rows), [(100, 110, 5, 5), (120, 130, 7, 7), (110, 120, 6, 6)]);
    assert_eq!((measured.tally.points, measured.tally.repeated), (5, 2));
}

#[test]
fn histograms_of_both_kinds_say_how_many_calls_ended_and_how_long_they_took() {
    let labels = |status| attributes(&[("http.route", "/cart/{id}"), ("http.response.status_code", status)]);
    let explicit = |status| HistogramDataPoint {
        attributes: labels(status),
        start_time_unix_nano: 100 * SECOND,
        time_unix_nano: 110 * SECOND,
        count: 12,
        sum: Some(0.6),
        bucket_counts: vec![4, 8],
        explicit_bounds: vec![0.05],
        ..HistogramDataPoint::default()
    };
    let exponential = |status| ExponentialHistogramDataPoint {
        attributes: labels(status),
        start_time_unix_nano: 100 * SECOND,
        time_unix_nano: 110 * SECOND,
        count: 12,
        sum: Some(0.6),
        scale: 3,
        positive: Some(Default::default()),
        negative: Some(Default::default()),
        ..ExponentialHistogramDataPoint::default()
    };
    for temporality in [DELTA, CUMULATIVE] {
        let data = [
            Data::Histogram(Histogram {
                data_points: vec![explicit("200"), explicit("404"), explicit("500")],
                aggregation_temporality: temporality,
            }),
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential("200"), exponential("404"), exponential("500")],
                aggregation_temporality: temporality,
            }),
        ];
        for data in data {
            let mut reader = MetricsReader::new(ReaderConfig::default());
            let measured = read(&mut reader, &request("shop", "http.server.request.duration", data));
            assert_eq!(seconds(&measured.rows), [(100, 110, 12, 0), (100, 110, 12, 0), (100, 110, 12, 12)]);
            for row in &measured.rows {
                let whose = (row.service, row.operation, row.producer, row.side, row.duration_us);
                let wanted = (NameId::of("shop"), NameId::of("/cart/{id}"), Producer::Http, Side::Server, 600_000);
                assert_eq!(whose, wanted);
            }
        }
    }
}

#[test]
fn protobuf_and_json_of_the_same_points_say_the_same() {
    let points = counter(DELTA, &[(SERVER, 100, 110, 40), (FAILED, 100, 110, 2)]);
    let from_proto =
        read(&mut MetricsReader::new(ReaderConfig::default()), &request("shop", "traces.span.metrics.calls", points));
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let point = |status: Option<&str>, value: &str| {
        let mut labels = vec![text("span.name", "GET /"), text("span.kind", "SPAN_KIND_SERVER")];
        labels.extend(status.map(|status| text("status.code", status)));
        json!({"attributes": labels, "startTimeUnixNano": "100000000000", "timeUnixNano": 110_000_000_000u64,
               "asInt": value, "exemplars": null, "unknown": [1]})
    };
    let sum = json!({"dataPoints": [point(None, "40"), point(Some("STATUS_CODE_ERROR"), "2")],
                     "aggregationTemporality": "AGGREGATION_TEMPORALITY_DELTA", "isMonotonic": true});
    let text = json!({"resourceMetrics": [{
        "scopeMetrics": [{"metrics": [{"sum": sum, "name": "traces.span.metrics.calls"}, {"name": "other", "gauge": null}]}],
        "resource": {"attributes": [text("service.name", "shop")]},
    }]});
    let mut from_json = Measured::default();
    let mut reader = MetricsReader::new(ReaderConfig::default());
    reader.read(Encoding::Auto, text.to_string().as_bytes(), &mut from_json).expect("legal JSON");
    assert_eq!(from_proto, from_json);
    assert_eq!(seconds(&from_json.rows), [(100, 110, 40, 0), (100, 110, 2, 2)]);
}

#[test]
fn meshes_and_service_graphs_name_both_ends() {
    let name = NameId::of;
    for (metric, labels, wanted) in [
        (
            "traces_service_graph_request_total",
            &[("client", "shop"), ("server", "cart")][..],
            (name("shop"), name("cart"), Producer::ServiceGraph, Side::Edge, 9, 0),
        ),
        (
            "traces_service_graph_request_failed_total",
            &[("client", "shop"), ("server", "cart")],
            (name("shop"), name("cart"), Producer::ServiceGraph, Side::Edge, 0, 9),
        ),
        (
            "istio_requests_total",
            &[
                ("reporter", "source"),
                ("source_canonical_service", "shop"),
                ("destination_canonical_service", "cart"),
                ("response_code", "503"),
                ("response_flags", "-"),
            ],
            (name("shop"), name("cart"), Producer::Istio, Side::Edge, 9, 9),
        ),
        (
            "istio_requests_total",
            &[
                ("reporter", "destination"),
                ("source_canonical_service", "shop"),
                ("destination_canonical_service", "cart"),
                ("response_code", "200"),
            ],
            (name("cart"), name("shop"), Producer::Istio, Side::Server, 9, 0),
        ),
        (
            "envoy_cluster_upstream_rq_xx",
            &[("envoy_cluster_name", "cart"), ("envoy_response_code_class", "5")],
            (name("edge"), name("cart"), Producer::Envoy, Side::Edge, 9, 9),
        ),
        (
            "envoy_cluster_upstream_rq_xx",
            &[("envoy_cluster_name", "outbound|80||cart.shop.svc.cluster.local"), ("envoy_response_code_class", "2")],
            (name("edge"), name("cart"), Producer::Envoy, Side::Edge, 9, 0),
        ),
        (
            "response_total",
            &[("direction", "inbound"), ("deployment", "cart"), ("classification", "failure")],
            (name("cart"), NameId::NONE, Producer::Linkerd, Side::Server, 9, 9),
        ),
        (
            "response_total",
            &[
                ("direction", "outbound"),
                ("deployment", "shop"),
                ("dst_deployment", "cart"),
                ("classification", "success"),
            ],
            (name("shop"), name("cart"), Producer::Linkerd, Side::Edge, 9, 0),
        ),
    ] {
        let points = counter(DELTA, &[(labels, 100, 110, 9)]);
        let measured = read(&mut MetricsReader::new(ReaderConfig::default()), &request("edge", metric, points));
        let row = &measured.rows[0];
        let found = (row.service, row.peer, row.producer, row.side, row.calls, row.failed);
        assert_eq!(found, wanted, "{metric} {labels:?}");
    }
}

#[test]
fn utilisation_is_what_is_not_idle() {
    let gauge = |labels: &[(&str, &str)], value: f64| {
        let point = NumberDataPoint {
            attributes: attributes(labels),
            time_unix_nano: 110 * SECOND,
            value: Some(number_data_point::Value::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        Data::Gauge(Gauge { data_points: vec![point] })
    };
    let used = |metric, data| {
        let measured = read(&mut MetricsReader::new(ReaderConfig::default()), &request("shop", metric, data));
        measured.rows.first().and_then(|row| row.used_permille)
    };
    assert_eq!(used("system.cpu.utilization", gauge(&[("state", "idle")], 0.25)), Some(750));
    assert_eq!(used("system.cpu.utilization", gauge(&[("state", "user")], 0.5)), None);
    assert_eq!(used("k8s.container.cpu_limit_utilization", gauge(&[], 0.9)), Some(900));
    assert_eq!(used("container.cpu.utilization", gauge(&[], 0.9)), None, "of one core, or of a hundred?");
}

#[test]
fn poison_moves_no_stream_and_says_where_it_is() {
    let mut reader = MetricsReader::new(ReaderConfig { spans_max: 2, ..ReaderConfig::default() });
    let points = |end, value| counter(CUMULATIVE, &[(SERVER, 100, end, value)]);
    let good = |end, value| request("shop", "calls", points(end, value));
    assert_eq!(read(&mut reader, &good(110, 5)).rows.len(), 1);
    let mut cut = good(120, 50).encode_to_vec();
    cut.truncate(cut.len() - 3);
    let mut out = Measured::default();
    let poison = reader.read(Encoding::Auto, &cut, &mut out).expect_err("it was cut");
    assert_eq!((poison.reason, out.rows.len()), (PoisonReason::Truncated, 0));
    let many = counter(DELTA, &[(SERVER, 1, 2, 3), (SERVER, 2, 3, 3), (SERVER, 3, 4, 3)]);
    let many = request("shop", "calls", many).encode_to_vec();
    let poison = reader.read(Encoding::Auto, &many, &mut out).expect_err("too many");
    assert_eq!((poison.reason, out.rows.len()), (PoisonReason::TooManyPoints, 0));
    assert_eq!(seconds(&read(&mut reader, &good(120, 9)).rows), [(110, 120, 4, 0)], "as if the poison had not been");
}
