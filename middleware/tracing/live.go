package tracing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/middleware"
)

// A live is a span from its start to its end, and the context of the call in it.
type live struct {
	context.Context //nolint:containedctx // it is a context

	series     *series
	propagator propagation.TextMapPropagator
	caller     context.Context //nolint:containedctx // what Do got
	outer      *live
	observer   event.Observer // of the outermost
	shown      *scope.Call
	depth      int // of the spans that look at shown, from 1

	span       trace.Span
	begun      time.Time // zero if the call is not measured
	recording  bool
	request    *request // if it is that of a server or a client
	client     bool
	invocation *invocation // if it is one
}

type liveKey struct{}

func innermost(ctx context.Context) *live {
	l, _ := ctx.Value(liveKey{}).(*live)
	return l
}

func newLive(ctx context.Context, s *series, p propagation.TextMapPropagator, shown *scope.Call) *live {
	l := &live{series: s, propagator: p, caller: ctx, outer: innermost(ctx), shown: shown, depth: 1}
	if l.outer == nil {
		l.observer = event.NewObserver(ctx, observe)
	} else if shown != nil && l.outer.shown == shown {
		l.depth = l.outer.depth + 1
	}
	return l
}

// Value answers for the span, for what observes the call, and for what a request in it carries on.
func (l *live) Value(key any) any {
	switch {
	case key == (liveKey{}), scope.IsInjector(key):
		return l
	case l.outer == nil && event.IsObserver(key):
		return &l.observer
	}
	return l.Context.Value(key)
}

func (l *live) String() string { return "tracing.Span" }

// Inject is for requests that are sent in the context.
func (l *live) Inject(ctx context.Context, header map[string][]string) {
	propagator(l.propagator).Inject(ctx, propagation.HeaderCarrier(header))
}

// begin starts a span with such a name.
func (l *live) begin(ctx context.Context, name string, options ...trace.SpanStartOption) *live {
	inner, span := l.series.tracer.Start(ctx, name, options...) //nolint:spancheck // end ends it
	return l.started(inner, span)                               //nolint:spancheck // as above
}

// started takes over a span that was started, and its context.
func (l *live) started(ctx context.Context, span trace.Span) *live {
	l.Context, l.span = ctx, span
	l.recording = span.IsRecording()
	if l.series.measured(ctx) {
		l.series.begin()
		l.begun = time.Now()
	}
	return l
}

// start starts the span that is right where it stands.
func (l *live) start() *live {
	parent := trace.SpanContextFromContext(l.caller)
	c := l.shown
	switch {
	case c != nil && c.Client && l.depth == c.Looks:
		return l.startClient()
	case c != nil && (c.Client || isPayload(c.In) && !isInvoked(l.caller)), l.outer != nil, parent.IsValid() && !parent.IsRemote():
		return l.begin(l.caller, l.series.spanName())
	}
	return l.startServer(parent)
}

func isPayload(in any) bool {
	_, ok := payloadOf(in)
	return ok
}

func (l *live) startClient() *live {
	r, ok := l.shown.In.(*http.Request)
	if !ok {
		return l.begin(l.caller, l.series.spanName())
	}
	l.client, l.request = true, outgoing(r)
	return l.startAs(l.caller, trace.SpanKindClient, nil, func() []attribute.KeyValue {
		return l.request.sent(l.shown.Sent.Load())
	})
}

func (l *live) startServer(parent trace.SpanContext) *live {
	from := source{trigger: triggerOther}
	isHTTP := false
	if l.shown != nil {
		var r *http.Request
		if r, isHTTP = l.shown.In.(*http.Request); isHTTP {
			from = source{trigger: triggerHTTP, request: incoming(r)}
		} else {
			from = l.sourceOf(l.shown.In)
		}
	}
	if !isHTTP || isInvoked(l.caller) {
		l.invocation = invoked(l.caller, from.trigger)
	}
	l.request = from.request
	ctx := l.caller
	if !parent.IsValid() {
		ctx = l.remote(ctx)
	}
	return l.startAs(ctx, trace.SpanKindServer, from.links, func() []attribute.KeyValue {
		kvs := from.attributes
		if l.invocation != nil {
			kvs = append(kvs, l.invocation.attributes()...)
		}
		if l.request != nil {
			kvs = append(kvs, l.request.received()...)
		}
		return kvs
	})
}

// sourceOf is the source of an event, which may not be decoded yet.
func (l *live) sourceOf(in any) source {
	if payload, ok := payloadOf(in); ok {
		return fromPayload(payload)
	}
	s, ok := sourceOf(in)
	if !ok && isAnswer(l.shown.Result().Out) {
		s.trigger = triggerHTTP
	}
	return s
}

// remote is ctx with the parent that the request or X-Ray has for it.
func (l *live) remote(ctx context.Context) context.Context {
	if l.request != nil {
		ctx = propagator(l.propagator).Extract(ctx, l.request.headers)
		if trace.SpanContextFromContext(ctx).IsValid() {
			return ctx
		}
	}
	if l.invocation != nil {
		if parent := xray(ctx); parent.IsValid() {
			return trace.ContextWithRemoteSpanContext(ctx, parent)
		}
	}
	return ctx
}

// startAs starts a span with attributes, which are not made where nobody sees them.
func (l *live) startAs(ctx context.Context, kind trace.SpanKind, links []trace.Link, attributes func() []attribute.KeyValue) *live {
	if l.series.quiet {
		return l.begin(ctx, l.spanName())
	}
	return l.begin(ctx, l.spanName(), trace.WithSpanKind(kind), trace.WithLinks(links...), trace.WithAttributes(attributes()...))
}

