package tracing

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// A source is what an event says about where it comes from.
type source struct {
	trigger string
	request *request // of a trigger http
	invoked bool     // by Lambda

	// details is what a span says of it besides, if anything. It is not asked for where nobody sees the span.
	details func() ([]attribute.KeyValue, []trace.Link)
}

const (
	triggerHTTP       = "http"
	triggerPubSub     = "pubsub"
	triggerDatasource = "datasource"
	triggerTimer      = "timer"
	triggerOther      = "other"
)

// looksAt reports whether a call with such an argument or result tells more than that it is one.
func looksAt(value any) bool {
	switch value.(type) {
	case *http.Request, *http.Response, []byte, json.RawMessage:
		return true
	}
	_, isEvent := sourceOf(value)
	return isEvent || isAnswer(value)
}

// sourceOf is the source of an event, if it is of a type that says something.
func sourceOf(in any) (source, bool) {
	switch e := in.(type) {
	case events.APIGatewayProxyRequest:
		return fromREST(&e), true
	case *events.APIGatewayProxyRequest:
		return fromREST(e), true
	case events.APIGatewayV2HTTPRequest:
		return fromHTTP(&e), true
	case *events.APIGatewayV2HTTPRequest:
		return fromHTTP(e), true
	case events.LambdaFunctionURLRequest:
		return fromURL(&e), true
	case *events.LambdaFunctionURLRequest:
		return fromURL(e), true
	case events.ALBTargetGroupRequest:
		return fromALB(&e), true
	case *events.ALBTargetGroupRequest:
		return fromALB(e), true
	case events.APIGatewayWebsocketProxyRequest:
		return fromWebSocket(&e), true
	case *events.APIGatewayWebsocketProxyRequest:
		return fromWebSocket(e), true
	case events.SQSEvent:
		return fromSQS(&e), true
	case *events.SQSEvent:
		return fromSQS(e), true
	case events.SNSEvent:
		return fromSNS(&e), true
	case *events.SNSEvent:
		return fromSNS(e), true
	case events.KinesisEvent, *events.KinesisEvent, events.KinesisTimeWindowEvent, *events.KinesisTimeWindowEvent,
		events.KinesisFirehoseEvent, *events.KinesisFirehoseEvent, events.KafkaEvent, *events.KafkaEvent,
		events.ActiveMQEvent, *events.ActiveMQEvent, events.RabbitMQEvent, *events.RabbitMQEvent:
		return source{trigger: triggerPubSub}, true
	case events.DynamoDBEvent:
		return fromDynamoDB(&e), true
	case *events.DynamoDBEvent:
		return fromDynamoDB(e), true
	case events.DynamoDBTimeWindowEvent:
		return fromDynamoDB(&e.DynamoDBEvent), true
	case *events.DynamoDBTimeWindowEvent:
		if e == nil {
			return source{trigger: triggerDatasource}, true
		}
		return fromDynamoDB(&e.DynamoDBEvent), true
	case events.S3Event:
		return fromS3(&e), true
	case *events.S3Event:
		return fromS3(e), true
	case events.EventBridgeEvent:
		return fromEventBridge(&e), true
	case *events.EventBridgeEvent:
		return fromEventBridge(e), true
	}
	return source{trigger: triggerOther}, false
}

func fromREST(e *events.APIGatewayProxyRequest) source {
	if e == nil {
		return source{trigger: triggerHTTP}
	}
	return fromRequest(&request{
		method: e.HTTPMethod, route: e.Resource, path: e.Path, host: e.RequestContext.DomainName,
		peer: e.RequestContext.Identity.SourceIP, protocol: e.RequestContext.Protocol,
		headers: headers{e.Headers, e.MultiValueHeaders},
	})
}

func fromHTTP(e *events.APIGatewayV2HTTPRequest) source {
	if e == nil {
		return source{trigger: triggerHTTP}
	}
	_, path, _ := strings.Cut(e.RouteKey, " ") // $default has none
	c := e.RequestContext
	return fromRequest(&request{
		method: c.HTTP.Method, route: path, path: e.RawPath, host: c.DomainName, peer: c.HTTP.SourceIP, protocol: c.HTTP.Protocol,
		headers: headers{single: e.Headers},
	})
}

