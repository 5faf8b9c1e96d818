package awslambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// refused is an error that wants to be answered.
type refused struct {
	status int
	after  time.Duration
}

func (r *refused) Error() string             { return "limiter payments-internal: over the limit" }
func (r *refused) Refused() bool             { return true }
func (r *refused) HTTPStatus() int           { return r.status }
func (r *refused) RetryAfter() time.Duration { return r.after }

func refuse(status int, after time.Duration) middleware.Policy {
	return middleware.PolicyFunc(func(context.Context, func(context.Context) error) error { return &refused{status, after} })
}

// A kind of event is decoded as Lambda does it, handled and encoded.
var kinds = map[string]func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler{
	"v1": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
			status, err := answer()
			return events.APIGatewayProxyResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
	"v1, pointers": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, *events.APIGatewayProxyRequest) (*events.APIGatewayProxyResponse, error) {
			status, err := answer()
			return &events.APIGatewayProxyResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
	"v2, pointers": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, *events.APIGatewayV2HTTPRequest) (*events.APIGatewayV2HTTPResponse, error) {
			status, err := answer()
			return &events.APIGatewayV2HTTPResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
	"url, pointers": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, *events.LambdaFunctionURLRequest) (*events.LambdaFunctionURLResponse, error) {
			status, err := answer()
			return &events.LambdaFunctionURLResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
	"alb, pointers": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, *events.ALBTargetGroupRequest) (*events.ALBTargetGroupResponse, error) {
			status, err := answer()
			return &events.ALBTargetGroupResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
	"v2": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, *events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			status, err := answer()
			return events.APIGatewayV2HTTPResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
	"url": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, events.LambdaFunctionURLRequest) (events.LambdaFunctionURLResponse, error) {
			status, err := answer()
			return events.LambdaFunctionURLResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
	"alb": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, events.ALBTargetGroupRequest) (events.ALBTargetGroupResponse, error) {
			status, err := answer()
			return events.ALBTargetGroupResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
	"alb, pointer": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, *events.ALBTargetGroupRequest) (events.ALBTargetGroupResponse, error) {
			status, err := answer()
			return events.ALBTargetGroupResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
	"alb, own event": func(answer func() (int, error), policies ...middleware.Policy) lambda.Handler {
		return lambda.NewHandler(awslambda.Proxy(func(context.Context, json.RawMessage) (events.ALBTargetGroupResponse, error) {
			status, err := answer()
			return events.ALBTargetGroupResponse{StatusCode: status, Body: "from the handler"}, err
		}, policies...))
	},
}

func call(t *testing.T, h lambda.Handler, event string) (string, error) {
	t.Helper()
	answer, err := h.Invoke(t.Context(), []byte(event))
	return string(answer), err
}

func TestProxyAnswersRefusal(t *testing.T) {
	const (
		body   = `"{\"type\":\"about:blank\",\"title\":\"Too Many Requests\",\"status\":429,\"detail\":\"Too many requests at the moment. Try again later.\"}"`
		single = `{"Cache-Control":"no-store","Content-Type":"application/problem+json","Retry-After":"3"}`
		multi  = `{"Cache-Control":["no-store"],"Content-Type":["application/problem+json"],"Retry-After":["3"]}`
		alb    = `{"statusCode":429,"statusDescription":"429 Too Many Requests",`
	)
	for _, tt := range []struct{ kind, event, want string }{
		{"v1", `{"headers":{"a":"b"},"multiValueHeaders":{"a":["b"]}}`, `{"statusCode":429,"headers":` + single + `,"multiValueHeaders":null,"body":` + body + `}`},
		{"v2", `{"version":"2.0","headers":{"a":"b"}}`, `{"statusCode":429,"headers":` + single + `,"multiValueHeaders":null,"body":` + body + `,"cookies":null}`},
		{"url", `{"version":"2.0","headers":{"a":"b"}}`, `{"statusCode":429,"headers":` + single + `,"body":` + body + `,"isBase64Encoded":false,"cookies":null}`},
		{"alb", `{"headers":{"a":"b"}}`, alb + `"headers":` + single + `,"multiValueHeaders":null,"body":` + body + `,"isBase64Encoded":false}`},
		{"alb", `{"multiValueHeaders":{"a":["b"]}}`, alb + `"headers":null,"multiValueHeaders":` + multi + `,"body":` + body + `,"isBase64Encoded":false}`},
		{"alb, pointer", `{"multiValueHeaders":{"a":["b"]}}`, alb + `"headers":null,"multiValueHeaders":` + multi + `,"body":` + body + `,"isBase64Encoded":false}`},
		{"alb, pointer", `null`, alb + `"headers":` + single + `,"multiValueHeaders":` + multi + `,"body":` + body + `,"isBase64Encoded":false}`},
		{"alb, own event", `{}`, alb + `"headers":` + single + `,"multiValueHeaders":` + multi + `,"body":` + body + `,"isBase64Encoded":false}`},
	} {
		h := kinds[tt.kind](func() (int, error) { t.Error("the handler ran"); return 200, nil }, refuse(429, 2500*time.Millisecond))
		if got, err := call(t, h, tt.event); err != nil || got != tt.want {
			t.Errorf("%s %s: %v\n got %s\nwant %s", tt.kind, tt.event, err, got, tt.want)
		}
	}
}

