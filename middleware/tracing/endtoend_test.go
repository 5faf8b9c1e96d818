package tracing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/retry"
)

// downstream is the second service: its first answer to each order is 503.
func downstream(span tracing.Span) http.Handler {
	mux := http.NewServeMux()
	seen := make(chan map[string]int, 1)
	seen <- make(map[string]int)
	mux.HandleFunc("POST /charges/{order}", func(w http.ResponseWriter, r *http.Request) {
		m := <-seen
		m[r.PathValue("order")]++
		first := m[r.PathValue("order")] == 1
		seen <- m
		if first {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return nethttp.Middleware(span)(mux)
}

// placing is the first service, behind API Gateway.
func placing(span tracing.Span, charges string) middleware.Handler[events.APIGatewayV2HTTPRequest, events.APIGatewayV2HTTPResponse] {
	client := http.Client{Transport: nethttp.Transport(nil, retry.Policy{Base: -1}, span)}
	return awslambda.Proxy(func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (out events.APIGatewayV2HTTPResponse, err error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, charges+"/charges/"+e.Body, http.NoBody)
		if err != nil {
			return out, err
		}
		r.Header.Set("Idempotency-Key", e.Body)
		response, err := client.Do(r)
		if err != nil {
			return out, err
		}
		out.StatusCode = response.StatusCode
		return out, response.Body.Close()
	}, span, middleware.Timeout(time.Minute))
}

func gatewayEvent(order int) events.APIGatewayV2HTTPRequest {
	e := v2
	e.Body = strconv.Itoa(order)
	e.Headers = map[string]string{"Traceparent": fmt.Sprintf("00-%032x-%016x-01", order, order)}
	return e
}

// A trace goes from the event through the handler and its client's attempts to the second service.
func TestTraceSurvives(t *testing.T) {
	for _, n := range []int{1, 4} {
		first, second := newRig(), newRig()
		server := httptest.NewServer(downstream(second.Span))
		h := placing(first.Span, server.URL)
		together(n, nil, func(i int, wait func()) {
			wait()
			out, err := h(invocation(t.Context(), arn), gatewayEvent(i+1))
			if err != nil || out.StatusCode != http.StatusOK {
				t.Errorf("order %d: %d, %v", i+1, out.StatusCode, err)
			}
		})
		server.Close()
		for i := range n {
			checkTrace(t, i+1, inTrace(first.spans(), i+1), inTrace(second.spans(), i+1))
		}
	}
}

func inTrace(spans tracetest.SpanStubs, order int) (in tracetest.SpanStubs) {
	for _, s := range spans {
		if s.SpanContext.TraceID().String() == fmt.Sprintf("%032x", order) {
			in = append(in, s)
		}
	}
	return in
}

func checkTrace(t *testing.T, order int, first, second tracetest.SpanStubs) {
	t.Helper()
	if len(first) != 3 || len(second) != 2 {
		t.Errorf("order %d: in its trace are %v and %v", order, names(first), names(second))
		return
	}
	check := func(s tracetest.SpanStub, name string, kind trace.SpanKind, parent string) {
		t.Helper()
		if s.Name != name || s.SpanKind != kind || s.Parent.SpanID().String() != parent {
			t.Errorf("order %d: %v span %s, a child of %v; want %v %s of %s", order, s.SpanKind, s.Name, s.Parent.SpanID(), kind, name, parent)
		}
	}
	check(first[0], "POST /orders/{id}", trace.SpanKindServer, fmt.Sprintf("%016x", order))
	for i := range 2 {
		check(first[1+i], "POST", trace.SpanKindClient, first[0].SpanContext.SpanID().String())
		check(second[i], "POST /charges/{order}", trace.SpanKindServer, first[1+i].SpanContext.SpanID().String())
	}
}

const charges = "SEAWALL_TEST_CHARGES"

// A seen span is one as the function of TestTraceSurvivesLambda answers with it.
type seen struct{ Name, Parent, ID, Cold, Resends string }

// TestTracedFunction is that function, in a process of its own.
func TestTracedFunction(t *testing.T) {
	url := os.Getenv(charges)
	if url == "" {
		t.Skip("it is for a process of its own")
	}
	r := newRig()
	h := placing(r.Span, url)
	lambda.Start(func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (spans []seen, err error) {
		if _, err := h(ctx, e); err != nil {
			return nil, err
		}
		order, err := strconv.Atoi(e.Body)
		for _, s := range inTrace(r.spans(), order) {
			a := attributes(s.Attributes)
			spans = append(spans, seen{s.Name, s.Parent.SpanID().String(), a["faas.invocation_id"], a["faas.coldstart"], a["http.request.resend_count"]})
		}
		return spans, err
	})
}

// So it does in a real process of Lambda, one invocation at a time and four, with a parent that only X-Ray has.
func TestTraceSurvivesLambda(t *testing.T) {
	for _, n := range []int{1, 4} {
		second := newRig()
		server := httptest.NewServer(downstream(second.Span))
		f := lambdatest.New("traced", lambdatest.Config{
			Command:     func() *exec.Cmd { return exec.Command(os.Args[0], "-test.run=^TestTracedFunction$") },
			Env:         []string{charges + "=" + server.URL},
			Timeout:     time.Minute,
			Concurrency: n,
		})
		var cold atomic.Int64
		together(n, nil, func(i int, wait func()) {
			wait()
			order := i + 1
			e := gatewayEvent(order)
			e.Headers = nil
			payload, _ := json.Marshal(e)
			result, err := f.Send(t.Context(), lambdatest.Request{
				Payload: payload, ID: fmt.Sprint("request-", order), TraceID: fmt.Sprintf("Root=1-00000000-%024x;Parent=%016x;Sampled=1", order, order),
			})
			var spans []seen
			if err != nil || result.Err != nil || json.Unmarshal(result.Payload, &spans) != nil || len(spans) != 3 {
				t.Errorf("order %d: %s, %v", order, result.Payload, err)
				return
			}
			if s := spans[0]; s.Name != "POST /orders/{id}" || s.Parent != fmt.Sprintf("%016x", order) || s.ID != fmt.Sprint("request-", order) {
				t.Errorf("order %d: %+v", order, s)
			}
			if spans[0].Cold == "true" {
				cold.Add(1)
			}
			if spans[1].Resends != "" || spans[2].Resends != "1" {
				t.Errorf("order %d: resends %q and %q", order, spans[1].Resends, spans[2].Resends)
			}
		})
		f.Close()
		server.Close()
		if cold.Load() != 1 {
			t.Errorf("%d at once: %d cold starts", n, cold.Load())
		}
		for i := range n {
			if spans := inTrace(second.spans(), i+1); len(spans) != 2 {
				t.Errorf("%d at once: the second service saw %v of order %d", n, names(spans), i+1)
			}
		}
	}
}
