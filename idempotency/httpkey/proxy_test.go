package httpkey_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/httpkey"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

// An answer is what all responses of functions have in common.
type answer struct {
	Status      int                 `json:"statusCode"`
	Description string              `json:"statusDescription"`
	Headers     map[string]string   `json:"headers"`
	Multi       map[string][]string `json:"multiValueHeaders"`
	Raw         any                 `json:"rawHeaders"` // in records only
	Body        string              `json:"body"`
	Base64      bool                `json:"isBase64Encoded"`
	Cookies     []string            `json:"cookies"`
}

func (a answer) header() http.Header { return httpkey.Header(a.Headers, a.Multi) }

// A gate sends a request to a function as one of those that can.
type gate struct {
	name string
	send func(s *shop, ctx context.Context, method, path, query, key, body string) (answer, error)
}

// through calls a function, made of h, and returns what it returned.
func through[In, Out any](s *shop, ctx context.Context, in In, out Out) (answer, error) { //nolint:revive // s is what it is about
	h := httpkey.Proxy(func(ctx context.Context, _ In) (Out, error) {
		s.runs.Add(1)
		if s.function != nil {
			if err := s.function(ctx); err != nil {
				return out, err
			}
		}
		return out, nil
	}, s.config)
	got, err := h(ctx, in)
	data, _ := json.Marshal(got)
	var a answer
	_ = json.Unmarshal(data, &a)
	return a, err
}

const receipt = `{"paid":"7 €"}`

func created() map[string]string {
	return map[string]string{"content-type": "application/json", "Location": "/payments/7", "Set-Cookie": "secret", "X-Amzn-Trace-Id": "1"}
}

func gates() []gate {
	split := func(query string) (map[string]string, map[string][]string) {
		values := httptest.NewRequest(http.MethodGet, "/?"+query, nil).URL.Query()
		single := make(map[string]string)
		for name := range values {
			single[name] = values.Get(name)
		}
		return single, values
	}
	headers := func(name, key string) map[string]string {
		h := map[string]string{"host": "example.com"}
		if key != "" {
			h[name] = key
		}
		return h
	}
	multi := func(single map[string]string) map[string][]string {
		h := make(map[string][]string)
		for name, value := range single {
			h[name] = []string{value}
		}
		return h
	}
	return []gate{
		{"API Gateway 1.0", func(s *shop, ctx context.Context, method, path, query, key, body string) (answer, error) {
			single, all := split(query)
			h := headers("Idempotency-Key", key)
			return through(s, ctx, events.APIGatewayProxyRequest{
				HTTPMethod: method, Path: path, QueryStringParameters: single, MultiValueQueryStringParameters: all,
				Headers: h, MultiValueHeaders: multi(h), Body: body,
			}, events.APIGatewayProxyResponse{StatusCode: 201, Headers: created(), Body: receipt})
		}},
		{"API Gateway 2.0", func(s *shop, ctx context.Context, method, path, query, key, body string) (answer, error) {
			plain, _ := url.PathUnescape(path) // as HTTP APIs do
			e := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: plain, RawQueryString: query, Headers: headers("idempotency-key", key), Body: body}
			e.RequestContext.HTTP.Method = method
			return through(s, ctx, e, events.APIGatewayV2HTTPResponse{StatusCode: 201, Headers: created(), Body: receipt, Cookies: []string{"secret"}})
		}},
		{"function URL", func(s *shop, ctx context.Context, method, path, query, key, body string) (answer, error) {
			e := events.LambdaFunctionURLRequest{
				Version: "2.0", RawPath: path, RawQueryString: query, Headers: headers("idempotency-key", key),
				Body: base64.StdEncoding.EncodeToString([]byte(body)), IsBase64Encoded: true,
			}
			e.RequestContext.HTTP.Method = method
			e.RequestContext.DomainName = "7.lambda-url.eu-west-1.on.aws"
			return through(s, ctx, &e, &events.LambdaFunctionURLResponse{
				StatusCode: 201, Headers: created(), Body: base64.StdEncoding.EncodeToString([]byte(receipt)), IsBase64Encoded: true,
			})
		}},
		{"load balancer", func(s *shop, ctx context.Context, method, path, query, key, body string) (answer, error) {
			single := make(map[string]string)
			for pair := range strings.SplitSeq(query, "&") {
				name, value, _ := strings.Cut(pair, "=")
				single[name] = value // as it was sent
			}
			e := events.ALBTargetGroupRequest{HTTPMethod: method, Path: path, QueryStringParameters: single, Headers: headers("idempotency-key", key), Body: body}
			e.RequestContext.ELB.TargetGroupArn = "arn"
			return through(s, ctx, e, events.ALBTargetGroupResponse{StatusCode: 201, StatusDescription: "201 Created", Headers: created(), Body: receipt})
		}},
		{"load balancer with several values", func(s *shop, ctx context.Context, method, path, query, key, body string) (answer, error) {
			all := make(map[string][]string)
			for pair := range strings.SplitSeq(query, "&") {
				name, value, _ := strings.Cut(pair, "=")
				all[name] = append(all[name], value)
			}
			e := events.ALBTargetGroupRequest{
				HTTPMethod: method, Path: path, MultiValueQueryStringParameters: all, MultiValueHeaders: multi(headers("idempotency-key", key)), Body: body,
			}
			e.RequestContext.ELB.TargetGroupArn = "arn"
			return through(s, ctx, e, events.ALBTargetGroupResponse{StatusCode: 201, MultiValueHeaders: multi(created()), Body: receipt})
		}},
		{"an event of one's own", func(s *shop, ctx context.Context, method, path, query, key, body string) (answer, error) {
			e := json.RawMessage(fmt.Sprintf(`{"requestContext":{"http":{"method":%q},"domainName":"example.com"},"rawPath":%q,"rawQueryString":%q,"headers":{"IDEMPOTENCY-KEY":%q},"body":%q}`, method, path, query, key, body))
			if key == "" {
				e = json.RawMessage(strings.Replace(string(e), `"IDEMPOTENCY-KEY":""`, "", 1))
			}
			return through[json.RawMessage, any](s, ctx, e, answer{Status: 201, Headers: created(), Body: receipt})
		}},
	}
}

