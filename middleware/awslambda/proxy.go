package awslambda

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/middleware"
)

// A ProxyResponse is what a handler behind API Gateway (payload format 1.0 or 2.0), an Application Load Balancer or a
// function URL returns, or a pointer to that. It is a constraint, not a type.
type ProxyResponse interface {
	events.APIGatewayProxyResponse | events.APIGatewayV2HTTPResponse | events.ALBTargetGroupResponse | events.LambdaFunctionURLResponse |
		*events.APIGatewayProxyResponse | *events.APIGatewayV2HTTPResponse | *events.ALBTargetGroupResponse | *events.LambdaFunctionURLResponse
}

// Proxy returns h with policies around it, the first outermost, as [middleware.Wrap] does, for a handler of HTTP
// requests. Whatever error such a handler returns, its caller gets a 502. Proxy makes an answer, without an error, of an
// error in whose tree something has a method HTTPStatus() int that returns 400 to 599: the refusal of a limiter is
// answered with 429, that of a breaker or a bulkhead with 503, a timeout with 504. So are errors that h itself returns,
// such as the refusal of the breaker around what it depends on; and without such a method [context.DeadlineExceeded] is
// answered with 504 and [context.Canceled] with 503. The answer has a Retry-After header if the time is known, is not to
// be cached, and its body is a problem of RFC 9457 (application/problem+json) that names nothing from inside the
// function. Every other error comes out as it is, and so does a panic that [middleware.Recover] made an error of.
//
// A response with a status of 500 or more, other than 501 Not Implemented, is a failure to the policies, which see a
// [*StatusError], but goes to the caller as h returned it.
//
// Only a request that is safe or idempotent is repeated: GET, HEAD, OPTIONS, TRACE, PUT, DELETE, or one with the header
// Idempotency-Key or X-Idempotency-Key, and a value in it. For all others, and for events of types that are not of package
// events, the first call of h is the last, whatever the policies do, and a retry inside h, which otherwise leaves
// repeating to the one around it, repeats its own calls.
//
// Proxy panics if h or a policy is nil.
func Proxy[In any, Out ProxyResponse](h middleware.Handler[In, Out], policies ...middleware.Policy) middleware.Handler[In, Out] {
	if h == nil {
		panic("awslambda: Proxy of a nil handler")
	}
	wrapped := middleware.Wrap(func(ctx context.Context, x exchange[In, Out]) (Out, error) {
		if x.only != nil {
			return x.only.call(func() (Out, error) {
				return attempt(scope.WithoutRetry(ctx, x.only.around), h, x.in, x.shown)
			})
		}
		return attempt(ctx, h, x.in, x.shown)
	}, policies...)
	var (
		noIn  In
		noOut Out
	)
	looks := scope.Looking(policies, any(noIn), any(noOut))
	return func(ctx context.Context, in In) (Out, error) {
		x := exchange[In, Out]{in: in}
		if looks > 0 {
			x.shown = &scope.Call{In: in, Looks: looks, Status: answerStatus}
			x.shown.Return(scope.Result{Out: noOut}) // its type says something already
			ctx = scope.Show(ctx, x.shown)
		}
		if !repeatable(&in) {
			x.only = &outcome[Out]{around: ctx}
		}
		out, err := wrapped(ctx, x)
		if err == nil {
			return out, nil
		}
		err = refusal.Bare(err)
		if e, ok := errors.AsType[*StatusError](err); ok && e.Code == status(&out) {
			return out, nil
		}
		if _, ok := errors.AsType[*middleware.PanicError](err); ok {
			return out, err
		}
		if a, ok := answerTo(err); ok {
			answer(&out, a, &in)
			return out, nil
		}
		return out, err
	}
}

// attempt is one call of h.
func attempt[In any, Out ProxyResponse](ctx context.Context, h middleware.Handler[In, Out], in In, shown *scope.Call) (Out, error) {
	out, err := h(ctx, in)
	s := status(&out)
	if shown != nil {
		shown.Return(scope.Result{Status: s})
	}
	if err == nil && s >= 500 && s != http.StatusNotImplemented {
		err = &StatusError{s}
	}
	return out, err
}

// An exchange is a request on its way through the policies.
type exchange[In, Out any] struct {
	in    In
	only  *outcome[Out] // of a request that is not repeated
	shown *scope.Call   // nil if no policy looks
}

// Shown tells middleware.Wrap that the call is shown already.
func (exchange[In, Out]) Shown() {}

// answerStatus is the status with which a request is answered if the policies end with err, zero if with an error.
func answerStatus(c *scope.Call, err error) int {
	if _, ok := errors.AsType[*StatusError](err); err == nil || ok {
		return c.Result().Status
	}
	if _, ok := errors.AsType[*middleware.PanicError](err); ok {
		return 0
	}
	a, _ := answerTo(err)
	return a.Status
}

