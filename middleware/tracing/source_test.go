package tracing_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// spanOf is the span of an invocation with an event, without what is not of the event.
func spanOf(t *testing.T, invoke func(*rig)) tracetest.SpanStub {
	t.Helper()
	return newRig().spanOf(t, invoke)
}

func (r *rig) spanOf(t *testing.T, invoke func(*rig)) tracetest.SpanStub {
	t.Helper()
	defer r.exporter.Reset()
	invoke(r)
	span := r.only(t)
	span.Attributes = slices.DeleteFunc(span.Attributes, func(kv attribute.KeyValue) bool { return kv.Key == semconv.FaaSColdstartKey })
	return span
}

// bytesOf is an invocation with bytes that may be no JSON.
func bytesOf(payload string) func(*rig) {
	return func(r *rig) {
		h := awslambda.Raw(awslambda.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil }), r.Span)
		_, _ = h(invocation(context.Background(), arn), []byte(payload))
	}
}

// What asks whether a request may pass was one, as bytes, and counted with those that were answered.
func TestRegression_AuthorizersAreNoRequests(t *testing.T) {
	for name, invoke := range map[string]func(*rig){
		"API Gateway 2.0": bytesOf(`{"version":"2.0","type":"REQUEST","routeArn":"arn","routeKey":"GET /a","rawPath":"/a","headers":{},"requestContext":{"http":{"method":"GET"}}}`),
		"API Gateway 1.0": bytesOf(`{"type":"REQUEST","methodArn":"arn","resource":"/a","path":"/a","httpMethod":"GET","headers":{},"requestContext":{"path":"/a"}}`),
		"WebSocket":       bytesOf(`{"type":"REQUEST","methodArn":"arn","headers":{},"requestContext":{"eventType":"CONNECT","connectionId":"x"}}`),
		"typed": func(r *rig) {
			wrapped(t, r, events.APIGatewayCustomAuthorizerRequestTypeRequest{HTTPMethod: http.MethodGet})
		},
	} {
		r := newRig()
		invoke(r)
		if got := r.total(t, "http.server.request.duration"); got != 0 || r.values(t, "faas.invocations")["faas.trigger=other"] != 1 {
			t.Errorf("%s: %d requests, %v", name, got, r.values(t, "faas.invocations"))
		}
	}
}

// A body of 64 kB was read four times, to learn nothing from it.
func TestRegression_BodiesAreNotRead(t *testing.T) {
	for _, head := range []string{
		`{"resource":"/a","path":"/a","httpMethod":"GET","multiValueHeaders":{},"requestContext":{}`,
		`{"routeKey":"GET /a","rawPath":"/a","headers":{},"requestContext":{"http":{"method":"GET"}}`,
		`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/a","headers":{}`,
	} {
		for _, body := range []string{`,"body":"`, `,"body":"x","headers":7`} { // neither is what a service sends
			span := spanOf(t, bytesOf(head+body))
			wants(t, span.Attributes, map[string]string{"faas.trigger": "http", "url.path": "/a", "http.request.method": "GET"})
		}
	}
}

