package httpkey

import (
	"context"
	"fmt"
	"reflect"
)

// Proxy is [Middleware] for a Lambda function behind API Gateway (payload format 1.0 or 2.0), an Application Load
// Balancer or a function URL: it returns h, made so that requests happen once for each key. In and Out are the event and
// the response of one of these, those of github.com/aws/aws-lambda-go/events or others with the same JSON.
//
// Keys, fingerprints and records are those of Middleware. With the same Config, at the same host and under the same path,
// what ran in the function is replayed by the server, and the other way round. The functions in c get a request that is
// made of the event; [Event] finds that again.
//
// A response without a statusCode is what API Gateway takes it for: with payload format 2.0 and function URLs, a 200 with
// its JSON as the body; elsewhere no response at all. Of one that cannot be read, for that or another reason, the record
// says that the request is done and its response not kept.
//
// An error of h comes out as it is, and the next request runs. The function's time ends h's context a little early, to
// leave time to keep the response.
//
// Proxy panics if h is nil, if c makes no sense, or if Out cannot carry any response.
func Proxy[In, Out any](h func(ctx context.Context, in In) (Out, error), c Config) func(ctx context.Context, in In) (Out, error) {
	if h == nil {
		panic("httpkey: Proxy of a nil handler")
	}
	op := newOperation("Proxy", c)
	once := op.once()
	if !carries[Out]() {
		panic(fmt.Sprintf("httpkey: Proxy: a %v cannot say that a request is refused: want a response with statusCode, headers and body in its JSON, as those of aws-lambda-go/events", reflect.TypeFor[Out]()))
	}
	return func(ctx context.Context, in In) (out Out, failure error) {
		e, err := messageOf(in)
		if err != nil {
			return out, err
		}
		if !op.covers(e.method()) {
			return h(ctx, in)
		}
		r, err := e.request(context.WithValue(ctx, eventKey{}, in))
		if err != nil {
			return out, err
		}
		x := &call{op: op, request: r, event: in}
		x.handle = func(ctx context.Context) (Response, error) {
			out, failure = h(ctx, in)
			x.done = true
			if failure != nil || !x.keyed {
				return Response{}, failure
			}
			kept := responseOf(out, e.v2())
			kept.Header = op.kept(kept.Header)
			return x.leaves(kept)
		}
		kept, err := once(ctx, x)
		if x.done {
			return out, failure
		}
		answer, ok := problem(err)
		switch {
		case err == nil:
			answer = x.replay(kept)
		case !ok:
			return out, err
		}
		err = e.answer(answer, &out)
		return out, err
	}
}
