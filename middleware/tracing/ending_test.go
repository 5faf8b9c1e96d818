package tracing_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/retry"
)

// What was written before a panic that goes on is not what the client makes of it, and only the span of the request knows
// of a status.
func TestStatusIsOfTheRequest(t *testing.T) {
	r := newRig()
	serve(nethttp.Middleware(r.Span), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204)
		panic("boom")
	})
	wants(t, r.only(t).Attributes, map[string]string{"http.response.status_code": "", "error.type": "panic"})

	r = newRig()
	h := middleware.Wrap(func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: 201}, nil
	}, r.Span, retry.Policy{}, r.Span)
	if _, err := h(invocation(t.Context(), arn), v2); err != nil {
		t.Fatal(err)
	}
	for _, span := range r.spans() {
		want := "201"
		if span.SpanKind == trace.SpanKindInternal {
			want = ""
		}
		wants(t, span.Attributes, map[string]string{"http.response.status_code": want})
	}
}

// An answer that comes with an error is not sent: Lambda reports the error.
func TestAnswerBesideAnError(t *testing.T) {
	r := newRig()
	h := middleware.Wrap(func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: 200}, errDown
	}, r.Span)
	_, _ = h(invocation(t.Context(), arn), v2)
	wants(t, r.only(t).Attributes, map[string]string{"http.response.status_code": "", "error.type": "*errors.errorString"})
	if got := r.total(t, "faas.errors"); got != 1 {
		t.Errorf("%d errors", got)
	}
}

type nilStatus struct{ status int }

func (*nilStatus) Error() string       { return "none" }
func (e *nilStatus) HTTPStatus() int   { return e.status }
func (e *nilStatus) Is(err error) bool { return e.status != 0 && err == nil }

// A status is asked of errors whose methods may panic.
func TestStatusMayPanic(t *testing.T) {
	r := newRig()
	h := awslambda.Proxy(func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{}, (*nilStatus)(nil)
	}, r.Span)
	func() {
		defer func() { _ = recover() }() // of the adapter, which asks too
		_, _ = h(invocation(t.Context(), arn), v2)
	}()
	wants(t, r.only(t).Attributes, map[string]string{"error.type": "*tracing_test.nilStatus"})
}

// A call that ends with an error has failed, though what was sent before looks well.
func TestErrorAfterASuccess(t *testing.T) {
	r := newRig()
	late := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		return errors.Join(errDown, call(ctx))
	})
	serve(nethttp.Middleware(r.Span, late), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
	span := r.only(t)
	wants(t, span.Attributes, map[string]string{"http.response.status_code": "200", "error.type": "*errors.errorString"})
	if span.Status.Code != codes.Error {
		t.Errorf("%v", span.Status)
	}
}

// A success is one, however late.
func TestLateSuccessIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		ctx, cancel := context.WithTimeout(invocation(t.Context(), arn), time.Second)
		defer cancel()
		h := middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { time.Sleep(time.Minute); return 0, nil }, r.Span)
		if _, err := h(ctx, events.SQSEvent{}); err != nil {
			t.Fatal(err)
		}
		if timeouts, all := r.total(t, "faas.timeouts"), r.total(t, "faas.invocations"); timeouts != 0 || all != 1 {
			t.Errorf("%d timeouts of %d", timeouts, all)
		}
	})
}

func boom(context.Context, int) (int, error) { panic("boom") }

// The stack of a panic that became an error is that of the panic.
func TestStackOfARecoveredPanic(t *testing.T) {
	r := newRig()
	_, _ = middleware.Wrap(boom, r.Span, middleware.Recover{})(t.Context(), 0)
	for _, e := range r.only(t).Events {
		if e.Name == "exception" && strings.Contains(attributes(e.Attributes)["exception.stacktrace"], "tracing_test.boom") {
			return
		}
	}
	t.Errorf("no stack of it in %v", r.only(t).Events)
}

func TestStates(t *testing.T) {
	r := newRig()
	for to, want := range map[string]int64{"closed": 0, "half-open": 1, "open": 2} {
		_ = r.Do(t.Context(), func(ctx context.Context) error {
			event.Emit(ctx, event.Event{Kind: event.Transition, Policy: "breaker", Name: to, To: to})
			return nil
		})
		if got, ok := r.values(t, "seawall.breaker.state")["seawall.policy.name="+to+" seawall.policy=breaker"]; got != want || !ok {
			t.Errorf("%s is %d, want %d", to, got, want)
		}
	}
	for _, span := range r.spans() {
		wants(t, span.Events[0].Attributes, map[string]string{"seawall.wait": "", "seawall.attempt": "", "exception.message": "", "seawall.idempotency.key": ""})
	}
}
