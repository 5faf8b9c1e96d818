package awslambda

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/aws/aws-lambda-go/lambda/handlertrace"

	"github.com/seawall-go/seawall/middleware"
)

// A Handler takes an event and answers it as bytes. It is lambda.Handler under a name that does not bring its package.
type Handler interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// A HandlerFunc is a function that is a [Handler], and so something for lambda.Start.
type HandlerFunc func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke calls f with a copy of payload. Lambda uses the memory of payload again for the next event, so that a call
// left behind by [middleware.Abandon] would read that one.
func (f HandlerFunc) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return f(ctx, bytes.Clone(payload))
}

// Raw returns h with policies around it, the first outermost. Prefer [middleware.Wrap] around the typed function
// wherever there is one: what passes through Raw is sent as application/octet-stream, and a stream only after its end.
//
// The answer is a copy, made before anyone else can write into the original, for the Invoke of a lambda.NewHandler
// hands out memory that other invocations use again. Where a process takes several invocations at once
// (AWS_LAMBDA_MAX_CONCURRENCY), a result therefore waits, before it is encoded, until those encoded before it are
// copied, which is when their h.Invoke has returned. The same goes for wrappers around a lambda.NewHandler, provided
// that they hand their context on and make no two calls of it at the same time for one invocation.
//
// Raw panics if h or a policy is nil.
func Raw(h Handler, policies ...middleware.Policy) HandlerFunc {
	if h == nil {
		panic("awslambda: Raw of a nil handler")
	}
	var all responses
	return middleware.Wrap(func(ctx context.Context, payload []byte) ([]byte, error) {
		var r response
		defer all.release(&r)
		ctx = handlertrace.NewContext(ctx, handlertrace.HandlerTrace{
			ResponseEvent: func(context.Context, any) { all.claim(&r) },
		})
		answer, err := h.Invoke(ctx, payload)
		return bytes.Clone(answer), err
	}, policies...)
}

// The responses of one handler that are being encoded, or are encoded and not copied yet, are open.
//
// aws-lambda-go takes a buffer from its pool before it calls the function, encodes the result into it after, and has put
// it back when Invoke returns. Just before it encodes, it fires handlertrace's ResponseEvent. Whoever waits there for
// the responses that are open at that moment cannot write into a buffer of theirs; and the buffer of one that opens
// later was not in the pool when ours was taken. So no lock is held while others' code runs, and nobody who waits is
// waited for. A function without a result fires nothing, but whoever writes for it writes the same null.
type responses struct {
	mu   sync.Mutex
	open []chan struct{} // each closed when its response is copied
}

// A response is that of one call of the handler. responses.mu guards it.
type response struct {
	copied chan struct{} // nil while it is not open
	over   bool          // the call has returned
}

// claim waits until r can be written, and opens it.
func (rs *responses) claim(r *response) {
	rs.mu.Lock()
	rs.close(r) // a wrapper that calls again has done with its first answer
	before := slices.Clone(rs.open)
	rs.mu.Unlock()
	for _, copied := range before {
		<-copied
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if !r.over {
		r.copied = make(chan struct{})
		rs.open = append(rs.open, r.copied)
	}
}

// release says that r is copied, or that there will be none.
func (rs *responses) release(r *response) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.close(r)
	r.over = true
}

func (rs *responses) close(r *response) {
	if r.copied == nil {
		return
	}
	i := slices.Index(rs.open, r.copied)
	rs.open = slices.Delete(rs.open, i, i+1)
	close(r.copied)
	r.copied = nil
}
