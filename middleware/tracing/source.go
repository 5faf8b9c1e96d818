package tracing

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// A source is what an event says about where it comes from.
type source struct {
	trigger    string
	request    *request // of a trigger http
	invoked    bool     // by Lambda
	attributes []attribute.KeyValue
	links      []trace.Link
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
	case *http.Request, []byte, json.RawMessage:
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

// fromWebSocket is of a request only if a connection begins: messages on it have no method and no header.
func fromWebSocket(e *events.APIGatewayWebsocketProxyRequest) source {
	if e == nil || e.RequestContext.EventType != "CONNECT" {
		return source{trigger: triggerHTTP}
	}
	c := e.RequestContext
	return fromRequest(&request{
		method: http.MethodGet, path: e.Path, host: c.DomainName, peer: c.Identity.SourceIP, headers: headers{e.Headers, e.MultiValueHeaders},
	})
}

// fromRequest is the source of a request, with what only its headers say.
func fromRequest(r *request) source {
	r.agent = r.headers.Get("User-Agent")
	if r.scheme = r.headers.Get("X-Forwarded-Proto"); r.scheme != "http" {
		r.scheme = "https"
	}
	return source{trigger: triggerHTTP, request: r}
}

func fromSQS(e *events.SQSEvent) source {
	s := source{trigger: triggerPubSub}
	if e == nil {
		return s
	}
	s.attributes = []attribute.KeyValue{
		semconv.MessagingSystemAWSSQS, semconv.MessagingOperationTypeProcess, semconv.MessagingBatchMessageCount(len(e.Records)),
	}
	queues := make([]string, 0, len(e.Records))
	for _, m := range e.Records {
		queues = append(queues, last(m.EventSourceARN, ":"))
		if c := parseXRay(m.Attributes["AWSTraceHeader"]); c.IsValid() {
			s.links = append(s.links, trace.Link{SpanContext: c, Attributes: []attribute.KeyValue{semconv.MessagingMessageID(m.MessageId)}})
		}
	}
	if queue := common(queues); queue != "" {
		s.attributes = append(s.attributes, semconv.MessagingDestinationName(queue))
	}
	return s
}

func fromSNS(e *events.SNSEvent) source {
	s := source{trigger: triggerPubSub}
	if e == nil {
		return s
	}
	s.attributes = []attribute.KeyValue{
		semconv.MessagingSystemAWSSNS, semconv.MessagingOperationTypeProcess, semconv.MessagingBatchMessageCount(len(e.Records)),
	}
	topics := make([]string, 0, len(e.Records))
	for _, r := range e.Records {
		topics = append(topics, last(r.SNS.TopicArn, ":"))
	}
	if topic := common(topics); topic != "" {
		s.attributes = append(s.attributes, semconv.MessagingDestinationName(topic))
	}
	return s
}

func fromDynamoDB(e *events.DynamoDBEvent) source {
	s := source{trigger: triggerDatasource}
	if e == nil {
		return s
	}
	var tables, operations []string
	for _, r := range e.Records {
		_, rest, _ := strings.Cut(r.EventSourceArn, ":table/")
		table, _, _ := strings.Cut(rest, "/")
		tables = append(tables, table)
		operations = append(operations, map[string]string{"INSERT": "insert", "MODIFY": "edit", "REMOVE": "delete"}[r.EventName])
	}
	return s.documents(tables, operations)
}

func fromS3(e *events.S3Event) source {
	s := source{trigger: triggerDatasource}
	if e == nil {
		return s
	}
	var buckets, operations []string
	for _, r := range e.Records {
		buckets = append(buckets, r.S3.Bucket.Name)
		operation := ""
		switch name := strings.TrimPrefix(r.EventName, "s3:"); {
		case strings.HasPrefix(name, "ObjectCreated:"):
			operation = "insert"
		case strings.HasPrefix(name, "ObjectRemoved:"), strings.HasPrefix(name, "LifecycleExpiration:"):
			operation = "delete"
		}
		operations = append(operations, operation)
	}
	return s.documents(buckets, operations)
}

// documents adds what all records agree in.
func (s source) documents(collections, operations []string) source {
	if c := common(collections); c != "" {
		s.attributes = append(s.attributes, semconv.FaaSDocumentCollection(c))
	}
	if o := common(operations); o != "" {
		s.attributes = append(s.attributes, semconv.FaaSDocumentOperationKey.String(o))
	}
	return s
}

func fromEventBridge(e *events.EventBridgeEvent) source {
	if e != nil && e.Source == "aws.events" && e.DetailType == "Scheduled Event" || e != nil && e.Source == "aws.scheduler" {
		return source{trigger: triggerTimer, attributes: []attribute.KeyValue{semconv.FaaSTime(e.Time.UTC().Format("2006-01-02T15:04:05Z07:00"))}}
	}
	return source{trigger: triggerPubSub}
}

// fromPayload is the source of an event that is not decoded yet.
func fromPayload(payload []byte) source {
	var seen struct {
		HTTPMethod     string `json:"httpMethod"`
		DetailType     string `json:"detail-type"`
		EventSource    string `json:"eventSource"` // of brokers
		DeliveryStream string `json:"deliveryStreamArn"`
		RequestContext struct {
			DomainName   string          `json:"domainName"`
			ConnectionID string          `json:"connectionId"`
			HTTP         json.RawMessage `json:"http"`
			ELB          json.RawMessage `json:"elb"`
		} `json:"requestContext"`
		Records json.RawMessage `json:"Records"` // a list, but for Kafka
	}
	if json.Unmarshal(payload, &seen) != nil {
		return source{trigger: triggerOther}
	}
	c := seen.RequestContext
	switch {
	case c.ELB != nil:
		return decoded[events.ALBTargetGroupRequest](payload)
	case c.HTTP != nil && strings.Contains(c.DomainName, ".lambda-url."):
		return decoded[events.LambdaFunctionURLRequest](payload)
	case c.HTTP != nil:
		return decoded[events.APIGatewayV2HTTPRequest](payload)
	case c.ConnectionID != "":
		return decoded[events.APIGatewayWebsocketProxyRequest](payload)
	case seen.HTTPMethod != "":
		return decoded[events.APIGatewayProxyRequest](payload)
	case seen.DetailType != "":
		return decoded[events.EventBridgeEvent](payload)
	case seen.DeliveryStream != "":
		return source{trigger: triggerPubSub}
	}
	switch seen.EventSource {
	case "aws:kafka", "SelfManagedKafka", "aws:rmq", "aws:mq":
		return source{trigger: triggerPubSub}
	}
	return fromRecords(payload, seen.Records)
}

// fromRecords is the source of an event of records, as the first one has it.
func fromRecords(payload []byte, list json.RawMessage) source {
	var records []struct {
		EventSource string `json:"eventSource"` // SNS spells it EventSource, which encoding/json takes too
	}
	if json.Unmarshal(list, &records) != nil || len(records) == 0 {
		return source{trigger: triggerOther}
	}
	switch records[0].EventSource {
	case "aws:sqs":
		return decoded[events.SQSEvent](payload)
	case "aws:sns":
		return decoded[events.SNSEvent](payload)
	case "aws:kinesis":
		return source{trigger: triggerPubSub}
	case "aws:dynamodb":
		return decoded[events.DynamoDBEvent](payload)
	case "aws:s3":
		return decoded[events.S3Event](payload)
	}
	return source{trigger: triggerOther}
}

// decoded is the source of an event of type E. What cannot be decoded is left out: that is for the handler to say.
func decoded[E any](payload []byte) source {
	var e E
	_ = json.Unmarshal(payload, &e)
	s, _ := sourceOf(&e)
	return s
}

// last is what follows the last sep.
func last(s, sep string) string { return s[strings.LastIndex(s, sep)+1:] }

// common is what all values are, or nothing.
func common(values []string) string {
	for _, v := range values {
		if v != values[0] {
			return ""
		}
	}
	if len(values) == 0 {
		return ""
	}
	return values[0]
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
