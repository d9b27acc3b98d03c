//! A data point reduced: whose it is, what it counts, and of which stream.

use super::meaning::{Meaning, What};
use crate::read::draft::{Draft, Slots, Val};
use crate::read::key::{Key, key};
use crate::read::resource::{Resource, resource};
use crate::read::sink::Work;
use crate::reduce::{Verdict, operation, verdict};
use crate::{Oddity, PoisonReason, ReaderConfig};
use model::{Failure, NameId, Outcome, Producer, Side, SpanKind, WitnessRow, stable_hash};

/// How points of a stream add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Temporality {
    #[default]
    Gauge,
    Delta,
    Cumulative,
}

impl Temporality {
    /// OTLP's `AggregationTemporality`; anything else adds nothing up.
    pub(super) fn of(number: u64) -> Temporality {
        match number {
            1 => Temporality::Delta,
            2 => Temporality::Cumulative,
            _ => Temporality::Gauge,
        }
    }
}

/// The numbers of a point as both walkers find them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    /// A counter's or gauge's value.
    pub(super) value: Option<f64>,
    /// A histogram's count and sum.
    pub(super) count: Option<u64>,
    pub(super) sum: f64,
    /// Bit 0: there is no value, the stream has ended.
    pub(super) flags: u64,
}

/// A point that counts.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) stream: u64,
    pub(super) temporality: Temporality,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) count: Option<u64>,
    pub(super) duration_us: u64,
    pub(super) ended: bool,
    what: What,
    failed: bool,
    row: WitnessRow,
}

impl Point {
    /// What the point says of an interval.
    pub(super) fn row(&self, start_ns: u64, count: u64, duration_us: u64) -> WitnessRow {
        let mut row = WitnessRow { start_ns, end_ns: self.end_ns, duration_us, ..self.row.clone() };
        match self.what {
            What::Calls | What::Timed(_) => row.calls = count,
            What::Failed => row.failed = count,
            What::Lasted(_) => {}
            What::Used | What::ByState => row.used_permille = Some(count.min(1000) as u16),
        }
        if self.failed {
            row.failed = row.calls;
        }
        row
    }
}

/// One record's way out: budgets, and the points so far.
pub(super) struct Sink<'r, 'a> {
    pub(super) work: &'r mut Work,
    pub(super) config: &'r ReaderConfig,
    pub(super) points: Vec<Point>,
    /// The attributes of the resource, scope or point that is being read.
    pub(super) attributes: Vec<(&'a [u8], Val<'a>)>,
    resource: Resource,
    /// The resource does not say which service it is.
    unnamed: bool,
    /// The hash of all that stands around a point.
    around: u64,
    resources: usize,
    met: usize,
}

impl<'r, 'a> Sink<'r, 'a> {
    pub(super) fn new(work: &'r mut Work, config: &'r ReaderConfig) -> Self {
        let (points, attributes) = (Vec::new(), Vec::new());
        Sink {
            work,
            config,
            points,
            attributes,
            resource: Resource::default(),
            unnamed: true,
            around: 0,
            resources: 0,
            met: 0,
        }
    }

    /// Keeps an attribute of what is being read, if there is room.
    pub(super) fn attribute(&mut self, name: &'a [u8], value: Val<'a>) {
        if self.attributes.len() < self.config.attributes_per_span_max {
            self.attributes.push((name, value));
        } else {
            self.work.oddities.count(Oddity::AttributesCut);
        }
    }

    /// The attributes so far are those of a resource.
    pub(super) fn resource(&mut self, slots: &mut Slots<'a>) -> Result<(), PoisonReason> {
        self.resources += 1;
        if self.resources > self.config.resources_max {
            return Err(PoisonReason::TooManyResources);
        }
        slots.clear();
        fill(slots, &self.attributes);
        self.resource = resource(slots, &self.config.identity, self.work);
        self.unnamed = slots.first_text(&[Key::ServiceName, Key::Deployment]).is_none();
        self.around = hashed(&self.attributes);
        self.attributes.clear();
        Ok(())
    }

