package awslambda

import (
	"context"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// RequestID is the id of the invocation that ctx belongs to, as an attribute for [middleware.Log]. Its key is requestId, as
// in the records of Lambda itself. Outside an invocation it is empty, which handlers of package slog leave out.
func RequestID(ctx context.Context) slog.Attr {
	lc, ok := lambdacontext.FromContext(ctx)
	if !ok || lc.AwsRequestID == "" {
		return slog.Attr{}
	}
	return slog.String("requestId", lc.AwsRequestID)
}
