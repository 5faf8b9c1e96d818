package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/examples/internal/surge"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// bare is the function as it is often written. The only timeout is Lambda's.
func bare() {
	client := &http.Client{}
	lambda.Start(surge.Shop{Client: client}.Checkout)
}

// guarded is the same function with Seawall. Its times are short because the outage is: think of minutes for seconds.
func guarded() {
	payments := breaker.New(breaker.Config{Name: "payments", OpenFor: 250 * time.Millisecond, MaxOpenFor: -1})
	client := &http.Client{Transport: nethttp.Transport(nil,
		retry.Policy{Cap: 100 * time.Millisecond}, // the outermost: each attempt goes through the ones below
		payments,
		ratelimit.New(ratelimit.PerSecond(25, 10)),
		middleware.Timeout(200*time.Millisecond),
	)}
	lambda.Start(awslambda.Proxy(surge.Shop{Client: client}.Checkout, // refusals become answers: 429, 503, 504
		middleware.Observe(note),
		middleware.Recover{},
		middleware.Reserve(500*time.Millisecond), // an answer before Lambda ends the function
	))
}

// note logs what the policies notice.
func note(ctx context.Context, e middleware.Event) {
	logger.InfoContext(ctx, string(e.Kind), "policy", e.Policy, "from", e.From, "to", e.To, "wait", e.Wait)
}

var logger = slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("environment", lambdacontext.LogStreamName)
