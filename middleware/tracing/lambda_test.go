package tracing_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/ratelimit"
)

const (
	arn     = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
	parent  = "00-" + traceID + "-" + spanID + "-01"

	xrayID     = "5759e988bd862e3fe1be46a994272793"
	xrayParent = "53995c3f42cd8ad8"
	xrayHeader = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
)

// invocation is a context as Lambda makes it.
func invocation(ctx context.Context, arn string) context.Context {
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: "request-1", InvokedFunctionArn: arn})
}

// withXRay puts a trace header where aws-lambda-go has it.
func withXRay(ctx context.Context, header string) context.Context {
	return context.WithValue(ctx, "x-amzn-trace-id", header) //nolint:revive,staticcheck // as aws-lambda-go does
}

// version makes the process one of a function, for the time of the test.
func version(t *testing.T, name, version string) {
	t.Helper()
	oldName, oldVersion := lambdacontext.FunctionName, lambdacontext.FunctionVersion
	lambdacontext.FunctionName, lambdacontext.FunctionVersion = name, version
	t.Cleanup(func() { lambdacontext.FunctionName, lambdacontext.FunctionVersion = oldName, oldVersion })
}

func TestInvocation(t *testing.T) {
	version(t, "orders", "7")
	for _, test := range []struct {
		arn, resource string
	}{
		{arn, arn},
		{arn + ":live", arn + ":7"},
		{arn + ":7", arn + ":7"},
		{"", ""},
	} {
		tracing.FreshProcess()
		r := newRig()
		h := middleware.Wrap(func(context.Context, string) (string, error) { return "", nil }, r.Span)
		if _, err := h(invocation(t.Context(), test.arn), ""); err != nil {
			t.Fatal(err)
		}
		span := r.only(t)
		if span.SpanKind != trace.SpanKindServer || span.Name != "orders" || span.Status.Code != codes.Unset {
			t.Errorf("%s: %v span %q, %v", test.arn, span.SpanKind, span.Name, span.Status)
		}
		account := "123456789012"
		if test.arn == "" {
			account = ""
		}
		wants(t, span.Attributes, map[string]string{
			"faas.trigger": "other", "faas.coldstart": "true", "faas.invocation_id": "request-1", "faas.name": "orders", "faas.version": "7",
			"aws.lambda.invoked_arn": test.arn, "cloud.resource_id": test.resource, "cloud.account.id": account,
		})
	}
}

func TestColdStartOnce(t *testing.T) {
	for _, n := range []int{1, 4} {
		tracing.FreshProcess()
		r := newRig()
		h := middleware.Wrap(func(_ context.Context, wait func()) (int, error) { wait(); return 0, nil }, r.Span)
		for range 3 {
			together(n, nil, func(_ int, wait func()) { _, _ = h(invocation(t.Context(), arn), wait) })
		}
		cold := 0
		for _, s := range r.spans() {
			if attributes(s.Attributes)["faas.coldstart"] == "true" {
				cold++
			}
		}
		if cold != 1 || len(r.spans()) != 3*n {
			t.Errorf("%d at once: %d cold starts in %d invocations, want 1 in %d", n, cold, len(r.spans()), 3*n)
		}
	}
}

// The first invocation is the cold start even if nobody records it.
func TestUnsampledColdStart(t *testing.T) {
	tracing.FreshProcess()
	var sampled atomic.Bool
	r := newRig(sdktrace.WithSampler(sampler(func() bool { return sampled.Swap(true) })))
	h := middleware.Wrap(func(context.Context, int) (int, error) { return 0, nil }, r.Span)
	for range 2 {
		_, _ = h(invocation(t.Context(), arn), 0)
	}
	wants(t, r.only(t).Attributes, map[string]string{"faas.coldstart": "false"})
	if got := r.values(t, "faas.coldstarts"); got["faas.trigger=other"] != 1 {
		t.Errorf("cold starts: %v", got)
	}
}

type sampler func() bool

func (s sampler) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if s() {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
	}
	return sdktrace.SamplingResult{Decision: sdktrace.Drop}
}

func (sampler) Description() string { return "test" }

