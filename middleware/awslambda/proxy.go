package awslambda

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/middleware"
)

// A Response is what a handler behind API Gateway (payload format 1.0 or 2.0), an Application Load Balancer or a
// function URL returns.
type Response interface {
	events.APIGatewayProxyResponse | events.APIGatewayV2HTTPResponse | events.ALBTargetGroupResponse | events.LambdaFunctionURLResponse
}

// Proxy returns h with policies around it, the first outermost, as [middleware.Wrap] does, for a handler of HTTP
// requests. Whatever error such a handler returns, its caller gets a 502. Proxy makes an answer, without an error, of an
// error in whose tree something has a method HTTPStatus() int that returns 400 to 599: the refusal of a limiter is
// answered with 429, that of a breaker or a bulkhead with 503, a timeout with 504. So are errors that h itself returns,
// such as the refusal of the breaker around what it depends on. The answer has a Retry-After header if the time is
// known, is not to be cached, and its body is a problem of RFC 9457 (application/problem+json) that names nothing from
// inside the function. Every other error comes out as it is, and so does a panic that [middleware.Recover] made an error
// of.
//
// A response with a status of 500 or more is a failure to the policies, which see a [*StatusError], but goes to the
// caller as h returned it. Inside a retry, h is called again after one, whatever the request's method is.
//
// Proxy panics if h or a policy is nil.
func Proxy[In any, Out Response](h middleware.Handler[In, Out], policies ...middleware.Policy) middleware.Handler[In, Out] {
	if h == nil {
		panic("awslambda: Proxy of a nil handler")
	}
	wrapped := middleware.Wrap(func(ctx context.Context, in In) (Out, error) {
		out, err := h(ctx, in)
		if s := status(&out); err == nil && s >= 500 {
			err = &StatusError{s}
		}
		return out, err
	}, policies...)
	return func(ctx context.Context, in In) (Out, error) {
		out, err := wrapped(ctx, in)
		if err == nil {
			return out, nil
		}
		if e, ok := errors.AsType[*StatusError](err); ok && e.Status == status(&out) {
			return out, nil
		}
		if _, ok := errors.AsType[*middleware.PanicError](err); ok {
			return out, err
		}
		if a, ok := refusal.AnswerTo(err, http.StatusText); ok {
			answer(&out, a, &in)
			return out, nil
		}
		return out, err
	}
}

// A StatusError is what the policies of a [Proxy] see of a response that says the server failed.
type StatusError struct {
	Status int // 500 or more
}

func (e *StatusError) Error() string {
	return "response with status " + strconv.Itoa(e.Status)
}

// HTTPStatus returns Status.
func (e *StatusError) HTTPStatus() int { return e.Status }

// status is that of the [Response] to which response points.
func status(response any) int {
	switch r := response.(type) {
	case *events.APIGatewayProxyResponse:
		return r.StatusCode
	case *events.APIGatewayV2HTTPResponse:
		return r.StatusCode
	case *events.ALBTargetGroupResponse:
		return r.StatusCode
	case *events.LambdaFunctionURLResponse:
		return r.StatusCode
	}
	return 0
}

// answer makes a of the Response to which response points, an answer to the request to which request points.
func answer(response any, a refusal.Answer, request any) {
	body := string(a.Body)
	switch r := response.(type) {
	case *events.APIGatewayProxyResponse:
		*r = events.APIGatewayProxyResponse{StatusCode: a.Status, Headers: a.Headers, Body: body}
	case *events.APIGatewayV2HTTPResponse:
		*r = events.APIGatewayV2HTTPResponse{StatusCode: a.Status, Headers: a.Headers, Body: body}
	case *events.LambdaFunctionURLResponse:
		*r = events.LambdaFunctionURLResponse{StatusCode: a.Status, Headers: a.Headers, Body: body}
	case *events.ALBTargetGroupResponse:
		*r = events.ALBTargetGroupResponse{
			StatusCode:        a.Status,
			StatusDescription: strconv.Itoa(a.Status) + " " + http.StatusText(a.Status),
			Body:              body,
		}
		single, multi := headerKinds(request)
		if single {
			r.Headers = a.Headers
		}
		if multi {
			r.MultiValueHeaders = make(map[string][]string, len(a.Headers))
			for key, value := range a.Headers {
				r.MultiValueHeaders[key] = []string{value}
			}
		}
	}
}

// headerKinds reports which headers a load balancer wants: the kind that it sent. It refuses an answer without them.
func headerKinds(request any) (single, multi bool) {
	switch r := request.(type) {
	case *events.ALBTargetGroupRequest:
		return r.MultiValueHeaders == nil, r.MultiValueHeaders != nil
	case **events.ALBTargetGroupRequest:
		if *r != nil {
			return headerKinds(*r)
		}
	}
	return true, true // an event type of the user's own
}