// An outcome is that of the one call for a request that is not repeated.
type outcome[Out any] struct {
	around context.Context //nolint:containedctx // the context around the policies, for as long as they run
	called bool
	out    Out
	err    error
}

var errNoOutcome = refusal.Last(errors.New("awslambda: a request that is not to be repeated, and whose first call did not return"))

// call calls h, unless it did so before.
func (o *outcome[Out]) call(h func() (Out, error)) (Out, error) {
	if !o.called {
		o.called, o.err = true, errNoOutcome
		out, err := h()
		if err != nil {
			err = refusal.Last(err)
		}
		o.out, o.err = out, err
	}
	return o.out, o.err
}

// A StatusError is what the policies of a [Proxy] see of a response that says the server failed. Use [errors.As] to find
// it.
type StatusError struct {
	Code int // 500 or more
}

func (e *StatusError) Error() string {
	return "response with status " + strconv.Itoa(e.Code)
}

// ErrorType returns Code as telemetry has it.
func (e *StatusError) ErrorType() string { return strconv.Itoa(e.Code) }

// HTTPStatus returns Code.
func (e *StatusError) HTTPStatus() int { return e.Code }

// pointee is what p points to if that is a pointer to a request or a response, or nil if that is nil, and otherwise p.
func pointee(p any) any {
	switch p := p.(type) {
	case **events.APIGatewayProxyRequest:
		return at(p)
	case **events.APIGatewayV2HTTPRequest:
		return at(p)
	case **events.ALBTargetGroupRequest:
		return at(p)
	case **events.LambdaFunctionURLRequest:
		return at(p)
	case **events.APIGatewayProxyResponse:
		return at(p)
	case **events.APIGatewayV2HTTPResponse:
		return at(p)
	case **events.ALBTargetGroupResponse:
		return at(p)
	case **events.LambdaFunctionURLResponse:
		return at(p)
	}
	return p
}

func at[T any](p **T) any {
	if *p == nil {
		return nil
	}
	return *p
}

// repeatable reports whether the request to which request points may be made twice by what its method and headers say:
// it is safe, idempotent, or has a key by which the function knows it again.
func repeatable(request any) bool {
	switch r := pointee(request).(type) {
	case *events.APIGatewayProxyRequest:
		return idempotent(r.HTTPMethod) || hasKey(r.Headers) || hasKeys(r.MultiValueHeaders)
	case *events.APIGatewayV2HTTPRequest:
		return idempotent(r.RequestContext.HTTP.Method) || hasKey(r.Headers)
	case *events.ALBTargetGroupRequest:
		return idempotent(r.HTTPMethod) || hasKey(r.Headers) || hasKeys(r.MultiValueHeaders)
	case *events.LambdaFunctionURLRequest:
		return idempotent(r.RequestContext.HTTP.Method) || hasKey(r.Headers)
	}
	return false
}

func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

func hasKey(headers map[string]string) bool {
	for name, value := range headers {
		if isKey(name) && value != "" {
			return true
		}
	}
	return false
}

func hasKeys(headers map[string][]string) bool {
	for name, values := range headers {
		if isKey(name) && strings.Join(values, "") != "" {
			return true
		}
	}
	return false
}

func isKey(name string) bool {
	return strings.EqualFold(name, "Idempotency-Key") || strings.EqualFold(name, "X-Idempotency-Key")
}

// status is that of the response to which response points.
func status(response any) int {
	switch r := pointee(response).(type) {
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

// answerTo is the answer to err, if there is one.
func answerTo(err error) (refusal.Answer, bool) {
	a, ok := refusal.AnswerTo(err, http.StatusText)
	switch {
	case ok:
	case errors.Is(err, context.DeadlineExceeded):
		return refusal.AnswerTo(&StatusError{http.StatusGatewayTimeout}, http.StatusText)
	case errors.Is(err, context.Canceled):
		return refusal.AnswerTo(&StatusError{http.StatusServiceUnavailable}, http.StatusText)
	}
	return a, ok
}

// answer makes a of the response to which response points, an answer to the request to which request points.
func answer(response any, a refusal.Answer, request any) {
	body := string(a.Body)
	switch r := response.(type) { // what the handler's pointer points to may be shared
	case **events.APIGatewayProxyResponse:
		*r = new(events.APIGatewayProxyResponse)
	case **events.APIGatewayV2HTTPResponse:
		*r = new(events.APIGatewayV2HTTPResponse)
	case **events.ALBTargetGroupResponse:
		*r = new(events.ALBTargetGroupResponse)
	case **events.LambdaFunctionURLResponse:
		*r = new(events.LambdaFunctionURLResponse)
	}
	switch r := pointee(response).(type) {
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
	if r, ok := pointee(request).(*events.ALBTargetGroupRequest); ok {
		return r.MultiValueHeaders == nil, r.MultiValueHeaders != nil
	}
	return true, true // an event type of the user's own
}
