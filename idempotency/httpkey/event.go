package httpkey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type eventKey struct{}

// Event returns the event that r was made of, of the type that the function of [Proxy] takes, or nil if r came over HTTP.
// A tenant may stand in its authorizer.
func Event(r *http.Request) any { return r.Context().Value(eventKey{}) }

// A message is a request to a Lambda function, in the JSON of any of those who send one.
type message struct {
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
		ELB *struct{} `json:"elb"`
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
	path := e.Path + e.RawPath
	if p, err := url.PathUnescape(path); err == nil { // some of them do that, some do not
		path = p
	}
	r := &http.Request{
		Method:        e.method(),
		URL:           &url.URL{Path: path, RawQuery: e.query()},
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        h,
		Host:          h.Get("Host"),
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
	return r.WithContext(ctx), nil
}

func (e *message) query() string {
	if e.Context.HTTP.Method != "" {
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

// answer sets what out points to, a response of a function, to r.
func (e *message) answer(r Response, out any) error {
	w := r.wire()
	if e.Context.ELB != nil {
		w.Description = strconv.Itoa(r.Status) + " " + http.StatusText(r.Status)
	}
	if e.MultiHeaders != nil && e.Headers == nil { // a load balancer takes the kind that it sends
		w.Multi = make(map[string][]string, len(w.Headers))
		for name, value := range w.Headers {
			w.Multi[name] = []string{value}
		}
		w.Headers = nil
	}
	data, err := json.Marshal(w)
	if err == nil {
		err = json.Unmarshal(data, out)
	}
	if err != nil {
		return fmt.Errorf("httpkey: Proxy: the response: %w", err)
	}
	return nil
}

// responseOf is what is kept of the response of a function.
func (op *operation) responseOf(out any) (Response, error) {
	var r Response
	data, err := json.Marshal(out)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	r.Header = op.kept(r.Header)
	return r, err
}
