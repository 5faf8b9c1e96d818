package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/retry"
)

// total is what the metric adds up to, whatever the attributes.
func (r *rig) total(t *testing.T, name string) (n int64) {
	t.Helper()
	for _, v := range r.values(t, name) {
		n += v
	}
	return n
}

// A sender made up as many routes as he liked: of a CONNECT that http.ServeMux redirects, the pattern is the path.
func TestRegression_RouteIsNotTheSenders(t *testing.T) {
	for name, around := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
		"Middleware": nethttp.Middleware, "Buffered": nethttp.Buffered{}.Middleware,
	} {
		for _, method := range []string{http.MethodConnect, http.MethodGet} {
			r := newRig()
			mux := http.NewServeMux()
			mux.HandleFunc("/users/{id}/", func(http.ResponseWriter, *http.Request) {})
			for i := range 3 {
				request := httptest.NewRequest(method, "/", http.NoBody)
				request.URL.Path = fmt.Sprint("/users/sender-", i)
				around(r.Span)(mux).ServeHTTP(httptest.NewRecorder(), request)
			}
			if got := r.values(t, "http.server.request.duration"); len(got) != 1 {
				t.Errorf("%s, %s: %v", name, method, got)
			}
			for _, span := range r.spans() {
				if strings.Contains(span.Name, "sender") {
					t.Errorf("%s, %s: span %q", name, method, span.Name)
				}
			}
		}
	}
}

// A router's own word for a redirect to the path with a slash was the path, and of a CONNECT it was never more.
func TestRegression_RouteOfRedirectIsNotItsPath(t *testing.T) {
	for _, test := range []struct {
		method, pattern string
		status          int
		want            string
	}{
		{"GET", "/a/", 307, ""},
		{"GET", "/a/", 200, "/a/"},
		{"POST", "/a", 302, "/a"}, // a redirect of the handler's own, after a login
		{"CONNECT", "/a", 200, ""},
	} {
		r := newRig()
		request := httptest.NewRequest(test.method, "/", http.NoBody)
		request.URL.Path = "/a"
		nethttp.Middleware(r.Span)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Pattern = test.pattern
			w.WriteHeader(test.status)
		})).ServeHTTP(httptest.NewRecorder(), request)
		wants(t, r.only(t).Attributes, map[string]string{"http.route": test.want})
	}
}

// Attempts counted as invocations each, and an error that was retried away as one of the function's.
func TestRegression_AttemptsAreNoInvocations(t *testing.T) {
	t.Setenv("_X_AMZN_TRACE_ID", xrayHeader)
	r := newRig()
	fails := 0
	fail := func() error {
		if fails++; fails%2 == 1 {
			return errDown
		}
		return nil
	}
	type own struct{}
	sqs := middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { return 0, fail() }, retry.Policy{Base: -1}, r.Span)
	other := middleware.Wrap(func(context.Context, own) (int, error) { return 0, fail() }, retry.Policy{Base: -1}, r.Span)
	_, first := sqs(invocation(t.Context(), arn), events.SQSEvent{})
	_, second := other(invocation(t.Context(), arn), own{})
	if err := errors.Join(first, second); err != nil || len(r.spans()) != 4 {
		t.Fatal(err, names(r.spans()))
	}
	for _, span := range r.spans() {
		if span.SpanKind != trace.SpanKindInternal || span.Parent.SpanID().String() != xrayParent {
			t.Errorf("%v span, a child of %v", span.SpanKind, span.Parent.SpanID())
		}
	}
	for _, name := range []string{"faas.invocations", "faas.errors", "faas.invoke_duration", "faas.coldstarts"} {
		if got := r.values(t, name); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// So did the attempts at a request, which is one.
func TestRegression_AttemptsAreNoRequests(t *testing.T) {
	r := newRig()
	calls := 0
	request := httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody)
	request.Header.Set("Traceparent", parent)
	serve(nethttp.Buffered{}.Middleware(retry.Policy{Base: -1}, r.Span), request, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if spans := r.spans(); len(spans) != 2 || spans[0].SpanKind != trace.SpanKindInternal || spans[1].Parent.SpanID().String() != spanID {
		t.Errorf("%v", spans)
	}
	if got := r.values(t, "http.server.request.duration"); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

// A policy that repeats and does not say so made a server of each call.
func TestRegression_OneServerForACallMadeTwice(t *testing.T) {
	r := newRig()
	twice := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return call(ctx)
	})
	h := middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { return 0, nil }, twice, r.Span)
	_, _ = h(invocation(t.Context(), arn), events.SQSEvent{})
	if got := r.total(t, "faas.invocations"); got != 1 || r.spans()[1].SpanKind != trace.SpanKindInternal {
		t.Errorf("%d invocations, %v", got, r.spans()[1].SpanKind)
	}
}