func TestProxy(t *testing.T) {
	own := &orderError{"no stock"}
	for _, tt := range []struct {
		name     string
		policies []middleware.Policy
		status   int
		err      error
		want     string // a part of the answer
		twice    bool   // it needs a request that is repeated
		wantErr  error
	}{
		{name: "success", policies: []middleware.Policy{middleware.Recover{}}, status: 200, want: `"body":"from the handler"`},
		{name: "refusal", policies: []middleware.Policy{refuse(503, 0)}, want: `\"status\":503`},
		{name: "no time", policies: []middleware.Policy{refuse(504, 0)}, want: `\"status\":504`},
		{name: "full", policies: []middleware.Policy{full()}, status: 200, want: `\"status\":503`},
		{name: "handler's own error", status: 200, err: own, wantErr: own},
		{name: "handler's own error and a 503", status: 503, err: own, wantErr: own},
		{name: "refusal from inside the handler", err: fmt.Errorf("charge: %w", &refused{503, 0}), want: `\"status\":503`},
		{name: "handler's own 503", status: 503, want: `"body":"from the handler"`},
		{name: "handler's own 501", status: 501, want: `"body":"from the handler"`},
		{name: "no time left inside the handler", err: fmt.Errorf("query: %w", context.DeadlineExceeded), want: `\"status\":504`},
		{name: "cancelled inside the handler", err: fmt.Errorf("query: %w", context.Canceled), want: `\"status\":503`},
		{name: "handler's own 404", status: 404, want: `"body":"from the handler"`},
		{name: "a StatusError of the handler's", err: &awslambda.StatusError{Code: 502}, want: `\"status\":502`},
		{name: "refusal after a 503", twice: true, policies: []middleware.Policy{retry.Policy{Base: -1}, onlyFirst()}, status: 503, want: `\"status\":429`},
	} {
		for kind, handler := range kinds {
			if tt.twice && kind == "alb, own event" {
				continue
			}
			got, err := call(t, handler(func() (int, error) { return tt.status, tt.err }, tt.policies...), get)
			if err != tt.wantErr || !strings.Contains(got, tt.want) || err == nil && !strings.HasPrefix(got, `{"statusCode":`) { //nolint:errorlint // the same value
				t.Errorf("%s, %s: %s, %v; want %s, %v", tt.name, kind, got, err, tt.want, tt.wantErr)
			}
		}
	}
}

// full is a bulkhead without a free place.
func full() middleware.Policy {
	b := middleware.NewBulkhead(1, 0)
	return middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		return b.Do(ctx, func(ctx context.Context) error { return b.Do(ctx, call) })
	})
}

// onlyFirst lets one call in two through.
func onlyFirst() middleware.Policy {
	calls := 0
	return middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		if calls++; calls%2 == 0 {
			return &refused{429, 0}
		}
		return call(ctx)
	})
}

func TestProxyPanicIsNoAnswer(t *testing.T) {
	h := kinds["v2"](func() (int, error) { panic(&refused{503, 0}) }, middleware.Recover{})
	if got, err := call(t, h, `{}`); got != "" || err == nil {
		t.Errorf("%s, %v; want a PanicError", got, err)
	} else if _, ok := errors.AsType[*middleware.PanicError](err); !ok {
		t.Errorf("err = %v, want a PanicError", err)
	}
}

func TestProxyTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(ctx context.Context, _ events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			<-ctx.Done()
			return events.APIGatewayV2HTTPResponse{}, ctx.Err()
		}
		deafWait := func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			time.Sleep(time.Hour)
			return events.APIGatewayV2HTTPResponse{}, nil
		}
		for name, h := range map[string]middleware.Handler[events.APIGatewayV2HTTPRequest, events.APIGatewayV2HTTPResponse]{
			"Timeout": awslambda.Proxy(wait, middleware.Timeout(time.Second)),
			"Reserve": awslambda.Proxy(wait, middleware.Reserve(time.Hour)),
			"Abandon": awslambda.Proxy(middleware.Abandon(deafWait, time.Second)),
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if out, err := h(ctx, events.APIGatewayV2HTTPRequest{}); out.StatusCode != 504 || err != nil {
				t.Errorf("%s: %d, %v; want 504", name, out.StatusCode, err)
			}
			cancel()
		}
		time.Sleep(2 * time.Hour) // until what was left behind is through
	})
}

func TestProxyFailureCounts(t *testing.T) {
	for kind, handler := range kinds {
		status, calls := 404, 0
		h := handler(func() (int, error) { calls++; return status, nil }, breaker.New(breaker.Config{Failures: 2}))
		for range 5 {
			if got, err := call(t, h, `{}`); !strings.Contains(got, "from the handler") {
				t.Fatalf("%s: a 404 is a failure: %s, %v", kind, got, err)
			}
		}
		status, calls = 500, 0
		for range 5 {
			if _, err := call(t, h, `{}`); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := call(t, h, `{}`); !strings.Contains(got, `\"status\":503`) || !strings.Contains(got, "Retry-After") || calls != 2 {
			t.Errorf("%s: after %d calls: %s, %v; want the breaker's answer after 2", kind, calls, got, err)
		}
	}
}

// get and post are requests as all kinds of events have them.
const (
	get  = `{"httpMethod":"GET","requestContext":{"http":{"method":"GET"}}}`
	post = `{"httpMethod":"POST","requestContext":{"http":{"method":"POST"}}}`
)

func TestProxyRetriesFailure(t *testing.T) {
	for kind, handler := range kinds {
		if kind == "alb, own event" {
			continue // TestRegression_PostIsRepeated has it
		}
		calls := 0
		answer := func() (int, error) {
			if calls++; calls < 3 {
				return 500, nil
			}
			return 200, nil
		}
		if got, err := call(t, handler(answer, retry.Policy{Base: -1}), get); !strings.HasPrefix(got, `{"statusCode":200`) || calls != 3 {
			t.Errorf("%s: after %d calls: %s, %v", kind, calls, got, err)
		}
		calls = -10
		if got, err := call(t, handler(answer, retry.Policy{Base: -1}), get); !strings.HasPrefix(got, `{"statusCode":500`) || calls != -7 {
			t.Errorf("%s: the last of many failures: %s, %v", kind, got, err)
		}
	}
}

// TestRegression_PostIsRepeated: behind a retry, a POST whose answer was a 502 charged the customer three times.
func TestRegression_PostIsRepeated(t *testing.T) {
	again := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return call(ctx)
	})
	own := &orderError{"no stock"}
	for _, tt := range []struct {
		name, event string
		calls       int // of two
	}{
		{"GET", get, 2},
		{"POST", post, 1},
		{"PATCH", strings.ReplaceAll(post, "POST", "PATCH"), 1},
		{"no method", `{}`, 1},
		{"no event", `null`, 1},
		{"POST with a key", post[:len(post)-1] + `,"headers":{"idempotency-key":"1"}}`, 2},
		{"POST with the other key", post[:len(post)-1] + `,"headers":{"X-Idempotency-Key":"1"}}`, 2},
		{"POST with another header", post[:len(post)-1] + `,"headers":{"Key":"1"},"multiValueHeaders":{"Key":["1"]}}`, 1},
	} {
		for kind, handler := range kinds {
			want := tt.calls
			if kind == "alb, own event" {
				want = 1
			}
			for name, policy := range map[string]middleware.Policy{
				"retry":  retry.Policy{Attempts: 2, Base: -1, Classify: func(error) retry.Class { return retry.Transient }},
				"policy": again,
			} {
				calls := 0
				h := handler(func() (int, error) { calls++; return 502, nil }, policy)
				if got, err := call(t, h, tt.event); calls != want || err != nil || !strings.Contains(got, `502`) || !strings.Contains(got, "from the handler") {
					t.Errorf("%s, %s, %s: %d calls, then %s, %v; want %d calls", tt.name, kind, name, calls, got, err, want)
				}
				calls = 0
				h = handler(func() (int, error) { calls++; return 0, own }, policy)
				if _, err := call(t, h, tt.event); calls != want || err != error(own) { //nolint:errorlint // the same value
					t.Errorf("%s, %s, %s: %d calls, then %v; want %d calls, and the handler's own error", tt.name, kind, name, calls, err, want)
				}
			}
		}
	}
	for _, kind := range []string{"v1", "v1, pointers", "alb", "alb, pointer", "alb, pointers"} {
		calls := 0
		h := kinds[kind](func() (int, error) { calls++; return 502, nil }, again)
		if _, err := call(t, h, post[:len(post)-1]+`,"multiValueHeaders":{"IDEMPOTENCY-KEY":["1"]}}`); err != nil || calls != 2 {
			t.Errorf("%s, POST with a key among the multi-value headers: %d calls, %v", kind, calls, err)
		}
	}
}

