package emf_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/middleware/tracing/emf"
)

// first prints what a line begins with, but for the time.
type first struct{}

func (first) Write(line []byte) (int, error) {
	for i, n := 0, 0; i < len(line); i++ {
		if line[i] == ',' {
			if n++; n == 1 {
				fmt.Printf("%.9s...%.77s...\n", line, line[i:])
			}
		}
	}
	return len(line), nil
}

func Example() {
	exporter := emf.New(emf.Config{Namespace: "Shop", Writer: first{}}) // without a Writer, standard output
	provider := metric.NewMeterProvider(
		metric.WithReader(metric.NewPeriodicReader(exporter)),
		metric.WithResource(resource.NewSchemaless(attribute.String("service.name", "checkout"))), // on Lambda the function's name
	)
	flusher := tracing.NewFlusher(300*time.Millisecond, provider)
	handler := middleware.Wrap(func(_ context.Context, order string) (string, error) {
		return order + " placed", nil
	}, flusher, tracing.Span{Name: "place order", MeterProvider: provider})
	// In main: lambda.StartWithOptions(handler, lambda.WithEnableSIGTERM(flusher.Flush))

	fmt.Println(handler(context.Background(), "order 7"))
	// Output:
	// {"_aws":{...,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["service.name"]],"Me...
	// order 7 placed <nil>
}

// Attributes that are to be dimensions have lines of their own, and metrics that cost.
func ExampleConfig() {
	exporter := emf.New(emf.Config{
		Dimensions: []string{"seawall.policy.name"}, // of the breakers, limiters and retries that have one
		Writer:     os.Stderr,
	})
	provider := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(exporter)))
	fmt.Println(provider.Shutdown(context.Background()))
	// Output: <nil>
}
