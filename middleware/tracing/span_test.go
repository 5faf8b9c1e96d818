package tracing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel/codes"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

var noop = tracing.Span{TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: metricnoop.NewMeterProvider()}

func TestSpanIsAPolicy(t *testing.T) {
	for name, open := range map[string]func() tracing.Span{
		"no provider": func() tracing.Span { return tracing.Span{Name: "policy"} },
		"no-op":       func() tracing.Span { return noop },
		"SDK":         func() tracing.Span { return newRig().named("policy") },
		"SDK spans":   func() tracing.Span { s := newRig().named("policy"); s.MeterProvider = noop.MeterProvider; return s },
		"SDK metrics": func() tracing.Span { s := newRig().named("policy"); s.TracerProvider = noop.TracerProvider; return s },
	} {
		t.Run(name, func(t *testing.T) {
			policytest.Run(t, func(*testing.T) middleware.Policy { return open() })
		})
	}
}

// invokeWith makes an invocation with an HTTP event and a policy inside the span.
func invokeWith(t *testing.T, r *rig, p middleware.Policy) (events.APIGatewayV2HTTPResponse, error) {
	t.Helper()
	return middleware.Wrap(func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: 200}, nil
	}, r.Span, p)(t.Context(), v2)
}

// What was put right inside does not mark the span around it.
func TestRetriedErrorsStayInside(t *testing.T) {
	r := newRig()
	attempts := 0
	err := middleware.WrapErr(func(context.Context, int) error {
		if attempts++; attempts < 3 {
			return fmt.Errorf("try again: %w", fs.ErrClosed)
		}
		return nil
	}, r.named("all"), retry.Policy{Base: -1}, r.named("attempt"))(t.Context(), 0)
	spans := r.spans()
	if err != nil || len(spans) != 4 {
		t.Fatal(err, names(spans))
	}
	for i, want := range []codes.Code{codes.Unset, codes.Error, codes.Error, codes.Unset} {
		if spans[i].Status.Code != want {
			t.Errorf("%s: %v, want %v", spans[i].Name, spans[i].Status, want)
		}
	}
	wants(t, spans[0].Attributes, map[string]string{"error.type": ""})
	wants(t, spans[1].Attributes, map[string]string{"error.type": "*errors.errorString"})
	if spans[1].Status.Description != "try again: file already closed" {
		t.Errorf("described as %q", spans[1].Status.Description)
	}
	if got := r.values(t, "seawall.call.duration"); got["seawall.call.name=all"] != 1 ||
		got["error.type=*errors.errorString seawall.call.name=attempt"] != 2 || got["seawall.call.name=attempt"] != 1 {
		t.Errorf("durations: %v", got)
	}
}

// What the policies really notice, told once, to the innermost span.
func TestPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		payments := breaker.New(breaker.Config{Name: "payments", Failures: 2, OpenFor: time.Hour})
		limited := ratelimit.New(ratelimit.Limit{Name: "tenant", Rate: 1e-6, Burst: 3})
		h := middleware.WrapErr(func(ctx context.Context, how string) error {
			switch how {
			case "panic":
				panic("boom")
			case "slow":
				<-ctx.Done()
				return ctx.Err()
			}
			return errDown
		}, r.named("outer"), r.named("inner"), limited, middleware.Recover{}, middleware.Timeout(time.Second),
			retry.Policy{Name: "twice", Attempts: 2, Base: -1}, payments)
		for _, how := range []string{"fail", "slow", "panic", "limited"} {
			_ = h(t.Context(), how)
		}
		for name, want := range map[string]map[string]int64{
			"seawall.retries":  {"error.type=*errors.errorString seawall.policy.name=twice seawall.policy=retry": 1},
			"seawall.give_ups": {"error.type=*errors.errorString seawall.policy.name=twice seawall.policy=retry": 1},
			"seawall.refusals": {
				"error.type=*breaker.OpenError seawall.policy.name=payments seawall.policy=breaker":      2,
				"error.type=*ratelimit.LimitedError seawall.policy.name=tenant seawall.policy=ratelimit": 1,
			},
			"seawall.breaker.transitions": {
				"error.type=*errors.errorString seawall.breaker.from=closed seawall.breaker.to=open seawall.policy.name=payments seawall.policy=breaker": 1,
			},
			"seawall.breaker.state": {"seawall.policy.name=payments seawall.policy=breaker": 2},
		} {
			if got := r.values(t, name); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		for _, span := range r.spans() {
			if span.Name == "outer" && len(span.Events) > 0 {
				t.Errorf("the outer span has the events of the inner: %v", span.Events)
			}
		}
	})
}

