package awslambda_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

// deaf does not look at its context.
func deaf(_ context.Context, do string) (string, error) {
	switch do {
	case "hang":
		select {}
	case "panic":
		panic(&orderError{"no hope"})
	}
	return do, nil
}

func serveDeaf() {
	const reserve = time.Second
	lambdatest.Serve("deaf", func() { lambda.StartHandlerFunc(deaf) })
	lambdatest.Serve("deaf, reserve", func() { lambda.StartHandlerFunc(middleware.Wrap(deaf, middleware.Reserve(reserve))) })
	lambdatest.Serve("deaf, abandon", func() { lambda.StartHandlerFunc(middleware.Abandon(deaf, reserve)) })
	lambdatest.Serve("deaf, raw, abandon", func() {
		lambda.Start(awslambda.HandlerFunc(middleware.Abandon(awslambda.Raw(lambda.NewHandler(deaf)), reserve)))
	})
}

func TestAbandon(t *testing.T) {
	for _, tt := range []struct{ function, errorType string }{
		{"deaf", lambdatest.TimedOut},
		{"deaf, reserve", lambdatest.TimedOut},
		{"deaf, abandon", "TimeoutError"},
		{"deaf, raw, abandon", "TimeoutError"},
	} {
		t.Run(tt.function, func(t *testing.T) {
			f := newFunction(t, tt.function, lambdatest.Config{Timeout: 1500 * time.Millisecond})
			result := invoke(t, f, "hang")
			if result.Err == nil || result.Err.Type != tt.errorType {
				t.Errorf("Err = %v, want %s", result.Err, tt.errorType)
			}
			next := invoke(t, f, "go on")
			if string(next.Payload) != `"go on"` || next.Cold != (tt.errorType == lambdatest.TimedOut) {
				t.Errorf("after that: %s, %v, cold start %v", next.Payload, next.Err, next.Cold)
			}
			result = invoke(t, f, "panic")
			if e := result.Err; e == nil || e.Type != "orderError" || len(e.Stack) == 0 || result.Exit == nil || result.Exit.ExitCode() != 1 {
				t.Errorf("panic: Err = %v, Exit = %v; want it reported as without Abandon", e, result.Exit)
			}
		})
	}
}
