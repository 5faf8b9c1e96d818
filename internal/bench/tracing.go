package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// traced is [seawall] in a span.
func traced(span tracing.Span) handler {
	span.Name = "place order"
	return middleware.Wrap(place, span, middleware.Timeout(limit), retry.Policy{Attempts: attempts},
		breaker.New(breaker.Config{Name: "payments", OpenFor: time.Hour}), ratelimit.New(ratelimit.PerSecond(plenty, plenty)))
}

// spanByHand is what a careful engineer writes instead of a policy.
func spanByHand(provider trace.TracerProvider) handler {
	tracer := provider.Tracer("bench")
	h := seawall(healthy)
	return func(ctx context.Context, o order) (receipt, error) {
		ctx, span := tracer.Start(ctx, "place order")
		defer span.End()
		out, err := h(ctx, o)
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		return out, err
	}
}

// discard is what becomes of spans that nobody exports.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }

func sdkTracer() trace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(discard{}))
}

func sdkMeter() metric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

func tracingCandidates() []*candidate {
	return []*candidate{
		{name: "Seawall without tracing", run: calling(seawall(healthy))},
		{name: "tracing, no-op providers", run: calling(traced(silent))},
		{name: "tracing, no provider", run: calling(traced(tracing.Span{}))},
		{name: "tracing, SDK spans", recorded: true, run: calling(traced(tracing.Span{TracerProvider: sdkTracer(), MeterProvider: metricnoop.NewMeterProvider()}))},
		{name: "tracing, SDK spans and metrics", recorded: true, run: calling(traced(tracing.Span{TracerProvider: sdkTracer(), MeterProvider: sdkMeter()}))},
		{name: "a span by hand, SDK", recorded: true, run: calling(spanByHand(sdkTracer()))},
	}
}

// reportTracing prints what package tracing adds. Allowed is 1.30 of the stack without it, and one span by hand besides where
// spans are recorded.
func reportTracing(rounds int) error {
	all := tracingCandidates()
	for range rounds {
		for _, c := range all {
			c.measure()
		}
	}
	without, hand := all[0], all[5]
	span := hand.median() - without.median()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\ntracing.Span around the four\tns/op\tallocs\tof without\tof allowed\tadded, of what a span by hand adds")
	for _, c := range all {
		fmt.Fprintf(w, "  %s\t%.0f\t%d", c.name, c.median(), c.allocs)
		if c == without {
			fmt.Fprintln(w)
			continue
		}
		allowed := 1.3 * without.median()
		if c.recorded {
			allowed += span
		}
		fmt.Fprintf(w, "\t%.2f\t%.2f\t%.2f\n", c.median()/without.median(), c.median()/allowed, (c.median()-without.median())/span)
	}
	fmt.Fprintln(w, "  wanted\t\t\t\t1.00\t")
	fmt.Fprintln(w, "  allowed is 1.30 of without, and with SDK spans one span by hand more; metrics come on top")
	return w.Flush()
}
