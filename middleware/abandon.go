package middleware

import (
	"context"
	"fmt"
	"reflect"
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
// invocation of the same environment. Its late result and its late panic go nowhere.
//
// The answer is a [*TimeoutError] without an Err if the time was over, and ctx's own error if it was cancelled. With
// less than reserve left h is not called, and the answer is a [*ReserveError]. If ctx has no deadline, h is simply
// called. A panic or [runtime.Goexit] of h in time surfaces in the caller's goroutine. Abandon panics if reserve is not
// positive.
func Abandon[In, Out any](h Handler[In, Out], reserve time.Duration) Handler[In, Out] {
	if h == nil || reserve <= 0 {
		panic(fmt.Sprintf("middleware: Abandon(h, %v): want a handler and a positive reserve", reserve))
	}
	streams := mayStream(reflect.TypeFor[Out]())
	return func(ctx context.Context, in In) (out Out, err error) {
		own, ok := ctx.Deadline()
		if !ok {
			return h(ctx, in)
		}
		left := time.Until(own)
		limit := left - reserve
		if limit <= 0 {
			return out, refuse(ctx, reserve, left)
		}
		inner, cancel := context.WithDeadline(ctx, own.Add(-reserve))
		ended := start(inner, h, in)
		select {
		case e := <-ended:
			if streams {
				context.AfterFunc(ctx, cancel) // the result may be a stream, which needs its context to the end
			} else {
				cancel()
			}
			return e.surface(ctx)
		case <-inner.Done():
		}
		defer cancel()
		select {
		case e := <-ended:
			return e.surface(ctx)
		default:
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		err = &TimeoutError{Limit: limit}
		event.Emit(ctx, event.Event{Kind: event.Abandon, Policy: "abandon", Wait: limit, Err: err})
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

func start[In, Out any](ctx context.Context, h Handler[In, Out], in In) <-chan ending[Out] {
	ended := make(chan ending[Out], 1)
	go func() {
		e := ending[Out]{goexit: true}
		defer func() {
			if v := recover(); v != nil {
				e.panic = &PanicError{Value: v, Stack: debug.Stack()}
			}
			ended <- e
		}()
		e.out, e.err = h(ctx, in)
		e.goexit = false
	}()
	return ended
}

// surface lets the handler's ending happen in the caller's goroutine.
func (e ending[Out]) surface(ctx context.Context) (Out, error) {
	switch {
	case e.panic != nil:
		event.Emit(ctx, event.Event{Kind: event.Panic, Policy: "abandon", Err: e.panic})
		panic(e.panic.Value)
	case e.goexit:
		runtime.Goexit()
	}
	return e.out, e.err
}
