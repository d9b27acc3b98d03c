//! OTLP metrics in JSON: field names in camelCase and snake_case, `null` for anything, unknown fields, 64-bit integers as text
//! or number, enums as number or name, objects' fields in any order. What is built borrows from the text and is no larger
//! than it by more than a constant factor; `payload_bytes_max` bounds it.

use super::meaning::meaning;
use super::point::{Numbers, Sink, Temporality};
use crate::read::draft::{Slots, Val};
use crate::read::text::{Scalar, broken};
use crate::{Poison, PoisonReason};
use model::stable_hash;
use serde::Deserialize;

type List<T> = Option<Vec<T>>;

#[derive(Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow, rename = "resourceMetrics", alias = "resource_metrics", default)]
    resources: List<ResourceMetrics<'a>>,
}

#[derive(Deserialize)]
struct ResourceMetrics<'a> {
    #[serde(borrow, default)]
    resource: Option<Resource<'a>>,
    #[serde(rename = "scopeMetrics", alias = "scope_metrics", default)]
    scopes: List<ScopeMetrics<'a>>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    attributes: List<Attribute<'a>>,
}

#[derive(Deserialize)]
struct ScopeMetrics<'a> {
    #[serde(borrow, default)]
    scope: Option<Scope<'a>>,
    #[serde(default)]
    metrics: List<Metric<'a>>,
}

/// Its bytes, as protobuf has them, are part of a stream's identity; of JSON its name and version are.
#[derive(Deserialize)]
struct Scope<'a> {
    #[serde(borrow, default)]
    name: Scalar<'a>,
    #[serde(default)]
    version: Scalar<'a>,
}

#[derive(Deserialize)]
struct Metric<'a> {
    #[serde(borrow, default)]
    name: Scalar<'a>,
    #[serde(default)]
    unit: Scalar<'a>,
    #[serde(default)]
    gauge: Option<Data<'a>>,
    #[serde(default)]
    sum: Option<Data<'a>>,
    #[serde(default)]
    histogram: Option<Data<'a>>,
    #[serde(rename = "exponentialHistogram", alias = "exponential_histogram", default)]
    exponential: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, rename = "dataPoints", alias = "data_points", default)]
    points: List<DataPoint<'a>>,
    #[serde(rename = "aggregationTemporality", alias = "aggregation_temporality", default)]
    temporality: Scalar<'a>,
}

#[derive(Deserialize)]
struct DataPoint<'a> {
    #[serde(borrow, default)]
    attributes: List<Attribute<'a>>,
    #[serde(rename = "startTimeUnixNano", alias = "start_time_unix_nano", default)]
    start: Scalar<'a>,
    #[serde(rename = "timeUnixNano", alias = "time_unix_nano", default)]
    end: Scalar<'a>,
    #[serde(rename = "asDouble", alias = "as_double", default)]
    double: Scalar<'a>,
    #[serde(rename = "asInt", alias = "as_int", default)]
    int: Scalar<'a>,
    #[serde(default)]
    count: Scalar<'a>,
    #[serde(default)]
    sum: Scalar<'a>,
    #[serde(default)]
    flags: Scalar<'a>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow, default)]
    key: Scalar<'a>,
    #[serde(default)]
    value: Option<Value<'a>>,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow, rename = "stringValue", alias = "string_value", default)]
    string: Scalar<'a>,
    #[serde(rename = "intValue", alias = "int_value", default)]
    int: Scalar<'a>,
    #[serde(rename = "boolValue", alias = "bool_value", default)]
    flag: Scalar<'a>,
    #[serde(rename = "doubleValue", alias = "double_value", default)]
    double: Scalar<'a>,
}

/// Reads the text.
pub(super) fn parse(body: &[u8]) -> Result<Request<'_>, Poison> {
    const BYTE_ORDER_MARK: char = '\u{feff}';
    let text = std::str::from_utf8(body).map_err(|error| Poison {
        reason: PoisonReason::Utf8,
        at_byte: error.valid_up_to(),
        detail: String::new(),
    })?;
    let json = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    serde_json::from_str(json).map_err(|error| {
        let broken = broken(json, &error, None);
        Poison { reason: broken.reason, at_byte: broken.at_byte + text.len() - json.len(), detail: broken.detail }
    })
}

