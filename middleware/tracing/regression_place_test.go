package tracing_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/wall"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// A Span that no adapter knew of, around a request that a Lambda function sent, was the invocation.
func TestRegression_WhatGoesOutIsNoInvocation(t *testing.T) {
	r := newRig()
	hidden := middleware.PolicyFunc(r.Do)
	base := transportFunc(func(*http.Request) (*http.Response, error) { return answer(200), nil })
	request, _ := http.NewRequestWithContext(invocation(t.Context(), arn), http.MethodGet, "http://example.com/", http.NoBody)
	if _, err := nethttp.Transport(base, hidden).RoundTrip(request); err != nil {
		t.Fatal(err)
	}
	if span := r.only(t); span.SpanKind != trace.SpanKindInternal || r.total(t, "faas.invocations") != 0 {
		t.Errorf("it is %v, and %d invocations", span.SpanKind, r.total(t, "faas.invocations"))
	}
}

// A panic after a status had been sent was no error where that was below 500 but not a success.
func TestRegression_PanicIsAnErrorWithAnyStatus(t *testing.T) {
	for _, status := range []int{200, 404, 500} {
		r := newRig()
		serve(nethttp.Middleware(r.Span, middleware.Recover{}), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			panic("boom")
		})
		span := r.only(t)
		wants(t, span.Attributes, map[string]string{"http.response.status_code": strconv.Itoa(status), "error.type": "panic"})
		if span.Status.Code != codes.Error {
			t.Errorf("%d: %v", status, span.Status)
		}
	}
}

// The pattern that a request matched took the place of the name that the handler had given its span.
func TestRegression_HandlerNamesItsSpan(t *testing.T) {
	r := newRig()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(_ http.ResponseWriter, in *http.Request) { trace.SpanFromContext(in.Context()).SetName("mine") })
	nethttp.Middleware(r.Span)(mux).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody))
	span := r.only(t)
	wants(t, span.Attributes, map[string]string{"http.route": "/orders/{id}"})
	if span.Name != "mine" {
		t.Errorf("its name is %q", span.Name)
	}
}

// What was noticed in the context of a span that had ended was lost, though the one around it recorded.
func TestRegression_EventAfterTheInnerEnd(t *testing.T) {
	r := newRig()
	_ = r.named("outer").Do(t.Context(), func(ctx context.Context) error {
		var left context.Context
		_ = r.named("inner").Do(ctx, func(ctx context.Context) error { left = ctx; return nil })
		event.Emit(left, event.Event{Kind: event.Lost})
		return nil
	})
	if spans := r.spans(); len(spans[0].Events) != 1 || len(spans[1].Events) != 0 {
		t.Errorf("%s has %v, %s has %v", spans[0].Name, spans[0].Events, spans[1].Name, spans[1].Events)
	}
}

// A process that was frozen after a reading had its old peak for as long as its own clock stood still.
func TestRegression_PeakAfterAFreeze(t *testing.T) {
	r := newRig()
	together(3, nil, func(_ int, wait func()) {
		_ = r.named("call").Do(t.Context(), func(context.Context) error { wait(); return nil })
	})
	if got := r.total(t, "seawall.calls.peak"); got != 3 {
		t.Fatalf("the peak is %d", got)
	}
	defer wall.Freeze(time.Hour)()
	_ = r.named("call").Do(t.Context(), nothing)
	if got := r.total(t, "seawall.calls.peak"); got != 1 {
		t.Errorf("an hour later, of one call, the peak is %d", got)
	}
}

// The spans of function URLs and load balancers had the method for a name, and that of many functions is POST.
func TestRegression_WithoutARouteTheFunctionNamesTheSpan(t *testing.T) {
	version(t, "orders", "7")
	r := newRig()
	wrapped(t, r, rest)
	wrapped(t, r, v2)
	wrapped(t, r, furl)
	wrapped(t, r, alb)
	if got := fmt.Sprint(names(r.spans())); got != "[POST /orders/{id} POST /orders/{id} orders orders]" {
		t.Errorf("the names are %s", got)
	}
}

// A context with no LambdaContext in it, but nil, made the span of the invocation panic.
func TestRegression_NilLambdaContext(t *testing.T) {
	r := newRig()
	if err := r.Do(lambdacontext.NewContext(t.Context(), nil), nothing); err != nil {
		t.Fatal(err)
	}
	wants(t, r.only(t).Attributes, map[string]string{"faas.trigger": "other", "faas.invocation_id": ""})
}

