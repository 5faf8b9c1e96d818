package tracing_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"go.opentelemetry.io/otel/codes"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// What others' wrappers of Lambda handlers get wrong.

// A function that failed had a span as if it had not.
func TestRegression_FailedInvocationHasStatusAndType(t *testing.T) {
	r := newRig()
	h := middleware.Wrap(func(context.Context, int) (int, error) { return 0, &Exported{} }, r.Span)
	_, err := h(invocation(t.Context(), arn), 0)
	if e := (*Exported)(nil); !errors.As(err, &e) {
		t.Errorf("got %v", err)
	}
	span := r.only(t)
	if span.Status.Code != codes.Error || span.Status.Description != "exported" {
		t.Errorf("status %v", span.Status)
	}
	wants(t, span.Attributes, map[string]string{"error.type": "*tracing_test.Exported"})
}

// A function that panicked had a span that never ended, or one that knew of nothing.
func TestRegression_PanickedInvocationIsRecorded(t *testing.T) {
	r := newRig()
	h := middleware.Wrap(func(context.Context, int) (int, error) { panic("boom") }, r.Span)
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("recovered %v", v)
			}
		}()
		_, _ = h(invocation(t.Context(), arn), 0)
	}()
	span := r.only(t)
	if span.Status.Code != codes.Error || len(span.Events) != 1 || span.Events[0].Name != "exception" {
		t.Errorf("%v, %v", span.Status, span.Events)
	}
	if got := r.values(t, "faas.errors")["faas.trigger=other"]; got != 1 {
		t.Errorf("%d errors", got)
	}
}

// Attributes that the conventions require or recommend were missing, and so were metrics.
func TestRegression_InvocationSaysWhatItIs(t *testing.T) {
	version(t, "orders", "7")
	r := newRig()
	h := middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { return 0, nil }, r.Span)
	_, _ = h(invocation(t.Context(), arn+":live"), events.SQSEvent{})
	got := attributes(r.only(t).Attributes)
	for _, key := range []string{"faas.trigger", "faas.coldstart", "cloud.resource_id", "faas.invocation_id", "aws.lambda.invoked_arn"} {
		if got[key] == "" {
			t.Errorf("%s is missing", key)
		}
	}
	if got := r.values(t, "faas.invoke_duration")["faas.trigger=pubsub"]; got != 1 {
		t.Errorf("%d durations", got)
	}
}

// Outside Lambda, in a test of the handler, a wrapper complained that there was no Lambda context.
func TestRegression_QuietOutsideLambda(t *testing.T) {
	errs := handled(t)
	r := newRig()
	h := middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { return 0, nil }, r.Span)
	if _, err := h(t.Context(), events.SQSEvent{}); err != nil {
		t.Error(err)
	}
	wants(t, r.only(t).Attributes, map[string]string{"faas.trigger": "pubsub", "faas.invocation_id": "", "cloud.resource_id": ""})
	if got := errs(); len(got) > 0 {
		t.Errorf("it said %q", got)
	}
}

// With several invocations at a time the environment has no trace header, or another's: each has its own in its context.
func TestRegression_ParentPerInvocation(t *testing.T) {
	for _, n := range []int{1, 4} {
		t.Setenv("_X_AMZN_TRACE_ID", xrayHeader)
		r := newRig()
		h := middleware.Wrap(func(_ context.Context, wait func()) (int, error) { wait(); return 0, nil }, r.Span)
		together(n, nil, func(i int, wait func()) {
			own := strings.ReplaceAll(xrayHeader, "5759e988", "0000000"+string(rune('1'+i)))
			_, _ = h(withXRay(invocation(t.Context(), arn), own), wait)
		})
		seen := make(map[string]bool)
		for _, span := range r.spans() {
			seen[span.SpanContext.TraceID().String()[:8]] = span.Parent.SpanID().String() == xrayParent
		}
		for i := range n {
			if id := "0000000" + string(rune('1'+i)); !seen[id] {
				t.Errorf("%d at once: no span in trace %s, but in %v", n, id, seen)
			}
		}
	}
}