func eachGate(t *testing.T, f func(t *testing.T, s *shop, post func(key, body string) (answer, error))) {
	t.Helper()
	for _, g := range gates() {
		t.Run(g.name, func(t *testing.T) {
			s := newShop()
			f(t, s, func(key, body string) (answer, error) {
				return g.send(s, t.Context(), http.MethodPost, "/payments", "a=1&b=%20", key, body)
			})
		})
	}
}

func TestEventsRunOnceAndAreReplayed(t *testing.T) {
	eachGate(t, func(t *testing.T, s *shop, post func(key, body string) (answer, error)) {
		first, err := post("k", "body")
		h := first.header()
		if err != nil || first.Status != 201 || h.Get("Set-Cookie") != "secret" || h.Get("Idempotent-Replayed") != "" {
			t.Errorf("got %+v, %v", first, err)
		}
		s.hasNoSecret(t)
		for _, key := range []string{"k", `"k"`} {
			again, err := post(key, "body")
			h = again.header()
			if err != nil || again.Status != 201 || again.Body != receipt || again.Base64 || h.Get("Idempotent-Replayed") != "true" ||
				h.Get("Content-Type") != "application/json" || h.Get("Location") != "/payments/7" || len(h) != 3 || len(again.Cookies) > 0 {
				t.Errorf("got %+v, %v", again, err)
			}
			if first.Description != "" && again.Description != "201 Created" {
				t.Errorf("description %q", again.Description)
			}
			if (first.Multi == nil) != (again.Multi == nil) || (first.Headers == nil) != (again.Headers == nil) {
				t.Errorf("kinds of headers: first %+v, then %+v", first, again)
			}
		}
		if n := s.runs.Load(); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}

func TestEventsAreRefused(t *testing.T) {
	eachGate(t, func(t *testing.T, s *shop, post func(key, body string) (answer, error)) {
		is := func(a answer, err error, status int, title string) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
			isProblem(t, a.Status, a.header(), []byte(a.Body), status, title)
		}
		s.config.Once.RequireKey = true
		a, err := post("", "body")
		is(a, err, 400, missing)
		a, err = post("k, l", "body")
		is(a, err, 400, malformed)
		s.Next(storetest.Claim, storetest.Fault{Err: errors.New("down")})
		a, err = post("k", "body")
		is(a, err, 503, "Service Unavailable")
		s.function = func(context.Context) error {
			a, err = post("k", "body")
			is(a, err, 409, outstanding)
			if got := a.header().Get("Retry-After"); got != "1" {
				t.Errorf("Retry-After %q", got)
			}
			return nil
		}
		if a, err = post("k", "body"); err != nil || a.Status != 201 {
			t.Errorf("got %+v, %v", a, err)
		}
		a, err = post("k", "other")
		is(a, err, 422, used)
		s.config.MaxRequest = 3
		a, err = post("k", "body")
		is(a, err, 413, "Request Entity Too Large")
		if n := s.runs.Load(); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}

func TestEventsWithoutKeyPass(t *testing.T) {
	eachGate(t, func(t *testing.T, s *shop, post func(key, body string) (answer, error)) {
		s.config.Keep = func(int) bool {
			t.Error("somebody looked at the response")
			return true
		}
		for run := range int32(2) {
			if a, err := post("", "body"); err != nil || a.Status != 201 || s.runs.Load() != run+1 {
				t.Errorf("got %+v, %v after %d runs", a, err, s.runs.Load())
			}
		}
	})
}

func TestEventsOfOtherMethodsPass(t *testing.T) {
	for _, g := range gates() {
		s := newShop()
		for run := range int32(2) {
			if a, err := g.send(s, t.Context(), http.MethodGet, "/payments", "a=1", "k", ""); err != nil || a.Status != 201 || s.runs.Load() != run+1 {
				t.Errorf("%s: got %+v, %v after %d runs", g.name, a, err, s.runs.Load())
			}
		}
	}
}

// A request runs at one of them, and is replayed by all others, over HTTP as well.
func TestOneRecordServesEventsAndHTTP(t *testing.T) {
	type face = struct {
		name string
		send func(s *shop) (status int, h http.Header, body string)
	}
	faces := []face{{"HTTP", func(s *shop) (int, http.Header, string) {
		w := s.do(request(http.MethodPost, "/p%61yments/7%25%20%C3%A4?b=%20&a=1&a=2", `"k"`, "body"))
		return w.Code, w.Header(), w.Body.String()
	}}}
	for _, g := range gates() {
		if g.name == "load balancer" {
			continue // it has lost one of the values
		}
		faces = append(faces, face{g.name, func(s *shop) (int, http.Header, string) {
			a, err := g.send(s, t.Context(), http.MethodPost, "/p%61yments/7%25%20%C3%A4", "a=1&a=2&b=%20", "k", "body")
			if err != nil {
				t.Error(err)
			}
			if a.Base64 {
				body, _ := base64.StdEncoding.DecodeString(a.Body)
				a.Body = string(body)
			}
			return a.Status, a.header(), a.Body
		}})
	}
	for _, first := range faces {
		t.Run(first.name, func(t *testing.T) {
			s := newShop()
			s.pay = func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range created() {
					w.Header().Set(name, value)
				}
				w.WriteHeader(201)
				_, _ = io.WriteString(w, receipt)
			}
			if status, h, body := first.send(s); status != 201 || body != receipt || h.Get("Idempotent-Replayed") != "" || h.Get("Set-Cookie") == "" {
				t.Errorf("got %d, %v, %q", status, h, body)
			}
			for _, other := range faces {
				status, h, body := other.send(s)
				if status != 201 || body != receipt || h.Get("Idempotent-Replayed") != "true" || h.Get("Content-Type") != "application/json" || h.Get("Location") != "/payments/7" || h.Get("Set-Cookie") != "" {
					t.Errorf("%s: got %d, %v, %q", other.name, status, h, body)
				}
			}
			if n := s.runs.Load(); n != 1 {
				t.Errorf("%d runs", n)
			}
		})
	}
}

func TestBinaryResponseCrosses(t *testing.T) {
	s := newShop()
	data := string([]byte{0x1f, 0x8b, 0, 0xff, 0xfe})
	s.pay = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, data) }
	s.isFresh(t, s.do(request(http.MethodPost, "/payments?a=1&b=%20", "k", "body")), 200, data, 1)
	for _, g := range gates() {
		query := "a=1&b=%20"
		a, err := g.send(s, t.Context(), http.MethodPost, "/payments", query, "k", "body")
		if err != nil || !a.Base64 || a.Body != base64.StdEncoding.EncodeToString([]byte(data)) {
			t.Errorf("%s: got %+v, %v", g.name, a, err)
		}
	}
}

