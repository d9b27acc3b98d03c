//! Which metrics are read, and what their points count.
//!
//! Names: opentelemetry.io/docs/specs/semconv/http/http-metrics and rpc/rpc-metrics (old names and milliseconds too);
//! opentelemetry-collector-contrib connector/spanmetricsconnector and connector/servicegraphconnector (README), their
//! predecessors and Tempo's metrics-generator; istio.io/latest/docs/reference/config/metrics;
//! envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats; linkerd.io/2/reference/proxy-metrics;
//! semconv system/system-metrics, container-metrics, process-metrics and the Collector's kubeletstats receiver. Where a
//! Prometheus scrape lies between, dots are underscores and a unit or `_total` is at the end.

use model::{Producer, Side};

/// What the points of a metric are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Meaning {
    pub(super) producer: Producer,
    pub(super) side: Side,
    pub(super) what: What,
}

/// What a point's numbers are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// A counter of calls.
    Calls,
    /// A counter of calls that failed, which another metric counts too.
    Failed,
    /// A histogram of calls' durations: how many, and how long in units of so many µs.
    Timed(f64),
    /// A histogram of durations of calls that another metric counts.
    Lasted(f64),
    /// A share of a resource that is in use.
    Used,
    /// A share of a resource that is free, where the state says so.
    ByState,
}

const SECONDS: f64 = 1e6;
const MILLIS: f64 = 1e3;

/// What `name` counts, if it is read at all. `unit` decides where a name does not.
pub(super) fn meaning(name: &[u8], unit: &[u8]) -> Option<Meaning> {
    use Producer::{Envoy, Host, Http, Istio, Linkerd, Rpc, ServiceGraph, SpanMetrics};
    use Side::{Client, Edge, Server};
    use What::{ByState, Calls, Failed, Lasted, Timed, Used};
    let by_unit = if unit == b"s" { SECONDS } else { MILLIS };
    let (producer, side, what) = match name {
        b"http.server.request.duration" | b"http_server_request_duration_seconds" => (Http, Server, Timed(SECONDS)),
        b"http.server.duration" | b"http_server_duration_milliseconds" => (Http, Server, Timed(by_unit)),
        b"http.client.request.duration" | b"http_client_request_duration_seconds" => (Http, Client, Timed(SECONDS)),
        b"http.client.duration" | b"http_client_duration_milliseconds" => (Http, Client, Timed(by_unit)),
        b"rpc.server.call.duration" | b"rpc_server_call_duration_seconds" => (Rpc, Server, Timed(SECONDS)),
        b"rpc.server.duration" | b"rpc_server_duration_milliseconds" => (Rpc, Server, Timed(by_unit)),
        b"rpc.client.call.duration" | b"rpc_client_call_duration_seconds" => (Rpc, Client, Timed(SECONDS)),
        b"rpc.client.duration" | b"rpc_client_duration_milliseconds" => (Rpc, Client, Timed(by_unit)),
        b"traces.span.metrics.calls" | b"traces_span_metrics_calls_total" | b"traces_spanmetrics_calls_total" => {
            (SpanMetrics, Server, Calls)
        }
        b"calls" | b"calls_total" => (SpanMetrics, Server, Calls),
        b"traces.span.metrics.duration" | b"duration" => (SpanMetrics, Server, Lasted(by_unit)),
        b"traces_span_metrics_duration_seconds" | b"traces_spanmetrics_latency" | b"duration_seconds" => {
            (SpanMetrics, Server, Lasted(SECONDS))
        }
        b"traces_span_metrics_duration_milliseconds" | b"duration_milliseconds" => {
            (SpanMetrics, Server, Lasted(MILLIS))
        }
        b"traces_service_graph_request_total" => (ServiceGraph, Edge, Calls),
        b"traces_service_graph_request_failed_total" => (ServiceGraph, Edge, Failed),
        b"traces_service_graph_request_server_seconds" => (ServiceGraph, Edge, Lasted(SECONDS)),
        b"traces_service_graph_request_server" => (ServiceGraph, Edge, Lasted(by_unit)),
        // `upstream_rq_total` counts the same requests when they begin; spans are counted when they end.
        b"envoy_cluster_upstream_rq_xx" => (Envoy, Edge, Calls),
        b"istio_requests_total" => (Istio, Edge, Calls),
        // `request_total` likewise.
        b"response_total" => (Linkerd, Server, Calls),
        b"system.cpu.utilization" | b"system_cpu_utilization_ratio" => (Host, Server, ByState),
        // `container.cpu.utilization`, `k8s.pod.cpu.utilization` and the like are cores of one receiver and percents of
        // another: they say of nothing how near it is to its end.
        b"process.cpu.utilization"
        | b"k8s.pod.cpu_limit_utilization"
        | b"k8s.container.cpu_limit_utilization"
        | b"k8s.pod.memory_limit_utilization"
        | b"k8s.container.memory_limit_utilization" => (Host, Server, Used),
        _ => return None,
    };
    Some(Meaning { producer, side, what })
}