// Two Spans in a handler that has none around it were two invocations.
func TestRegression_TwoCallsAreOneInvocation(t *testing.T) {
	r := newRig()
	for range 2 {
		ctx := invocation(t.Context(), arn)
		_ = r.named("charge").Do(ctx, nothing)
		_ = r.named("ship").Do(ctx, func(context.Context) error { return errDown })
	}
	servers := 0
	for _, span := range r.spans() {
		if span.SpanKind == trace.SpanKindServer {
			servers++
		}
	}
	if got := r.total(t, "faas.invocations") + r.total(t, "faas.errors"); got != 2 || servers != 2 {
		t.Errorf("%d invocations and %d servers of 2", got, servers)
	}
}

// A call that timed out with a minute left was an invocation that did.
func TestRegression_TimeoutsAreTheInvocations(t *testing.T) {
	until := func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("pay: %w", ctx.Err()) }
	for name, test := range map[string]struct {
		policy middleware.Policy
		want   int64
	}{
		"a call's":         {middleware.Timeout(time.Second), 0},
		"its own":          {middleware.Join(), 1},
		"what is reserved": {middleware.Reserve(time.Second), 1},
		"no time at all":   {middleware.Reserve(time.Hour), 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			h := middleware.Wrap(func(ctx context.Context, _ events.SQSEvent) (int, error) { return 0, test.policy.Do(ctx, until) }, r.Span)
			ctx, cancel := context.WithTimeout(invocation(t.Context(), arn), time.Minute)
			defer cancel()
			_, _ = h(ctx, events.SQSEvent{})
			if got := r.total(t, "faas.timeouts"); got != test.want {
				t.Errorf("%s: %d timeouts, want %d", name, got, test.want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		h := middleware.Wrap(middleware.Abandon(func(context.Context, events.SQSEvent) (int, error) {
			time.Sleep(time.Hour)
			return 0, nil
		}, time.Second), r.Span)
		ctx, cancel := context.WithTimeout(invocation(t.Context(), arn), time.Minute)
		defer cancel()
		_, _ = h(ctx, events.SQSEvent{})
		if got := r.total(t, "faas.timeouts"); got != 1 {
			t.Errorf("left behind: %d timeouts", got)
		}
		time.Sleep(time.Hour) // until it has ended
	})
}

// An invocation that failed because its caller gave it up was one that ended well.
func TestRegression_CancelledIsNoSuccess(t *testing.T) {
	r := newRig()
	ctx, cancel := context.WithCancel(invocation(t.Context(), arn))
	h := middleware.Wrap(func(ctx context.Context, _ events.SQSEvent) (int, error) { cancel(); return 0, ctx.Err() }, r.Span)
	_, _ = h(ctx, events.SQSEvent{})
	if got := r.total(t, "faas.invocations") + r.total(t, "faas.errors"); got != 0 || r.total(t, "faas.invoke_duration") != 1 {
		t.Errorf("%d ended", got)
	}
}

// A view that dropped one histogram silenced all metrics of calls.
func TestRegression_OneViewDropsOneInstrument(t *testing.T) {
	r := newRig()
	r.reader = sdkmetric.NewManualReader()
	r.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader), sdkmetric.WithView(
		sdkmetric.NewView(sdkmetric.Instrument{Name: "seawall.call.duration"}, sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}})))
	tracing.FreshProcess()
	h := middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { return 0, nil }, r.Span)
	_, _ = h(invocation(t.Context(), arn), events.SQSEvent{})
	got := r.metrics(t)
	for _, name := range []string{"faas.invocations", "faas.invoke_duration", "faas.coldstarts", "seawall.calls.peak"} {
		if got[name].Data == nil {
			t.Errorf("%s is gone", name)
		}
	}
}

