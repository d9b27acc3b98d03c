// Sends spans with the real OpenTelemetry SDK of Go over OTLP/HTTP: a shop that asks a stock service over real HTTP, client and
// servers instrumented by otelhttp, so many times; every twentieth call fails.
//
//	go-sdk ENDPOINT CALLS
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

func provider(endpoint, service string) *trace.TracerProvider {
	exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"))
	if err != nil {
		log.Fatal(err)
	}
	named := resource.NewSchemaless(attribute.String("service.name", service))
	return trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(named))
}

// serve gives the address of a server with one route.
func serve(provider *trace.TracerProvider, route string, handler http.HandlerFunc) string {
	mux := http.NewServeMux()
	mux.Handle(route, otelhttp.NewHandler(handler, route, otelhttp.WithTracerProvider(provider)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(listener, mux)
	return "http://" + listener.Addr().String()
}

func main() {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	endpoint := os.Args[1]
	calls, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	shopProvider, stockProvider := provider(endpoint, "go-shop"), provider(endpoint, "go-stock")

	stock := serve(stockProvider, "GET /items/{number}", func(response http.ResponseWriter, request *http.Request) {
		if number, err := strconv.Atoi(request.PathValue("number")); err != nil || number%20 == 0 {
			http.Error(response, "out of order", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(response, `{"left": 3}`)
	})
	client := http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport, otelhttp.WithTracerProvider(shopProvider))}
	shop := serve(shopProvider, "GET /basket/{number}", func(response http.ResponseWriter, request *http.Request) {
		asked, err := http.NewRequestWithContext(request.Context(), http.MethodGet, stock+"/items/"+request.PathValue("number"), nil)
		if err != nil {
			log.Fatal(err)
		}
		answer, err := client.Do(asked)
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		fmt.Fprint(response, "{}")
	})

	// From outside: nobody instruments these requests.
	for number := 0; number < calls; number++ {
		answer, err := http.Get(fmt.Sprintf("%s/basket/%d", shop, number))
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	for _, provider := range []*trace.TracerProvider{shopProvider, stockProvider} {
		if err := provider.Shutdown(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(calls * 3)
}
