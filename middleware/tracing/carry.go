package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/internal/scope"
)

// propagator is p, or the global one, or that of W3C Trace Context if the program has set none.
func propagator(p propagation.TextMapPropagator) propagation.TextMapPropagator {
	if p != nil {
		return p
	}
	if global := otel.GetTextMapPropagator(); len(global.Fields()) > 0 {
		return global
	}
	return propagation.TraceContext{}
}

// carryOn makes a call that has no span. If a request brought a trace along, those that are sent in the call are of it all the
// same.
func carryOn(ctx context.Context, p propagation.TextMapPropagator, call func(context.Context) error) error {
	shown := scope.Shown(ctx)
	if shown == nil || shown.Client || trace.SpanContextFromContext(ctx).IsValid() {
		return call(ctx)
	}
	r, ok := shown.In.(*http.Request)
	if !ok {
		return call(ctx)
	}
	ctx = propagator(p).Extract(ctx, propagation.HeaderCarrier(r.Header))
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return call(ctx)
	}
	return call(&carrier{ctx, p})
}

// A carrier is the context of a call that is of a trace, and in no span.
type carrier struct {
	context.Context //nolint:containedctx // it is a context

	propagator propagation.TextMapPropagator
}

// Value answers for what a request in the call carries on.
func (c *carrier) Value(key any) any {
	if scope.IsInjector(key) {
		return c
	}
	return c.Context.Value(key)
}

func (c *carrier) String() string { return "tracing.Span" }

// Inject is for requests that are sent in the context.
func (c *carrier) Inject(ctx context.Context, header map[string][]string) {
	propagator(c.propagator).Inject(ctx, propagation.HeaderCarrier(header))
}