var (
	rest = events.APIGatewayProxyRequest{
		Resource: "/orders/{id}", Path: "/orders/7", HTTPMethod: "POST",
		Headers:           map[string]string{"User-Agent": "curl", "X-Forwarded-Proto": "https"},
		MultiValueHeaders: map[string][]string{"TRACEPARENT": {parent}},
		RequestContext: events.APIGatewayProxyRequestContext{
			DomainName: "api.example.com", Protocol: "HTTP/1.1", Identity: events.APIGatewayRequestIdentity{SourceIP: "192.0.2.1"},
		},
	}
	v2 = events.APIGatewayV2HTTPRequest{
		RouteKey: "POST /orders/{id}", RawPath: "/orders/7",
		Headers: map[string]string{"user-agent": "curl", "x-forwarded-proto": "https", "traceparent": parent},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: "api.example.com",
			HTTP:       events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "POST", Protocol: "HTTP/1.1", SourceIP: "192.0.2.1"},
		},
	}
	furl = events.LambdaFunctionURLRequest{
		RawPath: "/orders/7",
		Headers: map[string]string{"user-agent": "curl", "x-forwarded-proto": "https", "Traceparent": parent},
		RequestContext: events.LambdaFunctionURLRequestContext{
			DomainName: "abc.lambda-url.eu-west-1.on.aws",
			HTTP:       events.LambdaFunctionURLRequestContextHTTPDescription{Method: "POST", Protocol: "HTTP/1.1", SourceIP: "192.0.2.1"},
		},
	}
	alb = events.ALBTargetGroupRequest{
		HTTPMethod: "POST", Path: "/orders/7",
		RequestContext: events.ALBTargetGroupRequestContext{ELB: events.ELBContext{TargetGroupArn: "arn"}},
		MultiValueHeaders: map[string][]string{
			"host": {"api.example.com"}, "user-agent": {"curl"}, "x-forwarded-proto": {"https"}, "x-forwarded-for": {"spoofed", "198.51.100.9, 192.0.2.1"},
			"traceparent": {parent},
		},
	}
)

// through makes one invocation with an HTTP event and returns its span.
func through[In any, Out awslambda.ProxyResponse](t *testing.T, in In, answer Out) func(*rig) {
	t.Helper()
	return func(r *rig) {
		h := middleware.Wrap(func(context.Context, In) (Out, error) { return answer, nil }, r.Span)
		_, _ = h(invocation(t.Context(), arn), in)
	}
}

// bytes makes one as [awslambda.Raw] does.
func bytes(t *testing.T, in any) func(*rig) {
	t.Helper()
	return func(r *rig) {
		payload, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		h := awslambda.Raw(awslambda.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil }), r.Span)
		_, _ = h(invocation(t.Context(), arn), payload)
	}
}

func TestHTTPEvents(t *testing.T) {
	const domain, urlDomain = "api.example.com", "abc.lambda-url.eu-west-1.on.aws"
	for _, test := range []struct {
		name                string
		invoke              func(*rig)
		route, host, status string
		failed              bool
	}{
		{"API Gateway 1.0", through(t, rest, events.APIGatewayProxyResponse{StatusCode: 503}), "/orders/{id}", domain, "503", true},
		{"API Gateway 1.0, pointers", through(t, &rest, &events.APIGatewayProxyResponse{StatusCode: 404}), "/orders/{id}", domain, "404", false},
		{"API Gateway 2.0", through(t, v2, events.APIGatewayV2HTTPResponse{StatusCode: 200}), "/orders/{id}", domain, "200", false},
		{"API Gateway 2.0, pointers", through(t, &v2, &events.APIGatewayV2HTTPResponse{StatusCode: 500}), "/orders/{id}", domain, "500", true},
		{"function URL", through(t, furl, events.LambdaFunctionURLResponse{StatusCode: 204}), "", urlDomain, "204", false},
		{"function URL, pointers", through(t, &furl, &events.LambdaFunctionURLResponse{StatusCode: 502}), "", urlDomain, "502", true},
		{"ALB", through(t, alb, events.ALBTargetGroupResponse{StatusCode: 200}), "", domain, "200", false},
		{"ALB, pointers", through(t, &alb, &events.ALBTargetGroupResponse{StatusCode: 599}), "", domain, "599", true},
		{"bytes of API Gateway 1.0", bytes(t, rest), "/orders/{id}", domain, "", false},
		{"bytes of API Gateway 2.0", bytes(t, v2), "/orders/{id}", domain, "", false},
		{"bytes of a function URL", bytes(t, furl), "", urlDomain, "", false},
		{"bytes of ALB", bytes(t, alb), "", domain, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig()
			test.invoke(r)
			span := r.only(t)
			name := "POST"
			if test.route != "" {
				name += " " + test.route
			}
			protocol, errorType := "1.1", ""
			if test.host == domain && test.route == "" {
				protocol = "" // a load balancer does not say
			}
			if test.failed {
				errorType = test.status
			}
			if span.Name != name || span.SpanKind != trace.SpanKindServer || (span.Status.Code == codes.Error) != test.failed {
				t.Errorf("%v span %q, %v; want %q", span.SpanKind, span.Name, span.Status, name)
			}
			if span.SpanContext.TraceID().String() != traceID || span.Parent.SpanID().String() != spanID {
				t.Errorf("the parent is %v, %v", span.SpanContext.TraceID(), span.Parent.SpanID())
			}
			wants(t, span.Attributes, map[string]string{
				"faas.trigger": "http", "faas.invocation_id": "request-1", "http.request.method": "POST", "http.route": test.route,
				"url.path": "/orders/7", "url.scheme": "https", "server.address": test.host, "client.address": "192.0.2.1",
				"user_agent.original": "curl", "network.protocol.version": protocol, "http.response.status_code": test.status, "error.type": errorType,
			})
		})
	}
}

