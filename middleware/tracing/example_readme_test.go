package tracing_test

import (
	"context"
	"fmt"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// A whole function whose spans and metrics have left when Lambda freezes it.
func Example() {
	spans, metrics := sdktrace.NewTracerProvider(), sdkmetric.NewMeterProvider()
	payments := breaker.New(breaker.Config{Name: "payments"})
	placeOrder := func(_ context.Context, order string) (string, error) { return "receipt of " + order, nil }

	h := middleware.Wrap(placeOrder,
		tracing.NewFlusher(300*time.Millisecond, spans, metrics), // they leave before the freeze
		tracing.Span{Name: "place order"},                        // of Lambda's conventions, with its parent
		payments,
	)

	fmt.Println(h(context.Background(), "order 7"))
	// Output: receipt of order 7 <nil>
}