// Wherever the body is, and whatever else has its name, an event says the same.
func TestPayloadOrder(t *testing.T) {
	const (
		method  = `"httpMethod":"POST","path":"/orders/7"`
		route   = `"resource":"/orders/{id}"`
		fields  = `"headers":{"body":"x","User-Agent":"curl"}`
		context = `"requestContext":{"domainName":"api.example.com"}`
		body    = `"body":"{\"path\":\"/\"}"`
	)
	for _, order := range [][]string{
		{method, route, fields, context, body},
		{body, method, route, fields, context},
		{context, body, fields, route, method},
		{method, route, context, body, fields},
		{method, fields, context, body, route},
		{fields, route, context, `"httpMethod":"POST"`, body, `"path":"/orders/7"`},
		{fields, route, context, `"path":"/orders/7"`, body, `"httpMethod":"POST"`},
		{method, route, `"headers":{"User-Agent":"curl","body":"x"}`, context, body},
		{context, `"queryStringParameters":{"a":"1","body":"2"}`, method, route, fields, body},
		{method, route, fields, `"requestContext":{"authorizer":{"a":"1","body":"2"},"domainName":"api.example.com"}`, body},
		{method, route, fields, `"note":"a,\"body\":"`, context, body},
		{"\n " + method, "\n " + route, "\n " + fields, "\n " + context, "\n " + body + "\n"},
	} {
		span := spanOf(t, bytesOf("{"+strings.Join(order, ",")+"}"))
		wants(t, span.Attributes, map[string]string{
			"faas.trigger": "http", "http.request.method": "POST", "url.path": "/orders/7", "http.route": "/orders/{id}",
			"user_agent.original": "curl", "server.address": "api.example.com",
		})
	}
	const v2 = `{"rawPath":"/orders/7","headers":{},"requestContext":{"http":{"method":"POST"}}`
	wants(t, spanOf(t, bytesOf(v2+`,"body":"x","routeKey":"POST /orders/{id}"}`)).Attributes, map[string]string{"http.route": "/orders/{id}"})
	wants(t, spanOf(t, bytesOf(`{"routeKey":"POST /","headers":{},"requestContext":{"http":{}},"body":"x","rawPath":"/orders/7"}`)).Attributes, map[string]string{"url.path": "/orders/7"})
	wants(t, spanOf(t, bytesOf(`{"routeKey":"POST /","rawPath":"/","headers":{},"body":"x","requestContext":{"http":{"method":"PUT"}}}`)).Attributes, map[string]string{"http.request.method": "PUT"})
	wants(t, spanOf(t, bytesOf(v2+`,"body":"x","routeKey":"$default"}`)).Attributes, map[string]string{"url.path": "/orders/7", "http.route": ""})
}

// An event that has one field of another type is still what it is.
func TestOddFields(t *testing.T) {
	for payload, want := range map[string]map[string]string{
		`{"httpMethod":"GET","path":7,"headers":"none","requestContext":{}}`:           {"faas.trigger": "http", "http.request.method": "GET"},
		`{"detail-type":"Scheduled Event","source":"aws.events","time":"yesterday"}`:   {"faas.trigger": "timer", "faas.time": ""},
		`{"Records":[{"eventSource":"aws:sqs","attributes":7,"messageId":{}},null]}`:   {"faas.trigger": "pubsub", "messaging.batch.message_count": "2"},
		`{"requestContext":{"http":null},"httpMethod":"GET"}`:                          {"faas.trigger": "http", "http.request.method": "GET"},
		`{"path":"/chat","requestContext":{"eventType":"CONNECT","connectionId":"x"}}`: {"faas.trigger": "http", "http.request.method": "GET", "url.path": "/chat"},
		`{"httpMethod":"GET","requestContext":{}`:                                      {"faas.trigger": "other"},
		`{"httpMethod":"GET","requestContext":{},"body":"x`:                            {"faas.trigger": "other"},
		`{"Records":[{"eventSource":"aws:codecommit"}]}`:                               {"faas.trigger": "other"},
		strings.Repeat(`{"requestContext":`, 20_000) + `,"body":`:                      {"faas.trigger": "other"},
		`{"requestContext":` + strings.Repeat(`,"body":`, 20_000):                      {"faas.trigger": "other"},
	} {
		wants(t, spanOf(t, bytesOf(payload)).Attributes, want)
	}
}

// Events come by value, by pointer and as pointers to nothing.
func TestPointersToEvents(t *testing.T) {
	window := events.DynamoDBTimeWindowEvent{DynamoDBEvent: events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{{EventName: "INSERT"}}}}
	wants(t, spanOf(t, func(r *rig) { wrapped(t, r, &window) }).Attributes, map[string]string{"faas.trigger": "datasource", "faas.document.operation": "insert"})
	for want, all := range map[string][]func(*rig){
		"http": {
			none[events.APIGatewayProxyRequest](t), none[events.APIGatewayV2HTTPRequest](t), none[events.LambdaFunctionURLRequest](t),
			none[events.ALBTargetGroupRequest](t), none[events.APIGatewayWebsocketProxyRequest](t),
		},
		"pubsub": {
			none[events.SQSEvent](t), none[events.SNSEvent](t), none[events.EventBridgeEvent](t), none[events.KinesisEvent](t),
			none[events.KinesisTimeWindowEvent](t), none[events.KafkaEvent](t),
		},
		"datasource": {none[events.DynamoDBEvent](t), none[events.DynamoDBTimeWindowEvent](t), none[events.S3Event](t)},
	} {
		for i, invoke := range all {
			if got := attributes(spanOf(t, invoke).Attributes)["faas.trigger"]; got != want {
				t.Errorf("%s %d: %s", want, i, got)
			}
		}
	}
}