func (l *live) spanName() string {
	switch {
	case l.series.key.name != "":
		return l.series.key.name
	case l.request != nil:
		return l.request.name()
	case l.invocation != nil && l.invocation.function != "":
		return l.invocation.function
	}
	return l.series.spanName()
}

// do makes the call and ends the span, however the call ends.
func (l *live) do(call func(context.Context) error) error {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		l.end(&ending{panicked: true, value: v})
		if v != nil { // it was not runtime.Goexit
			panic(v)
		}
	}()
	err := call(l)
	returned = true
	l.end(&ending{err: err})
	return err
}

// An ending is how a call ended.
type ending struct {
	err      error
	panicked bool // or ended by runtime.Goexit
	value    any  // of the panic

	status    int    // of the answer, zero if there is none
	callType  string // error.type of the call, empty if it has not failed
	errorType string // error.type of the span, the same
}

// end ends the span and measures the call.
func (l *live) end(e *ending) {
	l.judge(e)
	l.findRoute()
	if l.recording {
		l.describe(e)
	}
	if !l.begun.IsZero() {
		l.measure(e)
	}
	l.span.End()
}

// judge fills in what follows from how the call ended.
func (l *live) judge(e *ending) {
	if l.request != nil || l.invocation != nil {
		e.status = l.status(e)
	}
	cancelled := false
	switch {
	case e.panicked:
		e.callType = panicType
	case e.err == nil:
	case errors.Is(l.caller.Err(), context.Canceled):
		cancelled = true
	default:
		e.callType = errorType(e.err)
	}
	limit := 500
	if l.client {
		limit = 400
	}
	switch {
	case cancelled:
	case e.status < 400:
		e.errorType = e.callType
	case e.status >= limit:
		e.errorType = cmp.Or(e.callType, strconv.Itoa(e.status))
	}
}

// findRoute names the request's span after the pattern that matched it, which a server may only know now.
func (l *live) findRoute() {
	if l.request == nil || l.client || l.request.route != "" {
		return
	}
	if l.request.route = route(l.shown.Result().Route); l.request.route != "" && l.recording {
		l.span.SetAttributes(semconv.HTTPRoute(l.request.route))
		l.span.SetName(l.spanName())
	}
}

// status is that of the answer, zero if there is none.
func (l *live) status(e *ending) int {
	switch {
	case l.shown == nil, e.panicked:
		return 0
	case l.shown.Status != nil:
		return l.shown.Status(l.shown, e.err)
	case e.err == nil:
		return statusOf(l.shown.Result().Out)
	}
	return 0
}

// describe says on the span how the call ended.
func (l *live) describe(e *ending) {
	if e.status != 0 {
		l.span.SetAttributes(semconv.HTTPResponseStatusCode(e.status))
	}
	if e.value != nil {
		l.exception(e.value, debug.Stack())
	} else if p, ok := errors.AsType[*middleware.PanicError](e.err); ok {
		l.exception(p.Value, p.Stack)
	}
	if e.errorType == "" {
		return
	}
	l.span.SetAttributes(semconv.ErrorTypeKey.String(e.errorType))
	text := ""
	switch {
	case e.err != nil:
		text = e.err.Error()
	case e.value != nil:
		text = fmt.Sprint("panic: ", e.value)
	case e.panicked:
		text = "runtime.Goexit"
	}
	l.span.SetStatus(codes.Error, text)
}

// exception is the event of a panic.
func (l *live) exception(value any, stack []byte) {
	l.span.AddEvent("exception", trace.WithAttributes(
		semconv.ExceptionType(fmt.Sprintf("%T", value)),
		semconv.ExceptionMessage(fmt.Sprint(value)),
		semconv.ExceptionStacktrace(string(stack)),
	))
}

// measure measures the call.
func (l *live) measure(e *ending) {
	now := time.Now()
	seconds := now.Sub(l.begun).Seconds()
	s := l.series
	s.inFlight.Add(-1)
	if e.callType == "" {
		s.duration.Record(l, seconds, s.success...)
	} else {
		s.duration.Record(l, seconds, s.sets.of(labels{call: s.key.name, errorType: e.callType}).record...)
	}
	if deadline, ok := l.caller.Deadline(); ok {
		s.remaining.Record(l, max(deadline.Sub(now), 0).Seconds(), s.success...)
	}
	if l.request != nil {
		l.measureRequest(e, seconds)
	}
	if l.invocation != nil {
		l.measureInvocation(e, seconds)
	}
}

func (l *live) measureRequest(e *ending, seconds float64) {
	r := l.request
	known := labels{method: r.knownMethod(), scheme: r.scheme, status: e.status, errorType: e.errorType}
	name := nameServer
	if l.client {
		name = nameClient
		known.host, known.port = r.target()
	} else {
		known.route = r.route
	}
	l.series.histograms[name].Record(l, seconds, l.series.sets.of(known).record...)
}

func (l *live) measureInvocation(e *ending, seconds float64) {
	s := l.series
	o := s.sets.of(labels{trigger: l.invocation.trigger})
	s.histograms[nameInvoke].Record(l, seconds, o.record...)
	if l.invocation.cold {
		s.count(l, nameColdStarts, o.add)
	}
	if e.callType != "" && e.status == 0 {
		s.count(l, nameErrors, o.add)
	} else {
		s.count(l, nameInvocations, o.add)
	}
	if errors.Is(e.err, context.DeadlineExceeded) {
		s.count(l, nameTimeouts, o.add)
	}
}