    /// A point of a metric that is read, whose attributes have been met.
    pub(super) fn point(
        &mut self,
        (name, scope): (&[u8], u64),
        meaning: Meaning,
        temporality: Temporality,
        numbers: Numbers,
        slots: &mut Slots<'a>,
    ) -> Result<(), PoisonReason> {
        self.met += 1;
        if self.met > self.config.spans_max {
            return Err(PoisonReason::TooManyPoints);
        }
        let stream = stable_hash(name) ^ scope.rotate_left(17) ^ self.around.rotate_left(31) ^ hashed(&self.attributes);
        slots.clear();
        fill(slots, &self.attributes);
        if let Some((row, failed)) = self.subject(name, meaning, slots) {
            let (count, duration_us) = counted(meaning.what, &numbers);
            let (start_ns, end_ns, ended) = (numbers.start_ns, numbers.end_ns, numbers.flags & 1 == 1);
            let what = meaning.what;
            self.points.push(Point {
                stream,
                temporality,
                start_ns,
                end_ns,
                count,
                duration_us,
                ended,
                what,
                failed,
                row,
            });
        }
        self.attributes.clear();
        Ok(())
    }

    /// Whose calls these are, and whether they failed; `None` for what is neither request nor call.
    fn subject(&mut self, name: &[u8], meaning: Meaning, slots: &Slots<'a>) -> Option<(WitnessRow, bool)> {
        let Meaning { producer, mut side, what } = meaning;
        let attributes = std::mem::take(&mut self.attributes);
        let label = |names: &[&str]| label(&attributes, names);
        let mut service = self.resource.service;
        let mut peer = NameId::NONE;
        let mut named = NameId::NONE;
        let mut failed = None;
        let mut known = true;
        let Work { names, oddities, .. } = &mut *self.work;
        match producer {
            Producer::Http | Producer::Rpc => {
                let keys = ["service.peer.name", "peer.service", "server.address", "server_address", "net.peer.name"];
                if side == Side::Client
                    && let Some(text) = label(&keys)
                {
                    peer = names.intern(text, oddities);
                }
            }
            Producer::SpanMetrics => {
                match label(&["span.kind", "span_kind"]).map(|kind| kind.strip_prefix(b"SPAN_KIND_").unwrap_or(kind)) {
                    Some(b"SERVER" | b"CONSUMER") => side = Side::Server,
                    Some(b"CLIENT" | b"PRODUCER") => side = Side::Client,
                    _ => known = false,
                }
                if self.unnamed
                    && let Some(text) = label(&["service.name", "service_name", "service"])
                {
                    service = names.intern(text, oddities);
                }
                failed = Some(matches!(
                    label(&["status.code", "status_code"]),
                    Some(b"STATUS_CODE_ERROR" | b"Error" | b"ERROR")
                ));
            }
            Producer::ServiceGraph => match (label(&["client"]), label(&["server"])) {
                (Some(client), Some(server)) => {
                    service = names.intern(client, oddities);
                    peer = names.intern(server, oddities);
                    failed = Some(false);
                }
                _ => known = false,
            },
            Producer::Istio => {
                let to = label(&["destination_canonical_service", "destination_workload"]);
                let from = label(&["source_canonical_service", "source_workload"]);
                let (from, to) = (from.unwrap_or(b"unknown"), to.unwrap_or(b"unknown"));
                let (from, to) = (names.intern(from, oddities), names.intern(to, oddities));
                (side, service, peer) = match label(&["reporter"]) {
                    Some(b"destination") => (Side::Server, to, from),
                    _ => (Side::Edge, from, to),
                };
            }
            Producer::Envoy => {
                let class = ["envoy_response_code_class", "envoy.response_code_class"];
                failed = Some(label(&class) == Some(b"5") || number(&attributes, &class) == Some(5));
                match label(&["envoy_cluster_name", "envoy.cluster_name"]) {
                    Some(cluster) if !cluster.starts_with(b"inbound|") => {
                        peer = names.intern(behind(cluster), oddities);
                    }
                    _ => known = false,
                }
            }
            Producer::Linkerd => {
                if let Some(text) = label(&["deployment", "statefulset", "daemonset"]) {
                    service = names.intern(text, oddities);
                }
                failed = Some(label(&["classification"]) == Some(b"failure"));
                match label(&["direction"]) {
                    Some(b"inbound") => {}
                    Some(b"outbound") => {
                        side = Side::Edge;
                        match label(&["dst_deployment", "dst_statefulset", "dst_service"]) {
                            Some(text) => peer = names.intern(text, oddities),
                            None => known = false,
                        }
                    }
                    _ => known = false,
                }
            }
            Producer::Host => {
                let state = label(&["state", "system.cpu.state", "cpu.mode", "process.cpu.state"]);
                known = match what {
                    What::ByState => state == Some(b"idle"),
                    _ => state.is_none(),
                };
                // Of a host that nobody says whose it is nothing follows for a service.
                known &= !self.unnamed;
                named =
                    if name.windows(6).any(|part| part == b"memory") { WitnessRow::MEMORY } else { WitnessRow::CPU };
                failed = Some(false);
            }
        }
        if matches!(producer, Producer::Http | Producer::Rpc | Producer::SpanMetrics) {
            named = operation(service, false, slots, self.work);
        }
        self.attributes = attributes;
        let failed = failed.unwrap_or_else(|| went_wrong(side, slots));
        let row = WitnessRow { service, peer, operation: named, producer, side, ..WitnessRow::default() };
        known.then_some((row, failed))
    }
}