func TestFunctionThatFails(t *testing.T) {
	eachGate(t, func(t *testing.T, s *shop, post func(key, body string) (answer, error)) {
		boom := errors.New("boom")
		s.function = func(context.Context) error { return boom }
		if a, err := post("k", "body"); err != boom || a.Status != 201 { //nolint:errorlint // the same value
			t.Errorf("got %+v, %v", a, err)
		}
		s.function = func(context.Context) error { panic("boom") }
		if got := panics(func() { _, _ = post("k", "body") }); got != "boom" {
			t.Errorf("panic %q", got)
		}
		s.function = nil
		if a, err := post("k", "body"); err != nil || a.Status != 201 || s.runs.Load() != 3 {
			t.Errorf("got %+v, %v after %d runs", a, err, s.runs.Load())
		}
	})
}

func TestFunctionsResponsesThatAskToComeBackAreNotKept(t *testing.T) {
	for name, out := range map[string]events.APIGatewayV2HTTPResponse{
		"failure":             {StatusCode: 503},
		"too many requests":   {StatusCode: 429},
		"failure, and broken": {StatusCode: 503, Body: "*", IsBase64Encoded: true},
	} {
		s := newShop()
		var e events.APIGatewayV2HTTPRequest
		e.RequestContext.HTTP.Method, e.Headers = "POST", map[string]string{"idempotency-key": "k"}
		for run := range int32(2) {
			a, err := through(s, t.Context(), e, out)
			if err != nil || a.Status != out.StatusCode || a.Body != out.Body || s.runs.Load() != run+1 {
				t.Errorf("%s: got %+v, %v after %d runs", name, a, err, s.runs.Load())
			}
		}
	}
}

