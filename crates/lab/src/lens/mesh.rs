//! A service mesh: sidecars as Istio sets Envoy up, on both sides of every call, and a gateway in front of the fleet.
//!
//! The shapes are those of Envoy's OpenTelemetry tracer: resource `telemetry.sdk.name = envoy` and
//! `service.name = workload.namespace`, tags as text, SERVER for what comes in, CLIENT for what goes out; where upstream
//! spans are on (`spawn_upstream_span`), each attempt of the router is a child named `router <cluster>; egress`
//! (envoyproxy.io, architecture overview, tracing). A request that the mesh tries again has one client span, two attempts
//! and one server span.

use super::batch::{Attributes, Span};
use super::{Batch, Bend, chance};
use model::SpanKind;

const US: u64 = 1_000;
/// One call in so many fails inside the mesh at first.
const RETRIED: u64 = 100;
const NAMESPACE: &str = "shop";

pub(super) struct Mesh {
    seed: u64,
}

/// The proxies' spans of one call, by the client span around them.
#[derive(Clone, Copy)]
struct Hops {
    outbound: u64,
    first_try: u64,
    second_try: u64,
    retried: bool,
}

impl Mesh {
    pub(super) fn new(seed: u64) -> Mesh {
        Mesh { seed }
    }

    fn id(&self, purpose: u64, span: u64) -> u64 {
        chance(self.seed, purpose, span).max(1)
    }

    fn hops(&self, client: u64) -> Hops {
        Hops {
            outbound: self.id(1, client),
            first_try: self.id(2, client),
            second_try: self.id(3, client),
            retried: chance(self.seed, 4, client).is_multiple_of(RETRIED),
        }
    }

    /// What the caller's sidecar says of a call.
    fn outbound(&self, client: &mut Span, service: &str, proxy: &mut Batch) {
        let callee = client.attributes.text("peer.service").to_owned();
        let host = format!("{callee}.{NAMESPACE}.svc.cluster.local");
        client.attributes.remove("peer.service");
        client.attributes.set_text("server.address", host.clone());
        let cluster = format!("outbound|80||{host}");
        let hops = self.hops(client.id);
        let (start_ns, end_ns) = within(client, 50 * US);
        let failed = client.failed;
        let outbound = Span {
            id: hops.outbound,
            parent: client.id,
            kind: SpanKind::Client,
            name: format!("{host}:80/*"),
            start_ns,
            end_ns,
            attributes: tags(service, &cluster, failed, status(client), "-"),
            links: Vec::new(),
            ..client.clone()
        };
        if hops.retried {
            let refused_ns = start_ns + (end_ns - start_ns) / 4;
            let router = format!("router {cluster}; egress");
            let again = Span { parent: hops.outbound, name: router, ..outbound.clone() };
            proxy.spans.push(Span {
                id: hops.first_try,
                end_ns: refused_ns,
                failed: true,
                attributes: tags(service, &cluster, true, "503", "UF"),
                ..again.clone()
            });
            let mut attributes = again.attributes.clone();
            attributes.set_text("retry.count", "1");
            proxy.spans.push(Span { id: hops.second_try, start_ns: refused_ns, attributes, ..again });
        }
        proxy.spans.push(outbound);
    }

    /// What the callee's sidecar says, and for a request from outside the gateway's.
    fn inbound(&self, server: &mut Span, service: &str, proxy: &mut Batch, gateway: &mut Batch) {
        let cluster = "inbound|8080||";
        let inbound = Span {
            id: self.id(5, server.id),
            parent: match server.parent {
                0 => self.id(7, server.id),
                client => {
                    let hops = self.hops(client);
                    if hops.retried { hops.second_try } else { hops.outbound }
                }
            },
            kind: SpanKind::Server,
            name: format!("{service}.{NAMESPACE}.svc.cluster.local:80/*"),
            start_ns: server.start_ns - 200 * US,
            end_ns: server.end_ns + 100 * US,
            attributes: tags(service, cluster, server.failed, status(server), "-"),
            ..server.clone()
        };
        if server.parent == 0 {
            let egress = Span {
                id: inbound.parent,
                parent: self.id(6, server.id),
                kind: SpanKind::Client,
                name: format!("router outbound|80||{service}.{NAMESPACE}.svc.cluster.local; egress"),
                start_ns: inbound.start_ns - 200 * US,
                end_ns: inbound.end_ns + 100 * US,
                attributes: gateway_tags(service, &inbound.attributes),
                ..inbound.clone()
            };
            gateway.spans.push(Span { id: egress.parent, parent: 0, kind: SpanKind::Server, ..egress.clone() });
            gateway.spans.push(egress);
        }
        server.parent = inbound.id;
        proxy.spans.push(inbound);
    }
}

impl Bend for Mesh {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        let service = batch.service().to_owned();
        let mut proxy = envoy(&batch, &format!("{service}.{NAMESPACE}"));
        let mut gateway = envoy(&batch, "istio-ingressgateway.istio-system");
        for span in &mut batch.spans {
            match span.kind {
                SpanKind::Client if !span.attributes.has("db.system.name") => {
                    self.outbound(span, &service, &mut proxy);
                }
                SpanKind::Server => self.inbound(span, &service, &mut proxy, &mut gateway),
                _ => {}
            }
        }
        out.extend([batch, proxy, gateway]);
    }
}

fn envoy(beside: &Batch, service: &str) -> Batch {
    Batch {
        at_ns: beside.at_ns,
        resource: Attributes::texts(&[
            ("service.name", service),
            ("telemetry.sdk.language", "cpp"),
            ("telemetry.sdk.name", "envoy"),
        ]),
        scope: String::new(),
        scope_attributes: Attributes::default(),
        spans: Vec::new(),
    }
}

/// Envoy's tags, all of them text.
fn tags(service: &str, cluster: &str, failed: bool, status: &str, flags: &str) -> Attributes {
    let mut tags = Attributes::texts(&[
        ("node_id", "sidecar~10.0.0.7~pod.shop~shop.svc.cluster.local"),
        ("component", "proxy"),
        ("istio.canonical_service", service),
        ("istio.namespace", NAMESPACE),
        ("http.protocol", "HTTP/1.1"),
        ("http.status_code", status),
        ("upstream_cluster", cluster),
        ("upstream_cluster.name", cluster),
        ("response_flags", flags),
    ]);
    if failed {
        tags.set_text("error", "true");
    }
    tags
}

/// The tags of the gateway's spans around a request to `service`.
fn gateway_tags(service: &str, inbound: &Attributes) -> Attributes {
    let cluster = format!("outbound|80||{service}.{NAMESPACE}.svc.cluster.local");
    let mut tags = inbound.clone();
    tags.set_text("node_id", "router~10.0.0.3~gateway.istio-system~istio-system.svc.cluster.local");
    tags.set_text("istio.canonical_service", "istio-ingressgateway");
    tags.set_text("upstream_cluster", cluster.as_str());
    tags.set_text("upstream_cluster.name", cluster);
    tags
}

fn status(span: &Span) -> &'static str {
    if span.failed { "503" } else { "200" }
}

/// A span's time less so much at both ends, if it is that long.
fn within(span: &Span, margin_ns: u64) -> (u64, u64) {
    let margin_ns = margin_ns.min((span.end_ns - span.start_ns) / 4);
    (span.start_ns + margin_ns, span.end_ns - margin_ns)
}
