package middleware

import (
	"context"
	"errors"
	"io"
	"reflect"
	"sync/atomic"

	"github.com/seawall-go/seawall/internal/scope"
)

var errNotAwaited = errors.New("middleware: a policy has returned, and its call has not")

// A frame is one invocation on its way through the policies. The chain of functions is bound to the frame, once, and
// frames are used again, which the policies' promise to await their calls makes safe. A frame that a policy may have
// left with a call all the same is lost: it is left to the collector, and its result is not read.
//
// A call that begins when its invocation is over runs nothing. It is known by its chain: each invocation goes through
// the next of several. What remains is a call that is late by a multiple of turns: it runs with the input of another.
type frame[In, Out any] struct {
	handler  Handler[In, Out]
	policies []Policy
	chains   [turns]func(context.Context) error // each bound at its first turn
	streams  bool
	turn     atomic.Uint32 // how many invocations are over
	calls    atomic.Int64  // how many began, times begun, and how many are running
	began    int64         // of calls, when the invocation before was over
	in       In
	out      Out
	stream   io.Reader // out, if it is one that was returned without an error
}

const (
	turns  = 4       // a power of two, since the count of turns wraps around
	begun  = 1 << 16 // more than run at once in one invocation
	enough = 1 << 62 // so that counting never overflows
)

// invoke makes the invocation, and reports whether there may be another.
func (f *frame[In, Out]) invoke(ctx context.Context, in In) (out Out, again bool, err error) {
	var hold *scope.Hold
	if f.streams {
		hold = new(scope.Hold)
		ctx = scope.WithHold(ctx, hold)
	}
	f.in = in
	turn := f.turn.Load() % turns
	if f.chains[turn] == nil {
		f.bind(turn)
	}
	err = f.chains[turn](ctx)
	if hold != nil {
		hold.Seal()
	}
	f.turn.Add(1)
	calls := f.calls.Load()
	if calls%begun != 0 || calls == f.began && !refused(err) {
		if err == nil {
			err = errNotAwaited
		}
		return out, false, err
	}
	if f.stream != nil && err != nil {
		f.discard(hold)
	}
	out = f.out
	var noIn In
	var noOut Out
	f.began, f.in, f.out, f.stream = calls, noIn, noOut, nil
	return out, calls < enough, err
}

func (f *frame[In, Out]) bind(turn uint32) {
	f.chains[turn] = bind(f.policies, func(ctx context.Context) error { return f.call(ctx, turn) })
}

// refused reports whether err says that no call was made, and none will be.
func refused(err error) bool {
	r, ok := err.(interface{ Refused() bool })
	return ok && r.Refused()
}

func (f *frame[In, Out]) call(ctx context.Context, turn uint32) error {
	f.calls.Add(begun + 1)
	defer f.calls.Add(-1)
	if f.turn.Load()%turns != turn {
		return errNotAwaited
	}
	if f.streams {
		f.discard(scope.Held(ctx))
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
	if r, ok := any(out).(io.Reader); ok {
		f.stream = r
		scope.Held(ctx).Open()
	}
}

// discard ends a stream that nobody will read, that of an earlier attempt or one that a policy made an error of.
func (f *frame[In, Out]) discard(h *scope.Hold) {
	if c, ok := f.stream.(io.Closer); ok {
		_ = c.Close()
	}
	var none Out
	f.out, f.stream = none, nil
	h.End()
}

// mayStream reports whether a value of type t can be an io.Reader.
func mayStream(t reflect.Type) bool {
	return t.Kind() == reflect.Interface || t.Implements(reflect.TypeFor[io.Reader]())
}