func fromURL(e *events.LambdaFunctionURLRequest) source {
	if e == nil {
		return source{trigger: triggerHTTP}
	}
	c := e.RequestContext
	return fromRequest(&request{
		method: c.HTTP.Method, path: e.RawPath, host: c.DomainName, peer: c.HTTP.SourceIP, protocol: c.HTTP.Protocol,
		headers: headers{single: e.Headers},
	})
}

func fromALB(e *events.ALBTargetGroupRequest) source {
	if e == nil {
		return source{trigger: triggerHTTP}
	}
	r := &request{method: e.HTTPMethod, path: e.Path, headers: headers{e.Headers, e.MultiValueHeaders}}
	r.host = r.headers.Get("Host")
	forwarded := r.headers.Get("X-Forwarded-For") // the load balancer adds its client, whatever that has sent, at the end
	r.peer = strings.TrimSpace(forwarded[strings.LastIndexByte(forwarded, ',')+1:])
	return fromRequest(r)
}

func fromWebSocket(e *events.APIGatewayWebsocketProxyRequest) source {
	if e == nil {
		return source{trigger: triggerHTTP}
	}
	c := &e.RequestContext
	return fromConnection(c.EventType, &request{
		path: e.Path, host: c.DomainName, peer: c.Identity.SourceIP, headers: headers{e.Headers, e.MultiValueHeaders},
	})
}

// fromConnection is of a request only if a connection begins: messages on it have no method and no header.
func fromConnection(event string, r *request) source {
	if event != "CONNECT" {
		return source{trigger: triggerHTTP}
	}
	r.method = http.MethodGet
	return fromRequest(r)
}

// fromRequest is the source of a request, with what only its headers say.
func fromRequest(r *request) source {
	r.agent = r.headers.Get("User-Agent")
	if r.scheme = r.headers.Get("X-Forwarded-Proto"); r.scheme != "http" {
		r.scheme = "https"
	}
	return source{trigger: triggerHTTP, request: r}
}

func fromEventBridge(e *events.EventBridgeEvent) source {
	if e == nil || e.Source != "aws.scheduler" && (e.Source != "aws.events" || e.DetailType != "Scheduled Event") {
		return source{trigger: triggerPubSub}
	}
	return source{trigger: triggerTimer, details: func() ([]attribute.KeyValue, []trace.Link) {
		if e.Time.IsZero() {
			return nil, nil
		}
		return []attribute.KeyValue{semconv.FaaSTime(e.Time.UTC().Format(time.RFC3339))}, nil
	}}
}

// isAnswer reports whether out is of a type that answers a request.
func isAnswer(out any) bool {
	switch out.(type) {
	case events.APIGatewayProxyResponse, *events.APIGatewayProxyResponse,
		events.APIGatewayV2HTTPResponse, *events.APIGatewayV2HTTPResponse,
		events.LambdaFunctionURLResponse, *events.LambdaFunctionURLResponse,
		events.ALBTargetGroupResponse, *events.ALBTargetGroupResponse,
		*events.APIGatewayProxyStreamingResponse, *events.LambdaFunctionURLStreamingResponse:
		return true
	}
	return false
}

// statusOf is the status of an answer, or zero.
func statusOf(out any) int {
	switch r := out.(type) {
	case events.APIGatewayProxyResponse:
		return r.StatusCode
	case events.APIGatewayV2HTTPResponse:
		return r.StatusCode
	case events.LambdaFunctionURLResponse:
		return r.StatusCode
	case events.ALBTargetGroupResponse:
		return r.StatusCode
	case *events.APIGatewayProxyResponse:
		if r != nil {
			return r.StatusCode
		}
	case *events.APIGatewayV2HTTPResponse:
		if r != nil {
			return r.StatusCode
		}
	case *events.LambdaFunctionURLResponse:
		if r != nil {
			return r.StatusCode
		}
	case *events.ALBTargetGroupResponse:
		if r != nil {
			return r.StatusCode
		}
	case *events.APIGatewayProxyStreamingResponse:
		if r != nil {
			return r.StatusCode
		}
	case *events.LambdaFunctionURLStreamingResponse:
		if r != nil {
			return r.StatusCode
		}
	}
	return 0
}
