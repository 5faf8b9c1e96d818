package tracing_test

import (
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/retry"
)

// A retry behind PerHost made two requests of one CLIENT span, and a Span behind it, in a Lambda handler that has none
// around it, was the SERVER span of the invocation.
func TestRegression_KindsAroundAndInPerHost(t *testing.T) {
	version(t, "orders", "7")
	const internal, client = trace.SpanKindInternal, trace.SpanKindClient
	for name, tt := range map[string]struct {
		policies func(tracing.Span) []middleware.Policy
		want     []trace.SpanKind // the outermost first
	}{
		"around a retry": {func(s tracing.Span) []middleware.Policy {
			return []middleware.Policy{s, nethttp.PerHost(func(string) retry.Policy { return retry.Policy{Base: -1} })}
		}, []trace.SpanKind{internal}},
		"around and inside a retry": {func(s tracing.Span) []middleware.Policy {
			return []middleware.Policy{s, nethttp.PerHost(func(string) retry.Policy { return retry.Policy{Base: -1} }), s}
		}, []trace.SpanKind{internal, client, client}},
		"around what may be one": {func(s tracing.Span) []middleware.Policy {
			return []middleware.Policy{s, nethttp.PerHost(func(string) middleware.Policy { return retry.Policy{Base: -1} })}
		}, []trace.SpanKind{internal}},
		"around breakers": {func(s tracing.Span) []middleware.Policy {
			return []middleware.Policy{s, nethttp.PerHost(breaker.NewGroup(breaker.Config{}, 10).Get)}
		}, []trace.SpanKind{client}},
		"in it": {func(s tracing.Span) []middleware.Policy {
			return []middleware.Policy{nethttp.PerHost(func(string) middleware.Policy { return middleware.Join(s) })}
		}, []trace.SpanKind{internal}},
	} {
		r := newRig()
		n := 0
		base := transportFunc(func(*http.Request) (*http.Response, error) {
			n++
			return answer(map[bool]int{true: 503, false: 200}[n == 1]), nil
		})
		request, err := http.NewRequestWithContext(invocation(t.Context(), arn), http.MethodGet, "http://example.com/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nethttp.Transport(base, tt.policies(r.Span)...).RoundTrip(request); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		spans := r.spans()
		if len(spans) != len(tt.want) {
			t.Errorf("%s: %d spans, want %d", name, len(spans), len(tt.want))
			continue
		}
		for i, s := range spans {
			if s.SpanKind != tt.want[i] {
				t.Errorf("%s: span %d is %v, want %v", name, i, s.SpanKind, tt.want[i])
			}
		}
	}
}
