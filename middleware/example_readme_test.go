package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// The same policies around an HTTP server and around an HTTP client.
func Example_http() {
	mux := http.NewServeMux()

	limiter := ratelimit.New(ratelimit.PerSecond(100, 20))
	server := nethttp.Middleware(limiter, middleware.Timeout(3*time.Second))(mux) // refusals become 429, 503 and 504

	hosts := breaker.NewGroup(breaker.Config{}, 100)
	client := &http.Client{Transport: nethttp.Transport(nil, retry.Policy{}, nethttp.PerHost(hosts.Get))}

	fmt.Printf("%T %T\n", server, client)
	// Output: http.HandlerFunc *http.Client
}

// Errors of policies, told apart.
func Example_errors() {
	payments := breaker.New(breaker.Config{Name: "payments", Failures: 1})
	charge := func(context.Context) error { return errors.New("503") }
	_ = payments.Do(context.Background(), charge)
	err := payments.Do(context.Background(), charge)

	var open *breaker.OpenError
	switch {
	case errors.As(err, &open): // open.Name, open.RetryAfter()
		fmt.Println("the breaker is open:", open.Name)
	case errors.Is(err, ratelimit.ErrLimited):
		fmt.Println("over the limit")
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("too slow")
	}
	// Output: the breaker is open: payments
}

// A policy of one's own.
func Example_policy() {
	quiet := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		if hour := time.Now().Hour(); hour >= 24 {
			return errors.New("closed for the night")
		}
		return call(ctx)
	})
	fmt.Println(quiet.Do(context.Background(), func(context.Context) error { return nil }))
	// Output: <nil>
}