// A refusal is answered with a status, and that is what the span says: 429 is the caller's fault.
func TestProxyAnswers(t *testing.T) {
	type response = events.APIGatewayV2HTTPResponse
	limited := ratelimit.New(ratelimit.PerSecond(1e-6, 1))
	_ = limited.Do(t.Context(), nothing)
	fail := func(err error) middleware.Policy {
		return middleware.PolicyFunc(func(context.Context, func(context.Context) error) error { return err })
	}
	for _, test := range []struct {
		name              string
		policy            middleware.Policy
		answer            response
		err               error
		status, errorType string
	}{
		{"answered", middleware.Join(), response{StatusCode: 200}, nil, "200", ""},
		{"not found", middleware.Join(), response{StatusCode: 404}, nil, "404", ""},
		{"unavailable", middleware.Join(), response{StatusCode: 503}, nil, "503", "503"},
		{"limited", limited, response{}, nil, "429", ""},
		{"full", fail(&middleware.FullError{}), response{}, nil, "503", "*middleware.FullError"},
		{"late", fail(&middleware.TimeoutError{}), response{}, nil, "504", "*middleware.TimeoutError"},
		{"failed", middleware.Join(), response{}, errDown, "", "*errors.errorString"},
		{"panicked", fail(&middleware.PanicError{Value: "boom"}), response{}, nil, "", "panic"},
		{"panicked, and late", fail(errors.Join(&middleware.PanicError{Value: "boom"}, &middleware.TimeoutError{})), response{}, nil, "", "panic"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig()
			h := awslambda.Proxy(func(context.Context, events.APIGatewayV2HTTPRequest) (response, error) { return test.answer, test.err }, r.Span, test.policy)
			out, _ := h(invocation(t.Context(), arn), v2)
			span := r.only(t)
			if got := attributes(span.Attributes)["http.response.status_code"]; got != test.status || test.status != "" && out.StatusCode == 0 {
				t.Errorf("status %q, want %q; answered with %d", got, test.status, out.StatusCode)
			}
			if got := attributes(span.Attributes)["error.type"]; got != test.errorType || (span.Status.Code == codes.Error) != (test.errorType != "") {
				t.Errorf("%v, error.type %q; want %q", span.Status, got, test.errorType)
			}
			ended := "faas.invocations"
			if test.status == "" {
				ended = "faas.errors"
			}
			if got := r.values(t, ended)["faas.trigger=http"]; got != 1 {
				t.Errorf("%s is %d, want 1", ended, got)
			}
		})
	}
}