func TestEventsOnTheSpan(t *testing.T) {
	r := newRig()
	_ = r.Do(t.Context(), func(ctx context.Context) error {
		event.Emit(ctx, event.Event{
			Kind: event.Mismatch, Policy: "idempotency", Name: "orders", Attempt: 2, Wait: 1500 * time.Millisecond, Err: errDown, Key: "ab12",
		})
		return nil
	})
	span := r.only(t)
	if len(span.Events) != 1 || span.Events[0].Name != "seawall.mismatch" {
		t.Fatalf("events: %v", span.Events)
	}
	want := "error.type=*errors.errorString exception.message=down seawall.attempt=2 seawall.idempotency.key=ab12 " +
		"seawall.policy.name=orders seawall.policy=idempotency seawall.wait=1.5"
	if got := written(span.Events[0].Attributes); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An event goes to the innermost span that records: the user's own, too, and an outer one if the inner does not.
func TestInnermostRecordingSpan(t *testing.T) {
	r := newRig()
	emit := func(ctx context.Context) error { event.Emit(ctx, event.Event{Kind: event.Retry}); return nil }
	_ = r.named("outer").Do(t.Context(), func(ctx context.Context) error {
		inner, own := r.TracerProvider.Tracer("own").Start(ctx, "own")
		defer own.End()
		return emit(inner)
	})
	_ = r.named("around").Do(t.Context(), func(ctx context.Context) error {
		return emit(trace.ContextWithSpanContext(ctx, trace.SpanContextFromContext(ctx)))
	})
	for _, span := range r.spans() {
		if want := span.Name != "outer"; want != (len(span.Events) == 1) {
			t.Errorf("%s has %d events", span.Name, len(span.Events))
		}
	}
	if got := r.values(t, "seawall.retries"); got["seawall.policy="] != 2 {
		t.Errorf("retries: %v", got)
	}
}

// An observer of the user's hears what he heard before, whichever way round they stand.
func TestObserveAndSpan(t *testing.T) {
	r := newRig()
	told := 0
	observe := middleware.Observe(func(context.Context, middleware.Event) { told++ })
	emit := func(ctx context.Context) error { event.Emit(ctx, event.Event{Kind: event.Retry}); return nil }
	_ = middleware.Join(observe, r.Span).Do(t.Context(), emit)
	_ = middleware.Join(r.Span, observe, r.Span).Do(t.Context(), emit)
	if got := r.values(t, "seawall.retries"); told != 2 || got["seawall.policy="] != 2 {
		t.Errorf("told %d times, counted %v", told, got)
	}
}

func TestCancelledByItsCaller(t *testing.T) {
	r := newRig()
	ctx, cancel := context.WithCancel(t.Context())
	err := r.named("call").Do(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() })
	span := r.only(t)
	if !errors.Is(err, context.Canceled) || span.Status.Code != codes.Unset {
		t.Errorf("%v, %v", err, span.Status)
	}
	wants(t, span.Attributes, map[string]string{"error.type": ""})
	if got := r.values(t, "seawall.call.duration"); got["seawall.call.name=call"] != 1 {
		t.Errorf("durations: %v", got)
	}
}

func TestPanicAndGoexit(t *testing.T) {
	value := &struct{ text string }{"boom"}
	for name, test := range map[string]struct {
		end       func()
		recovered any
		exception bool
		text      string
	}{
		"panic":  {func() { panic(value) }, value, true, "panic: &{boom}"},
		"Goexit": {runtime.Goexit, nil, false, "runtime.Goexit"},
	} {
		r := newRig()
		var got any
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { got = recover() }()
			_ = r.named("call").Do(t.Context(), func(context.Context) error { test.end(); return nil })
		}()
		<-done
		span := r.only(t)
		if got != test.recovered || span.Status.Code != codes.Error || span.Status.Description != test.text {
			t.Errorf("%s: recovered %v, %v", name, got, span.Status)
		}
		wants(t, span.Attributes, map[string]string{"error.type": "panic"})
		if (len(span.Events) == 1) != test.exception {
			t.Fatalf("%s: events %v", name, span.Events)
		}
		if test.exception {
			e := attributes(span.Events[0].Attributes)
			if e["exception.message"] != "&{boom}" || !strings.Contains(e["exception.stacktrace"], "TestPanicAndGoexit") {
				t.Errorf("%s: %v", name, e)
			}
		}
		if _, left := points(r.metrics(t)["seawall.calls.in_flight"]); left[0].value != 0 {
			t.Errorf("%s: in flight %v", name, left)
		}
		if got := r.values(t, "seawall.call.duration"); got["error.type=panic seawall.call.name=call"] != 1 {
			t.Errorf("%s: durations %v", name, got)
		}
	}
}

// A panic that Recover made an error of is a panic still, with the stack it had.
func TestRecovered(t *testing.T) {
	r := newRig()
	_ = middleware.Join(r.Span, middleware.Recover{}).Do(t.Context(), func(context.Context) error { panic("boom") })
	span := r.only(t)
	wants(t, span.Attributes, map[string]string{"error.type": "panic"})
	if len(span.Events) != 2 || span.Events[0].Name != "seawall.panic" || span.Events[1].Name != "exception" {
		t.Errorf("events: %v", span.Events)
	}
}

type typed struct{ error }

