package nethttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/middleware"
)

const defaultBuffer = 1 << 20

// Buffered is how to put policies that repeat around a handler: requests and responses are kept in memory, so that a
// handler that failed can be called again. Its zero value is ready for use:
//
//	mux := nethttp.Buffered{}.Middleware(retry.Policy{})(routes)
type Buffered struct {
	// MaxRequest is how many bytes the body of a request may have. A longer one is answered 413. Zero means 1 MiB.
	MaxRequest int64

	// MaxResponse is how many bytes of the body of a response are kept. Zero means 1 MiB. A response that grows longer
	// is sent from then on as the handler writes it, and that attempt is the last one.
	MaxResponse int64
}

// Middleware is the function [Middleware] for policies that may repeat. All that is said there holds here, but:
//
// Each attempt gets the whole request anew, and an empty response with the header fields that were there before. Only
// the response of the last attempt is sent, when the policies are done: theirs if they end with an error of their own.
// Handlers cannot flush or hijack, and informational responses (1xx) are not sent.
//
// Only a request that is safe or idempotent is repeated: GET, HEAD, OPTIONS, TRACE, PUT, DELETE, or one with the header
// field Idempotency-Key or X-Idempotency-Key, and a value in it. For all others the first attempt is the last, and a
// retry inside the handler, which otherwise leaves repeating to the one around it, repeats its own calls.
//
// The body of the request is read with the first attempt, so a request that is refused costs no memory. It is read
// at the caller's pace, whatever the context; [http.Server] has ReadTimeout for that. If it is too long, broken, or took
// all the time there was, the handler is not called, and the answer is 413, 400 or 408. For the policies that is a
// refusal, Refused() true, which neither opens a breaker nor closes it: nobody was asked.
//
// Middleware panics if b makes no sense.
func (b Buffered) Middleware(policies ...middleware.Policy) func(http.Handler) http.Handler {
	checkServer("Buffered.Middleware", policies)
	if b.MaxRequest < 0 || b.MaxResponse < 0 {
		panic(fmt.Sprintf("nethttp: Buffered{MaxRequest: %d, MaxResponse: %d}: want bytes, or 0 for 1 MiB", b.MaxRequest, b.MaxResponse))
	}
	if b.MaxRequest == 0 {
		b.MaxRequest = defaultBuffer
	}
	if b.MaxResponse == 0 {
		b.MaxResponse = defaultBuffer
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("nethttp: Buffered.Middleware of a nil handler")
		}
		do := middleware.WrapErr(func(ctx context.Context, x *attempts) error { return x.serve(ctx, next) }, policies...)
		looks := scope.Looking(policies, (*http.Request)(nil))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := &attempts{limits: b, w: w, request: r}
			ctx := r.Context()
			if looks > 0 {
				x.shown = &scope.Call{In: r, Looks: looks, Status: answered}
				ctx = scope.Show(ctx, x.shown)
			}
			x.end(do(ctx, x))
		})
	}
}

// attempts are the calls of a handler for one request.
type attempts struct {
	limits  Buffered
	w       http.ResponseWriter
	request *http.Request
	body    []byte
	shown   *scope.Call // nil if no policy looks

	unread *unreadError // what was wrong with the body
	last   *response
	ending ending // of the last attempt
	err    error  // its outcome
}

func (x *attempts) serve(ctx context.Context, next http.Handler) error {
	if x.last != nil && (x.last.sent || !x.repeatable()) {
		return x.err
	}
	if x.last == nil && x.unread == nil {
		x.read(ctx)
	}
	if x.unread != nil {
		x.shown.Return(scope.Result{Status: x.unread.HTTPStatus(), Final: true})
		return x.unread
	}
	x.last = &response{server: x.w, max: x.limits.MaxResponse, header: x.w.Header().Clone()}
	r := x.again(ctx)
	defer func() {
		if r.MultipartForm != nil && x.request.MultipartForm == nil {
			_ = r.MultipartForm.RemoveAll() // as net/http does for its own
		}
		x.request.Pattern = r.Pattern
		if x.shown != nil {
			x.shown.Return(scope.Result{Status: x.written(), Err: x.err, Final: x.final(), Route: r.Pattern})
		}
	}()
	x.err = call(next, x.last, r, &x.ending)
	x.err = outcome(ctx, x.err, x.last.status, x.last.header)
	if x.err != nil && (x.last.sent || !x.repeatable()) {
		x.err = refusal.Last(x.err)
	}
	return x.err
}