// A request that must not be repeated ends at once, though the retry would wait an hour.
type noStock struct{}

func (*noStock) Error() string { return "no stock" }

func httpRequest(method string) (r events.APIGatewayV2HTTPRequest) {
	r.RequestContext.HTTP.Method = method
	return r
}

// A retry around a POST, which it may not repeat, kept the retries inside from repeating their own calls: nobody did.
func TestRegression_RetryAroundAPostTurnsOffThoseInside(t *testing.T) {
	noWait := retry.Policy{Base: -1}
	calls, failures := 0, 2
	h := awslambda.Proxy(func(ctx context.Context, _ events.APIGatewayV2HTTPRequest) (out events.APIGatewayV2HTTPResponse, err error) {
		err = noWait.Do(ctx, func(context.Context) error { // an idempotent question to a dependency
			if calls++; calls <= failures {
				return errors.New("connection reset")
			}
			return nil
		})
		out.StatusCode = http.StatusOK
		return out, err
	}, noWait, middleware.Timeout(time.Minute))
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		calls = 0
		if out, err := h(t.Context(), httpRequest(method)); out.StatusCode != http.StatusOK || err != nil || calls != 3 {
			t.Errorf("%s: status %d, %v after %d calls of the dependency, want 200 after 3", method, out.StatusCode, err, calls)
		}
	}
	// A retry around all of it repeats, and those inside do not multiply.
	failures = 100
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		calls = 0
		err := noWait.Do(t.Context(), func(ctx context.Context) error { _, err := h(ctx, httpRequest(method)); return err })
		if err == nil || calls != 3 {
			t.Errorf("%s in a retry: %v after %d calls of the dependency, want 3", method, err, calls)
		}
	}
}

// For a POST, Lambda reported the errorType of a retry's mark.
func TestRegression_MarkOfAPostComesOut(t *testing.T) {
	noWait, want := retry.Policy{Base: -1}, &noStock{}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for name, fail := range map[string]func(context.Context) error{
			"directly": func(context.Context) error { return retry.Permanent(want) },
			"through an inner retry": func(ctx context.Context) error {
				return noWait.Do(ctx, func(context.Context) error { return retry.Permanent(want) })
			},
		} {
			h := awslambda.Proxy(func(ctx context.Context, _ events.APIGatewayV2HTTPRequest) (out events.APIGatewayV2HTTPResponse, err error) {
				return out, fail(ctx)
			}, noWait)
			if _, err := h(t.Context(), httpRequest(method)); err != error(want) { //nolint:errorlint // the same value
				t.Errorf("%s, %s: Lambda would report a %T, want the handler's own %T", method, name, err, want)
			}
		}
	}
}

// A POST with an empty Idempotency-Key, by which no handler knows it again, was repeated.
func TestRegression_EmptyKeyOfAPost(t *testing.T) {
	for value, want := range map[string]int{"": 1, "7": 3} {
		for kind, r := range map[string]events.APIGatewayProxyRequest{
			"a value":     {HTTPMethod: http.MethodPost, Headers: map[string]string{"idempotency-key": value}},
			"some values": {HTTPMethod: http.MethodPost, MultiValueHeaders: map[string][]string{"X-Idempotency-Key": {value}}},
			"no value":    {HTTPMethod: http.MethodPost, MultiValueHeaders: map[string][]string{"Idempotency-Key": nil}, Headers: map[string]string{"Idempotency-Key": value}},
		} {
			calls := 0
			h := awslambda.Proxy(func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
				calls++
				return events.APIGatewayProxyResponse{StatusCode: http.StatusServiceUnavailable}, nil
			}, retry.Policy{Base: -1})
			if _, err := h(t.Context(), r); err != nil || calls != want {
				t.Errorf("%s %q: %d calls, want %d; %v", kind, value, calls, want, err)
			}
		}
	}
}

func TestProxyPostDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, err := range []error{nil, &orderError{"no stock"}} {
			start := time.Now()
			h := kinds["v2"](func() (int, error) { return 502, err }, retry.Policy{Base: time.Hour, Cap: time.Hour})
			call(t, h, post)
			if took := time.Since(start); took > 0 {
				t.Errorf("%v: it took %v", err, took)
			}
		}
	})
}

