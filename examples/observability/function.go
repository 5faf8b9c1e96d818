package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/examples/internal/surge"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

const patience = 200 * time.Millisecond // of an attempt to pay

// function is the guarded one of examples/quickstart with telemetry in place of the log.
func function() {
	flusher, err := telemetry("checkout", lambdacontext.LogStreamName)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: nethttp.Transport(nil,
		retry.Policy{Name: "pay", Cap: 100 * time.Millisecond},
		breaker.New(breaker.Config{Name: "payments", OpenFor: 250 * time.Millisecond, MaxOpenFor: -1}),
		ratelimit.New(ratelimit.PerSecond(25, 10)),
		tracing.Span{}, // of each attempt
		middleware.Timeout(patience),
	)}
	handler := awslambda.Proxy(surge.Shop{Client: client}.Checkout,
		flusher,        // the outermost: it sends what the ones below have noticed
		tracing.Span{}, // of the invocation
		middleware.Recover{},
		middleware.Reserve(500*time.Millisecond),
	)
	lambda.StartWithOptions(handler, lambda.WithEnableSIGTERM(flusher.Flush))
}

// telemetry has spans and metrics go where OTEL_EXPORTER_OTLP_ENDPOINT says, under the name of a service.
func telemetry(service, instance string) (*tracing.Flusher, error) {
	ctx := context.Background()
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	metrics, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return nil, err
	}
	self := resource.NewSchemaless(attribute.String("service.name", service), attribute.String("service.instance.id", instance))
	tracers := trace.NewTracerProvider(trace.WithBatcher(spans), trace.WithResource(self))
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(metrics)), metric.WithResource(self))
	otel.SetTracerProvider(tracers)
	otel.SetMeterProvider(meters)
	return tracing.NewFlusher(200*time.Millisecond, tracers, meters), nil
}
