//! A batch of spans as OTLP bytes, with the attributes that real instrumentation sets.

use super::plan::{EdgePlan, OperationPlan, Plan, ServicePlan};
use super::record::{Answer, Export, SpanRecord};
use crate::topology::Protocol;
use model::{Failure, SpanId, SpanKind, TraceId};
use std::ops::Range;
use telemetry::Encoding;
use telemetry::emit::{Attribute, ResourceSpans, SpanOut, StatusCode, Value, otlp_json_into, otlp_proto_into};

impl Export {
    /// Appends the batch to `out` as one `ExportTraceServiceRequest`; [`Encoding::Auto`] means protobuf.
    pub fn encode_into(&self, encoding: Encoding, out: &mut Vec<u8>) {
        self.lend(|batch| match encoding {
            Encoding::OtlpJson => otlp_json_into(&[*batch], out),
            _ => otlp_proto_into(&[*batch], out),
        });
    }

    /// Lends the batch as it is written.
    pub(crate) fn lend<R>(&self, to: impl FnOnce(&ResourceSpans<'_>) -> R) -> R {
        let plan = &*self.plan;
        let instance = &plan.instances[self.instance as usize];
        let service = &plan.services[instance.service as usize];
        let mut resource = vec![
            ("service.name", Value::Str(&service.name)),
            ("service.version", Value::Str(self.version())),
            ("service.instance.id", Value::Str(&instance.id)),
            ("cloud.availability_zone", Value::Str(&instance.zone)),
            ("deployment.environment.name", Value::Str(&plan.name)),
            ("telemetry.sdk.name", Value::Str("opentelemetry")),
        ];
        if !service.namespace.is_empty() {
            resource.push(("service.namespace", Value::Str(&service.namespace)));
        }
        let mut attributes = Vec::with_capacity(self.spans.len() * 10);
        let ranges: Vec<Range<usize>> = self
            .spans
            .iter()
            .map(|span| {
                let from = attributes.len();
                describe(plan, span, &mut attributes);
                plan.filling.add(&mut attributes);
                from..attributes.len()
            })
            .collect();
        let spans: Vec<SpanOut<'_>> = self
            .spans
            .iter()
            .zip(ranges)
            .map(|(span, range)| SpanOut {
                trace: TraceId(span.trace),
                id: SpanId(span.id),
                parent: SpanId(span.parent),
                kind: span.kind,
                name: name(plan, span),
                start_ns: self.clock_ns + span.start_ns,
                end_ns: self.clock_ns + span.end_ns,
                status: if span.answer == Answer::Good { StatusCode::Unset } else { StatusCode::Error },
                trace_state: &plan.trace_state,
                attributes: &attributes[range],
                ..SpanOut::default()
            })
            .collect();
        let scope = "shop.instrumentation";
        to(&ResourceSpans { resource: &resource, scope, scope_attributes: &[], spans: &spans })
    }
}

fn name<'a>(plan: &'a Plan, span: &SpanRecord) -> &'a str {
    match span.kind {
        SpanKind::Client | SpanKind::Producer => {
            &plan.operations[plan.edges[span.place as usize].operation as usize].name
        }
        SpanKind::Internal => {
            let operation = &plan.operations[span.place as usize];
            operation.internal_span.as_deref().unwrap_or(&operation.name)
        }
        _ => &plan.operations[span.place as usize].name,
    }
}