// A client without a Span of its own did not carry the trace on.
func TestRegression_TransportCarriesTheTraceOn(t *testing.T) {
	r := newRig()
	for _, sampled := range []bool{true, false} {
		if !sampled {
			r = newRig(sdktrace.WithSampler(sdktrace.NeverSample()))
			r.MeterProvider = noop.MeterProvider
		}
		var sent []string
		base := transportFunc(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r.Header.Get("Traceparent"))
			return answer(map[bool]int{true: 503, false: 200}[len(sent) == 1]), nil
		})
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/", http.NoBody)
		own := request.Header
		err := r.named("place order").Do(t.Context(), func(ctx context.Context) error {
			response, err := nethttp.Transport(base, retry.Policy{Base: -1}).RoundTrip(request.WithContext(ctx))
			if err == nil {
				response.Body.Close()
			}
			return err
		})
		if err != nil || len(sent) != 2 || sent[0] == "" || sent[1] != sent[0] || len(own) > 0 {
			t.Errorf("sampled %v: sent %q, %v; the caller's header is %v", sampled, sent, err, own)
		}
	}
}

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

type nilType struct{ text string }

func (*nilType) Error() string       { return "typed" }
func (e *nilType) ErrorType() string { return e.text }

type nilIs struct{ target error }

func (*nilIs) Error() string          { return "is" }
func (e *nilIs) Is(target error) bool { return e.target == target }

// An error whose methods panic, a nil pointer, made a panic of the call, and a span that never ended.
func TestRegression_ErrorsMayPanic(t *testing.T) {
	for _, want := range []error{(*nilError)(nil), (*nilType)(nil), (*nilIs)(nil)} {
		r := newRig()
		h := middleware.Wrap(func(ctx context.Context, _ events.SQSEvent) (int, error) {
			event.Emit(ctx, event.Event{Kind: event.Retry, Err: want})
			return 0, want
		}, r.Span)
		func() {
			defer func() {
				if v := recover(); v != nil {
					t.Errorf("%T: it panicked: %v", want, v)
				}
			}()
			if _, err := h(invocation(t.Context(), arn), events.SQSEvent{}); err != want { //nolint:errorlint // that very value
				t.Errorf("%T: got %v", want, err)
			}
		}()
		wants(t, r.only(t).Attributes, map[string]string{"error.type": fmt.Sprintf("%T", want)})
		if r.total(t, "seawall.calls.in_flight") != 0 || r.total(t, "faas.errors") != 1 {
			t.Errorf("%T: in flight for ever, or not counted", want)
		}
	}
}

