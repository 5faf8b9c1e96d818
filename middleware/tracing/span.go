package tracing

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/middleware"
)

// A Span is a policy that shows each call as a span, and what the policies inside it notice as the span's events and as
// metrics; the package comment has the list. Outside a retry it is one span for all attempts, inside it is one for each. Where
// it stands decides what the span says:
//
//   - Inside a retry around a handler it is an attempt: INTERNAL, a child of the caller's span, and neither an invocation nor
//     a request, which are counted by a Span outside the retry.
//   - Around a Lambda handler the outermost Span is a SERVER span with the attributes of an invocation and of its event.
//     Its parent is in the event's headers, or else it is the one that X-Ray has for this invocation. The first such span in
//     a process is the cold start. For an HTTP event, of API Gateway, a load balancer or a function URL, it has the
//     attributes of a request besides, and for messages of SQS a link to where each was sent. Each call of a wrapped
//     handler that takes such an event is an invocation.
//   - In nethttp.Middleware the outermost Span is a SERVER span of the request, and its parent is in the request's header.
//   - In nethttp.Transport the innermost Span is a CLIENT span, with the count of resends if a retry of that Transport is
//     around it or redirects led to it, each of which counts one. It ends with the header of the response. With a retry
//     inside, it is INTERNAL, for it is not one request; put another Span inside the retry.
//   - Everywhere else it is an INTERNAL span, and so it is if it would be SERVER and the context has a span already that
//     was not begun elsewhere: of a tracer that is around the handler.
//
// A request that nethttp.Transport sends in a Span, one of its policies or one further out, carries the innermost span of its
// context in its header. The caller's request is not changed.
//
// Where Spans are used by hand in a Lambda handler that has none around it, the first of an invocation is the SERVER span.
// Nothing is known of the event then, and so it is for a policy of one's own that has a Span in it, but does not hand on
// its method Looks. Of a handler of bytes, as in awslambda.Raw, the status of the answer is not known. In a URL that was
// called, the user and the query are left out, which may be secret.
//
// The call's error comes out as the same value. A panic ends the span with the status Error, and goes on. With no-op providers
// Do makes the call and no more; with none set, the trace that a request brought along still goes on to those it sends.
// Span is a plain value: copy it freely, and use it from many goroutines at once.
type Span struct {
	// Name is the name of the span, and in the metrics that of its calls, so it must not come from data: what was made for
	// one name and a pair of providers is kept as long as the process runs. Empty means the method and the route of a
	// request, such as GET /orders/{id}, the name of the Lambda function if there is no route, and otherwise «call».
	Name string

	// TracerProvider makes the spans. Nil means the global one, [otel.GetTracerProvider]. It has to be comparable, as
	// pointers are, and so has the next.
	TracerProvider trace.TracerProvider

	// MeterProvider makes the instruments. Nil means the global one, [otel.GetMeterProvider].
	MeterProvider metric.MeterProvider

	// Propagator reads parents from headers and writes spans into them. Nil means the global one,
	// [otel.GetTextMapPropagator], or that of W3C Trace Context if the program has set none.
	Propagator propagation.TextMapPropagator
}

// Do makes the call.
func (s Span) Do(ctx context.Context, call func(context.Context) error) error {
	return s.series().do(ctx, s.Propagator, call)
}

// Bind is for [middleware.Wrap].
func (s Span) Bind() middleware.Policy { return &bound{Span: s} }

// A bound is a Span that remembers its series.
type bound struct {
	Span

	last atomic.Pointer[series]
}

// Do makes the call.
func (b *bound) Do(ctx context.Context, call func(context.Context) error) error {
	s := b.last.Load()
	if s == nil || !s.isOf(&b.Span) {
		s = b.series()
		b.last.Store(s)
	}
	return s.do(ctx, b.Propagator, call)
}

func (s *series) do(ctx context.Context, p propagation.TextMapPropagator, call func(context.Context) error) error {
	if s.silent {
		return call(ctx)
	}
	measured := s.measured(ctx)
	shown := scope.Shown(ctx)
	internal := shown == nil && (!isInvoked(ctx) || goesOut(ctx))
	if internal && !measured {
		return s.inside(ctx, p, call)
	}
	return s.inPlace(ctx, p, shown, internal, measured, call)
}

// goesOut reports whether the call is one that an HTTP client makes.
func goesOut(ctx context.Context) bool {
	h := scope.Held(ctx)
	return h != nil && h.Client
}

// inside makes the call in a span that is neither a server's nor a client's, and that nobody measures. It is short, for
// there is nothing to say of a call that goes well.
func (s *series) inside(ctx context.Context, p propagation.TextMapPropagator, call func(context.Context) error) error {
	if s.quiet || s.idle() && !trace.SpanContextFromContext(ctx).IsValid() {
		return call(ctx)
	}
	inner, span := s.tracer.Start(ctx, s.name)
	if !s.spans.Load() && !s.isSpan(ctx, span) {
		defer span.End()
		return call(inner)
	}
	w := &within{inner, s, blind(p)}
	returned := false
	defer func() {
		if !returned {
			w.panicked(span, recover())
		}
	}()
	err := call(w)
	returned = true
	if err != nil {
		w.failed(span, err)
		return err
	}
	span.End()
	return nil
}

// failed ends the span of a call that has failed. It is not inlined, or a call that goes well would clear its large frame.
//
//go:noinline
func (w *within) failed(span trace.Span, err error) {
	l := live{ctx: w, span: span, series: w.series, sight: w.sight}
	l.end(&ending{err: err})
}

// panicked is the same for one that has panicked.
//
//go:noinline
func (w *within) panicked(span trace.Span, value any) {
	l := live{ctx: w, span: span, series: w.series, sight: w.sight}
	l.panicked(value)
}

// Looks tells adapters that the policy wants to see calls with such an argument or result.
func (s Span) Looks(at any) int {
	if isSilent(s.TracerProvider, s.MeterProvider) || !looksAt(at) {
		return 0
	}
	return 1
}

// isOf reports whether s, which was the Span's series once, still is: the global providers may have become others.
func (s *series) isOf(span *Span) bool {
	return (span.TracerProvider != nil || otel.GetTracerProvider() == s.key.tracers) &&
		(span.MeterProvider != nil || otel.GetMeterProvider() == s.key.meters)
}

func (s *Span) series() *series {
	tracers, meters := s.TracerProvider, s.MeterProvider
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	return seriesOf(tracers, meters, s.Name, s.TracerProvider == nil)
}