func TestEventSources(t *testing.T) {
	message := func(queue, header string) events.SQSMessage {
		return events.SQSMessage{
			MessageId: "m", EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:eu-west-1:1:" + queue,
			Attributes: map[string]string{"AWSTraceHeader": header},
		}
	}
	sqs := events.SQSEvent{Records: []events.SQSMessage{message("orders", xrayHeader), message("orders", ""), message("orders", "garbage")}}
	sns := events.SNSEvent{Records: []events.SNSEventRecord{{EventSource: "aws:sns", SNS: events.SNSEntity{TopicArn: "arn:aws:sns:eu-west-1:1:news"}}}}
	stream := events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{
		{EventSource: "aws:dynamodb", EventSourceArn: "arn:aws:dynamodb:eu-west-1:1:table/orders/stream/now", EventName: "MODIFY"},
	}}
	s3 := events.S3Event{Records: []events.S3EventRecord{
		{EventSource: "aws:s3", EventName: "ObjectCreated:Put", S3: events.S3Entity{Bucket: events.S3Bucket{Name: "photos"}}},
		{EventSource: "aws:s3", EventName: "ObjectRemoved:Delete", S3: events.S3Entity{Bucket: events.S3Bucket{Name: "photos"}}},
	}}
	changes := func(source string, names ...string) (e events.DynamoDBEvent) {
		for _, name := range names {
			e.Records = append(e.Records, events.DynamoDBEventRecord{EventSource: "aws:dynamodb", EventSourceArn: source, EventName: name})
		}
		return e
	}
	removed := events.S3Event{Records: s3.Records[1:]}
	expired := events.S3Event{Records: []events.S3EventRecord{{EventSource: "aws:s3", EventName: "s3:LifecycleExpiration:Delete"}}}
	timer := events.EventBridgeEvent{Source: "aws.events", DetailType: "Scheduled Event", Time: time.Unix(0, 0)}
	scheduler := events.EventBridgeEvent{Source: "aws.scheduler", DetailType: "own", Time: time.Unix(0, 0)}
	never := events.EventBridgeEvent{Source: "aws.scheduler", DetailType: "own"}
	bus := events.EventBridgeEvent{Source: "shop", DetailType: "order placed"}
	console := events.EventBridgeEvent{Source: "aws.events", DetailType: "Rule changed"}
	kinesis := events.KinesisEvent{Records: []events.KinesisEventRecord{{EventSource: "aws:kinesis"}}}

	typed := func(in any) func(r *rig) { return func(r *rig) { invokeTyped(t, r, in) } }
	for _, test := range []struct {
		name  string
		in    any
		links int
		want  map[string]string
	}{
		{"SQS", sqs, 1, map[string]string{
			"faas.trigger": "pubsub", "messaging.system": "aws_sqs", "messaging.operation.type": "process",
			"messaging.destination.name": "orders", "messaging.batch.message_count": "3",
		}},
		{"two queues", events.SQSEvent{Records: []events.SQSMessage{message("orders", xrayHeader), message("returns", xrayHeader)}}, 2, map[string]string{
			"faas.trigger": "pubsub", "messaging.destination.name": "",
		}},
		{"a queue and none", events.SQSEvent{Records: []events.SQSMessage{message("orders", ""), message("", "")}}, 0, map[string]string{
			"faas.trigger": "pubsub", "messaging.destination.name": "",
		}},
		{"SNS", sns, 0, map[string]string{"faas.trigger": "pubsub", "messaging.system": "aws.sns", "messaging.destination.name": "news"}},
		{"Kinesis", kinesis, 0, map[string]string{"faas.trigger": "pubsub"}},
		{"DynamoDB", stream, 0, map[string]string{"faas.trigger": "datasource", "faas.document.collection": "orders", "faas.document.operation": "edit"}},
		{"inserts", changes("arn:aws:dynamodb:eu-west-1:1:table/orders", "INSERT", "INSERT"), 0, map[string]string{
			"faas.trigger": "datasource", "faas.document.collection": "orders", "faas.document.operation": "insert",
		}},
		{"a delete", changes("", "REMOVE"), 0, map[string]string{
			"faas.trigger": "datasource", "faas.document.collection": "", "faas.document.operation": "delete",
		}},
		{"a window of DynamoDB", events.DynamoDBTimeWindowEvent{DynamoDBEvent: stream}, 0, map[string]string{
			"faas.trigger": "datasource", "faas.document.collection": "orders", "faas.document.operation": "edit",
		}},
		{"a window of Kinesis", events.KinesisTimeWindowEvent{KinesisEvent: kinesis}, 0, map[string]string{"faas.trigger": "pubsub"}},
		{"S3, an insert", events.S3Event{Records: s3.Records[:1]}, 0, map[string]string{"faas.document.collection": "photos", "faas.document.operation": "insert"}},
		{"S3, a delete", removed, 0, map[string]string{"faas.trigger": "datasource", "faas.document.collection": "photos", "faas.document.operation": "delete"}},
		{"S3, an expiry", expired, 0, map[string]string{"faas.trigger": "datasource", "faas.document.collection": "", "faas.document.operation": "delete"}},
		{"S3", s3, 0, map[string]string{"faas.trigger": "datasource", "faas.document.collection": "photos", "faas.document.operation": ""}},
		{"a schedule", timer, 0, map[string]string{"faas.trigger": "timer", "faas.time": "1970-01-01T00:00:00Z"}},
		{"a schedule of one's own", scheduler, 0, map[string]string{"faas.trigger": "timer", "faas.time": "1970-01-01T00:00:00Z"}},
		{"a schedule without a time", never, 0, map[string]string{"faas.trigger": "timer", "faas.time": ""}},
		{"EventBridge", bus, 0, map[string]string{"faas.trigger": "pubsub"}},
		{"EventBridge itself", console, 0, map[string]string{"faas.trigger": "pubsub", "faas.time": ""}},
		{"something else", struct{ Kind string }{"own"}, 0, map[string]string{"faas.trigger": "other"}},
	} {
		for how, invoke := range map[string]func(r *rig){"typed": typed(test.in), "bytes": bytes(t, test.in)} {
			t.Run(test.name+", "+how, func(t *testing.T) {
				r := newRig()
				invoke(r)
				span := r.only(t)
				if span.SpanKind != trace.SpanKindServer || len(span.Links) != test.links {
					t.Errorf("%v span with %d links, want %d", span.SpanKind, len(span.Links), test.links)
				}
				for _, l := range span.Links {
					if l.SpanContext.TraceID().String() != xrayID || l.SpanContext.SpanID().String() != xrayParent {
						t.Errorf("a link to %v", l.SpanContext)
					}
				}
				wants(t, span.Attributes, test.want)
			})
		}
	}
}

