package tracing

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
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

// headers are those of a request, in the spelling and the shape in which its source sends them.
type headers struct {
	single   map[string]string
	multiple map[string][]string
}

// Get returns the values of a field in one line, as a header that came in several lines means it.
func (h headers) Get(key string) string { return strings.Join(h.Values(key), ",") }

// Values returns the values of a field.
func (h headers) Values(key string) []string {
	for name, values := range h.multiple {
		if strings.EqualFold(name, key) {
			return values
		}
	}
	for name, value := range h.single {
		if strings.EqualFold(name, key) {
			return []string{value}
		}
	}
	return nil
}

// Set does nothing: a request that came in is not written to.
func (headers) Set(string, string) {}

// Keys returns the names of the fields, those twice that came in both shapes.
func (h headers) Keys() []string {
	keys := slices.Collect(maps.Keys(h.multiple))
	return slices.AppendSeq(keys, maps.Keys(h.single))
}

// xray is the span context that Lambda gives an invocation, if X-Ray has decided to record it. aws-lambda-go puts it into
// the context under a plain string; the environment has it only where one invocation runs at a time.
//
// Lambda sends one with Sampled=0 for every function that does not use X-Ray. It is no parent: the SDK's sampler would
// follow it, and record nothing.
func xray(ctx context.Context) trace.SpanContext {
	header, ok := ctx.Value("x-amzn-trace-id").(string)
	if !ok {
		header = os.Getenv("_X_AMZN_TRACE_ID")
	}
	if parent := parseXRay(header); parent.IsSampled() {
		return parent
	}
	return trace.SpanContext{}
}

// parseXRay is the span context in a header such as
//
//	Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1
//
// or an invalid one.
func parseXRay(header string) trace.SpanContext {
	c := trace.SpanContextConfig{Remote: true}
	for field := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		var err error
		switch name {
		case "Root":
			epoch, unique, _ := strings.Cut(strings.TrimPrefix(value, "1-"), "-")
			if len(epoch) != 8 {
				return trace.SpanContext{}
			}
			c.TraceID, err = trace.TraceIDFromHex(epoch + unique)
		case "Parent":
			c.SpanID, err = trace.SpanIDFromHex(value)
		case "Sampled":
			if value == "1" {
				c.TraceFlags = trace.FlagsSampled
			}
		}
		if err != nil {
			return trace.SpanContext{}
		}
	}
	return trace.NewSpanContext(c)
}
