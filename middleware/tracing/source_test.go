package tracing_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// What a look at an event that is not decoded yet costs, where nobody records anything.
func BenchmarkPayload(b *testing.B) {
	request := v2
	request.Headers = map[string]string{
		"accept": "*/*", "content-type": "application/json", "host": "api.example.com", "user-agent": "curl/8.7.1", "traceparent": parent,
		"x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793", "x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "https",
	}
	request.Body = strings.Repeat(`{"name":"value"}`, 5)
	large := request
	large.Body = strings.Repeat(`{"name":"value"}`, 64<<10/20) // 64 kB when it is quoted
	var sqs events.SQSEvent
	for range 10 {
		sqs.Records = append(sqs.Records, events.SQSMessage{
			MessageId: "059f36b4-87a3-44ab-83d2-661975830a7d", ReceiptHandle: strings.Repeat("x", 300), Body: strings.Repeat(`{"name":"value"}`, 20),
			EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:eu-west-1:123456789012:orders", Attributes: map[string]string{"AWSTraceHeader": xrayHeader},
		})
	}
	never := tracing.Span{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))}
	handler := awslambda.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil })
	for _, bench := range []struct {
		name  string
		event any
	}{{"1kB", request}, {"64kB", large}, {"10messages", sqs}} {
		payload, err := json.Marshal(bench.event)
		if err != nil {
			b.Fatal(err)
		}
		ctx := invocation(b.Context(), arn)
		b.Run(bench.name+"/without", func(b *testing.B) {
			h := awslambda.Raw(handler)
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				_, _ = h(ctx, payload)
			}
		})
		b.Run(bench.name+"/span", func(b *testing.B) {
			h := awslambda.Raw(handler, never)
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				_, _ = h(ctx, payload)
			}
		})
	}
}