// A success is an outcome as well, and so is a panic.
func TestProxyOnePostOnce(t *testing.T) {
	calls := 0
	again := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		return errors.Join(call(ctx), call(ctx))
	})
	h := kinds["v2"](func() (int, error) { calls++; return 201, nil }, again)
	if got, err := call(t, h, post); calls != 1 || err != nil || !strings.HasPrefix(got, `{"statusCode":201`) {
		t.Errorf("%d calls, then %s, %v", calls, got, err)
	}
	calls = 0
	h = kinds["v2"](func() (int, error) { calls++; panic("no hope") }, again, middleware.Recover{})
	if got, err := call(t, h, post); calls != 1 || err == nil {
		t.Errorf("%d calls, then %s, %v", calls, got, err)
	}
}

// TestRegression_NotImplementedIsAFailure: a function that answered 501 was called again, and its breaker opened.
func TestRegression_NotImplementedIsAFailure(t *testing.T) {
	calls := 0
	h := kinds["v2"](func() (int, error) { calls++; return 501, nil }, retry.Policy{Base: -1})
	if got, err := call(t, h, get); calls != 1 || err != nil || !strings.HasPrefix(got, `{"statusCode":501`) {
		t.Errorf("%d calls, then %s, %v", calls, got, err)
	}
}

// The answer to a refusal must not be written over what the handler's pointer points to, which others may have too.
func TestProxyLeavesTheHandlersResponse(t *testing.T) {
	shared := &events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "shared"}
	h := awslambda.Proxy(func(context.Context, events.APIGatewayV2HTTPRequest) (*events.APIGatewayV2HTTPResponse, error) {
		return shared, &refused{503, 0}
	})
	out, err := h(t.Context(), events.APIGatewayV2HTTPRequest{})
	if err != nil || out.StatusCode != 503 || shared.StatusCode != 200 {
		t.Errorf("answer %+v, %v; the handler's became %+v", out, err, shared)
	}
}

func TestProxyAllocates(t *testing.T) {
	h := func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: 200}, nil
	}
	proxied, wrapped := awslambda.Proxy(h, middleware.Recover{}), middleware.Wrap(h, middleware.Recover{})
	ctx := t.Context()
	for method, more := range map[string]float64{"GET": 0, "POST": 1} { // the outcome that is kept
		var in events.APIGatewayV2HTTPRequest
		in.RequestContext.HTTP.Method = method
		with := testing.AllocsPerRun(1000, func() { proxied(ctx, in) })
		without := testing.AllocsPerRun(1000, func() { wrapped(ctx, in) })
		if with > without+more {
			t.Errorf("%s: %v allocations, Wrap alone makes %v", method, with, without)
		}
	}
}

func TestProxyNil(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "awslambda: Proxy of a nil") {
			t.Errorf("panic %q", got)
		}
	}()
	awslambda.Proxy[string, events.APIGatewayProxyResponse](nil)
}

func checkout(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	switch r.RawPath {
	case "/wait":
		<-ctx.Done()
		return events.APIGatewayV2HTTPResponse{}, ctx.Err()
	case "/fail":
		return events.APIGatewayV2HTTPResponse{}, &orderError{"no stock"}
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusCreated, Body: "placed"}, nil
}

func serveProxies() {
	lambdatest.Serve("checkout", func() {
		lambda.StartHandlerFunc(awslambda.Proxy(checkout, ratelimit.New(ratelimit.Every(time.Hour, 3)), middleware.Timeout(100*time.Millisecond)))
	})
}

func TestProxyOnLambda(t *testing.T) {
	f := newFunction(t, "checkout", lambdatest.Config{})
	for _, tt := range []struct {
		path      string
		status    int
		errorType string
	}{
		{path: "/", status: 201},
		{path: "/wait", status: 504},
		{path: "/fail", errorType: "orderError"},
		{path: "/", status: 429},
	} {
		result := invoke(t, f, events.APIGatewayV2HTTPRequest{RawPath: tt.path})
		var response events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(result.Payload, &response); err != nil || response.StatusCode != tt.status {
			t.Errorf("%s: %s, %v; want status %d", tt.path, result.Payload, err, tt.status)
		}
		if (result.Err == nil) != (tt.errorType == "") || result.Err != nil && result.Err.Type != tt.errorType {
			t.Errorf("%s: Err = %v, want %q", tt.path, result.Err, tt.errorType)
		}
	}
}