func (typed) ErrorType() string { return "own" }

type wrapper struct{ error }

func (w wrapper) Unwrap() error { return w.error }

// several are errors as one, of which some are none.
type several []error

func (several) Error() string     { return "several" }
func (s several) Unwrap() []error { return s }

type Exported struct{}

func (*Exported) Error() string { return "exported" }

func TestErrorType(t *testing.T) {
	syntax := &json.SyntaxError{}
	for _, test := range []struct {
		err  error
		want string
	}{
		{io.EOF, "*errors.errorString"},
		{syntax, "*json.SyntaxError"},
		{fmt.Errorf("read: %w", syntax), "*json.SyntaxError"},
		{fmt.Errorf("twice: %w", fmt.Errorf("read: %w", syntax)), "*json.SyntaxError"},
		{wrapper{&Exported{}}, "*tracing_test.Exported"},
		{errors.Join(io.EOF, syntax), "*errors.errorString"},
		{several{nil, syntax}, "*json.SyntaxError"},
		{fmt.Errorf("%w and %w", syntax, io.EOF), "*json.SyntaxError"},
		{&breaker.OpenError{}, "*breaker.OpenError"},
		{&middleware.TimeoutError{Err: syntax}, "*middleware.TimeoutError"},
		{fmt.Errorf("by %w", typed{io.EOF}), "own"},
		{&middleware.PanicError{Value: 1}, "panic"},
		{fmt.Errorf("in %w", &middleware.PanicError{Value: 1}), "panic"},
		{context.DeadlineExceeded, "context.deadlineExceededError"},
		{fmt.Errorf("nothing: %w", nil), "*fmt.wrapError"},
	} {
		if got := tracing.ErrorType(test.err); got != test.want {
			t.Errorf("%T %v: %s, want %s", test.err, test.err, got, test.want)
		}
	}
}

// Data in the attributes, however many values it has, does not fill the memory.
func TestSetsAreBounded(t *testing.T) {
	r := newRig()
	for i := range tracing.MostSets + 10 {
		_ = r.Do(t.Context(), func(context.Context) error { return numbered(i) })
	}
	if got := r.Sets(); got != tracing.MostSets {
		t.Errorf("%d sets kept, want %d", got, tracing.MostSets)
	}
}

type numbered int

func (n numbered) Error() string     { return "failed" }
func (n numbered) ErrorType() string { return fmt.Sprint(int(n)) }

// The time that was left is that until the caller's own deadline.
func TestRemaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_ = r.named("call").Do(ctx, func(context.Context) error { time.Sleep(3 * time.Second); return nil })
		_ = r.named("call").Do(t.Context(), nothing)
		for name, want := range map[string]float64{"seawall.time.remaining": 7, "seawall.call.duration": 3} {
			if got := sum(r.metrics(t)[name]); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if got := r.values(t, "seawall.time.remaining"); got["seawall.call.name=call"] != 1 {
			t.Errorf("without a deadline something remains: %v", got)
		}
	})
}

// The peak is that since the last look, and quiet series are not shown.
func TestPeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		read := func() (peak int64, shown bool) {
			time.Sleep(time.Second)
			_, all := points(r.metrics(t)["seawall.calls.peak"])
			if len(all) == 0 {
				return 0, false
			}
			return all[0].value, true
		}
		if _, shown := read(); shown {
			t.Error("shown before the first call")
		}
		together(3, nil, func(_ int, wait func()) {
			_ = r.named("call").Do(t.Context(), func(context.Context) error { wait(); return nil })
		})
		_ = r.named("call").Do(t.Context(), nothing)
		if peak, _ := read(); peak != 3 {
			t.Errorf("the peak is %d, want 3", peak)
		}
		if _, shown := read(); shown {
			t.Error("shown though nothing happened")
		}
		_ = r.named("call").Do(t.Context(), func(context.Context) error {
			if peak, _ := read(); peak != 1 {
				t.Errorf("the peak is %d, want 1", peak)
			}
			return nil
		})
		if peak, _ := read(); peak != 1 {
			t.Errorf("after a call that was seen the peak is %d, want 1", peak)
		}
	})
}

// What nobody records and nobody measures allocates nothing.
func TestNoopAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	var p middleware.Policy = noop
	if got := testing.AllocsPerRun(100, func() { _ = p.Do(ctx, nothing) }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

// What a span by hand allocates, and the context.
func TestSDKAllocations(t *testing.T) {
	r := newRig()
	r.MeterProvider = noop.MeterProvider
	ctx := t.Context()
	tracer := r.TracerProvider.Tracer("hand")
	hand := testing.AllocsPerRun(100, func() { _, span := tracer.Start(ctx, "call"); span.End() })
	var p middleware.Policy = r.named("call")
	if got := testing.AllocsPerRun(100, func() { _ = p.Do(ctx, nothing) }); got > hand+1 && !raceEnabled {
		t.Errorf("%v allocations, want %v and one", got, hand)
	}
}
