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

// A live is a span from its start to its end.
type live struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the call: the context that the span was started in, then its own
	span   trace.Span
	series *series
	sight  *sight

	calls     *calls // nil if the call is not measured, and then nothing of these is known
	begun     time.Time
	outermost bool // no span around this one measures the same call
}

// A sight is what a span sees of a call that an adapter shows, or of an invocation.
type sight struct {
	propagator propagation.TextMapPropagator // nil for the usual one
	shown      *scope.Call
	depth      int      // of the spans that look at shown, from 1
	request    *request // if it is that of a server or a client
	client     bool
	invocation *invocation // if it is one
}

var nothing sight //nolint:gochecknoglobals // it stays empty

// blind is the sight of a span that sees nothing.
func blind(p propagation.TextMapPropagator) *sight {
	if p == nil {
		return &nothing
	}
	return &sight{propagator: p}
}

// A within is the context of a call in a span. It is all that a span allocates, and what policies notice in the call finds
// the rest through it.
type within struct {
	context.Context //nolint:containedctx // it is a context: the one that the span was started with

	series *series
	sight  *sight
}

type withinKey struct{}

// innermost is the innermost span's context in ctx, or nil.
func innermost(ctx context.Context) *within {
	w, _ := ctx.Value(withinKey{}).(*within)
	return w
}

func (w *within) outer() *within { return innermost(w.Context) }

// Value answers for the span, for what observes the call, and for what a request in it carries on.
func (w *within) Value(key any) any {
	switch {
	case key == (withinKey{}), scope.IsInjector(key):
		return w
	case event.IsObserver(key):
		return w.observer(key)
	}
	return w.Context.Value(key)
}

// observer is the first that is told: w, or those around it if one of them is a span's, which is told for w too.
func (w *within) observer(key any) any {
	around := w.Context.Value(key)
	for o, _ := around.(event.Observer); o != nil; o, _ = o.Around().Value(key).(event.Observer) {
		if _, ok := o.(*within); ok {
			return around
		}
	}
	return w
}

func (w *within) String() string { return "tracing.Span" }

// Around is for [event.Observer].
func (w *within) Around() context.Context { return w.Context }

// Inject is for requests that are sent in the context.
func (w *within) Inject(ctx context.Context, header map[string][]string) {
	propagator(w.sight.propagator).Inject(ctx, propagation.HeaderCarrier(header))
}

// inPlace makes the call in the span that is right where it stands.
func (s *series) inPlace(ctx context.Context, p propagation.TextMapPropagator, shown *scope.Call, internal, measured bool, call func(context.Context) error) error {
	l := live{ctx: ctx, series: s}
	if internal {
		l.sight = blind(p)
		l.begin(ctx, s.name)
	} else {
		l.sight = &sight{propagator: p, shown: shown}
		l.start()
	}
	return l.do(call, measured)
}

// begin starts a span with such a name.
func (l *live) begin(ctx context.Context, name string, options ...trace.SpanStartOption) {
	l.ctx, l.span = l.series.tracer.Start(ctx, name, options...) //nolint:spancheck // end ends it
	if !l.series.spans.Load() {
		l.series.isSpan(ctx, l.span)
	}
}

// start starts the span that is right where it stands.
func (l *live) start() {
	outer := innermost(l.ctx)
	shown := l.sight.shown
	if shown != nil {
		l.sight.depth = 1
		if outer != nil && outer.sight.shown == shown {
			l.sight.depth = outer.sight.depth + 1
		}
	}
	parent := trace.SpanContextFromContext(l.ctx)
	switch {
	case shown != nil && shown.Client && l.sight.depth == shown.Looks && !shown.Repeated:
		l.startClient()
		return
	case shown != nil && (shown.Client || isPayload(shown.In) && !isInvoked(l.ctx)), outer != nil, parent.IsValid() && !parent.IsRemote():
		l.begin(l.ctx, l.series.name)
		return
	}
	from := l.source()
	ctx := l.ctx
	if !parent.IsValid() {
		ctx = l.remote(ctx, from)
	}
	if scope.Retrying(ctx) || !l.first() {
		l.begin(ctx, l.series.name) // an attempt, or one call of several
		return
	}
	l.startServer(ctx, from)
}