func invokeTyped(t *testing.T, r *rig, in any) {
	t.Helper()
	switch in := in.(type) {
	case events.SQSEvent:
		wrapped(t, r, in)
	case events.SNSEvent:
		wrapped(t, r, &in)
	case events.KinesisEvent:
		wrapped(t, r, in)
	case events.DynamoDBEvent:
		wrapped(t, r, &in)
	case events.S3Event:
		wrapped(t, r, in)
	case events.DynamoDBTimeWindowEvent:
		wrapped(t, r, in)
	case events.KinesisTimeWindowEvent:
		wrapped(t, r, in)
	case events.EventBridgeEvent:
		wrapped(t, r, in)
	default:
		wrapped(t, r, in)
	}
}

func wrapped[In any](t *testing.T, r *rig, in In) {
	t.Helper()
	_ = middleware.WrapErr(func(context.Context, In) error { return nil }, middleware.Join(r.Span))(invocation(t.Context(), arn), in)
}

func TestParents(t *testing.T) {
	const other = "Root=1-11111111-111111111111111111111111;Parent=2222222222222222;Sampled=1"
	for _, test := range []struct {
		name     string
		ctx      func(context.Context) context.Context
		env      string
		event    any
		trace, p string // of the parent
	}{
		{name: "none", event: 0},
		{"X-Ray in the context", func(c context.Context) context.Context { return withXRay(c, xrayHeader) }, other, 0, xrayID, xrayParent},
		{"X-Ray in the environment", nil, xrayHeader, 0, xrayID, xrayParent},
		{"an empty one in the context", func(c context.Context) context.Context { return withXRay(c, "") }, other, 0, "", ""},
		{"X-Ray, not sampled", func(c context.Context) context.Context {
			return withXRay(c, "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0")
		}, "", 0, "", ""},
		{"the header before X-Ray", func(c context.Context) context.Context { return withXRay(c, xrayHeader) }, "", rest, traceID, spanID},
		{"X-Ray without a header", nil, xrayHeader, events.APIGatewayProxyRequest{}, xrayID, xrayParent},
		{"two headers", nil, "", events.APIGatewayProxyRequest{MultiValueHeaders: map[string][]string{"traceparent": {parent, parent}}}, "", ""},
		{"what the context has before all", func(c context.Context) context.Context {
			return trace.ContextWithRemoteSpanContext(c, tracing.ParseXRay(other))
		}, xrayHeader, rest, "11111111111111111111111111111111", "2222222222222222"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("_X_AMZN_TRACE_ID", test.env)
			ctx := invocation(t.Context(), arn)
			if test.ctx != nil {
				ctx = test.ctx(ctx)
			}
			r := newRig()
			switch in := test.event.(type) {
			case events.APIGatewayProxyRequest:
				_, _ = middleware.Wrap(func(context.Context, events.APIGatewayProxyRequest) (int, error) { return 0, nil }, r.Span)(ctx, in)
			default:
				_ = r.Do(ctx, nothing)
			}
			span := r.only(t)
			got := ""
			if span.Parent.IsValid() {
				got = span.Parent.SpanID().String()
			}
			if got != test.p || test.trace != "" && span.SpanContext.TraceID().String() != test.trace || got != "" && !span.Parent.IsRemote() {
				t.Errorf("the parent is %s of %s, want %s of %s", got, span.SpanContext.TraceID(), test.p, test.trace)
			}
		})
	}
}

