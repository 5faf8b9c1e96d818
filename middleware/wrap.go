package middleware

import (
	"context"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/seawall-go/seawall/internal/scope"
)

// Wrap returns h with policies around it, the first outermost. The result is a plain function of h's type.
//
// The wrapped handler returns what h returned last, result and error, or the error of the policy that refused, with the
// zero Out if h did not run at all. It adds no allocation of its own, unless Out is an interface or a stream, or a policy
// looks at events of Lambda as tracing.Span does.
//
// If h returns a stream, an [io.Reader], the context of the call stays open after it: until the deadline that a
// [Timeout] set, or until the caller's own context ends, as Lambda's does when the response was sent.
func Wrap[In, Out any](h Handler[In, Out], policies ...Policy) Handler[In, Out] {
	if h == nil {
		panic("middleware: Wrap of a nil handler")
	}
	check("Wrap", policies)
	policies = slices.Clone(policies)
	var (
		in  In
		out Out
	)
	if looks := scope.Looking(policies, in, out); looks > 0 {
		return showing(h, policies, looks)
	}
	return wrap(h, policies)
}

func wrap[In, Out any](h Handler[In, Out], policies []Policy) Handler[In, Out] {
	streams := mayStream(reflect.TypeFor[Out]())
	var frames stock[frame[In, Out]]
	return func(ctx context.Context, in In) (Out, error) {
		f := frames.get()
		if f == nil {
			f = newFrame(h, policies, streams)
		}
		out, again, err := f.invoke(ctx, in)
		if again {
			frames.put(f)
		}
		return out, err
	}
}

// WrapErr is [Wrap] for a handler without a result.
func WrapErr[In any](h func(ctx context.Context, in In) error, policies ...Policy) func(ctx context.Context, in In) error {
	if h == nil {
		panic("middleware: WrapErr of a nil handler")
	}
	wrapped := Wrap(func(ctx context.Context, in In) (struct{}, error) { return struct{}{}, h(ctx, in) }, policies...)
	return func(ctx context.Context, in In) error {
		_, err := wrapped(ctx, in)
		return err
	}
}

// Call makes one call through policies, the first outermost, and returns its result as [Wrap] does. To make the same
// call often, Wrap it once.
func Call[Out any](ctx context.Context, call func(context.Context) (Out, error), policies ...Policy) (Out, error) {
	check("Call", policies)
	h := func(ctx context.Context, _ struct{}) (Out, error) { return call(ctx) }
	out, _, err := newFrame(h, policies, mayStream(reflect.TypeFor[Out]())).invoke(ctx, struct{}{})
	return out, err
}

var errNotAwaited = errors.New("middleware: a policy has returned, and its call is still running or yet to begin")

// A frame is one invocation on its way through the policies. The chain of functions is bound once, to the frame, and
// frames are used again, which the policies' promise to await their calls makes safe. A frame that a policy may have
// left with a call all the same is lost: it is left to the collector, its result is not read, and it runs nothing more.
type frame[In, Out any] struct {
	handler Handler[In, Out]
	chain   func(context.Context) error
	streams bool
	calls   atomic.Int64 // how many began, times begun, and how many are running; negative if the frame is lost
	began   int64        // of calls, when the invocation before was over
	in      In
	out     Out
	stream  io.Closer // out, if it is a stream that can be closed
}

func newFrame[In, Out any](h Handler[In, Out], policies []Policy, streams bool) *frame[In, Out] {
	f := &frame[In, Out]{handler: h, streams: streams}
	f.chain = bind(policies, f.call)
	return f
}

const (
	begun  = 1 << 16 // more than run at once in one invocation
	lost   = math.MinInt64
	enough = 1 << 62 // so that counting never looks like being lost
)

// invoke makes the invocation, and reports whether there may be another.
func (f *frame[In, Out]) invoke(ctx context.Context, in In) (out Out, again bool, err error) {
	var hold *scope.Hold
	if f.streams {
		hold = new(scope.Hold)
		ctx = scope.WithHold(ctx, hold)
	}
	f.in = in
	err = f.chain(ctx)
	if hold != nil {
		hold.Seal()
	}
	calls := f.calls.Load()
	if calls%begun != 0 || calls == f.began && !refused(err) {
		f.calls.Or(lost)
		if calls%begun != 0 && err == nil {
			err = errNotAwaited
		}
		return out, false, err
	}
	out = f.out
	var noIn In
	var noOut Out
	f.began, f.in, f.out, f.stream = calls, noIn, noOut, nil
	return out, calls < enough, err
}

// refused reports whether err says that no call was made, and none will be.
func refused(err error) bool {
	r, ok := err.(interface{ Refused() bool })
	return ok && r.Refused()
}

func (f *frame[In, Out]) call(ctx context.Context) error {
	calls := f.calls.Add(begun + 1)
	defer f.calls.Add(-1)
	if calls < 0 {
		return errNotAwaited
	}
	if f.streams {
		f.discard(ctx)
	}
	out, err := f.handler(ctx, f.in)
	f.out = out
	if f.streams && err == nil {
		f.keep(ctx, out)
	}
	return err
}

// keep leaves the context of the call open if out is a stream.
func (f *frame[In, Out]) keep(ctx context.Context, out Out) {
	if _, ok := any(out).(io.Reader); ok {
		f.stream, _ = any(out).(io.Closer)
		scope.Held(ctx).Open()
	}
}

// discard ends the stream of an earlier attempt, which nobody will read.
func (f *frame[In, Out]) discard(ctx context.Context) {
	if f.stream != nil {
		_ = f.stream.Close()
		f.stream = nil
	}
	scope.Held(ctx).End()
}

// mayStream reports whether a value of type t can be an io.Reader.
func mayStream(t reflect.Type) bool {
	return t.Kind() == reflect.Interface || t.Implements(reflect.TypeFor[io.Reader]())
}
