package nethttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/middleware"
)

// Middleware returns a function that puts policies around a handler, the first outermost. It has the shape that chi's
// Use and alice.New take. Each request is one call:
//
//   - The policies get the request's context, and the handler gets the request with theirs.
//   - For the policies the handler fails if it writes a status of 500 or above, other than 501, if it panics, or if its
//     context ends and it returns without having written. The last is not taken for an empty 200.
//   - What the handler writes goes out at once and as it is. Its writer is a Flusher, Hijacker, Pusher or io.ReaderFrom
//     if the server's is, and works with [http.ResponseController].
//   - If the handler has written nothing, an error of the policies is answered as [Error] does it.
//   - If the handler has written, nothing is added, whatever the policies say. A late response is a response.
//   - If it has written and then panics, the connection is aborted, even under [middleware.Recover]: half a response
//     must not look like a whole one.
//   - A panic with [http.ErrAbortHandler] aborts the connection, as it does without policies, which see it as an error
//     and cannot recover it.
//
// A timeout here is cooperative, as everywhere: a handler that is deaf to its context is waited for. One that streams,
// and finds in the middle that its time is over, has to panic with [http.ErrAbortHandler]: if it returns, the caller
// takes what came for the whole.
//
// Two things are lost, for only the server's own writer has them: [http.CloseNotifier], for which the request's context
// has long been the better way, and that [http.MaxBytesReader] has the connection closed after a request that is too
// long. Set the header field Connection to close where that matters.
//
// Middleware panics if a policy says that it makes calls more than once: use [Buffered] for those. A policy that hides
// it, such as a [middleware.PolicyFunc], gets an error instead of a second call.
func Middleware(policies ...middleware.Policy) func(http.Handler) http.Handler {
	checkServer("Middleware", policies)
	for i, p := range policies {
		if r, ok := p.(interface{ Repeats() bool }); ok && r.Repeats() {
			panic(fmt.Sprintf("nethttp: Middleware: policy %d of %d, a %T, makes calls more than once, "+
				"and a response can be written only once: use nethttp.Buffered{}.Middleware", i+1, len(policies), p))
		}
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("nethttp: Middleware of a nil handler")
		}
		do := middleware.WrapErr(func(ctx context.Context, x *exchange) error { return x.serve(ctx, next) }, policies...)
		looks := scope.Looking(policies, (*http.Request)(nil))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := &exchange{writer: writer{ResponseWriter: w}, request: r}
			ctx := r.Context()
			if looks > 0 {
				x.shown = &scope.Call{In: r, Looks: looks, Status: answered}
				ctx = scope.Show(ctx, x.shown)
			}
			x.end(do(ctx, x))
		})
	}
}

func checkServer(caller string, policies []middleware.Policy) {
	check(caller, policies)
	for i, p := range policies {
		if _, ok := p.(interface{ hostOfRequest() }); ok {
			panic(fmt.Sprintf("nethttp: %s: policy %d of %d is PerHost, which is for Transport: "+
				"the host of a request that comes in is whatever its sender says", caller, i+1, len(policies)))
		}
	}
}

// An exchange is one request and its response, written as the handler writes it.
type exchange struct {
	writer

	request *http.Request
	shown   *scope.Call // nil if no policy looks
	ending  ending
	err     error
}

func (x *exchange) serve(ctx context.Context, next http.Handler) error {
	if x.ending != notCalled {
		return errors.Join(errCalledTwice, x.err)
	}
	r := x.request
	if x.shown != nil {
		defer func() { x.shown.Return(scope.Result{Status: x.written(), Final: x.final(), Route: r.Pattern}) }()
	}
	if !same(ctx, r.Context()) {
		r = r.WithContext(scope.WithoutRetry(ctx, r.Context()))
		defer func() {
			// What net/http cleans up, and what those around us log, they look for in their own request.
			x.request.MultipartForm, x.request.Pattern = r.MultipartForm, r.Pattern
		}()
	}
	x.err = call(next, x.view(), r, &x.ending)
	if !x.hijacked {
		x.err = outcome(ctx, x.err, x.status, x.Header())
	}
	if x.err != nil {
		x.err = refusal.Last(x.err)
	}
	return x.err
}

// written is the status of what the handler wrote, or of the empty response that it means if it has written nothing.
func (x *exchange) written() int {
	if x.status == 0 && x.ending == returned && !x.hijacked {
		return http.StatusOK
	}
	return x.status
}

// final reports whether nothing is to be added to what the handler wrote.
func (x *exchange) final() bool { return x.status != 0 || x.hijacked || x.ending == aborted }

// answered is the status of the response to a request for which the policies end with err.
func answered(c *scope.Call, err error) int {
	if r := c.Result(); r.Final || err == nil || isOutcome(err, r.Err) {
		return r.Status
	}
	return answerTo(err).Status
}

// end answers with err, unless the handler has answered.
func (x *exchange) end(err error) {
	if x.ending == aborted || x.ending == panicked && x.status != 0 && !x.hijacked {
		panic(http.ErrAbortHandler)
	}
	if !x.final() && (err != nil || x.ending != returned) {
		Error(x.ResponseWriter, err)
	}
}

var errCalledTwice = refusal.Last(errors.New("nethttp: a policy called the handler twice for one request: use nethttp.Buffered"))

// An ending is how a call of a handler ended.
type ending int

const (
	notCalled ending = iota
	returned
	panicked
	aborted // by http.ErrAbortHandler
)

// call calls h. A panic goes on, but for http.ErrAbortHandler.
func call(h http.Handler, w http.ResponseWriter, r *http.Request, how *ending) (err error) {
	*how = panicked
	defer func() {
		if *how == returned {
			return
		}
		switch v := recover(); v {
		case nil: // runtime.Goexit
		case http.ErrAbortHandler:
			*how, err = aborted, http.ErrAbortHandler
		default:
			panic(v)
		}
	}()
	h.ServeHTTP(w, r)
	*how = returned
	return nil
}

// outcome is what policies are told about a call that returned err and wrote status, or nothing if that is zero.
func outcome(ctx context.Context, err error, status int, h http.Header) error {
	switch {
	case err != nil:
		return err
	case status == 0:
		return ctx.Err()
	case serverFailed(status):
		return &StatusError{Code: status, Wait: retryAfter(h)}
	}
	return nil
}