// Calls at once were those around one another: the span of a call, of its attempts and of what they do.
func TestRegression_NestedSpansAreOneCall(t *testing.T) {
	for name, inner := range map[string]string{"unnamed": "", "of one name": "outer", "of two names": "inner"} {
		r := newRig()
		outer := ""
		if inner != "" {
			outer = "outer"
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_ = r.named(outer).Do(ctx, func(ctx context.Context) error {
			return r.named(inner).Do(ctx, func(context.Context) error {
				if got := r.values(t, "seawall.calls.in_flight"); r.total(t, "seawall.calls.in_flight") != 1 {
					t.Errorf("%s: in flight are %v", name, got)
				}
				return nil
			})
		})
		for metric, want := range map[string]int64{"seawall.calls.peak": 1, "seawall.time.remaining": 1, "seawall.call.duration": 2} {
			if got := r.values(t, metric); r.total(t, metric) != want {
				t.Errorf("%s: %s is %v, want %d", name, metric, got, want)
			}
		}
	}
}

// Calls of Spans without a name were all of one series.
func TestRegression_UnnamedCallsHaveNames(t *testing.T) {
	version(t, "orders", "7")
	r := newRig()
	_ = r.Do(t.Context(), nothing)
	_ = r.Do(invocation(t.Context(), arn), nothing)
	base := transportFunc(func(*http.Request) (*http.Response, error) { return answer(200), nil })
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/", http.NoBody)
	_, _ = nethttp.Transport(base, r.Span).RoundTrip(request)
	serve(nethttp.Middleware(r.Span), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody), func(http.ResponseWriter, *http.Request) {})
	want := "map[seawall.call.name=call:1 seawall.call.name=client:1 seawall.call.name=orders:1 seawall.call.name=server:1]"
	if got := r.values(t, "seawall.call.duration"); fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// A Span around a retry was the CLIENT span of all attempts: one duration with the waits in it, and no resend.
func TestRegression_ManyRequestsAreNotOneClient(t *testing.T) {
	r := newRig()
	for name, policies := range map[string][]middleware.Policy{
		"listed": {r.Span, retry.Policy{Base: -1}},
		"joined": {middleware.Join(r.Span, retry.Policy{Base: -1})},
	} {
		r.exporter.Reset()
		var sent []string
		base := transportFunc(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r.Header.Get("Traceparent"))
			return answer(map[bool]int{true: 503, false: 200}[len(sent) == 1]), nil
		})
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/", http.NoBody)
		if response, err := nethttp.Transport(base, policies...).RoundTrip(request); err != nil || response.StatusCode != 200 {
			t.Fatal(response, err)
		}
		span := r.only(t)
		if span.SpanKind != trace.SpanKindInternal || r.total(t, "http.client.request.duration") != 0 {
			t.Errorf("%s: %v span", name, span.SpanKind)
		}
		if len(sent) != 2 || !strings.Contains(sent[1], span.SpanContext.SpanID().String()) {
			t.Errorf("%s: sent %q", name, sent)
		}
	}
}

// Of two readers the first left nothing to the second.
func TestRegression_ReadersSeeTheSamePeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newRig(), newRig()
		first.reader, second.reader = sdkmetric.NewManualReader(), sdkmetric.NewManualReader()
		first.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(first.reader), sdkmetric.WithReader(second.reader))
		for range 3 {
			_ = first.total(t, "seawall.calls.peak") // a moment before the call
			_ = first.named("call").Do(t.Context(), nothing)
			if a, b := first.total(t, "seawall.calls.peak"), second.total(t, "seawall.calls.peak"); a != 1 || b != 1 {
				t.Errorf("the peaks are %d and %d", a, b)
			}
			time.Sleep(time.Minute)
		}
	})
}

// Two tracers with one MeterProvider had a peak each under the same name, and the last to report won.
func TestRegression_OnePeakForTwoTracers(t *testing.T) {
	r := newRig()
	other := r.named("call")
	other.TracerProvider = newRig().TracerProvider
	_ = other.Do(t.Context(), nothing)
	together(2, nil, func(i int, wait func()) {
		span := r.named("call")
		if i == 1 {
			span = other
		}
		_ = span.Do(t.Context(), func(context.Context) error { wait(); return nil })
	})
	_ = other.Do(t.Context(), nothing)
	if got := r.total(t, "seawall.calls.peak"); got != 2 {
		t.Errorf("the peak is %d", got)
	}
}

