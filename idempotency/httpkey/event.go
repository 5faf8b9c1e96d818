package httpkey

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

type eventKey struct{}

// Event returns the event that r was made of, of the type that the function of [Proxy] takes, or nil if r came over HTTP.
// A tenant may stand in its authorizer.
func Event(r *http.Request) any { return r.Context().Value(eventKey{}) }

// A message is a request to a Lambda function, in the JSON of any of those who send one.
type message struct {
	Version      string              `json:"version"`    // of the payload; REST APIs and load balancers have none
	HTTPMethod   string              `json:"httpMethod"` // API Gateway 1.0 and load balancers
	Path         string              `json:"path"`
	Query        map[string]string   `json:"queryStringParameters"`
	MultiQuery   map[string][]string `json:"multiValueQueryStringParameters"`
	RawPath      string              `json:"rawPath"` // API Gateway 2.0 and function URLs
	RawQuery     string              `json:"rawQueryString"`
	Cookies      []string            `json:"cookies"`
	Headers      map[string]string   `json:"headers"`
	MultiHeaders map[string][]string `json:"multiValueHeaders"`
	Body         string              `json:"body"`
	Base64       bool                `json:"isBase64Encoded"`
	Context      struct {
		HTTP struct {
			Method string `json:"method"`
		} `json:"http"`
		DomainName string    `json:"domainName"`
		ELB        *struct{} `json:"elb"`
	} `json:"requestContext"`
}

func messageOf(in any) (*message, error) {
	data, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("httpkey: Proxy: the event: %w", err)
	}
	e := new(message)
	if err := json.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("httpkey: Proxy: the event: %w", err)
	}
	if e.method() == "" {
		return nil, errors.New("httpkey: Proxy: the event is none of API Gateway, a load balancer or a function URL: it has no method")
	}
	return e, nil
}

func (e *message) method() string { return e.HTTPMethod + e.Context.HTTP.Method }

// request is the event as one that came over HTTP.
func (e *message) request(ctx context.Context) (*http.Request, error) {
	body, err := text(e.Body, e.Base64)
	if err != nil {
		return nil, err
	}
	h := Header(e.Headers, e.MultiHeaders)
	if len(e.Cookies) > 0 {
		h.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	r := &http.Request{
		Method:        e.method(),
		URL:           e.url(),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        h,
		Host:          cmp.Or(h.Get("Host"), e.Context.DomainName),
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
	return r.WithContext(ctx), nil
}

// v2 reports whether the payload has the format 2.0, of HTTP APIs and function URLs.
func (e *message) v2() bool { return e.Context.HTTP.Method != "" }

func (e *message) url() *url.URL {
	u := &url.URL{Path: e.Path + e.RawPath, RawQuery: e.query()}
	if e.Version != "" && !strings.Contains(e.Context.DomainName, ".lambda-url.") {
		return u // of the senders, HTTP APIs alone send the path without its escapes
	}
	if path, err := url.PathUnescape(u.Path); err == nil {
		u.Path, u.RawPath = path, u.Path
	}
	return u
}

func (e *message) query() string {
	if e.v2() {
		return e.RawQuery
	}
	values := url.Values(e.MultiQuery)
	if values == nil {
		values = make(url.Values)
		for name, value := range e.Query {
			values.Set(name, value)
		}
	}
	if e.Context.ELB == nil {
		return values.Encode()
	}
	var pairs []string // as they were sent
	for name, all := range values {
		for _, value := range all {
			pairs = append(pairs, name+"="+value)
		}
	}
	return strings.Join(pairs, "&")
}