// repeatable reports whether the handler may be called twice: the request is idempotent, or has a key by which the
// handler knows it again.
func (x *attempts) repeatable() bool {
	h := x.request.Header
	return idempotent(x.request) || h.Get("Idempotency-Key") != "" || h.Get("X-Idempotency-Key") != ""
}

// written is the status of what the last attempt wrote, or means if it has written nothing; zero if that is thrown away.
func (x *attempts) written() int {
	switch {
	case x.ending != returned && !x.last.sent:
		return 0
	case x.last.status == 0:
		return http.StatusOK
	}
	return x.last.status
}

// final reports whether the response of the last attempt is the caller's, or none is.
func (x *attempts) final() bool { return x.last.sent || x.ending == aborted }

func (x *attempts) read(ctx context.Context) {
	if x.request.Body == nil || x.request.Body == http.NoBody {
		return
	}
	inTime := ctx.Err() == nil
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.request.Body, x.limits.MaxRequest))
	x.body = body
	if err == nil && inTime && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = ctx.Err()
	}
	if err != nil {
		x.body, x.unread = nil, &unreadError{err}
	}
}

// An unreadError is that of a request whose body did not come as it should. The handler was not called.
type unreadError struct{ err error }

func (e *unreadError) Error() string { return fmt.Sprintf("nethttp: read the request: %v", e.err) }
func (e *unreadError) Unwrap() error { return e.err }
func (e *unreadError) Refused() bool { return true }
func (e *unreadError) Final() bool   { return true }

func (e *unreadError) HTTPStatus() int {
	if _, ok := errors.AsType[*http.MaxBytesError](e.err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if t, ok := errors.AsType[net.Error](e.err); ok && t.Timeout() {
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}

// again is the request for one attempt.
func (x *attempts) again(ctx context.Context) *http.Request {
	if !x.repeatable() {
		ctx = scope.WithoutRetry(ctx, x.request.Context())
	}
	r := x.request.Clone(ctx)
	if x.body != nil {
		r.Body = io.NopCloser(bytes.NewReader(x.body))
	}
	return r
}

// end answers with the last response, or with err if it is not that of the last attempt.
func (x *attempts) end(err error) {
	sent := x.last != nil && x.last.sent
	switch {
	case x.unread != nil:
		Error(x.w, x.unread)
	case x.ending == aborted, x.ending == panicked && sent:
		panic(http.ErrAbortHandler)
	case sent:
		x.last.trail()
	case x.ending == returned && (err == nil || isOutcome(err, x.err)):
		x.last.send()
		x.last.trail()
	default:
		Error(x.w, err)
	}
}

// isOutcome reports whether err is the failure that came, as a status, with a response, rather than an error that came
// without one or later.
func isOutcome(err, outcome error) bool {
	want, ok := errors.AsType[*StatusError](outcome)
	got, _ := errors.AsType[*StatusError](err)
	return ok && got == want
}

// A response is what one attempt writes. It is kept until it is sent.
type response struct {
	server  http.ResponseWriter
	max     int64
	header  http.Header
	written http.Header // header as it was when it was written
	status  int
	body    []byte
	sent    bool
	length  int64 // what Content-Length says, or -1
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("nethttp: there is no status %d to write", status)) // net/http panics too
	}
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status, w.written = status, w.header.Clone()
		w.length = contentLength(w.written)
	}
}

func contentLength(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// SetReadDeadline is for [http.ResponseController].
func (w *response) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(w.server).SetReadDeadline(t)
}

// SetWriteDeadline is for [http.ResponseController].
func (w *response) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(w.server).SetWriteDeadline(t)
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !w.sent && int64(len(w.body)+len(p)) > w.max {
		w.send()
	}
	switch {
	case w.sent:
		return w.server.Write(p)
	case len(p) == 0:
		return 0, nil
	case w.status < 200 || w.status == http.StatusNoContent || w.status == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed // as net/http says it
	case w.length >= 0 && int64(len(w.body)+len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// send sends what was written so far; the rest is sent when it is written.
func (w *response) send() {
	w.WriteHeader(http.StatusOK)
	h := w.server.Header()
	clear(h)
	maps.Copy(h, w.written)
	w.server.WriteHeader(w.status)
	_, _ = w.server.Write(w.body) // a caller who has gone needs no response
	w.sent, w.body = true, nil
}

// trail hands on the trailers, the only fields that net/http takes after the header was written.
func (w *response) trail() { maps.Copy(w.server.Header(), w.header) }
