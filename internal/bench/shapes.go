package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/retry"
)

var silent = tracing.Span{TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: metricnoop.NewMeterProvider()}

// A shape is a kind of handler, or a client, in a stack of policies that may have a Span around it.
type shape struct {
	name string
	of   func(policies ...middleware.Policy) func()
}

func (s shape) candidate(around ...middleware.Policy) *candidate {
	call := s.of(append(around, middleware.Timeout(limit), retry.Policy{Attempts: attempts}, breaker.New(breaker.Config{Name: "payments"}))...)
	return &candidate{name: s.name, run: func(b *testing.B) {
		for b.Loop() {
			call()
		}
	}}
}

func shapes() []shape {
	invoked := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "1"})
	header := map[string]string{"host": "example.com", "user-agent": "bench", "x-forwarded-proto": "https"}
	request := events.APIGatewayV2HTTPRequest{Version: "2.0", RouteKey: "GET /orders/{id}", RawPath: "/orders/7", Headers: header}
	request.RequestContext.HTTP.Method = http.MethodGet
	messages := events.SQSEvent{Records: make([]events.SQSMessage, 10)}
	for i := range messages.Records {
		messages.Records[i] = events.SQSMessage{MessageId: "1", EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:eu-west-1:1:orders"}
	}
	large := request
	large.Body = strings.Repeat("x", 64<<10)
	payload, err := json.Marshal(large)
	if err != nil {
		panic(err)
	}
	get, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://example.com/orders/7", http.NoBody)
	if err != nil {
		panic(err)
	}
	return []shape{
		{"own event", func(policies ...middleware.Policy) func() {
			h := middleware.Wrap(place, policies...)
			return func() { _, _ = h(invoked, order{id: "1"}) }
		}},
		{"API Gateway", func(policies ...middleware.Policy) func() {
			h := awslambda.Proxy(func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
				return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK}, nil
			}, policies...)
			return func() { _, _ = h(invoked, request) }
		}},
		{"10 messages of SQS", func(policies ...middleware.Policy) func() {
			h := middleware.Wrap(func(context.Context, events.SQSEvent) (receipt, error) { return receipt{}, nil }, policies...)
			return func() { _, _ = h(invoked, messages) }
		}},
		{"64 KiB of bytes", func(policies ...middleware.Policy) func() {
			h := awslambda.Raw(awslambda.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil }), policies...)
			return func() { _, _ = h(invoked, payload) }
		}},
		{"net/http server", func(policies ...middleware.Policy) func() {
			h := nethttp.Buffered{}.Middleware(policies...)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
			return func() { h.ServeHTTP(unread{http.Header{}}, get) }
		}},
		{"net/http client", func(policies ...middleware.Policy) func() {
			c := nethttp.Transport(answering{}, policies...)
			return func() { _, _ = c.RoundTrip(get) }
		}},
	}
}

// unread is a response that nobody reads.
type unread struct{ header http.Header }

func (u unread) Header() http.Header         { return u.header }
func (u unread) Write(p []byte) (int, error) { return len(p), nil }
func (u unread) WriteHeader(int)             {}

// answering answers every request with nothing.
type answering struct{}

func (answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// reportShapes prints what a Span with no-op providers adds, whatever it is around.
func reportShapes(rounds int) error {
	type pair struct{ without, with *candidate }
	var pairs []pair
	for _, s := range shapes() {
		pairs = append(pairs, pair{s.candidate(), s.candidate(silent)})
	}
	for range rounds {
		for _, p := range pairs {
			p.without.measure()
			p.with.measure()
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\ntracing.Span, no-op providers, around timeout + retry + breaker\tns/op without\tallocs\twith\tallocs\tof without")
	for _, p := range pairs {
		fmt.Fprintf(w, "  %s\t%.0f\t%d\t%.0f\t%d\t%.2f\n", p.with.name, p.without.median(), p.without.allocs, p.with.median(), p.with.allocs, p.with.median()/p.without.median())
	}
	fmt.Fprintln(w, "  wanted\t\t\t\t\t1.30")
	return w.Flush()
}
