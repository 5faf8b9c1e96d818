package nethttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/internal/wall"
	"github.com/seawall-go/seawall/middleware"
)

// Transport returns an [http.RoundTripper] that sends each request through policies, the first outermost, and then
// through base, which is [http.DefaultTransport] if nil.
//
// A response with a status that is a failure is a [*StatusError] for the policies. If that is what they end with, the
// caller gets the response of the last attempt, with a nil error and its body to read, as from any RoundTripper. If they
// end with another error, a refusal for instance, the caller gets that and no response; [http.Client] puts it into a
// [*url.Error].
//
// A request is sent more than once only if it is safe or idempotent, which is to say GET, HEAD, OPTIONS, TRACE, PUT,
// DELETE, or with the header field Idempotency-Key or X-Idempotency-Key, and if it has no body or a GetBody, as
// [http.NewRequest] makes one for a buffer or a string. For all others the first attempt is the last, whatever the
// policies want, and a retry in base may repeat what it does for it. Inside a retry a response that may be followed by another attempt is read into memory, up to 64 KiB
// and 100 ms, so that the wait for the next one holds no connection. A longer or slower one is closed when that begins.
//
// If the request's context ends while a retry waits, the caller gets the last response as well. Its body is there as far
// as it is in memory; reading on fails.
//
// The time that a [middleware.Timeout] gives runs until the end of the response's body: reading it fails with
// [context.DeadlineExceeded] when it is over, but for a body that is in memory. For all other policies the call ends with the response's header; a
// bulkhead does not count the bodies that are still being read.
//
// If the process may have been frozen since the last use, base's idle connections are closed before a request is sent,
// for their other ends may have gone: if that was more than 30 seconds ago, and either AWS_LAMBDA_RUNTIME_API was set
// when Transport was called or the wall clock has run ahead of the monotonic one. It closes those of everybody who shares
// base; a new connection now and then costs less than a request that fails and cannot be repeated.
func Transport(base http.RoundTripper, policies ...middleware.Policy) http.RoundTripper {
	check("Transport", policies)
	if base == nil {
		base = http.DefaultTransport
	}
	do := middleware.WrapErr(func(ctx context.Context, x *trip) error { return x.send(ctx) }, policies...)
	var response *http.Response // whoever looks at that looks at requests that go out
	return &transport{
		base:     base,
		do:       do,
		looks:    scope.Looking(policies, response),
		repeated: scope.Repeated(policies, response),
		freezes:  os.Getenv("AWS_LAMBDA_RUNTIME_API") != "",
	}
}

const (
	idleLimit = 30 * time.Second
	clockStep = 3 * time.Second // clocks that are only corrected differ by less
	readLimit = 64 << 10
	readTime  = 100 * time.Millisecond
)

type transport struct {
	base     http.RoundTripper
	do       func(context.Context, *trip) error
	looks    int  // how many policies look at the request
	repeated bool // and whether the innermost of them sees all attempts as one
	freezes  bool // between calls, whatever the clocks say

	mu   sync.Mutex
	used wall.Instant
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.use() {
		t.CloseIdleConnections()
	}
	x := &trip{transport: t, request: r, hold: scope.Hold{Client: true}}
	defer x.end()
	ctx := context.WithValue(scope.WithHold(r.Context(), &x.hold), tripKey{}, x)
	if t.looks > 0 {
		x.shown = &scope.Call{In: r, Client: true, Looks: t.looks, Repeated: t.repeated, Status: received}
		ctx = scope.Show(ctx, x.shown)
	}
	err := t.do(ctx, x)
	x.hold.Seal()
	return x.result(err)
}

// CloseIdleConnections is for [http.Client].
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// use notes that t is in use, and reports whether connections may have gone stale in a freeze since it last was.
func (t *transport) use() (stale bool) {
	now := wall.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.used.IsZero() {
		stale = now.Since(t.used) > idleLimit && (t.freezes || now.Gained(t.used) > clockStep)
	}
	t.used = now
	return stale
}

type tripKey struct{}

// A trip is one RoundTrip: the attempts of a request.
type trip struct {
	transport *transport
	request   *http.Request
	hold      scope.Hold  // keeps the contexts of the last attempt until its body has ended
	shown     *scope.Call // nil if no policy looks

	attempts int
	response *http.Response // of the last attempt
	err      error          // what the policies were told of the last attempt
}

