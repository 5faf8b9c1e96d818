package tracing

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/scope"
)

// A live is a span from its start to its end, and the context of the call in it.
type live struct {
	context.Context //nolint:containedctx // it is a context: the one that the span was started with, until there is its own

	span       trace.Span
	recording  bool
	series     *series
	propagator propagation.TextMapPropagator
	outer      *live
	observer   event.Observer // of the outermost
	sight      *sight
	calls      *calls // nil if the call is not measured
}

// A sight is what a span sees of a call that an adapter shows, or of an invocation.
type sight struct {
	shown      *scope.Call
	depth      int      // of the spans that look at shown, from 1
	request    *request // if it is that of a server or a client
	client     bool
	invocation *invocation // if it is one
}

var nothing sight //nolint:gochecknoglobals // it stays empty

type liveKey struct{}

func innermost(ctx context.Context) *live {
	l, _ := ctx.Value(liveKey{}).(*live)
	return l
}

func newLive(ctx context.Context, s *series, p propagation.TextMapPropagator) *live {
	l := &live{Context: ctx, series: s, propagator: p, outer: innermost(ctx), sight: &nothing}
	if l.outer == nil {
		l.observer = event.NewObserver(ctx, observe)
	}
	return l
}

// look lets l see what is shown.
func (l *live) look(shown *scope.Call) *live {
	l.sight = &sight{shown: shown, depth: 1}
	if shown != nil && l.outer != nil && l.outer.sight.shown == shown {
		l.sight.depth = l.outer.sight.depth + 1
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
	l.Context, l.span, l.recording = ctx, span, span.IsRecording()
	return l
}

// start starts the span that is right where it stands.
func (l *live) start() *live {
	parent := trace.SpanContextFromContext(l.Context)
	c := l.sight.shown
	switch {
	case c != nil && c.Client && l.sight.depth == c.Looks && !c.Repeated:
		return l.startClient()
	case c != nil && (c.Client || isPayload(c.In) && !isInvoked(l.Context)), l.outer != nil, parent.IsValid() && !parent.IsRemote():
		return l.begin(l.Context, l.series.spanName())
	}
	from := l.source()
	ctx := l.Context
	if !parent.IsValid() {
		ctx = l.remote(ctx, from)
	}
	if scope.Retrying(ctx) || !l.first() {
		return l.begin(ctx, l.series.spanName()) // an attempt, or one call of several
	}
	return l.startServer(ctx, from)
}

func isPayload(in any) bool {
	_, ok := payloadOf(in)
	return ok
}

// first reports whether this is the first span of the call that is shown, or of the invocation.
func (l *live) first() bool {
	if l.sight.shown != nil {
		return l.sight.shown.Take()
	}
	return isFirst(l.Context)
}

func (l *live) startClient() *live {
	r, ok := l.sight.shown.In.(*http.Request)
	if !ok {
		return l.begin(l.Context, l.series.spanName())
	}
	l.sight.client, l.sight.request = true, outgoing(r)
	return l.startAs(l.Context, trace.SpanKindClient, nil, func() []attribute.KeyValue {
		return l.sight.request.sent(l.sight.shown.Sent.Load())
	})
}

func (l *live) startServer(ctx context.Context, from source) *live {
	if from.invoked {
		l.sight.invocation = invoked(ctx, from.trigger)
	}
	l.sight.request = from.request
	return l.startAs(ctx, trace.SpanKindServer, from.links, func() []attribute.KeyValue {
		kvs := from.attributes
		if l.sight.invocation != nil {
			kvs = append(kvs, l.sight.invocation.attributes()...)
		}
		if l.sight.request != nil {
			kvs = append(kvs, l.sight.request.received()...)
		}
		return kvs
	})
}

// source is where the call comes from: a server of HTTP, or Lambda.
func (l *live) source() source {
	if l.sight.shown == nil {
		return source{trigger: triggerOther, invoked: true}
	}
	if r, ok := l.sight.shown.In.(*http.Request); ok {
		return source{trigger: triggerHTTP, request: incoming(r), invoked: isInvoked(l.Context)}
	}
	from := l.sourceOf(l.sight.shown.In)
	from.invoked = true
	return from
}

// sourceOf is the source of an event, which may not be decoded yet.
func (l *live) sourceOf(in any) source {
	if payload, ok := payloadOf(in); ok {
		return fromPayload(payload)
	}
	s, ok := sourceOf(in)
	if !ok && isAnswer(l.sight.shown.Result().Out) {
		s.trigger = triggerHTTP
	}
	return s
}

// remote is ctx with the parent that the request or X-Ray has for it.
func (l *live) remote(ctx context.Context, from source) context.Context {
	if from.request != nil {
		ctx = propagator(l.propagator).Extract(ctx, from.request.headers)
		if trace.SpanContextFromContext(ctx).IsValid() {
			return ctx
		}
	}
	if from.invoked {
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
	case l.sight.request != nil:
		return l.sight.request.name()
	case l.sight.invocation != nil && l.sight.invocation.function != "":
		return l.sight.invocation.function
	}
	return l.series.spanName()
}

// do makes the call and ends the span, however the call ends.
func (l *live) do(call func(context.Context) error) error {
	var begun time.Time // zero if the call is not measured
	if l.series.measured(l.Context) {
		begun = l.beginCall()
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		l.end(&ending{begun: begun, panicked: true, value: v})
		if v != nil { // it was not runtime.Goexit
			panic(v)
		}
	}()
	err := call(l)
	returned = true
	l.end(&ending{begun: begun, err: err})
	return err
}

// beginCall begins to measure the call, and returns when that was.
func (l *live) beginCall() time.Time {
	l.calls = l.callsHere()
	if l.isOutermost() {
		l.calls.begin()
	}
	return time.Now()
}

// callsHere are the calls that this one belongs to. Where the Span has no name, they have that of the function, or of
// what such calls are.
func (l *live) callsHere() *calls {
	s := l.series
	switch {
	case s.named != nil:
		return s.named
	case l.sight.client:
		return s.callsOf("client")
	case l.sight.invocation != nil && l.sight.invocation.function != "":
		return s.callsOf(l.sight.invocation.function)
	case l.sight.invocation != nil, l.sight.request != nil:
		return s.callsOf("server")
	}
	return s.callsOf(s.spanName())
}

// isOutermost reports whether no span around this one measures the same call with the same provider.
func (l *live) isOutermost() bool {
	for o := l.outer; o != nil; o = o.outer {
		if o.calls != nil && o.series.instruments == l.series.instruments {
			return false
		}
	}
	return true
}