func none[E any](t *testing.T) func(*rig) {
	t.Helper()
	return func(r *rig) { wrapped[*E](t, r, nil) }
}

// A propagator that goes through all fields finds those of either shape.
func TestKeysOfHeaders(t *testing.T) {
	r := newRig()
	var got []string
	r.Propagator = extractor(func(from propagation.TextMapCarrier) { got = from.Keys() })
	e := rest
	e.Headers, e.MultiValueHeaders = map[string]string{"a": "1"}, map[string][]string{"b": {"2"}}
	wrapped(t, r, e)
	if slices.Sort(got); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
}

type extractor func(propagation.TextMapCarrier)

func (e extractor) Extract(ctx context.Context, from propagation.TextMapCarrier) context.Context {
	e(from)
	return ctx
}

func (extractor) Inject(context.Context, propagation.TextMapCarrier) {}

func (extractor) Fields() []string { return nil }

// A handler of json.RawMessage is one of bytes.
func TestRawMessage(t *testing.T) {
	span := spanOf(t, func(r *rig) { wrapped(t, r, json.RawMessage(`{"Records":[{"eventSource":"aws:sqs"}]}`)) })
	wants(t, span.Attributes, map[string]string{"faas.trigger": "pubsub", "messaging.system": "aws_sqs"})
}

// Where nobody saw the span, links were made for all messages.
func TestRegression_UnseenMessagesCostNothing(t *testing.T) {
	r := newRig()
	r.TracerProvider = noop.TracerProvider
	h := middleware.Wrap(func(context.Context, events.SQSEvent) (int, error) { return 0, nil }, r.Span)
	ctx := invocation(t.Context(), arn)
	allocations := func(messages int) float64 {
		e := events.SQSEvent{Records: make([]events.SQSMessage, messages)}
		for i := range e.Records {
			e.Records[i].Attributes = map[string]string{"AWSTraceHeader": xrayHeader}
		}
		return testing.AllocsPerRun(100, func() { _, _ = h(ctx, e) })
	}
	if one, many := allocations(1), allocations(100); many > one+5 {
		t.Errorf("%v allocations with 100 messages, %v with one", many, one)
	}
}

// What events say that is no UTF-8 does not reach an exporter, which would refuse all that it has.
func TestRegression_EventsAreUTF8(t *testing.T) {
	const bad = "\xff"
	r := newRig()
	wrapped(t, r, events.SQSEvent{Records: []events.SQSMessage{{MessageId: bad, EventSourceARN: bad, Attributes: map[string]string{"AWSTraceHeader": xrayHeader}}}})
	wrapped(t, r, events.SNSEvent{Records: []events.SNSEventRecord{{SNS: events.SNSEntity{TopicArn: bad}}}})
	wrapped(t, r, events.S3Event{Records: []events.S3EventRecord{{S3: events.S3Entity{Bucket: events.S3Bucket{Name: bad}}}}})
	for _, span := range r.spans() {
		kvs := span.Attributes
		for _, l := range span.Links {
			kvs = append(kvs, l.Attributes...)
		}
		for _, kv := range kvs {
			if !utf8.ValidString(kv.Value.String()) {
				t.Errorf("%s is %q", kv.Key, kv.Value.String())
			}
		}
	}
}

// What was kept of an invocation whose span was made by hand stayed for as long as the process.
func TestRegression_InvocationsAreForgotten(t *testing.T) {
	r := newRig()
	r.TracerProvider = noop.TracerProvider
	for range 100 {
		_ = r.Do(invocation(t.Context(), arn), nothing)
	}
	for range 1000 {
		if tracing.Seen() < 50 { // others may be in a test that runs
			return
		}
		runtime.GC() // cleanups run soon after
	}
	t.Errorf("%d invocations are still known", tracing.Seen())
}

