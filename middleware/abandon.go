package middleware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/seawall-go/seawall/internal/event"
)

// Abandon returns h with an answer in time even if h does not look at its context: reserve before ctx's deadline, or
// when ctx is cancelled, the caller gets its answer and h is left running. Abandon is for code that cannot be mended;
// a handler that ends with its context needs [Reserve] only.
//
// Left behind, h holds whatever it holds until it returns: memory, connections, and on Lambda it goes on in the next
// invocation of the same environment. Its late result is closed if it can be, and that and its late panic go nowhere.
//
// The answer is a [*TimeoutError] without an Err if the time was over, and ctx's own error if it was cancelled. With
// less than reserve left h is not called, and the answer is a [*ReserveError]. If ctx has no deadline, h is simply
// called. A panic or [runtime.Goexit] of h in time surfaces in the caller's goroutine, and the stack of h's own is lost to
// a [Recover] around it. One inside has it: Abandon(Wrap(h, Recover{}), reserve).
//
// Abandon panics if reserve is not positive.
func Abandon[In, Out any](h Handler[In, Out], reserve time.Duration) Handler[In, Out] {
	if h == nil || reserve <= 0 {
		panic(fmt.Sprintf("middleware: Abandon(h, %v): want a handler and a positive reserve", reserve))
	}
	return func(ctx context.Context, in In) (out Out, err error) {
		own, ok := ctx.Deadline()
		if !ok {
			return h(ctx, in)
		}
		left := time.Until(own)
		if left <= reserve {
			return out, refuse(ctx, reserve, left)
		}
		inner, cancel := context.WithDeadline(ctx, own.Add(-reserve))
		ended, gone := make(chan ending[Out]), make(chan struct{})
		go run(inner, h, in, ended, gone)
		if e, ok := await(ended, inner.Done()); ok {
			return e.surface(ctx, cancel)
		}
		cancel()
		close(gone)
		if err = ctx.Err(); !errors.Is(err, context.Canceled) {
			err = &TimeoutError{Limit: left - reserve, Reserve: reserve}
		}
		event.Emit(ctx, event.Event{Kind: event.Abandon, Policy: "abandon", Wait: left - reserve, Err: err})
		return out, err
	}
}

// An ending is how a handler in a goroutine of its own ended.
type ending[Out any] struct {
	out    Out
	err    error
	panic  *PanicError
	goexit bool
}

// run calls h, and sends how that ended unless the caller is gone.
func run[In, Out any](ctx context.Context, h Handler[In, Out], in In, ended chan<- ending[Out], gone <-chan struct{}) {
	e := ending[Out]{goexit: true}
	defer func() {
		if v := recover(); v != nil {
			e.panic = &PanicError{Value: v, Stack: debug.Stack()}
		}
		select {
		case ended <- e:
		case <-gone:
			e.discard()
		}
	}()
	e.out, e.err = h(ctx, in)
	e.goexit = false
}

// await waits for one of two, and takes the ending if both are there.
func await[Out any](ended <-chan ending[Out], done <-chan struct{}) (e ending[Out], ok bool) {
	select {
	case e = <-ended:
		return e, true
	case <-done:
	}
	select {
	case e = <-ended:
		return e, true
	default:
		return e, false
	}
}

// surface lets the ending happen in the caller's goroutine.
func (e ending[Out]) surface(ctx context.Context, cancel func()) (Out, error) {
	if _, ok := any(e.out).(io.Reader); ok && e.err == nil {
		context.AfterFunc(ctx, cancel) // a stream needs its context to the end
	} else {
		cancel()
	}
	switch {
	case e.panic != nil:
		event.Emit(ctx, event.Event{Kind: event.Panic, Policy: "abandon", Err: e.panic})
		panic(e.panic.Value)
	case e.goexit:
		runtime.Goexit()
	}
	return e.out, e.err
}

// discard closes a result that comes too late.
func (e ending[Out]) discard() {
	defer func() { _ = recover() }() // its panic would have nowhere to go
	if c, ok := any(e.out).(io.Closer); ok && e.err == nil {
		_ = c.Close()
	}
}
