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
	for _, tt := range []struct {
		ctx  context.Context
		want slog.Attr
	}{
		{t.Context(), slog.Attr{}},
		{lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{}), slog.Attr{}},
		{lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "42"}), slog.String("requestId", "42")},
	} {
		if got := awslambda.RequestID(tt.ctx); !got.Equal(tt.want) {
			t.Errorf("RequestID = %v, want %v", got, tt.want)
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
