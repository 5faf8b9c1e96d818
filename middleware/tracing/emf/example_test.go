package emf_test

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"go.opentelemetry.io/otel/attribute"
	api "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/middleware/tracing/emf"
)

// console stands for standard output.
type console struct{}

func (console) Write(line []byte) (int, error) {
	fmt.Printf("%.6s... a line of metrics\n", line)
	return len(line), nil
}

// A function whose metrics leave with each invocation, in its log.
func Example() {
	exporter := emf.New(emf.Config{Namespace: "Shop", Writer: console{}})
	provider := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(exporter)))
	flusher := tracing.NewFlusher(300*time.Millisecond, provider)
	handler := middleware.Wrap(func(_ context.Context, order string) (string, error) {
		return order + " placed", nil
	}, flusher, tracing.Span{Name: "place order", MeterProvider: provider})
	// In main: lambda.StartWithOptions(handler, lambda.WithEnableSIGTERM(flusher.Flush))

	fmt.Println(handler(context.Background(), "order 7"))
	// Output:
	// {"_aws... a line of metrics
	// order 7 placed <nil>
}

// steady prints lines without their time.
type steady struct{}

func (steady) Write(line []byte) (int, error) {
	fmt.Printf("%s", regexp.MustCompile(`"Timestamp":\d+,`).ReplaceAll(line, nil))
	return len(line), nil
}

func ExampleNew() {
	exporter := emf.New(emf.Config{Writer: steady{}}) // without a Writer, standard output
	provider := metric.NewMeterProvider(
		metric.WithReader(metric.NewPeriodicReader(exporter)),
		metric.WithResource(resource.NewSchemaless(attribute.String("service.name", "shop"))), // on Lambda the function's name
	)
	orders, _ := provider.Meter("shop").Int64Counter("orders", api.WithUnit("{order}"))
	orders.Add(context.Background(), 2, api.WithAttributes(attribute.String("pay", "card")))
	orders.Add(context.Background(), 3, api.WithAttributes(attribute.String("pay", "invoice")))
	_ = provider.ForceFlush(context.Background())
	// Output:
	// {"_aws":{"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"]],"Metrics":[{"Name":"orders","Unit":"Count"}]}]},"_points":[{"metric":"orders","attributes":{"pay":"card"},"value":2},{"metric":"orders","attributes":{"pay":"invoice"},"value":3}],"orders":5,"service.name":"shop"}
}

// An attribute that is to be a dimension has a line for each of its values, and metrics that cost.
func ExampleConfig() {
	exporter := emf.New(emf.Config{Dimensions: []string{"pay"}, Writer: steady{}})
	provider := metric.NewMeterProvider(
		metric.WithReader(metric.NewPeriodicReader(exporter)),
		metric.WithResource(resource.NewSchemaless(attribute.String("service.name", "shop"))),
	)
	orders, _ := provider.Meter("shop").Int64Counter("orders", api.WithUnit("{order}"))
	orders.Add(context.Background(), 2, api.WithAttributes(attribute.String("pay", "card")))
	orders.Add(context.Background(), 3, api.WithAttributes(attribute.String("pay", "invoice")))
	_ = provider.ForceFlush(context.Background())
	// Output:
	// {"_aws":{"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"],["service.name","pay"]],"Metrics":[{"Name":"orders","Unit":"Count"}]}]},"orders":2,"pay":"card","service.name":"shop"}
	// {"_aws":{"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"],["service.name","pay"]],"Metrics":[{"Name":"orders","Unit":"Count"}]}]},"orders":3,"pay":"invoice","service.name":"shop"}
}