// A call that its caller cancelled has not failed, whatever the handler answered: nobody reads that.
func TestCancelledByTheCaller(t *testing.T) {
	r := newRig()
	ctx, cancel := context.WithCancel(t.Context())
	serve(nethttp.Middleware(r.Span), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody).WithContext(ctx), func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(500)
	})
	span := r.only(t)
	wants(t, span.Attributes, map[string]string{"http.response.status_code": "500", "error.type": ""})
	if span.Status.Code != codes.Unset {
		t.Errorf("%v", span.Status)
	}
}

// A no-op Span beside another, further in or further out, changes nothing of what that sees and sends.
func TestNoopBesideASpan(t *testing.T) {
	for name, order := range map[string]func(tracing.Span) []middleware.Policy{
		"inside": func(s tracing.Span) []middleware.Policy { return []middleware.Policy{s, noop} },
		"around": func(s tracing.Span) []middleware.Policy { return []middleware.Policy{noop, s} },
	} {
		r := newRig()
		var sent string
		base := transportFunc(func(r *http.Request) (*http.Response, error) {
			sent = r.Header.Get("Traceparent")
			return answer(200), nil
		})
		in := httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody)
		in.Header.Set("Traceparent", parent)
		serve(nethttp.Middleware(order(r.Span)...), in, func(_ http.ResponseWriter, in *http.Request) {
			out, _ := http.NewRequestWithContext(in.Context(), http.MethodGet, "http://example.com", http.NoBody)
			_, _ = nethttp.Transport(base, order(r.Span)...).RoundTrip(out)
		})
		spans := r.spans()
		if len(spans) != 2 || spans[0].SpanKind != trace.SpanKindServer || spans[1].SpanKind != trace.SpanKindClient {
			t.Fatalf("%s: %d spans, %v", name, len(spans), spans)
		}
		if spans[0].Parent.SpanID().String() != spanID || spans[1].Parent.SpanID() != spans[0].SpanContext.SpanID() {
			t.Errorf("%s: the parents are %v and %v", name, spans[0].Parent, spans[1].Parent)
		}
		if id := spans[1].SpanContext.SpanID().String(); !strings.Contains(sent, id) {
			t.Errorf("%s: sent %s, in the span %s", name, sent, id)
		}
	}
}

// A program that wants no telemetry pays for none: nothing looks.
func TestNoopLooksAtNothing(t *testing.T) {
	for _, test := range []struct {
		span tracing.Span
		at   any
		want int
	}{
		{noop, events.SQSEvent{}, 0},
		{noop, []byte(nil), 0},
		{noop, (*http.Request)(nil), 0},
		{noop, (*http.Response)(nil), 0},
		{noop, 7, 0},
		{tracing.Span{TracerProvider: noop.TracerProvider}, events.SQSEvent{}, 1},
		{tracing.Span{MeterProvider: noop.MeterProvider}, events.SQSEvent{}, 1},
		{tracing.Span{}, events.SQSEvent{}, 1},
		{tracing.Span{}, (*http.Response)(nil), 1},
		{tracing.Span{}, 7, 0},
	} {
		if got := test.span.Looks(test.at); got != test.want {
			t.Errorf("%+v looks at %T: %d, want %d", test.span, test.at, got, test.want)
		}
	}
}

// A breaker that turned twice at once, and was told of last as it had been first, was open for the gauge and not in truth.
func TestRegression_StateIsTheLatest(t *testing.T) {
	r := newRig()
	then := time.Now()
	_ = r.Do(t.Context(), func(ctx context.Context) error {
		for _, after := range []struct {
			to string
			d  time.Duration
		}{{"closed", 2}, {"open", 1}} {
			event.Emit(ctx, event.Event{Kind: event.Transition, Policy: "breaker", Name: "payments", To: after.to, At: then.Add(after.d)})
		}
		return nil
	})
	if got := r.total(t, "seawall.breaker.state"); got != 0 {
		t.Errorf("the state is %d", got)
	}
	if got := r.total(t, "seawall.breaker.transitions"); got != 2 {
		t.Errorf("%d transitions", got)
	}

	for range 100 {
		b := breaker.New(breaker.Config{Name: "b", Failures: 1, OpenFor: time.Microsecond})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 6 {
					_ = r.Do(t.Context(), func(ctx context.Context) error {
						return b.Do(ctx, func(context.Context) error { return []error{nil, errDown}[rand.IntN(2)] })
					})
				}
			})
		}
		all.Wait()
		got, told := r.values(t, "seawall.breaker.state")["seawall.policy.name=b seawall.policy=breaker"]
		if told && (got == 0) != (b.State() == breaker.Closed) {
			t.Fatalf("the breaker is %v, the gauge %d", b.State(), got)
		}
	}
}