func TestFunctionsResponseThatIsTooLongIsNotKept(t *testing.T) {
	s := newShop()
	s.config.MaxResponse = 10
	var e events.APIGatewayV2HTTPRequest
	e.RequestContext.HTTP.Method, e.Headers = "POST", map[string]string{"idempotency-key": "k"}
	out := events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "0123456789x"}
	if a, err := through(s, t.Context(), e, out); err != nil || a.Body != out.Body {
		t.Errorf("got %+v, %v", a, err)
	}
	a, err := through(s, t.Context(), e, out)
	if err != nil || s.runs.Load() != 1 {
		t.Errorf("%v after %d runs", err, s.runs.Load())
	}
	isProblem(t, a.Status, a.header(), []byte(a.Body), 409, notKept)
}

func TestEventThatIsNone(t *testing.T) {
	s := newShop()
	for name, call := range map[string]func() (answer, error){
		"no method": func() (answer, error) { return through(s, t.Context(), events.SQSEvent{}, answer{}) },
		"no object": func() (answer, error) { return through(s, t.Context(), 7, answer{}) },
		"no JSON":   func() (answer, error) { return through(s, t.Context(), make(chan int), answer{}) },
		"no Base64": func() (answer, error) {
			return through(s, t.Context(), events.ALBTargetGroupRequest{HTTPMethod: "POST", Body: "*", IsBase64Encoded: true}, answer{})
		},
	} {
		if _, err := call(); err == nil || !strings.HasPrefix(err.Error(), "httpkey: ") || s.runs.Load() != 0 {
			t.Errorf("%s: %v after %d runs", name, err, s.runs.Load())
		}
	}
}

// A function whose type of response has no status could not be told apart from one that was refused.
func TestResponseTypeThatIsNonePanics(t *testing.T) {
	c := newShop().config
	type (
		status    struct{ StatusCode int }
		noHeaders struct {
			Status int    `json:"statusCode"`
			Body   string `json:"body"`
		}
		multiOnly struct {
			Status  int                 `json:"statusCode"`
			Headers map[string][]string `json:"multiValueHeaders"`
			Body    string              `json:"body"`
		}
	)
	for want, text := range map[string]string{
		"int":         panics(func() { httpkey.Proxy(to[int], c) }),
		"[]uint8":     panics(func() { httpkey.Proxy(to[[]byte], c) }),
		"fmt.Stringe": panics(func() { httpkey.Proxy(to[fmt.Stringer], c) }),
		"status":      panics(func() { httpkey.Proxy(to[status], c) }),
		"noHeaders":   panics(func() { httpkey.Proxy(to[*noHeaders], c) }),
		"Streaming":   panics(func() { httpkey.Proxy(to[*events.LambdaFunctionURLStreamingResponse], c) }),
	} {
		if !strings.HasPrefix(text, "httpkey: Proxy: a ") || !strings.Contains(text, want) {
			t.Errorf("%s: panic %q", want, text)
		}
	}
	httpkey.Proxy(to[any], c)
	httpkey.Proxy(to[map[string]any], c)
	httpkey.Proxy(to[json.RawMessage], c)
	httpkey.Proxy(to[multiOnly], c)
	httpkey.Proxy(to[*events.ALBTargetGroupResponse], c)
}

