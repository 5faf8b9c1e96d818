package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/retry"
)

// One Span around everything shows the call, and what the policies inside did about it.
func ExampleSpan() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))

	attempts := 0
	placeOrder := func(context.Context, string) (string, error) {
		if attempts++; attempts < 3 {
			return "", errors.New("connection reset")
		}
		return "receipt", nil
	}
	h := middleware.Wrap(placeOrder,
		tracing.Span{Name: "place order", TracerProvider: provider},
		retry.Policy{Name: "payments", Base: -1},
	)
	receipt, err := h(context.Background(), "order")
	fmt.Println(receipt, err)

	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name+":", span.Status.Code)
		for _, e := range span.Events {
			fmt.Println(" ", e.Name)
		}
	}
	// Output:
	// receipt <nil>
	// place order: Unset
	//   seawall.retry
	//   seawall.retry
}

// Inside a retry each attempt has a span of its own, and the other side sees which.
func ExampleSpan_attempts() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))

	var parents []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parents = append(parents, strings.Split(r.Header.Get("Traceparent"), "-")[2])
		if len(parents) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()

	client := http.Client{Transport: nethttp.Transport(nil,
		retry.Policy{Base: -1},
		tracing.Span{TracerProvider: provider},
	)}
	response, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()

	for i, span := range spans.GetSpans() {
		fmt.Println(span.Name+":", span.Status.Code, span.SpanContext.SpanID().String() == parents[i])
		for _, a := range span.Attributes {
			if a.Key == "http.request.resend_count" || a.Key == "http.response.status_code" {
				fmt.Println(" ", a.Key, a.Value.AsInt64())
			}
		}
	}
	// Output:
	// GET: Error true
	//   http.response.status_code 503
	// GET: Unset true
	//   http.request.resend_count 1
	//   http.response.status_code 200
}
