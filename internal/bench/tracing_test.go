package main

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall/middleware"
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
	if got := allocs(traced(silent)); got > 1 {
		t.Errorf("no-op providers: %v allocations, want 1", got)
	}
	if got := allocs(traced(tracing.Span{})); got > 1 {
		t.Errorf("no providers: %v allocations, want 1", got)
	}
	hand := allocs(spanByHand(sdkTracer()))
	if got := allocs(traced(tracing.Span{TracerProvider: sdkTracer(), MeterProvider: sdkMeter()})); got > hand+1 {
		t.Errorf("SDK: %v allocations, want %v and one", got, hand)
	}
}

func BenchmarkShapes(b *testing.B) {
	for _, s := range shapes() {
		b.Run(s.name, s.candidate(silent).run)
	}
}

// With no-op providers nothing is made for anybody to see.
func TestSilentShapesAllocate(t *testing.T) {
	for _, s := range shapes() {
		allocs := func(around ...middleware.Policy) float64 {
			return testing.AllocsPerRun(1000, s.of(append(around, middleware.Timeout(limit))...))
		}
		if without, with := allocs(), allocs(silent); with > without {
			t.Errorf("%s: %v allocations without, %v with a Span", s.name, without, with)
		}
	}
}