// What was noticed inside a Span that has only a tracer was counted nowhere.
func TestRegression_EventsFindACounter(t *testing.T) {
	r := newRig()
	inner := tracing.Span{Name: "inner", TracerProvider: r.TracerProvider, MeterProvider: noop.MeterProvider}
	_ = r.named("outer").Do(t.Context(), func(ctx context.Context) error {
		return inner.Do(ctx, func(ctx context.Context) error {
			event.Emit(ctx, event.Event{Kind: event.Transition, Policy: "breaker", From: "closed", To: "open"})
			return nil
		})
	})
	if r.total(t, "seawall.breaker.transitions") != 1 || r.total(t, "seawall.breaker.state") != 2 {
		t.Errorf("%v", r.metrics(t))
	}
}

// What was secret in a URL that http.Client asked for was in the status, and in events.
func TestRegression_NoSecretsOfURLs(t *testing.T) {
	const secret = "hunter2"
	get := &url.Error{Op: "Get", URL: "http://me:" + secret + "@example.com/@pay?token=" + secret + "%22\"#" + secret, Err: io.EOF}
	bad := &url.Error{Op: "parse", URL: "mailto:x?" + secret, Err: get}
	for _, test := range []struct {
		err  error
		want string
	}{
		{get, `Get "http://example.com/@pay": EOF`},
		{fmt.Errorf("pay: %w", bad), `pay: parse "mailto:x": Get "http://example.com/@pay": EOF`},
		{errors.Join(errDown, get), "down\n" + `Get "http://example.com/@pay": EOF`},
		{&url.Error{Op: "parse", URL: "", Err: errDown}, `parse "": down`},
	} {
		r := newRig()
		_ = r.Do(t.Context(), func(ctx context.Context) error {
			event.Emit(ctx, event.Event{Kind: event.Retry, Err: test.err})
			return test.err
		})
		span := r.only(t)
		if span.Status.Description != test.want {
			t.Errorf("got %s, want %s", span.Status.Description, test.want)
		}
		wants(t, span.Events[0].Attributes, map[string]string{"exception.message": test.want})
	}
	r := newRig()
	func() {
		defer func() { _ = recover() }()
		_ = r.Do(t.Context(), func(context.Context) error { panic(get) })
	}()
	if span := r.only(t); strings.Contains(fmt.Sprint(span.Status, attributes(span.Events[0].Attributes)["exception.message"]), secret) {
		t.Errorf("%v %v", span.Status, span.Events[0].Attributes)
	}
}

// lazy is a provider that does something else first.
type lazy struct {
	tracenoop.TracerProvider

	first func()
}

func (l *lazy) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	l.first()
	return l.TracerProvider.Tracer(name, options...)
}

// A provider whose exporter has a Span of its own made the first call wait for ever.
func TestRegression_NoLockWhileProvidersWork(t *testing.T) {
	done := make(chan struct{})
	provider := &lazy{first: func() { _ = tracing.Span{Name: t.Name()}.Do(context.Background(), nothing) }}
	go func() {
		defer close(done)
		_ = tracing.Span{Name: t.Name(), TracerProvider: provider}.Do(context.Background(), nothing)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}

// Of several goroutines that are the first, each made series of its own, or was heard of as often as there were others.
func TestFirstCallsAtOnce(t *testing.T) {
	for range 20 {
		r := newRig()
		together(8, nil, func(_ int, wait func()) {
			wait()
			_ = r.named("call").Do(t.Context(), nothing)
		})
		_ = r.named("call").Do(t.Context(), func(context.Context) error {
			if got := r.total(t, "seawall.calls.in_flight"); got != 1 {
				t.Errorf("in flight are %d", got)
			}
			return nil
		})
		if got := r.total(t, "seawall.call.duration"); got != 9 {
			t.Errorf("%d calls", got)
		}
	}
}

// Events that Raw had not decoded were of trigger other, because one had its records in a map.
func TestRegression_TriggersOfBytes(t *testing.T) {
	for payload, want := range map[string]string{
		`{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","value":"eA=="}]}}`:              "pubsub",
		`{"eventSource":"SelfManagedKafka","records":{}}`:                                           "pubsub",
		`{"eventSource":"aws:rmq","rmqMessagesByQueue":{"q":[]}}`:                                   "pubsub",
		`{"eventSource":"aws:mq","messages":[]}`:                                                    "pubsub",
		`{"invocationId":"i","deliveryStreamArn":"arn","records":[{"recordId":"1","data":"eA=="}]}`: "pubsub",
		`{"Records":[{"eventSource":"aws:kinesis"}]}`:                                               "pubsub",
		`{"requestContext":{"routeKey":"$connect","eventType":"CONNECT","connectionId":"x"}}`:       "http",
		`{"requestContext":{"routeKey":"chat","eventType":"MESSAGE","connectionId":"x"}}`:           "http",
		`{"records":7}`: "other",
	} {
		r := newRig()
		h := awslambda.Raw(awslambda.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil }), r.Span)
		_, _ = h(invocation(t.Context(), arn), []byte(payload))
		if got := r.values(t, "faas.invocations"); got["faas.trigger="+want] != 1 {
			t.Errorf("%s: %v, want %s", payload, got, want)
		}
	}
}

