package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/ratelimit"
)

// A Query is a call to the database.
type Query func(ctx context.Context, id string) (order string, err error)

// orders is the API: GET /orders/{id}.
func orders(query Query) http.Handler {
	database := breaker.New(breaker.Config{Name: "database", OpenFor: 500 * time.Millisecond})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		order, err := middleware.Call(r.Context(), func(ctx context.Context) (string, error) {
			return query(ctx, r.PathValue("id"))
		}, database, middleware.Timeout(250*time.Millisecond))
		if err != nil {
			nethttp.Error(w, err) // 503 with Retry-After if the breaker is open, 504 if the database took too long
			return
		}
		fmt.Fprintln(w, order)
	})

	return nethttp.Middleware(
		middleware.Recover{},                            // a panic is a 500
		ratelimit.New(ratelimit.PerSecond(100, 50)),     // more than that is a 429
		middleware.NewBulkhead(10, 50*time.Millisecond), // at most so many at once, and a short queue: 503
		middleware.Timeout(time.Second),                 // for all there is to do: 504
	)(mux)
}
