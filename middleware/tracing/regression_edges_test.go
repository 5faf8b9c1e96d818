package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// What was secret in a URL stayed if another URL in the error was the beginning of it.
func TestRegression_URLsThatBeginAlike(t *testing.T) {
	short := &url.Error{Op: "Get", URL: "https://example.com/items?page=1", Err: errDown}
	long := &url.Error{Op: "Get", URL: "https://example.com/items?page=1&token=s3cret", Err: errDown}
	for name, err := range map[string]error{
		"joined": errors.Join(short, long),
		"nested": &url.Error{Op: "Get", URL: short.URL, Err: long},
	} {
		r := newRig()
		_ = r.Do(t.Context(), func(context.Context) error { return err })
		if got := r.only(t).Status.Description; strings.Contains(got, "s3cret") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What was noticed in a Span that an observer made was told to nobody, as there was a Span around that observes too.
func TestRegression_SpanInAnObserver(t *testing.T) {
	r := newRig()
	alert := middleware.Observe(func(ctx context.Context, _ middleware.Event) {
		_ = r.named("alert").Do(ctx, func(ctx context.Context) error { event.Emit(ctx, event.Event{Kind: event.Timeout}); return nil })
	})
	_ = middleware.Join(alert, r.named("order"), r.named("inner")).Do(t.Context(), func(ctx context.Context) error {
		event.Emit(ctx, event.Event{Kind: event.Retry})
		return nil
	})
	var got []string
	for _, span := range r.spans() {
		for _, e := range span.Events {
			got = append(got, span.Name+": "+e.Name)
		}
	}
	if want := "[inner: seawall.retry alert: seawall.timeout]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// A context that somebody prints had the event in its text.
func TestRegression_PrintedContext(t *testing.T) {
	var text string
	prints := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		text = fmt.Sprint(ctx)
		return call(ctx)
	})
	h := middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { return 0, nil }, prints, newRig().Span)
	_, _ = h(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{Body: "s3cret"}}})
	if strings.Contains(text, "s3cret") || text == "" {
		t.Errorf("the context is printed as %.120s", text)
	}
}

// An event whose body stands before what the request came through had no address, and was of another source.
func TestRegression_BodyBeforeTheContext(t *testing.T) {
	const (
		rest = `{"resource":"/o","path":"/o","httpMethod":"POST","headers":{"host":"h","x-forwarded-for":"9.9.9.9"}`
		body = `,"body":"x"`
	)
	for _, context := range []string{
		`,"requestContext":{"domainName":"api.example.com","identity":{"sourceIp":"192.0.2.1"}}`,
		`,"requestContext":{"elb":{}}`,
	} {
		var got []string
		for _, payload := range []string{rest + context + body + "}", rest + body + context + "}"} {
			r := newRig()
			h := awslambda.Raw(awslambda.HandlerFunc(nobody), r.Span)
			_, _ = h(invocation(t.Context(), arn), []byte(payload))
			span := r.only(t)
			wants(t, span.Attributes, map[string]string{"http.request.method": "POST", "faas.trigger": "http"})
			attributes := attributes(span.Attributes)
			delete(attributes, "faas.coldstart")
			got = append(got, fmt.Sprint(span.Name, attributes))
		}
		if got[0] != got[1] {
			t.Errorf("got %s, want %s", got[1], got[0])
		}
	}
}

func nobody(context.Context, []byte) ([]byte, error) { return nil, nil }

// The Name of a Span that is not UTF-8 was two names in the metrics, and silenced the exporter.
func TestRegression_NameThatIsNoUTF8(t *testing.T) {
	r := newRig()
	for _, err := range []error{nil, errDown} {
		_ = r.named("a\xff").Do(t.Context(), func(context.Context) error { return err })
	}
	for name := range r.values(t, "seawall.call.duration") {
		if !utf8.ValidString(name) {
			t.Errorf("a call of %q", name)
		}
	}
	for _, span := range r.spans() {
		if !utf8.ValidString(span.Name) {
			t.Errorf("a span %q", span.Name)
		}
	}
}

// Spans that record, though they have no ids, did not end where the call panicked.
func TestRegression_SpansWithoutIDsEnd(t *testing.T) {
	p := &bareProvider{}
	span := tracing.Span{Name: "bare", TracerProvider: p, MeterProvider: noop.MeterProvider}
	for range 10 {
		func() {
			defer func() { _ = recover() }()
			_ = span.Do(t.Context(), func(context.Context) error { panic("boom") })
		}()
	}
	if p.begun != 10 || p.ended != 10 || p.failed != 10 {
		t.Errorf("of 10 calls %d began a span, %d ended one, and %d failed", p.begun, p.ended, p.failed)
	}
}

// bareProvider makes spans that record and have no ids, as a bridge or a fake may.
type bareProvider struct {
	tracenoop.TracerProvider

	begun, ended, failed int
}

type bareTracer struct {
	tracenoop.Tracer

	p *bareProvider
}

type bareSpan struct {
	tracenoop.Span

	p *bareProvider
}

func (p *bareProvider) Tracer(string, ...trace.TracerOption) trace.Tracer { return bareTracer{p: p} }

func (t bareTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	t.p.begun++
	s := bareSpan{p: t.p}
	return trace.ContextWithSpan(ctx, s), s
}

func (bareSpan) IsRecording() bool              { return true }
func (s bareSpan) End(...trace.SpanEndOption)   { s.p.ended++ }
func (s bareSpan) SetStatus(codes.Code, string) { s.p.failed++ }

// A request in a Span that is neither a server's nor a client's is written as that Span's Propagator has it.
func TestPropagatorOfAnInternalSpan(t *testing.T) {
	for name, meter := range map[string]metric.MeterProvider{"measured": newRig().MeterProvider, "not measured": noop.MeterProvider} {
		r := newRig()
		r.Propagator, r.MeterProvider = shout{}, meter
		var sent http.Header
		base := transportFunc(func(r *http.Request) (*http.Response, error) { sent = r.Header; return answer(200), nil })
		_ = r.Do(t.Context(), func(ctx context.Context) error {
			out, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://example.com", http.NoBody)
			_, err := nethttp.Transport(base).RoundTrip(out)
			return err
		})
		if sent.Get("Shout") != r.only(t).SpanContext.SpanID().String() {
			t.Errorf("%s: sent %v", name, sent)
		}
	}
}

// shout is a format of its own.
type shout struct{ propagation.TraceContext }

func (shout) Inject(ctx context.Context, to propagation.TextMapCarrier) {
	to.Set("Shout", trace.SpanContextFromContext(ctx).SpanID().String())
}
