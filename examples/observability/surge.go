package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// A phase is a time for which the payment service is in one condition.
type phase struct {
	name, is string
	lasts    time.Duration
	takes    time.Duration // to charge for an order
	fails    float64       // the share of calls that are answered with 503
}

var phases = []phase{
	{"healthy", "charges in 15 ms", 1000 * time.Millisecond, 15 * time.Millisecond, 0},
	{"stalls", "takes a second, and an attempt has 150 ms", 1500 * time.Millisecond, time.Second, 0},
	{"limps", "answers every second call with 503", 1500 * time.Millisecond, 15 * time.Millisecond, 0.5},
	{"well", "is as before", 1000 * time.Millisecond, 15 * time.Millisecond, 0},
}

const (
	rate, surge  = 20, 40 // orders in a second, in the first phase and after that
	environments = 3
)

// begin is when a phase begins.
func begin(phase int) (at time.Duration) {
	for _, p := range phases[:phase] {
		at += p.lasts
	}
	return at
}

func length() time.Duration { return begin(len(phases)) }

// run sends orders through the gateway to the function, for the time of all phases, and returns what the receiver has
// got when all of them have ended.
func run(ctx context.Context) (*receiver, error) {
	r := openReceiver()
	defer r.server.Close()
	gateway, err := tracer(ctx, r, "gateway")
	if err != nil {
		return nil, err
	}
	service, err := tracer(ctx, r, "payments")
	if err != nil {
		return nil, err
	}
	start := time.Now()
	r.start = start
	closing := make(chan struct{})
	payments := httptest.NewServer(nethttp.Middleware(tracing.Span{TracerProvider: service})(charge(start, closing)))
	f := lambdatest.New("checkout", lambdatest.Config{
		Env:          []string{"PAYMENTS=" + payments.URL + "/charges", "OTEL_EXPORTER_OTLP_ENDPOINT=" + r.server.URL},
		Environments: environments,
		Log:          os.Stderr, // which has nothing to say if all goes well
	})
	var wg sync.WaitGroup
	timer := time.NewTicker(time.Second / surge)
	for i := 0; time.Since(start) < length() && ctx.Err() == nil; i++ {
		if i%(surge/rate) == 0 || time.Since(start) > begin(1) {
			wg.Go(func() { order(ctx, gateway.Tracer("gateway"), f, i) })
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	timer.Stop()
	wg.Wait()
	f.Close() // with a SIGTERM, which flushes
	close(closing)
	payments.Close()
	last := context.WithoutCancel(ctx)
	if err := service.Shutdown(last); err != nil {
		return nil, err
	}
	if err := gateway.Shutdown(last); err != nil {
		return nil, err
	}
	return r, ctx.Err()
}

// tracer makes spans of a service in this program.
func tracer(ctx context.Context, r *receiver, service string) (*sdk.TracerProvider, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(r.server.URL+"/v1/traces"))
	if err != nil {
		return nil, err
	}
	return sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", service)))), nil
}

// order is a customer's order on its way through API Gateway, which begins the trace.
func order(ctx context.Context, tracer trace.Tracer, f *lambdatest.Function, i int) {
	ctx, span := tracer.Start(ctx, "POST /checkout", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	r := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST /checkout", RawPath: "/checkout",
		Headers: map[string]string{}, Body: fmt.Sprint("order-", i+1),
	}
	r.RequestContext.HTTP.Method, r.RequestContext.HTTP.Path = http.MethodPost, r.RawPath
	propagation.TraceContext{}.Inject(ctx, propagation.MapCarrier(r.Headers))
	payload, err := json.Marshal(r)
	if err != nil {
		otel.Handle(err)
		return
	}
	var answer events.APIGatewayV2HTTPResponse
	result, err := f.Invoke(ctx, payload)
	if err != nil || result.Err != nil || json.Unmarshal(result.Payload, &answer) != nil {
		answer.StatusCode = http.StatusBadGateway
	}
	span.SetAttributes(attribute.Int("http.response.status_code", answer.StatusCode))
}

// charge is the payment service.
func charge(start time.Time, closing <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /charges", func(w http.ResponseWriter, _ *http.Request) {
		now := phases[len(phases)-1]
		for i := range phases {
			if at := time.Since(start) - begin(i); at >= 0 && at < phases[i].lasts {
				now = phases[i]
			}
		}
		if rand.Float64() < now.fails {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		select {
		case <-time.After(now.takes): // even if the caller hangs up
		case <-closing:
		}
		w.WriteHeader(http.StatusCreated)
	})
	return mux
}