fn describe<'a>(plan: &'a Plan, span: &SpanRecord, out: &mut Vec<Attribute<'a>>) {
    let edge = &plan.edges[span.asked_by as usize];
    let operation = &plan.operations[edge.operation as usize];
    let service = &plan.services[edge.callee as usize];
    match span.kind {
        SpanKind::Internal => return,
        SpanKind::Producer | SpanKind::Consumer => message(service, operation, span, out),
        SpanKind::Server => {
            asked(service, operation, span, out);
            if edge.caller.is_none() {
                // the edge of the fleet knows how long its client waits, and says how important the request is
                out.push(("stopbank.timeout_ms", millis(edge)));
            }
        }
        SpanKind::Client => {
            asked(service, operation, span, out);
            out.push(("server.address", Value::Str(&service.name)));
            if service.protocol != Protocol::Database {
                out.push(("peer.service", Value::Str(&service.name)));
            }
            out.push(("stopbank.timeout_ms", millis(edge)));
            if plan.telemetry.attempt_numbers && span.attempt > 1 {
                out.push(("http.request.resend_count", Value::Int(i64::from(span.attempt - 1))));
            }
        }
    }
    if matches!(span.kind, SpanKind::Server | SpanKind::Consumer) {
        out.push(("stopbank.criticality", Value::Str(span.criticality.as_str())));
        out.push(("stopbank.cohort", Value::Int(i64::from(span.cohort))));
        if plan.telemetry.attempt_numbers && span.attempt > 1 && edge.caller.is_none() {
            out.push(("http.request.resend_count", Value::Int(i64::from(span.attempt - 1))));
        }
    }
    if matches!(span.answer, Answer::Failed { failure: Failure::Shed, .. }) {
        out.push(("stopbank.shed", Value::Bool(true)));
    }
}

/// What was asked, and how it was answered.
fn asked<'a>(service: &'a ServicePlan, operation: &'a OperationPlan, span: &SpanRecord, out: &mut Vec<Attribute<'a>>) {
    // a caller that gives up has no answer to show
    let silent = span.kind == SpanKind::Client
        && matches!(span.answer, Answer::Failed { failure: Failure::Timeout | Failure::Cancelled, .. });
    match service.protocol {
        Protocol::Http => {
            out.push(("http.request.method", Value::Str(&operation.verb)));
            let route = if span.kind == SpanKind::Server { "http.route" } else { "url.template" };
            out.push((route, Value::Str(&operation.object)));
            if !silent {
                out.push(("http.response.status_code", Value::Int(http_status(span.answer))));
            }
        }
        Protocol::Rpc => {
            out.push(("rpc.system", Value::Str("grpc")));
            out.push(("rpc.service", Value::Str(&operation.verb)));
            out.push(("rpc.method", Value::Str(&operation.object)));
            out.push(("rpc.grpc.status_code", Value::Int(grpc_status(span.answer))));
        }
        Protocol::Database => {
            out.push(("db.system.name", Value::Str(&service.system)));
            out.push(("db.operation.name", Value::Str(&operation.verb)));
            out.push(("db.collection.name", Value::Str(&operation.object)));
        }
    }
    let error = match span.answer {
        Answer::Failed { failure: Failure::Timeout, .. } => "timeout",
        Answer::Failed { failure: Failure::Cancelled, .. } => "cancelled",
        Answer::Failed { failure: Failure::Error, .. } if service.protocol == Protocol::Database => "db_error",
        _ => return,
    };
    out.push(("error.type", Value::Str(error)));
}

fn message<'a>(
    service: &'a ServicePlan,
    operation: &'a OperationPlan,
    span: &SpanRecord,
    out: &mut Vec<Attribute<'a>>,
) {
    let system = if service.protocol == Protocol::Database { "kafka" } else { &service.system };
    out.push(("messaging.system", Value::Str(system)));
    out.push(("messaging.destination.name", Value::Str(&operation.name)));
    let kind = if span.kind == SpanKind::Producer { "send" } else { "process" };
    out.push(("messaging.operation.type", Value::Str(kind)));
    if span.answer != Answer::Good {
        out.push(("error.type", Value::Str("processing_failed")));
    }
}

fn millis(edge: &EdgePlan) -> Value<'static> {
    Value::Int((edge.timeout_ns / 1_000_000) as i64)
}

fn http_status(answer: Answer) -> i64 {
    let Answer::Failed { failure, .. } = answer else { return 200 };
    match failure {
        Failure::Error => 500,
        Failure::Timeout => 504,
        Failure::Unavailable | Failure::Shed => 503,
        Failure::Cancelled => 499,
    }
}

fn grpc_status(answer: Answer) -> i64 {
    let Answer::Failed { failure, .. } = answer else { return 0 };
    match failure {
        Failure::Error => 13,
        Failure::Timeout => 4,
        Failure::Unavailable => 14,
        Failure::Shed => 8,
        Failure::Cancelled => 1,
    }
}
