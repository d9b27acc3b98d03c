"""Sends spans with a real OpenTelemetry SDK over OTLP/HTTP: a shop that calls a stock service, so many times; every
twentieth call fails.

    sdk_spans.py ENDPOINT CALLS
"""

import sys

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context


def provider(service, endpoint):
    made = TracerProvider(resource=Resource.create({"service.name": service}))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint + "/v1/traces")))
    return made


def main():
    endpoint, calls = sys.argv[1], int(sys.argv[2])
    shop, stock = provider("python-shop", endpoint), provider("python-stock", endpoint)
    for number in range(calls):
        with shop.get_tracer("test").start_as_current_span("GET /basket", kind=SpanKind.SERVER) as request:
            request.set_attribute("http.route", "/basket")
            with shop.get_tracer("test").start_as_current_span("GET", kind=SpanKind.CLIENT) as call:
                call.set_attribute("server.address", "stock.internal")
                context = set_span_in_context(call)
                with stock.get_tracer("test").start_as_current_span(
                    f"GET /items/{number}", kind=SpanKind.SERVER, context=context
                ) as answer:
                    if number % 20 == 0:
                        answer.set_status(StatusCode.ERROR)
                        call.set_status(StatusCode.ERROR)
    shop.shutdown()
    stock.shutdown()
    print(calls * 3)


main()
