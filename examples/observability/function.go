package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
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
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/retry"
)

// function is the Lambda function. Its times are short because the outage is: think of minutes for seconds.
func function() {
	flusher, err := telemetry("checkout", lambdacontext.LogStreamName)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: nethttp.Transport(nil,
		retry.Policy{Name: "pay", Base: 40 * time.Millisecond, Cap: 100 * time.Millisecond},
		breaker.New(breaker.Config{Name: "payments", OpenFor: 300 * time.Millisecond, MaxOpenFor: -1}),
		tracing.Span{}, // of each attempt
		middleware.Timeout(150*time.Millisecond),
	)}
	handler := awslambda.Proxy(shop{client}.checkout,
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

// A shop takes orders. Nothing in it knows of Seawall, nor of telemetry.
type shop struct{ client *http.Client }

func (s shop) checkout(ctx context.Context, order events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("PAYMENTS"), strings.NewReader(order.Body))
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	r.Header.Set("Idempotency-Key", order.Body) // however often it is sent, it is one charge
	response, err := s.client.Do(r)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	defer response.Body.Close()
	return events.APIGatewayV2HTTPResponse{StatusCode: response.StatusCode}, nil
}
