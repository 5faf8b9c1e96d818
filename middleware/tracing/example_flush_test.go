package tracing_test

import (
	"context"
	"fmt"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// printer stands for an exporter that sends spans away.
type printer struct{}

func (printer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		fmt.Println("sent:", s.Name())
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }

func ExampleNewFlusher() {
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(printer{}))
	flusher := tracing.NewFlusher(300*time.Millisecond, provider)
	handler := middleware.Wrap(func(_ context.Context, order string) (string, error) {
		fmt.Println("placing", order)
		return order + " placed", nil
	}, flusher, tracing.Span{Name: "place order", TracerProvider: provider})
	// In main: lambda.StartWithOptions(handler, lambda.WithEnableSIGTERM(flusher.Flush))

	fmt.Println(handler(context.Background(), "order 7"))
	// Output:
	// placing order 7
	// sent: place order
	// order 7 placed <nil>
}

func ExampleFlusher_Flush() {
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(printer{}))
	flusher := tracing.NewFlusher(300*time.Millisecond, provider)

	_, span := provider.Tracer("shop").Start(context.Background(), "close the till")
	span.End()
	flusher.Flush()
	// Output: sent: close the till
}
