package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/internal/event"
)

// ErrFull is what errors.Is finds in the refusal of a [Bulkhead].
var ErrFull = errors.New("bulkhead: full")

// A Bulkhead is a policy that lets only so many calls run at once, so that one slow dependency cannot take all there
// is. Use [NewBulkhead] to make one; calls to the same dependency share it.
type Bulkhead struct {
	slots chan struct{}
	wait  time.Duration
	full  *FullError
}

// NewBulkhead returns a Bulkhead for n calls at once. A call that finds it full waits at most wait for a place, and is
// then refused with a [*FullError], as it is when its deadline comes first; with no wait it is refused at once. A caller
// who is cancelled while it waits gets the context's error. NewBulkhead panics if n is not positive or wait is negative.
func NewBulkhead(n int, wait time.Duration) *Bulkhead {
	if n <= 0 || wait < 0 {
		panic(fmt.Sprintf("middleware: NewBulkhead(%d, %v): want at least one place, and a wait of zero or more", n, wait))
	}
	return &Bulkhead{slots: make(chan struct{}, n), wait: wait, full: &FullError{Limit: n}}
}

// Do makes the call when there is a place for it.
func (b *Bulkhead) Do(ctx context.Context, call func(context.Context) error) error {
	select {
	case b.slots <- struct{}{}:
	default:
		if err := b.enter(ctx); err != nil {
			return err
		}
	}
	defer func() { <-b.slots }()
	return call(ctx)
}

func (b *Bulkhead) enter(ctx context.Context) error {
	if b.wait > 0 {
		timer := time.NewTimer(b.wait)
		defer timer.Stop()
		select {
		case b.slots <- struct{}{}:
			return nil
		case <-ctx.Done():
			if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
		case <-timer.C:
		}
	}
	event.Emit(ctx, event.Event{Kind: event.Refusal, Policy: "bulkhead", Err: b.full})
	return b.full
}

// A FullError is the refusal of a [Bulkhead]. errors.Is finds [ErrFull] in it.
type FullError struct {
	Limit int // calls at once
}

func (e *FullError) Error() string {
	return fmt.Sprintf("bulkhead: full, at most %d at once", e.Limit)
}

// Is reports whether target is [ErrFull].
func (e *FullError) Is(target error) bool { return target == ErrFull }

// Refused returns true: the call was not made.
func (e *FullError) Refused() bool { return true }

// HTTPStatus is the status that says so: 503 Service Unavailable.
func (e *FullError) HTTPStatus() int { return 503 }
