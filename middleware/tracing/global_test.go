package tracing_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/tracing"
)

const global = "SEAWALL_TEST_GLOBAL"

// ownProcess runs the test in a process of its own, and reports whether this is it: what is global stays.
func ownProcess(t *testing.T) bool {
	t.Helper()
	if os.Getenv(global) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), global+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// A program that sets global providers, before its first call or after, has its spans and metrics there, once.
func TestGlobalProviders(t *testing.T) {
	if !ownProcess(t) {
		return
	}
	s := tracing.Span{Name: "call"}
	wrapped := middleware.WrapErr(func(context.Context, int) error { return nil }, tracing.Span{Name: "wrapped"})
	_, _ = s.Do(t.Context(), nothing), wrapped(t.Context(), 0)
	r := newRig()
	otel.SetTracerProvider(r.TracerProvider)
	otel.SetMeterProvider(r.MeterProvider)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	_ = s.Do(t.Context(), nothing)
	_ = wrapped(t.Context(), 0)
	if got := fmt.Sprint(names(r.spans())); got != "[call wrapped]" {
		t.Errorf("the spans are %s", got)
	}
	metrics := r.metrics(t)
	for _, name := range []string{"seawall.calls.peak", "seawall.call.duration"} {
		if _, all := points(metrics[name]); len(all) != 2 || all[0].value != 1 || all[1].value != 1 {
			t.Errorf("%s: %v", name, all)
		}
	}

	other := newRig() // in place of the first, as tests of programs do it
	otel.SetTracerProvider(other.TracerProvider)
	_ = wrapped(t.Context(), 0)
	otel.SetMeterProvider(other.MeterProvider)
	_ = wrapped(t.Context(), 0)
	if spans, calls := len(other.spans()), other.total(t, "seawall.call.duration"); spans != 2 || calls != 1 {
		t.Errorf("the others have %d spans and %d calls", spans, calls)
	}
}

// As long as the global provider makes no spans, it is asked for one now and then, or where there is a span around. From
// the first that it makes, it is asked always.
func TestIdleGlobalProvider(t *testing.T) {
	if !ownProcess(t) {
		return
	}
	begin := &startsSpans{}
	otel.SetTracerProvider(begin)
	do := func(n int) (asked int) {
		before := begin.asked
		for range n {
			_ = tracing.Span{Name: "call", MeterProvider: noop.MeterProvider}.Do(t.Context(), nothing)
		}
		return begin.asked - before
	}
	if got := do(64); got != 1 {
		t.Errorf("of 64 calls it was asked in %d", got)
	}
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), tracing.ParseXRay(xrayHeader))
	before := begin.asked
	for range 3 {
		_ = tracing.Span{Name: "call", MeterProvider: noop.MeterProvider}.Do(ctx, nothing)
	}
	if got := begin.asked - before; got != 3 {
		t.Errorf("of 3 calls in a span it was asked in %d", got)
	}
	if got := do(60); got > 1 {
		t.Errorf("after those, of 60 calls it was asked in %d", got)
	}
	before = begin.asked
	for range 3 {
		_ = tracing.Span{Name: "call", TracerProvider: begin, MeterProvider: noop.MeterProvider}.Do(t.Context(), nothing)
	}
	if got := begin.asked - before; got != 3 {
		t.Errorf("of 3 calls that name the provider it was asked in %d", got)
	}
	h := middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { return 0, nil }, tracing.Span{MeterProvider: noop.MeterProvider})
	for call, want := range []bool{true, false} {
		_, _ = h(invocation(t.Context(), arn), events.SQSEvent{})
		if begin.told != want {
			t.Errorf("call %d of those that have a kind and attributes: it was told so: %v", call, begin.told)
		}
	}
	begin.makes = true
	_ = do(64)
	if got := do(64); got != 64 {
		t.Errorf("of 64 calls that have spans it was asked in %d", got)
	}
}

// A provider that is not the global one is asked always, whatever it made of the first calls, and whatever is around.
func TestRegression_NoSpanIsLeftOut(t *testing.T) {
	begin := &startsSpans{}
	s := tracing.Span{Name: "call", TracerProvider: begin, MeterProvider: noop.MeterProvider}
	for range 100 {
		_ = s.Do(t.Context(), nothing)
	}
	if begin.asked != 100 {
		t.Errorf("of 100 calls it was asked in %d", begin.asked)
	}

	if !ownProcess(t) {
		return
	}
	r := newRig()
	otel.SetTracerProvider(r.TracerProvider)
	remote := trace.ContextWithRemoteSpanContext(t.Context(), tracing.ParseXRay(xrayHeader))
	together(16, nil, func(i int, wait func()) {
		wait()
		for range 100 {
			_ = tracing.Span{MeterProvider: noop.MeterProvider}.Do([]context.Context{t.Context(), remote}[i%2], nothing)
		}
	})
	if got := len(r.spans()); got != 1600 {
		t.Errorf("1600 calls have %d spans", got)
	}
}

// startsSpans is a provider whose tracer starts no spans yet.
type startsSpans struct {
	embedded.TracerProvider

	makes bool
	asked int
	told  bool // of a kind or of attributes, when it was asked last
}

func (s *startsSpans) Tracer(string, ...trace.TracerOption) trace.Tracer { return startsTracer{s: s} }

type startsTracer struct {
	embedded.Tracer

	s *startsSpans
}

func (t startsTracer) Start(ctx context.Context, _ string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	t.s.asked++
	t.s.told = len(options) > 0
	if t.s.makes {
		ctx = trace.ContextWithSpanContext(ctx, tracing.ParseXRay(xrayHeader))
	}
	return ctx, trace.SpanFromContext(ctx)
}