/// Walks what was read.
pub(super) fn walk<'a>(
    request: &'a Request<'_>,
    slots: &mut Slots<'a>,
    sink: &mut Sink<'_, 'a>,
) -> Result<(), PoisonReason> {
    for resource in all(&request.resources) {
        sink.attributes.clear();
        attributes(resource.resource.iter().flat_map(|resource| all(&resource.attributes)), sink);
        sink.resource(slots)?;
        for scope in all(&resource.scopes) {
            let of_scope = scope.scope.as_ref().map_or(0, |scope| {
                stable_hash(scope.name.text().as_bytes()) ^ stable_hash(scope.version.text().as_bytes()).rotate_left(7)
            });
            for metric in all(&scope.metrics) {
                self::metric(metric, of_scope, slots, sink)?;
            }
        }
    }
    Ok(())
}

fn metric<'a>(
    metric: &'a Metric<'_>,
    scope: u64,
    slots: &mut Slots<'a>,
    sink: &mut Sink<'_, 'a>,
) -> Result<(), PoisonReason> {
    let name = metric.name.text().as_bytes();
    let Some(meaning) = meaning(name, metric.unit.text().as_bytes()) else { return Ok(()) };
    let histogram = metric.exponential.as_ref().or(metric.histogram.as_ref());
    let Some(data) = histogram.or(metric.sum.as_ref()).or(metric.gauge.as_ref()) else { return Ok(()) };
    let temporality = match &data.temporality {
        Scalar::Text(text) if text.ends_with("DELTA") => Temporality::Delta,
        Scalar::Text(text) if text.ends_with("CUMULATIVE") => Temporality::Cumulative,
        number => Temporality::of(number.int().unwrap_or(0) as u64),
    };
    for point in all(&data.points) {
        sink.attributes.clear();
        attributes(all(&point.attributes), sink);
        let numbers = Numbers {
            start_ns: time(&point.start),
            end_ns: time(&point.end),
            value: double(&point.double).or_else(|| point.int.int().map(|int| int as f64)),
            count: histogram.map(|_| time(&point.count)),
            sum: double(&point.sum).unwrap_or(0.0),
            flags: time(&point.flags),
        };
        sink.point((name, scope), meaning, temporality, numbers, slots)?;
    }
    Ok(())
}

fn attributes<'a, 's: 'a>(list: impl Iterator<Item = &'a Attribute<'s>>, sink: &mut Sink<'_, 'a>) {
    for attribute in list {
        let Some(value) = &attribute.value else { continue };
        let value = match (&value.string, &value.int, &value.flag, &value.double) {
            (Scalar::Text(text), ..) => Val::Text(text.as_bytes()),
            (_, int, ..) if *int != Scalar::Nothing => int.int().map_or(Val::Other, Val::Int),
            (_, _, Scalar::Bool(flag), _) => Val::Bool(*flag),
            (.., value) => match double(value) {
                Some(double) => Val::Double(double),
                None => continue,
            },
        };
        sink.attribute(attribute.key.text().as_bytes(), value);
    }
}

fn all<T>(list: &List<T>) -> std::slice::Iter<'_, T> {
    list.as_deref().unwrap_or_default().iter()
}

fn time(value: &Scalar<'_>) -> u64 {
    match value {
        Scalar::Text(text) => text.parse().unwrap_or(0),
        other => other.int().and_then(|int| u64::try_from(int).ok()).unwrap_or(0),
    }
}

fn double(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Double(value) => Some(*value),
        Scalar::Int(value) => Some(*value as f64),
        Scalar::Text(text) => text.parse().ok(),
        Scalar::Nothing | Scalar::Bool(_) => None,
    }
}
