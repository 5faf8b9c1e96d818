package main

import (
	"context"
	"testing"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seawall-go/seawall/middleware/tracing"
)

func BenchmarkTracing(b *testing.B) {
	for _, c := range tracingCandidates() {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			c.run(b)
		})
	}
}

// A Span that nobody listens to allocates nothing beside the timeout's context, and one of the SDK an allocation more
// than a span by hand.
func TestTracingAllocates(t *testing.T) {
	allocs := func(h handler) float64 {
		return testing.AllocsPerRun(1000, func() { _, _ = h(context.Background(), order{id: "7"}) })
	}
	silent := tracing.Span{TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: metricnoop.NewMeterProvider()}
	if got := allocs(traced(silent)); got > 1 {
		t.Errorf("no-op providers: %v allocations, want 1", got)
	}
	hand := allocs(spanByHand(sdkTracer()))
	if got := allocs(traced(tracing.Span{TracerProvider: sdkTracer(), MeterProvider: sdkMeter()})); got > hand+1 {
		t.Errorf("SDK: %v allocations, want %v and one", got, hand)
	}
}
