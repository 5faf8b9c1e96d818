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
// wherever there is one: what passes through Raw is sent as application/octet-stream, a stream only after its end, and
// a lambda.WithContextValue of the handler inside is not seen, for lambda.Start does not see that handler either.
//
// Each call of h gets a copy of the payload. The answer is a copy too, made before anyone else can write into the
// original, for the Invoke of a lambda.NewHandler hands out memory that other invocations use again. Where a process
// takes several invocations at once (AWS_LAMBDA_MAX_CONCURRENCY), a result therefore waits, before it is encoded, until
// those encoded before it are copied, which is when their h.Invoke has returned. The same goes for wrappers around a
// lambda.NewHandler, provided that they hand their context on, and have done with the answer of one call, of whichever
// handler, when they make the next.
//
// Nobody waits for a call whose context has ended: its memory is used again, and if h.Invoke returns after all, the
// result is the context's error. A call waits for others beyond the end of its own context, up to that of theirs.
//
// Raw panics if h or a policy is nil.
func Raw(h Handler, policies ...middleware.Policy) HandlerFunc {
	if h == nil {
		panic("awslambda: Raw of a nil handler")
	}
	return middleware.Wrap(func(ctx context.Context, payload []byte) ([]byte, error) {
		return (&response{}).of(ctx, h, payload)
	}, policies...)
}

// All responses that are being encoded, or are encoded and not copied yet, are open: those of all handlers, for one
// handler may be inside several of ours.
//
// aws-lambda-go takes a buffer from its pool before it calls the function, encodes the result into it after, and has put
// it back when Invoke returns. Just before it encodes, it fires handlertrace's ResponseEvent. Whoever waits there for
// the responses that are open at that moment cannot write into a buffer of theirs; and the buffer of one that opens
// later was not in the pool when ours was taken. So no lock is held while others' code runs, and nobody who waits is
// waited for. A function without a result fires nothing, but whoever writes for it writes the same null.
var all struct { //nolint:gochecknoglobals // as the memory that they share
	sync.Mutex

	open []*opening
}

// An opening is the time during which a response is open. The lock of all guards its bools.
type opening struct {
	ctx      context.Context //nolint:containedctx // whose end others look for
	copied   chan struct{}   // closed at its end
	returned bool            // the call has: it is being copied
	spoiled  bool            // its context was over, and others write into its memory
}

// A response is that of one call of the handler. The lock of all guards it.
type response struct {
	*opening           // nil while it is not open
	outer    *response // of the Raw around this one, or nil
	over     bool      // the call has returned
}

// responseKey is the context's key for the response of the innermost Raw.
type responseKey struct{}

// of is one call of h.
func (r *response) of(ctx context.Context, h Handler, payload []byte) ([]byte, error) {
	defer r.release()
	r.outer, _ = ctx.Value(responseKey{}).(*response)
	traced := context.WithValue(ctx, responseKey{}, r)
	answer, err := h.Invoke(handlertrace.NewContext(traced, handlertrace.HandlerTrace{
		ResponseEvent: func(inner context.Context, _ any) {
			if inner.Value(responseKey{}) == r { // or a Raw inside this one sees to it
				r.claim(ctx)
			}
		},
	}), bytes.Clone(payload))
	if r.lost() {
		if err == nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return bytes.Clone(answer), err
}

// claim waits until r can be written, and opens it.
func (r *response) claim(ctx context.Context) {
	all.Lock()
	for done := r; done != nil; done = done.outer {
		done.close() // a wrapper that calls again has done with its answer
	}
	before := slices.Clone(all.open)
	all.Unlock()
	for _, o := range before {
		o.wait()
	}
	all.Lock()
	defer all.Unlock()
	if !r.over {
		r.opening = &opening{ctx: ctx, copied: make(chan struct{})}
		all.open = append(all.open, r.opening)
	}
}

// wait returns when what o's response was written into may be written again. It cannot give up before: whoever comes
// back from it writes, and a panic would be one too many in a wrapper that calls the handler in a goroutine of its own.
func (o *opening) wait() {
	select {
	case <-o.copied:
		return
	case <-o.ctx.Done():
	}
	all.Lock()
	if !o.returned {
		o.spoiled = true // if it is still open, for otherwise nobody reads that
		o.close()
	}
	all.Unlock()
	<-o.copied // at once, or as soon as it is copied
}

// lost reports whether the answer that the call has returned must not be read.
func (r *response) lost() bool {
	all.Lock()
	defer all.Unlock()
	if r.opening == nil {
		return false
	}
	r.returned = true
	return r.spoiled
}

// release says that r is copied, or that there will be none.
func (r *response) release() {
	all.Lock()
	defer all.Unlock()
	r.close()
	r.over = true
}

func (r *response) close() {
	if r.opening != nil {
		r.opening.close()
		r.opening = nil
	}
}

// close ends o, unless it has ended.
func (o *opening) close() {
	if i := slices.Index(all.open, o); i >= 0 {
		all.open = slices.Delete(all.open, i, i+1)
		close(o.copied)
	}
}
