package awslambda_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/ratelimit"
)

func ExampleProxy() {
	handler := awslambda.Proxy(
		func(_ context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK, Body: "hello from " + r.RawPath}, nil
		},
		middleware.Reserve(500*time.Millisecond),
		ratelimit.New(ratelimit.Every(time.Minute, 1)),
	)
	// In main: lambda.Start(handler)

	for range 2 {
		response, err := handler(context.Background(), events.APIGatewayV2HTTPRequest{RawPath: "/hello"})
		fmt.Println(response.StatusCode, response.Headers["Retry-After"], response.Body, err)
	}
	// Output:
	// 200  hello from /hello <nil>
	// 429 60 {"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Too many requests at the moment. Try again later."} <nil>
}

func ExampleStatusError() {
	observe := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		err := call(ctx)
		fmt.Println("policies see:", err)
		return err
	})
	handler := awslambda.Proxy(func(context.Context, events.ALBTargetGroupRequest) (events.ALBTargetGroupResponse, error) {
		return events.ALBTargetGroupResponse{StatusCode: http.StatusInternalServerError, Body: "out of paper"}, nil
	}, observe)

	response, err := handler(context.Background(), events.ALBTargetGroupRequest{})
	fmt.Println("the caller sees:", response.StatusCode, response.Body, err)
	// Output:
	// policies see: response with status 500
	// the caller sees: 500 out of paper <nil>
}

// upper stands for a handler of bytes that comes from elsewhere.
type upper struct{}

func (upper) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	return bytes.ToUpper(payload), nil
}

func ExampleRaw() {
	handler := awslambda.Raw(upper{}, middleware.Recover{}, middleware.Reserve(500*time.Millisecond))
	// In main: lambda.Start(handler)

	answer, err := handler.Invoke(context.Background(), []byte(`"quietly"`))
	fmt.Println(string(answer), err)
	// Output: "QUIETLY" <nil>
}

// A handler of bytes that does not look at its context is answered in time by middleware.Abandon.
func ExampleHandlerFunc() {
	handler := awslambda.HandlerFunc(middleware.Abandon(awslambda.Raw(upper{}), 500*time.Millisecond))
	var _ lambda.Handler = handler // In main: lambda.Start(handler)

	answer, err := handler.Invoke(context.Background(), []byte(`"quietly"`))
	fmt.Println(string(answer), err)
	// Output: "QUIETLY" <nil>
}
