package middleware

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/seawall-go/seawall/internal/event"
)

// Recover is a policy that turns a panic of the call into a [*PanicError]. A call that ends by [runtime.Goexit] goes on
// ending. Its zero value is ready for use.
//
// Without it a panic passes through every policy. On Lambda that means: the error is reported with its stack, the
// process exits, and the next invocation is a cold start.
type Recover struct{}

// Do makes the call.
func (Recover) Do(ctx context.Context, call func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
			event.Emit(ctx, event.Event{Kind: event.Panic, Policy: "recover", Err: err})
		}
	}()
	return call(ctx)
}

// A PanicError is a panic that [Recover] made an error of. It does not unwrap: whatever the value was, a refusal or an
// end of a context, the call has panicked.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // of the goroutine in which it was recovered, as [debug.Stack] formats it
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Panicked returns true. A retry does not repeat a call that panicked.
func (e *PanicError) Panicked() bool { return true }