// first reports whether this is the first span of the call that is shown, or of the invocation.
func (l *live) first() bool {
	if l.sight.shown != nil {
		return l.sight.shown.Take()
	}
	return isFirst(l.ctx)
}

func (l *live) startClient() {
	r, ok := l.sight.shown.In.(*http.Request)
	if !ok {
		l.begin(l.ctx, l.series.name)
		return
	}
	l.sight.client, l.sight.request = true, outgoing(r)
	l.startAs(l.ctx, trace.SpanKindClient, func() ([]attribute.KeyValue, []trace.Link) {
		return l.sight.request.sent(l.sight.shown.Sent.Load()), nil
	})
}

func (l *live) startServer(ctx context.Context, from source) {
	if from.invoked {
		l.sight.invocation = invoked(ctx, from.trigger)
	}
	l.sight.request = from.request
	l.startAs(ctx, trace.SpanKindServer, func() (kvs []attribute.KeyValue, links []trace.Link) {
		if from.details != nil {
			kvs, links = from.details()
		}
		if l.sight.invocation != nil {
			kvs = append(kvs, l.sight.invocation.attributes()...)
		}
		if l.sight.request != nil {
			kvs = append(kvs, l.sight.request.received()...)
		}
		return kvs, links
	})
}

// source is where the call comes from: a server of HTTP, or Lambda.
func (l *live) source() source {
	if l.sight.shown == nil {
		return source{trigger: triggerOther, invoked: true}
	}
	if r, ok := l.sight.shown.In.(*http.Request); ok {
		return source{trigger: triggerHTTP, request: incoming(r), invoked: isInvoked(l.ctx)}
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
		ctx = propagator(l.sight.propagator).Extract(ctx, from.request.headers)
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

// startAs starts a span with details, which are not made where nobody sees them.
func (l *live) startAs(ctx context.Context, kind trace.SpanKind, details func() ([]attribute.KeyValue, []trace.Link)) {
	if l.series.quiet || l.series.idle() {
		l.begin(ctx, l.spanName())
		return
	}
	kvs, links := details()
	l.begin(ctx, l.spanName(), trace.WithSpanKind(kind), trace.WithLinks(links...), trace.WithAttributes(kvs...))
}

func (l *live) spanName() string {
	switch {
	case l.series.key.name != "":
		return l.series.name
	case l.sight.invocation != nil && l.sight.invocation.function != "" && (l.sight.request == nil || l.sight.request.route == ""):
		return l.sight.invocation.function
	case l.sight.request != nil:
		return l.sight.request.name()
	}
	return l.series.name
}

// do makes the call and ends the span, however the call ends.
func (l *live) do(call func(context.Context) error, measured bool) error {
	if measured {
		l.beginCall()
	}
	l.ctx = &within{l.ctx, l.series, l.sight}
	returned := false
	defer func() {
		if !returned {
			l.panicked(recover())
		}
	}()
	err := call(l.ctx)
	returned = true
	l.end(&ending{err: err})
	return err
}

// panicked ends the span of a call that has panicked, or ended by runtime.Goexit, which has no value.
func (l *live) panicked(value any) {
	l.end(&ending{panicked: true, value: value})
	if value != nil {
		panic(value)
	}
}

// beginCall begins to measure the call.
func (l *live) beginCall() {
	l.calls = l.callsHere()
	if l.outermost = l.isOutermost(); l.outermost {
		l.calls.begin()
	}
	l.begun = time.Now()
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
	return s.callsOf(s.name)
}

// isOutermost reports whether no span around this one is measured by the same provider.
func (l *live) isOutermost() bool {
	for o := innermost(l.ctx); o != nil; o = o.outer() {
		if o.series.instruments == l.series.instruments {
			return false
		}
	}
	return true
}