func to[Out any](context.Context, any) (out Out, err error) { return out, nil }

// Paths come with their escapes from some, without from others.
func TestPathOfAnEventIsThatOfTheRequest(t *testing.T) {
	const host = "7.lambda-url.eu-west-1.on.aws"
	for _, tt := range []struct {
		name  string
		event string
		want  string
	}{
		{"REST API", `{"httpMethod":"POST","path":"/a%2Fb/%25"}`, "/a%2Fb/%25"},
		{"load balancer", `{"httpMethod":"POST","path":"/a%2Fb/%25","requestContext":{"elb":{}}}`, "/a%2Fb/%25"},
		{"function URL", `{"version":"2.0","rawPath":"/a%2Fb/%25","requestContext":{"http":{"method":"POST"},"domainName":"` + host + `"}}`, "/a%2Fb/%25"},
		{"HTTP API 2.0", `{"version":"2.0","rawPath":"/a/b %41/%","requestContext":{"http":{"method":"POST"}}}`, "/a/b%20%2541/%25"},
		{"HTTP API 1.0", `{"version":"1.0","httpMethod":"POST","path":"/a/b %41/%"}`, "/a/b%20%2541/%25"},
		{"no path", `{"httpMethod":"POST"}`, ""},
		{"no escape", `{"httpMethod":"POST","path":"/%zz/ü"}`, "/%25zz/%C3%BC"},
	} {
		s := newShop()
		s.config.Tenant = func(r *http.Request) string {
			if got := r.URL.EscapedPath(); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
			return "anna"
		}
		e := json.RawMessage(strings.Replace(tt.event, "{", `{"headers":{"idempotency-key":"k"},`, 1))
		if _, err := through(s, t.Context(), e, answer{Status: 200}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestHostOfAnEvent(t *testing.T) {
	for event, want := range map[string]string{
		`{"httpMethod":"POST","headers":{"idempotency-key":"k","host":"a.example"},"requestContext":{"domainName":"b.example"}}`: "a.example",
		`{"httpMethod":"POST","headers":{"idempotency-key":"k"},"requestContext":{"domainName":"b.example"}}`:                    "b.example",
		`{"httpMethod":"POST","headers":{"idempotency-key":"k"}}`:                                                                "",
	} {
		s := newShop()
		s.config.Tenant = func(r *http.Request) string {
			if r.Host != want {
				t.Errorf("host %q, want %q", r.Host, want)
			}
			return "anna"
		}
		if _, err := through(s, t.Context(), json.RawMessage(event), answer{Status: 200}); err != nil {
			t.Error(err)
		}
	}
}

// What the functions of a Config get is the request as it would have come over HTTP.
func TestConfigSeesTheRequestOfAnEvent(t *testing.T) {
	s := newShop()
	var e events.APIGatewayV2HTTPRequest
	e.RawPath, e.RawQueryString, e.Body = "/payments/7", "a=1&b=%20", "Ym9keQ=="
	e.IsBase64Encoded = true
	e.Cookies = []string{"a=1", "session=7"}
	e.Headers = map[string]string{"host": "example.com", "idempotency-key": "k", "x-account": "anna"}
	e.RequestContext.HTTP.Method = "PATCH"
	e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: map[string]string{"sub": "berta"}},
	}
	check := func(r *http.Request) {
		t.Helper()
		cookie, err := r.Cookie("session")
		if err != nil || cookie.Value != "7" || r.Method != "PATCH" || r.URL.String() != "/payments/7?a=1&b=%20" || r.Host != "example.com" || r.Header.Get("X-Account") != "anna" {
			t.Errorf("got %+v, %v", r, err)
		}
		if e, ok := httpkey.Event(r).(events.APIGatewayV2HTTPRequest); !ok || e.RequestContext.Authorizer.JWT.Claims["sub"] != "berta" {
			t.Errorf("event %+v", httpkey.Event(r))
		}
	}
	s.config.Tenant = func(r *http.Request) string {
		check(r)
		return "anna"
	}
	s.config.Fingerprint = func(r *http.Request, body []byte) (string, error) {
		check(r)
		if again, err := io.ReadAll(r.Body); string(body) != "body" || string(again) != "body" || err != nil {
			t.Errorf("body %q, and that of the request %q, %v", body, again, err)
		}
		return "", nil
	}
	s.config.Allow = func(r *http.Request, kept httpkey.Response) error {
		check(r)
		if kept.Status != 200 {
			t.Errorf("asked about %+v", kept)
		}
		return errors.New("no")
	}
	out := events.APIGatewayV2HTTPResponse{StatusCode: 200}
	if a, err := through(s, t.Context(), e, out); err != nil || a.Status != 200 {
		t.Errorf("got %+v, %v", a, err)
	}
	a, err := through(s, t.Context(), e, out)
	if err != nil {
		t.Error(err)
	}
	isProblem(t, a.Status, a.header(), []byte(a.Body), 403, "Forbidden")

	if e := httpkey.Event(httptest.NewRequest(http.MethodGet, "/", nil)); e != nil {
		t.Errorf("a request over HTTP has the event %v", e)
	}
}

func TestReconcileOfAFunctionGetsTheEvent(t *testing.T) {
	s := newShop()
	s.abandon(t, "k")
	s.config.Once.Reconcile = func(_ context.Context, run idempotency.Abandoned) (any, bool, error) {
		if e, ok := run.In.(events.ALBTargetGroupRequest); !ok || e.Path != "/payments" {
			t.Errorf("In is %+v", run.In)
		}
		return httpkey.Response{Status: 200, Body: []byte("found")}, true, nil
	}
	e := events.ALBTargetGroupRequest{HTTPMethod: "POST", Path: "/payments", Headers: map[string]string{"idempotency-key": "k"}}
	if a, err := through(s, t.Context(), e, answer{}); err != nil || a.Status != 200 || a.Body != "found" || s.runs.Load() != 0 {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestFunctionHasItsTimeLessWhatIsKeptBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		s.function = func(ctx context.Context) error {
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != 2700*time.Millisecond {
				t.Errorf("deadline in %v, %v", time.Until(deadline), ok)
			}
			<-ctx.Done()
			return ctx.Err()
		}
		e := events.ALBTargetGroupRequest{HTTPMethod: "POST", Headers: map[string]string{"idempotency-key": "k"}}
		if _, err := through(s, ctx, e, answer{}); err != context.DeadlineExceeded { //nolint:errorlint // the same value
			t.Errorf("got %v", err)
		}
	})
}

