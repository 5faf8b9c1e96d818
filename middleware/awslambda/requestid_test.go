package awslambda_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
)

func TestRequestID(t *testing.T) {
	if got := awslambda.RequestID(t.Context()); !got.Equal(slog.Attr{}) {
		t.Errorf("outside an invocation: %v", got)
	}
	for id, want := range map[string]slog.Attr{"": {}, "42": slog.String("requestId", "42")} {
		ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: id})
		if got := awslambda.RequestID(ctx); !got.Equal(want) {
			t.Errorf("of invocation %q: %v, want %v", id, got, want)
		}
	}
}

func ExampleRequestID() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // for the sake of this example
			}
			return a
		},
	}))
	handler := middleware.WrapErr(func(context.Context, string) error { return nil },
		middleware.Log(logger, awslambda.RequestID),
		middleware.Reserve(500*time.Millisecond),
	)
	// In main: lambda.Start(handler)

	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "42"})
	ctx, cancel := context.WithDeadline(ctx, time.Unix(0, 0)) // an invocation whose time is over
	defer cancel()
	_ = handler(ctx, "order 7")
	// Output: level=WARN msg="reserve refusal" requestId=42 policy=reserve kind=refusal error="reserve: no call with 0s left, 500ms are kept for the answer"
}
