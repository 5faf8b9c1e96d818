package awslambda_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// policies are what lies around placeOrder in these tests.
var policies = map[string][]middleware.Policy{
	"none":      {},
	"timeout":   {middleware.Timeout(30 * time.Second)},
	"reserve":   {middleware.Reserve(time.Second)},
	"bulkhead":  {middleware.NewBulkhead(1, 0)},
	"retry":     {retry.Policy{Base: -1}},
	"breaker":   {breaker.New(breaker.Config{})},
	"ratelimit": {ratelimit.New(ratelimit.PerSecond(1e6, 1e6))},
	"joined":    {middleware.Join(middleware.Timeout(30*time.Second), retry.Policy{Base: -1})},
	"observe":   {middleware.Observe(func(context.Context, middleware.Event) {})},
	"recover":   {middleware.Recover{}},
	"all": {
		middleware.Reserve(time.Second), middleware.NewBulkhead(1, 0), ratelimit.New(ratelimit.PerSecond(1e6, 1e6)),
		middleware.Timeout(30 * time.Second), retry.Policy{Base: -1}, breaker.New(breaker.Config{}),
	},

	"refuse: bulkhead":  {middleware.NewBulkhead(1, 0)},
	"refuse: ratelimit": {ratelimit.New(ratelimit.Every(time.Hour, 1))},
	"refuse: breaker":   {breaker.New(breaker.Config{Name: "payments", Failures: 1})},
	"refuse: reserve":   {middleware.Reserve(time.Hour)},
	"time out":          {middleware.Timeout(time.Millisecond)},
	"keep most":         {middleware.Reserve(900 * time.Millisecond)},
}

type order struct {
	Policies string
	Do       string
}

type orderError struct{ reason string }

func (e *orderError) Error() string { return e.reason }

func placeOrder(ctx context.Context, o order) (string, error) {
	switch o.Do {
	case "fail":
		return "", &orderError{"no stock"}
	case "panic":
		panic(&orderError{"no hope"})
	case "wait":
		<-ctx.Done()
		return "", ctx.Err()
	case "nest": // the policies are asked again while they are busy
		return middleware.Wrap(placeOrder, policies[o.Policies]...)(ctx, order{})
	}
	return "placed", nil
}

// orders is a handler that wraps placeOrder as the event says.
func orders(ctx context.Context, o order) (string, error) {
	return middleware.Wrap(placeOrder, policies[o.Policies]...)(ctx, o)
}

// rawOrders is the same for bytes.
func rawOrders(ctx context.Context, payload []byte) ([]byte, error) {
	var o order
	if err := json.Unmarshal(payload, &o); err != nil {
		return nil, err
	}
	return awslambda.Raw(lambda.NewHandler(placeOrder), policies[o.Policies]...)(ctx, payload)
}

func serveTyped() {
	lambdatest.Serve("Start", func() { lambda.Start(middleware.Wrap(orders)) })
	lambdatest.Serve("StartHandlerFunc", func() { lambda.StartHandlerFunc(middleware.Wrap(orders)) })
	lambdatest.Serve("Start raw", func() { lambda.Start(awslambda.HandlerFunc(rawOrders)) })
}

func TestErrorType(t *testing.T) {
	for _, name := range []string{"Start", "StartHandlerFunc", "Start raw"} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t, name, lambdatest.Config{})
			for around := range policies {
				if strings.Contains(around, " ") {
					continue
				}
				if result := invoke(t, f, order{around, "succeed"}); string(result.Payload) != `"placed"` {
					t.Errorf("%s: Payload = %s", around, result.Payload)
				}
				result := invoke(t, f, order{around, "fail"})
				if e := result.Err; e == nil || e.Type != "orderError" || e.Message != "no stock" || e.Stack != nil {
					t.Errorf("%s: Err = %v, want the handler's own", around, result.Err)
				}
				result = invoke(t, f, order{around, "panic"})
				if around == "recover" {
					if e := result.Err; e == nil || e.Type != "PanicError" || e.Message != "panic: no hope" || result.Exit != nil {
						t.Errorf("recover: Err = %v, Exit = %v", e, result.Exit)
					}
					continue
				}
				if e := result.Err; e == nil || e.Type != "orderError" || e.Message != "no hope" || !hasFrame(e, "placeOrder") {
					t.Errorf("%s: Err = %v, Stack = %v; want the handler's panic", around, e, e.Stack)
				}
				if result.Exit == nil || result.Exit.ExitCode() != 1 {
					t.Errorf("%s: Exit = %v, want code 1 after a panic", around, result.Exit)
				}
			}
		})
	}
}

func hasFrame(e *lambdatest.Error, function string) bool {
	for _, frame := range e.Stack {
		if strings.HasSuffix(frame.Label, function) {
			return true
		}
	}
	return false
}

func TestRefusalType(t *testing.T) {
	for _, name := range []string{"StartHandlerFunc", "Start raw"} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t, name, lambdatest.Config{})
			for _, tt := range []struct {
				around string
				do     []string
				want   string
			}{
				{"refuse: bulkhead", []string{"nest"}, "FullError"},
				{"refuse: ratelimit", []string{"nest"}, "LimitedError"},
				{"refuse: breaker", []string{"fail", "succeed"}, "OpenError"},
				{"refuse: reserve", []string{"succeed"}, "ReserveError"},
				{"time out", []string{"wait"}, "TimeoutError"},
			} {
				var last lambdatest.Result
				for _, do := range tt.do {
					last = invoke(t, f, order{tt.around, do})
				}
				if last.Err == nil || last.Err.Type != tt.want || last.Exit != nil {
					t.Errorf("%s: Err = %v, Exit = %v; want a %s", tt.around, last.Err, last.Exit, tt.want)
				}
			}
		})
	}
}

// Lambda ends the process when the context ends; what is reserved before that is what the answer needs.
func TestReserveAnswersInTime(t *testing.T) {
	f := newFunction(t, "Start", lambdatest.Config{Timeout: time.Second})
	if e := invoke(t, f, order{"none", "wait"}).Err; e == nil || e.Type != lambdatest.TimedOut {
		t.Errorf("without: Err = %v, want Lambda's timeout", e)
	}
	if e := invoke(t, f, order{"keep most", "wait"}).Err; e == nil || e.Type != "TimeoutError" {
		t.Errorf("with: Err = %v, want a TimeoutError in time", e)
	}
}