// An answer's type tells an HTTP event where the event's own is the user's.
func TestOwnEventType(t *testing.T) {
	type event struct{ Body string }
	type response = events.APIGatewayV2HTTPResponse
	type stream = *events.APIGatewayProxyStreamingResponse
	r := newRig()
	h := func(context.Context, event) (response, error) {
		return response{StatusCode: http.StatusBadGateway}, nil
	}
	_, _ = middleware.Wrap(h, r.Span)(invocation(t.Context(), arn), event{})
	_, _ = awslambda.Proxy(h, r.Span)(invocation(t.Context(), arn), event{})
	_, _ = middleware.Wrap(func(context.Context, event) (stream, error) {
		return &events.APIGatewayProxyStreamingResponse{StatusCode: http.StatusBadGateway}, nil
	}, r.Span)(invocation(t.Context(), arn), event{})
	if got := len(r.spans()); got != 3 {
		t.Errorf("%d spans", got)
	}
	for _, span := range r.spans() {
		wants(t, span.Attributes, map[string]string{"faas.trigger": "http", "http.response.status_code": "502", "error.type": "502"})
	}
}

// Only the outermost is the invocation's span; further in, and around calls, a Span is what it is elsewhere.
func TestOneInvocationOneServer(t *testing.T) {
	r := newRig()
	h := middleware.Wrap(func(ctx context.Context, _ events.SQSEvent) (int, error) {
		return 0, r.named("charge").Do(ctx, nothing)
	}, r.named("orders"), r.named("attempt"))
	_, _ = h(invocation(t.Context(), arn), events.SQSEvent{})
	spans := r.spans()
	if len(spans) != 3 {
		t.Fatal(names(spans))
	}
	for i, want := range []string{"orders", "attempt", "charge"} {
		kind := trace.SpanKindInternal
		if i == 0 {
			kind = trace.SpanKindServer
		} else if spans[i].Parent.SpanID() != spans[i-1].SpanContext.SpanID() {
			t.Errorf("%s is not a child of %s", spans[i].Name, spans[i-1].Name)
		}
		if spans[i].Name != want || spans[i].SpanKind != kind {
			t.Errorf("span %d is %s, %v; want %s, %v", i, spans[i].Name, spans[i].SpanKind, want, kind)
		}
	}
	if got := r.values(t, "faas.invocations")["faas.trigger=pubsub"]; got != 1 {
		t.Errorf("%d invocations", got)
	}
}

// A span that is around the handler already, of whomever, is the parent, and ours is not the server's.
func TestSpanAroundTheHandler(t *testing.T) {
	r := newRig()
	ctx, outer := r.TracerProvider.Tracer("other").Start(invocation(t.Context(), arn), "other")
	_, _ = middleware.Wrap(func(context.Context, events.APIGatewayV2HTTPRequest) (int, error) { return 0, nil }, r.named("ours"))(ctx, v2)
	outer.End()
	spans := r.spans()
	if spans[1].Name != "ours" || spans[1].SpanKind != trace.SpanKindInternal || spans[1].Parent.SpanID() != outer.SpanContext().SpanID() {
		t.Errorf("%s is %v, a child of %v", spans[1].Name, spans[1].SpanKind, spans[1].Parent.SpanID())
	}
}

// Bytes that no function was invoked with are only bytes.
func TestBytesOutsideLambda(t *testing.T) {
	r := newRig()
	_ = middleware.WrapErr(func(context.Context, []byte) error { return errors.New("no") }, r.named("parse"))(t.Context(), []byte(`{"httpMethod":"GET"}`))
	if span := r.only(t); span.SpanKind != trace.SpanKindInternal || span.Name != "parse" || span.Status.Code != codes.Error {
		t.Errorf("%v span %q, %v", span.SpanKind, span.Name, span.Status)
	}
}