// send makes one attempt.
func (x *trip) send(ctx context.Context) error {
	if x.attempts > 0 && !x.repeatable() {
		return x.err
	}
	x.err = x.attempt(ctx)
	if x.err != nil && !x.repeatable() {
		x.err = refusal.Last(x.err)
	}
	if x.shown != nil {
		r := scope.Result{Err: x.err}
		if x.response != nil {
			r.Status = x.response.StatusCode
		}
		x.shown.Return(r)
	}
	return x.err
}

// repeatable reports whether the request may be sent twice, and can be. A key without a value counts, as it does in
// net/http: it is not sent.
func (x *trip) repeatable() bool {
	r := x.request
	_, key := r.Header["Idempotency-Key"]
	_, xKey := r.Header["X-Idempotency-Key"]
	return (idempotent(r) || key || xKey) && (r.Body == nil || r.Body == http.NoBody || r.GetBody != nil)
}

func (x *trip) attempt(ctx context.Context) error {
	x.discard()
	if !x.repeatable() {
		ctx = scope.WithoutRetry(ctx, x.request.Context())
	}
	r := x.request.WithContext(ctx)
	if x.attempts > 0 && r.Body != nil && r.Body != http.NoBody {
		again, err := r.GetBody()
		if err != nil {
			return refusal.Last(err)
		}
		r.Body = again
	}
	x.attempts++
	if x.shown != nil {
		x.shown.Sent.Add(1)
	}
	if i := scope.Injecting(ctx); i != nil {
		r.Header = r.Header.Clone() // the caller's stays as it is
		if r.Header == nil {
			r.Header = make(http.Header)
		}
		i.Inject(ctx, r.Header)
	}
	response, err := x.transport.base.RoundTrip(r)
	if err != nil {
		return err
	}
	if response == nil {
		return fmt.Errorf("nethttp: %T returned neither a response nor an error", x.transport.base)
	}
	x.keep(ctx, response)
	if clientFailed(response.StatusCode) {
		return &StatusError{Code: response.StatusCode, Wait: retryAfter(response.Header)}
	}
	return nil
}

// received is the status of the response that the caller gets if the policies end with err.
func received(c *scope.Call, err error) int {
	if r := c.Result(); err == nil || isOutcome(err, r.Err) {
		return r.Status
	}
	return 0
}

// keep makes response the one that the caller may get.
func (x *trip) keep(ctx context.Context, response *http.Response) {
	response.Request = x.request // the attempt's has a context that ends too soon
	x.response = response
	switch {
	case response.Body == nil, response.Body == http.NoBody:
		return
	case response.StatusCode == http.StatusSwitchingProtocols: // a connection of its own, free of the context
		return
	case clientFailed(response.StatusCode) && response.ContentLength <= readLimit && scope.Retrying(ctx) && x.repeatable():
		ahead := &readAhead{rest: response.Body, done: make(chan struct{})}
		response.Body = ahead
		if ahead.all(ctx) {
			return
		}
	}
	response.Body = &body{response.Body, x}
	x.hold.Open()
}

// discard gives up the response of the last attempt.
func (x *trip) discard() {
	if x.response != nil && x.response.Body != nil {
		_ = x.response.Body.Close()
	}
	x.response = nil
}

// result is what RoundTrip returns if err is what the policies do.
func (x *trip) result(err error) (*http.Response, error) {
	if response := x.response; response != nil && (err == nil || isOutcome(err, x.err)) {
		x.response = nil // it is the caller's now
		return response, nil
	}
	if err == nil {
		err = x.err
	}
	return nil, refusal.Bare(err)
}

// end closes what the caller does not get, and the body that was not sent, as every RoundTripper has to.
func (x *trip) end() {
	if x.attempts == 0 && x.request.Body != nil {
		_ = x.request.Body.Close()
	}
	x.discard()
	x.transport.use()
}

// A body is that of a response. When it ends, so do the contexts kept for it.
type body struct {
	io.ReadCloser

	trip *trip
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.end()
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

func (b *body) end() {
	b.trip.hold.End()
	b.trip.transport.use()
}
