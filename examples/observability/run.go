package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/examples/internal/surge"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// run sends the orders of a scenario through the gateway to the function, and returns what the receiver has got when all
// is over.
func run(ctx context.Context, s surge.Scenario) (*receiver, error) {
	r := openReceiver()
	defer r.server.Close()
	before, err := tracer(ctx, r, "gateway")
	if err != nil {
		return nil, err
	}
	behind, err := tracer(ctx, r, "payments")
	if err != nil {
		return nil, err
	}
	r.start = time.Now()
	payments := surge.OpenPayments(s, r.start, nethttp.Middleware(tracing.Span{TracerProvider: behind}))
	gateway := surge.OpenGateway("checkout", s, &r.log,
		"PAYMENTS="+payments.URL(), "OTEL_EXPORTER_OTLP_ENDPOINT="+r.server.URL)
	var wg sync.WaitGroup
	interrupted := s.Run(ctx, r.start, func(o surge.Order) {
		wg.Go(func() { send(ctx, before.Tracer("gateway"), gateway, o) })
	})
	wg.Wait()
	gateway.Close() // with a SIGTERM, which flushes
	payments.Close()
	last := context.WithoutCancel(ctx)
	return r, errors.Join(interrupted, behind.Shutdown(last), before.Shutdown(last))
}

// tracer makes spans of a service in this program.
func tracer(ctx context.Context, r *receiver, service string) (*sdk.TracerProvider, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(r.server.URL+"/v1/traces"))
	if err != nil {
		return nil, err
	}
	return sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", service)))), nil
}

// send sends an order to the gateway, which begins its trace.
func send(ctx context.Context, tracer trace.Tracer, gateway *surge.Gateway, o surge.Order) {
	ctx, span := tracer.Start(ctx, "POST /checkout", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	r := o.Request()
	propagation.TraceContext{}.Inject(ctx, propagation.MapCarrier(r.Headers))
	answer, err := gateway.Send(ctx, r)
	switch {
	case errors.Is(err, surge.ErrBusy):
		answer.StatusCode = http.StatusServiceUnavailable
	case err != nil:
		answer.StatusCode = http.StatusInternalServerError
	}
	span.SetAttributes(attribute.Int("http.response.status_code", answer.StatusCode))
}
