package httpkey

import (
	"context"
	"errors"
	"net/http"
)

// Middleware returns a function that makes the requests to a handler happen once for each key. It has the shape that
// chi's Use and alice.New take. Handlers that share a Config share its keys, and one key is good for one request: on
// another path it is refused.
//
// Requests without a key pass as they are, or are refused if c.Once.RequireKey says so. For those with one, the handler's
// writer is a Flusher and a Hijacker if the server's is, and works with [http.ResponseController].
//
// Middleware panics if c makes no sense.
func Middleware(c Config) func(http.Handler) http.Handler {
	op := newOperation("Middleware", c)
	once := op.once()
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("httpkey: Middleware of a nil handler")
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !op.covers(r.Method) {
				next.ServeHTTP(w, r)
				return
			}
			x := &exchange{call: call{op: op, w: w, request: r}, next: next, outer: r}
			x.handle = x.serve
			ctx := r.Context()
			if len(r.Header[Field]) > 0 {
				var cancel context.CancelFunc
				ctx, x.stay, cancel = withoutClient(ctx)
				defer cancel()
				defer x.stay()
			}
			kept, err := once(ctx, &x.call)
			switch {
			case x.done:
			case err != nil:
				mustProblem(err).send(w)
			default:
				x.replay(kept).send(w)
			}
		})
	}
}

// An exchange is a call over HTTP.
type exchange struct {
	call

	next  http.Handler
	outer *http.Request // as it came
	stay  func() bool   // parts from the client, or reports that it has gone
}

// serve lets the handler answer.
func (x *exchange) serve(ctx context.Context) (Response, error) {
	if !x.keyed {
		x.done = true
		x.pass(x.w, x.request)
		return Response{}, nil
	}
	if !x.stay() {
		return Response{}, x.outer.Context().Err()
	}
	c := &capture{ResponseWriter: x.w, op: x.op}
	x.pass(c.view(), x.again(ctx))
	if c.head.status == 0 && ctx.Err() != nil {
		return Response{}, context.Cause(ctx) // it gave up, and that is no empty 200
	}
	return x.leaves(c.response())
}

func (x *exchange) pass(w http.ResponseWriter, r *http.Request) {
	defer func() {
		// What net/http cleans up, and what those around us log, they look for in their own request.
		x.outer.MultipartForm, x.outer.Pattern = r.MultipartForm, r.Pattern
	}()
	x.next.ServeHTTP(w, r)
}

// withoutClient returns a context that ends with ctx, as that does when the client goes, until stay is called. From then
// on only the deadline counts. It reports false if ctx has ended before.
func withoutClient(ctx context.Context) (detached context.Context, stay func() bool, cancel context.CancelFunc) {
	detached = context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		detached, cancel = context.WithDeadline(detached, deadline)
	} else {
		detached, cancel = context.WithCancel(detached)
	}
	stay = context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel()
		}
	})
	return detached, stay, cancel
}