// Events of WebSocket APIs were of trigger other; a connection begins with a request, and with a parent.
func TestRegression_WebSocketEvents(t *testing.T) {
	connect := events.APIGatewayWebsocketProxyRequest{
		Headers:        map[string]string{"traceparent": parent},
		RequestContext: events.APIGatewayWebsocketProxyRequestContext{EventType: "CONNECT", ConnectionID: "x", DomainName: "ws.example.com"},
	}
	message := connect
	message.Headers, message.RequestContext.EventType = nil, "MESSAGE"
	for _, e := range []*events.APIGatewayWebsocketProxyRequest{&connect, &message, nil} {
		r := newRig()
		wrapped(t, r, e)
		method, by := "", ""
		if e == &connect {
			method, by = "GET", spanID
		}
		span := r.only(t)
		wants(t, span.Attributes, map[string]string{"faas.trigger": "http", "http.request.method": method})
		if by != "" && span.Parent.SpanID().String() != by {
			t.Errorf("the parent is %v", span.Parent)
		}
	}
}

// The version of HTTP/2 is 2.
func TestRegression_ProtocolVersion(t *testing.T) {
	for proto, want := range map[string]string{"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2.0": "2", "HTTP/3.0": "3", "HTTP/2": "2"} {
		r := newRig()
		request := httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody)
		request.Proto = proto
		serve(nethttp.Middleware(r.Span), request, func(http.ResponseWriter, *http.Request) {})
		wants(t, r.only(t).Attributes, map[string]string{"network.protocol.version": want})
	}
}

// A status description repeated the status.
func TestRegression_StatusSaysItItself(t *testing.T) {
	r := newRig()
	serve(nethttp.Middleware(r.Span), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	})
	if span := r.only(t); span.Status != (sdktrace.Status{Code: codes.Error}) {
		t.Errorf("%v", span.Status)
	}
}

// Without a tracer calls are measured, and so they are without a sample.
func TestMeasuredUnrecorded(t *testing.T) {
	for name, tracers := range map[string]trace.TracerProvider{
		"no-op": noop.TracerProvider, "never": sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
	} {
		r := newRig()
		r.TracerProvider = tracers
		_ = r.named("call").Do(t.Context(), nothing)
		if got := r.values(t, "seawall.call.duration"); got["seawall.call.name=call"] != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A sender's word for the scheme is one of two.
func TestSchemeIsKnown(t *testing.T) {
	for said, want := range map[string]string{"http": "http", "https": "https", "": "https", "javascript": "https"} {
		r := newRig()
		e := v2
		e.Headers = map[string]string{"X-Forwarded-Proto": said}
		wrapped(t, r, e)
		wants(t, r.only(t).Attributes, map[string]string{"url.scheme": want})
	}
}

// A call whose time was over has failed; only one that was given up has not.
func TestDeadlineIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = r.named("call").Do(ctx, func(ctx context.Context) error { time.Sleep(time.Minute); return ctx.Err() })
		if span := r.only(t); span.Status.Code != codes.Error {
			t.Errorf("%v", span.Status)
		}
		if got := sum(r.metrics(t)["seawall.time.remaining"]); got != 0 {
			t.Errorf("%v s are left", got)
		}
	})
}

