package tracing

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// A payload is what is used of an event that is not decoded yet, whichever it is.
type payload struct {
	HTTPMethod        string              `json:"httpMethod"` // of API Gateway 1.0, and of load balancers
	Resource          string              `json:"resource"`
	Path              string              `json:"path"`
	RouteKey          string              `json:"routeKey"` // of API Gateway 2.0, and $default of function URLs
	RawPath           string              `json:"rawPath"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	RequestContext    *requestContext     `json:"requestContext"`

	RouteARN  string `json:"routeArn"` // of authorizers
	MethodARN string `json:"methodArn"`

	DetailType string `json:"detail-type"`
	Source     string `json:"source"`
	Time       string `json:"time"`

	EventSource       string   `json:"eventSource"` // of brokers
	DeliveryStreamARN string   `json:"deliveryStreamArn"`
	Records           []record `json:"Records"` // a list, but for Kafka
}

type requestContext struct {
	DomainName   string `json:"domainName"`
	Protocol     string `json:"protocol"`
	ConnectionID string `json:"connectionId"`
	EventType    string `json:"eventType"`
	Identity     struct {
		SourceIP string `json:"sourceIp"`
	} `json:"identity"`
	HTTP *struct {
		Method   string `json:"method"`
		Protocol string `json:"protocol"`
		SourceIP string `json:"sourceIp"`
	} `json:"http"`
	ELB *struct{} `json:"elb"`
}

// payloadOf is the event, if it is not decoded yet.
func payloadOf(in any) ([]byte, bool) {
	switch p := in.(type) {
	case []byte:
		return p, true
	case json.RawMessage:
		return p, true
	}
	return nil, false
}

func isPayload(in any) bool {
	_, ok := payloadOf(in)
	return ok
}

// fromPayload is the source of an event that is not decoded yet. What cannot be decoded is left out: that is for the
// handler to say.
func fromPayload(event []byte) source {
	var p payload
	if head := beforeBody(event); head != nil && json.Unmarshal(head, &p) == nil && p.isRequest() {
		return p.source()
	}
	p = payload{}
	_ = json.Unmarshal(event, &p)
	return p.source()
}

// beforeBody is what a request's event has before its body, which may be most of it and comes after all that is used. It
// is nil if there is none, and no JSON if the key belongs to something inside.
func beforeBody(event []byte) []byte {
	head, _, found := bytes.Cut(event, []byte(`,"body":`)) // in a string the quotes would be escaped
	if !found {
		return nil
	}
	return append(bytes.Clone(head), '}')
}

// isRequest reports whether all is there that is used of a request.
func (p *payload) isRequest() bool {
	c := p.RequestContext
	return c != nil && (p.Headers != nil || p.MultiValueHeaders != nil) &&
		(p.Path != "" && p.HTTPMethod != "" && (p.Resource != "" || c.ELB != nil) || p.RawPath != "" && p.RouteKey != "" && c.HTTP != nil)
}

func (p *payload) source() source {
	c := cmp.Or(p.RequestContext, &requestContext{})
	sent := headers{p.Headers, p.MultiValueHeaders}
	switch {
	case p.RouteARN != "", p.MethodARN != "":
		return source{trigger: triggerOther} // an authorizer is told of a request, and does not answer it
	case c.ELB != nil:
		return fromALB(&events.ALBTargetGroupRequest{HTTPMethod: p.HTTPMethod, Path: p.Path, Headers: p.Headers, MultiValueHeaders: p.MultiValueHeaders})
	case c.HTTP != nil:
		_, route, _ := strings.Cut(p.RouteKey, " ")
		return fromRequest(&request{
			method: c.HTTP.Method, route: route, path: p.RawPath, host: c.DomainName, peer: c.HTTP.SourceIP, protocol: c.HTTP.Protocol, headers: headers{single: p.Headers},
		})
	case c.ConnectionID != "":
		return fromConnection(c.EventType, &request{path: p.Path, host: c.DomainName, peer: c.Identity.SourceIP, headers: sent})
	case p.HTTPMethod != "":
		return fromRequest(&request{
			method: p.HTTPMethod, route: p.Resource, path: p.Path, host: c.DomainName, peer: c.Identity.SourceIP, protocol: c.Protocol, headers: sent,
		})
	case p.DetailType != "":
		at, _ := time.Parse(time.RFC3339, p.Time)
		return fromEventBridge(&events.EventBridgeEvent{Source: p.Source, DetailType: p.DetailType, Time: at})
	case p.DeliveryStreamARN != "":
		return source{trigger: triggerPubSub}
	}
	switch p.EventSource {
	case "aws:kafka", "SelfManagedKafka", "aws:rmq", "aws:mq":
		return source{trigger: triggerPubSub}
	}
	return fromRecords(p.Records)
}