// What is read of an event's bytes is what a handler of its type would be told.
func FuzzSource(f *testing.F) {
	sqs := events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m", EventSourceARN: "arn:aws:sqs:eu-west-1:1:orders", Attributes: map[string]string{"AWSTraceHeader": xrayHeader}}}}
	sns := events.SNSEvent{Records: []events.SNSEventRecord{{SNS: events.SNSEntity{TopicArn: "arn:aws:sns:eu-west-1:1:news"}}}}
	changes := events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{{EventSourceArn: "arn:aws:dynamodb:eu-west-1:1:table/orders/stream/now", EventName: "INSERT"}}}
	objects := events.S3Event{Records: []events.S3EventRecord{{EventName: "ObjectCreated:Put", S3: events.S3Entity{Bucket: events.S3Bucket{Name: "photos"}}}}}
	for kind, seed := range []any{rest, v2, alb, furl, sqs, sns, changes, objects, events.EventBridgeEvent{Source: "aws.scheduler", Time: time.Unix(0, 0)}} {
		payload, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, payload)
	}
	r := newRig(sdktrace.WithSampler(sdktrace.AlwaysSample())) // one, for providers are kept
	f.Fuzz(func(t *testing.T, kind int, payload []byte) {
		switch kind {
		case 0:
			same(t, r, payload, func(e *events.APIGatewayProxyRequest) { e.HTTPMethod = cmp.Or(e.HTTPMethod, "GET"); e.Headers = nil })
		case 1:
			same(t, r, payload, func(e *events.APIGatewayV2HTTPRequest) { e.Headers = map[string]string{"User-Agent": e.RawQueryString} })
		case 2:
			same(t, r, payload, func(e *events.ALBTargetGroupRequest) {
				e.MultiValueHeaders = nil
				e.Headers = map[string]string{"X-Forwarded-For": e.Body}
			})
		case 3:
			same(t, r, payload, func(e *events.LambdaFunctionURLRequest) { e.Headers = nil })
		case 4:
			same(t, r, payload, func(e *events.SQSEvent) {
				for i := range e.Records {
					m := &e.Records[i]
					m.EventSource, m.Attributes = "aws:sqs", map[string]string{"AWSTraceHeader": m.Attributes["AWSTraceHeader"]}
				}
			})
		case 5:
			same(t, r, payload, func(e *events.SNSEvent) {
				for i := range e.Records {
					e.Records[i].EventSource = "aws:sns"
				}
			})
		case 6:
			same(t, r, payload, func(e *events.DynamoDBEvent) {
				for i := range e.Records {
					e.Records[i].EventSource = "aws:dynamodb"
				}
			})
		case 7:
			same(t, r, payload, func(e *events.S3Event) {
				for i := range e.Records {
					e.Records[i].EventSource = "aws:s3"
				}
			})
		case 8:
			same(t, r, payload, func(e *events.EventBridgeEvent) { e.DetailType = cmp.Or(e.DetailType, "own") })
		}
	})
}

// same compares an event, made one that a service would send, with its bytes.
func same[E any](t *testing.T, r *rig, payload []byte, mend func(*E)) {
	t.Helper()
	var e E
	if json.Unmarshal(payload, &e) != nil {
		return
	}
	mend(&e)
	sent, err := json.Marshal(e)
	if err != nil || strings.Contains(string(sent), `"Records":[]`) || strings.Contains(string(sent), `"Records":null`) {
		return
	}
	typed, read := r.spanOf(t, func(r *rig) { wrapped(t, r, e) }), r.spanOf(t, bytesOf(string(sent)))
	if got, want := fmt.Sprint(read.Name, read.Parent, read.Attributes, read.Links), fmt.Sprint(typed.Name, typed.Parent, typed.Attributes, typed.Links); got != want {
		t.Errorf("%s\nis  %s\nnot %s", sent, got, want)
	}
}

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
