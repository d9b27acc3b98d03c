"""Sends spans of every shape that matters with a real OpenTelemetry SDK over OTLP/HTTP, at given times in whole microseconds.

    sdk_shapes.py ENDPOINT TRACES
"""

import sys

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

MS = 1_000_000
BEGIN = 1_750_000_000_000 * MS


def tracer(service, endpoint):
    about = {
        "service.name": service,
        "service.version": "1.2.3",
        "service.instance.id": f"{service}-0",
        "cloud.availability_zone": "zone-a",
    }
    provider = TracerProvider(resource=Resource(about))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint + "/v1/traces"), max_queue_size=10_000))
    return provider, provider.get_tracer("shapes")


def trace(number, shop, stock, mailer):
    at = BEGIN + number * 40 * MS
    fails = number % 4 == 0
    request = shop.start_span("get /basket", kind=SpanKind.SERVER, start_time=at)
    request.set_attributes({"http.route": "/basket/{id}", "http.response.status_code": 500 if fails else 200})
    step = shop.start_span("render", context=set_span_in_context(request), start_time=at + MS)
    for attempt in range(2 if fails else 1):
        begin = at + (2 + 10 * attempt) * MS
        call = shop.start_span("get", kind=SpanKind.CLIENT, context=set_span_in_context(step), start_time=begin)
        call.set_attributes({"peer.service": "stock", "server.address": "stock.internal", "stopbank.timeout_ms": 250})
        if attempt:
            call.set_attribute("http.request.resend_count", attempt)
        served = stock.start_span("get /items", kind=SpanKind.SERVER, context=set_span_in_context(call), start_time=begin + MS)
        served.set_attributes({"http.route": "/items/{id}", "stopbank.criticality": "SHEDDABLE", "stopbank.cohort": 7})
        rows = stock.start_span("select items", kind=SpanKind.CLIENT, context=set_span_in_context(served), start_time=begin + 2 * MS)
        rows.set_attributes({"db.system.name": "postgresql", "db.namespace": "items", "server.address": "db.internal"})
        rows.end(begin + 4 * MS)
        if fails:
            served.record_exception(TimeoutError("deadline exceeded"), timestamp=begin + 5 * MS)
            served.set_status(Status(StatusCode.ERROR, "no answer"))
            call.set_status(Status(StatusCode.ERROR))
            call.set_attribute("error.type", "timeout")
        served.end(begin + 6 * MS)
        call.end(begin + 8 * MS)
    step.end(at + 24 * MS)
    note = shop.start_span("send orders", kind=SpanKind.PRODUCER, context=set_span_in_context(request), start_time=at + 25 * MS)
    note.set_attributes({"messaging.system": "kafka", "messaging.destination.name": "orders"})
    note.end(at + 26 * MS)
    request.end(at + 30 * MS)
    mail = mailer.start_span("process orders", kind=SpanKind.CONSUMER, links=[Link(note.get_span_context())], start_time=at + 31 * MS)
    mail.set_attributes({"messaging.system": "kafka", "messaging.destination.name": "orders"})
    mail.end(at + 35 * MS)
    return 4 + 3 * (2 if fails else 1)


def main():
    endpoint, traces = sys.argv[1], int(sys.argv[2])
    providers = [tracer(service, endpoint) for service in ("shop", "stock", "mailer")]
    sent = sum(trace(number, *(made for _, made in providers)) for number in range(traces))
    for provider, _ in providers:
        provider.shutdown()
    print(sent)


main()