// A client has failed from 400 on.
func TestClientBadRequest(t *testing.T) {
	r := newRig()
	base := transportFunc(func(*http.Request) (*http.Response, error) { return answer(400), nil })
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/", http.NoBody)
	_, _ = nethttp.Transport(base, r.Span).RoundTrip(request)
	wants(t, r.only(t).Attributes, map[string]string{"error.type": "400"})
}

// A server that runs in an invocation, behind an adapter of somebody's, is one.
func TestServerInAnInvocation(t *testing.T) {
	r := newRig()
	request := httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody)
	serve(nethttp.Middleware(r.Span), request.WithContext(invocation(t.Context(), arn)), func(http.ResponseWriter, *http.Request) {})
	wants(t, r.only(t).Attributes, map[string]string{"faas.trigger": "http", "faas.invocation_id": "request-1", "http.response.status_code": "200"})
	if got := r.values(t, "faas.invocations"); got["faas.trigger=http"] != 1 {
		t.Errorf("%v", got)
	}
}

// A parent from elsewhere that the context has already leaves the span a server's.
func TestRemoteParentInContext(t *testing.T) {
	r := newRig()
	ctx := trace.ContextWithRemoteSpanContext(invocation(t.Context(), arn), tracing.ParseXRay(xrayHeader))
	_, _ = middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { return 0, nil }, r.Span)(ctx, events.SQSEvent{})
	if span := r.only(t); span.SpanKind != trace.SpanKindServer || span.Parent.SpanID().String() != xrayParent {
		t.Errorf("%v, a child of %v", span.SpanKind, span.Parent.SpanID())
	}
}

// An event inside a span that does not record goes to the one around it.
func TestEventGoesOutwards(t *testing.T) {
	r := newRig()
	inner := r.named("inner")
	inner.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	_ = r.named("outer").Do(t.Context(), func(ctx context.Context) error {
		return inner.Do(ctx, func(ctx context.Context) error { event.Emit(ctx, event.Event{Kind: event.Retry}); return nil })
	})
	if span := r.only(t); len(span.Events) != 1 {
		t.Errorf("%s has the events %v", span.Name, span.Events)
	}
}

// Of a function whose version is not known, the resource has none.
func TestResourceWithoutVersion(t *testing.T) {
	version(t, "orders", "")
	r := newRig()
	_ = r.Do(invocation(t.Context(), arn+":live"), nothing)
	wants(t, r.only(t).Attributes, map[string]string{"cloud.resource_id": arn})
}

// A trace id's parts are of their own lengths.
func TestXRayEpoch(t *testing.T) {
	for _, root := range []string{"1-5759e98-8bd862e3fe1be46a994272793", "1-5759e9888-d862e3fe1be46a994272793"} {
		if c := tracing.ParseXRay("Root=" + root + ";Parent=" + xrayParent + ";Sampled=1"); c.IsValid() {
			t.Errorf("%s is %v", root, c)
		}
	}
}

// A call that has begun and is not yet the peak, nor has said that there was a call, is told of when that is read.
func TestReadAmidABeginning(t *testing.T) {
	if peak, called := tracing.Read(2, 1); peak != 2 || !called {
		t.Errorf("of 2 in flight the peak is %d; there were calls: %v", peak, called)
	}
}

// A call is in flight once for each MeterProvider: a Span around it with another does not hide it.
func TestOutermostOfItsProvider(t *testing.T) {
	r, other := newRig(), newRig()
	_ = other.named("outer").Do(t.Context(), func(ctx context.Context) error { return r.named("inner").Do(ctx, nothing) })
	if got := r.values(t, "seawall.calls.peak"); got["seawall.call.name=inner"] != 1 {
		t.Errorf("%v", got)
	}
}