// A wrapper decoded events into any and encoded them again, and large numbers lost their last digits.
func TestRegression_EventsKeepTheirDigits(t *testing.T) {
	type order struct {
		ID int64 `json:"id"`
	}
	const payload = `{"id":9007199254740993}`
	r := newRig()
	h := awslambda.Raw(lambda.NewHandler(func(_ context.Context, o order) (order, error) { return o, nil }), r.Span)
	out, err := h(invocation(t.Context(), arn), []byte(payload))
	if err != nil || string(out) != payload {
		t.Errorf("got %s, %v", out, err)
	}
}

// A wrapper of bytes collected a streaming response, and the span's end cut one off.
func TestRegression_StreamsStreamOn(t *testing.T) {
	r := newRig()
	reader, writer := io.Pipe()
	var inner context.Context
	h := middleware.Wrap(func(ctx context.Context, _ events.LambdaFunctionURLRequest) (*events.LambdaFunctionURLStreamingResponse, error) {
		inner = ctx
		return &events.LambdaFunctionURLStreamingResponse{StatusCode: 200, Body: reader}, nil
	}, r.Span, middleware.Timeout(time.Hour))
	out, err := h(invocation(t.Context(), arn), furl)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, r.only(t).Attributes, map[string]string{"http.response.status_code": "200"})
	go func() {
		_, _ = writer.Write([]byte("late"))
		writer.Close()
	}()
	if body, err := io.ReadAll(out.Body); string(body) != "late" || err != nil || inner.Err() != nil {
		t.Errorf("read %q, %v; the context: %v", body, err, inner.Err())
	}
}

// An event that is not what it seems must not be the end of the function.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{
		`{"httpMethod":"GET","resource":"/"}`, `{"requestContext":{"http":{}}}`, `{"requestContext":{"elb":{}}}`, `{"detail-type":"x"}`,
		`{"Records":[{"eventSource":"aws:sqs"}]}`, `{"Records":[{"EventSource":"aws:sns"}]}`, `{"Records":[null]}`, `[]`, ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	span := tracing.Span{TracerProvider: newRig().TracerProvider}
	h := awslambda.Raw(awslambda.HandlerFunc(func(_ context.Context, p []byte) ([]byte, error) { return p, nil }), span)
	f.Fuzz(func(t *testing.T, payload []byte) {
		if out, err := h(invocation(context.Background(), arn), payload); string(out) != string(payload) || err != nil {
			t.Errorf("got %q, %v", out, err)
		}
	})
}

func FuzzXRay(f *testing.F) {
	for _, seed := range []string{xrayHeader, "", "Root=1-5759e988-bd862e3fe1be46a994272793", "Root=;Parent=", "Root=1--;;=", "Self=1-a-b;" + xrayHeader + ";Lineage=a:0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c := tracing.ParseXRay(header)
		if c.IsValid() && !strings.Contains(strings.ToLower(header), c.SpanID().String()) {
			t.Errorf("%q is %v", header, c)
		}
		if !c.IsRemote() && c.IsValid() {
			t.Errorf("%q is not remote", header)
		}
	})
}

// A burst of calls was the peak again in a reading long after it, because it had been read more than once in a second.
func TestRegression_APeakIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		together(4, nil, func(_ int, wait func()) {
			_ = r.named("burst").Do(t.Context(), func(context.Context) error { wait(); return nil })
			_ = r.total(t, "seawall.calls.peak")
		})
		if got := r.total(t, "seawall.calls.peak"); got != 4 {
			t.Errorf("in the same second the peak is %d", got)
		}
		time.Sleep(time.Hour)
		if got := r.values(t, "seawall.calls.peak"); len(got) != 0 {
			t.Errorf("an hour later, without a call, the peaks are %v", got)
		}
		_ = r.named("burst").Do(t.Context(), nothing)
		time.Sleep(time.Hour)
		if got := r.total(t, "seawall.calls.peak"); got != 1 {
			t.Errorf("of a call alone the peak is %d", got)
		}
	})
}