/// The service behind a cluster of Envoy's: Istio's are called `outbound|port|subset|host`, others as they are configured.
fn behind(cluster: &[u8]) -> &[u8] {
    let mut parts = cluster.rsplit(|byte| *byte == b'|');
    match (parts.next(), parts.next()) {
        (Some(host), Some(_)) => host.split(|byte| *byte == b'.').next().unwrap_or(host),
        _ => cluster,
    }
}

/// Does the point count calls that failed in a way that says something about health? As of a span with these attributes.
fn went_wrong(side: Side, slots: &Slots<'_>) -> bool {
    let kind = if side == Side::Server { SpanKind::Server } else { SpanKind::Client };
    match verdict(&Draft::default(), kind, slots) {
        Verdict::Known(Outcome::Ok) => false,
        Verdict::Known(Outcome::Failed(failure)) => {
            matches!(failure, Failure::Error | Failure::Timeout | Failure::Unavailable)
        }
        Verdict::FailedSomehow => true,
    }
}

/// A point's count, and of histograms the summed duration.
fn counted(what: What, numbers: &Numbers) -> (Option<u64>, u64) {
    let whole = |value: f64| (value.is_finite() && value >= 0.0).then_some((value + 0.5) as u64);
    match what {
        What::Calls | What::Failed => (numbers.value.and_then(whole), 0),
        What::Timed(unit_us) | What::Lasted(unit_us) => (numbers.count, whole(numbers.sum * unit_us).unwrap_or(0)),
        What::Used => (numbers.value.and_then(|share| whole(share * 1000.0)), 0),
        What::ByState => (numbers.value.and_then(|idle| whole((1.0 - idle) * 1000.0)), 0),
    }
}

fn label<'v>(attributes: &[(&'v [u8], Val<'v>)], names: &[&str]) -> Option<&'v [u8]> {
    let found = names.iter().find_map(|name| attributes.iter().find(|(key, _)| *key == name.as_bytes()));
    match found {
        Some((_, Val::Text(text))) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn number(attributes: &[(&[u8], Val<'_>)], names: &[&str]) -> Option<i64> {
    let found = names.iter().find_map(|name| attributes.iter().find(|(key, _)| *key == name.as_bytes()));
    match found {
        Some((_, Val::Int(number))) => Some(*number),
        _ => None,
    }
}

/// Puts what the reduction of spans reads into the slots; a Prometheus scrape has written underscores for dots.
fn fill<'a>(slots: &mut Slots<'a>, attributes: &[(&'a [u8], Val<'a>)]) {
    for (name, value) in attributes {
        let known = key(name).or(match *name {
            b"span.name" | b"span_name" | b"operation" => Some(Key::SpanName),
            b"service_name" | b"job" => Some(Key::ServiceName),
            b"http_route" => Some(Key::HttpRoute),
            b"http_response_status_code" | b"http_status_code" | b"response_code" => Some(Key::HttpStatus),
            b"rpc_service" => Some(Key::RpcService),
            b"rpc_method" => Some(Key::RpcMethod),
            b"rpc_grpc_status_code" | b"grpc_response_status" => Some(Key::RpcGrpcStatus),
            b"error_type" => Some(Key::ErrorType),
            _ => None,
        });
        if let Some(known) = known {
            slots.put(known, *value);
        }
    }
}

/// A hash of a set of attributes, whatever their order.
fn hashed(attributes: &[(&[u8], Val<'_>)]) -> u64 {
    attributes.iter().fold(0u64, |sum, (name, value)| {
        let value = match value {
            Val::Text(text) => stable_hash(text),
            Val::Int(value) => *value as u64,
            Val::Bool(value) => u64::from(*value),
            Val::Double(value) => value.to_bits(),
            Val::Unescaped(..) | Val::Other => 0,
        };
        let pair = stable_hash(&(stable_hash(name) ^ value.rotate_left(29)).to_le_bytes());
        sum.wrapping_add(pair)
    })
}