// An error that says nothing about HTTP is the runtime's business.
func TestFunctionThatIsCancelled(t *testing.T) {
	s := newShop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := events.ALBTargetGroupRequest{HTTPMethod: "POST", Headers: map[string]string{"idempotency-key": "k"}}
	if a, err := through(s, ctx, e, answer{}); err != context.Canceled || a.Status != 0 || s.runs.Load() != 0 { //nolint:errorlint // the same value
		t.Errorf("got %+v, %v", a, err)
	}
}

// A record that a function has made with the engine alone is replayed too.
func TestRecordOfAPlainFunction(t *testing.T) {
	s := newShop()
	_, err := idempotency.Do(t.Context(), s.config.Once, idempotency.Join("", "k"), func(context.Context) (events.APIGatewayProxyResponse, error) {
		return events.APIGatewayProxyResponse{
			StatusCode:        201,
			Headers:           map[string]string{"content-type": "text/plain"},
			MultiValueHeaders: map[string][]string{"Link": {"</a>", "</b>"}, "Set-Cookie": {"secret"}},
			Body:              "aGVsbG8=",
			IsBase64Encoded:   true,
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w := s.post("k")
	s.isReplay(t, w, 201, "hello", 0)
	if h := w.Header(); h.Get("Content-Type") != "text/plain" || h.Get("Link") != "</a>, </b>" || h.Get("Set-Cookie") != "" {
		t.Errorf("header %v", h)
	}
}

func TestProxyOfNothingPanics(t *testing.T) {
	if got := panics(func() { httpkey.Proxy[int, int](nil, newShop().config) }); got != "httpkey: Proxy of a nil handler" {
		t.Errorf("panic %q", got)
	}
	if got := panics(func() {
		httpkey.Proxy(func(context.Context, int) (int, error) { return 0, nil }, httpkey.Config{MaxRequest: -1})
	}); !strings.HasPrefix(got, "httpkey: Proxy: MaxRequest -1") {
		t.Errorf("panic %q", got)
	}
}
