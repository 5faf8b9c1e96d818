package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/internal/scope"
)

// Timeout returns a policy that gives each call d. It is cooperative: the call's context ends after d, with a Deadline
// that the call can plan by, and Do waits for the call to return. For a handler that does not look at its context, see
// [Abandon].
//
// A call that fails because its time was over, with an error that is [context.DeadlineExceeded] or has Timeout() true,
// comes back as a [*TimeoutError] around its own error. Every other error comes back as it is, and a success that comes
// late is a success. If the caller's own deadline is sooner than d, the policy has no effect.
//
// Outside a retry it bounds all attempts together, inside it bounds each. Timeout panics if d is not positive.
func Timeout(d time.Duration) Policy {
	if d <= 0 {
		panic(fmt.Sprintf("middleware: Timeout(%v): want a positive duration", d))
	}
	return timeout(d)
}

type timeout time.Duration

func (t timeout) Do(ctx context.Context, call func(context.Context) error) error {
	deadline := time.Now().Add(time.Duration(t))
	if own, ok := ctx.Deadline(); ok && !deadline.Before(own) {
		return call(ctx)
	}
	return until(ctx, deadline, TimeoutError{Limit: time.Duration(t)}, call)
}

// Reserve returns a policy that ends the call d before ctx's own deadline, so that there is time left to answer: a
// Lambda function that is still running at its deadline is killed, and its caller learns nothing.
//
// A call that fails because of it comes back as a [*TimeoutError], as from [Timeout]. With less than d left, Do refuses
// with a [*ReserveError] and does not make the call. If ctx has no deadline, the policy has no effect. Reserve panics
// if d is not positive.
func Reserve(d time.Duration) Policy {
	if d <= 0 {
		panic(fmt.Sprintf("middleware: Reserve(%v): want a positive duration", d))
	}
	return reserve(d)
}

type reserve time.Duration

func (r reserve) Do(ctx context.Context, call func(context.Context) error) error {
	own, ok := ctx.Deadline()
	if !ok {
		return call(ctx)
	}
	left := time.Until(own)
	if left <= time.Duration(r) {
		return refuse(ctx, time.Duration(r), left)
	}
	return until(ctx, own.Add(-time.Duration(r)), TimeoutError{Limit: left - time.Duration(r), Reserve: time.Duration(r)}, call)
}

func refuse(ctx context.Context, reserve, left time.Duration) error {
	err := &ReserveError{Reserve: reserve, Left: left}
	event.Emit(ctx, event.Event{Kind: event.Refusal, Policy: "reserve", Err: err})
	return err
}

// until makes the call in a context that ends at deadline, which is sooner than ctx's own. If that is how it fails, the
// error is late around its own.
func until(ctx context.Context, deadline time.Time, late TimeoutError, call func(context.Context) error) error {
	c := &deadlineCtx{parent: ctx, deadline: deadline}
	over := true
	defer func() {
		if over {
			c.end()
		}
	}()
	err := call(c)
	if err != nil && timedOut(err) && errors.Is(c.Err(), context.DeadlineExceeded) {
		last := refusal.IsLast(err)
		err = &TimeoutError{Limit: late.Limit, Reserve: late.Reserve, Err: refusal.Bare(err)}
		event.Emit(ctx, event.Event{Kind: event.Timeout, Policy: "timeout", Wait: late.Limit, Err: err})
		if last {
			err = refusal.Last(err)
		}
	}
	if h := scope.Held(ctx); h != nil {
		over = !h.Keep(c.end)
	}
	return err
}

// timedOut reports whether err is what a call ends with when its context has. A call that was not made did not end.
func timedOut(err error) bool {
	if refusal.Is(err) {
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

// A TimeoutError is the error of a call that failed because its time was over. errors.Is finds
// [context.DeadlineExceeded] in it, and whatever is in Err.
type TimeoutError struct {
	Limit   time.Duration // the time the call had
	Reserve time.Duration // what [Reserve] or [Abandon] kept of all the time there was; zero if the Limit is a [Timeout]'s
	Err     error         // the call's own error; nil if the call was left running
}

func (e *TimeoutError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("timeout: no answer in %v", e.Limit)
	}
	return fmt.Sprintf("timeout: over after %v: %v", e.Limit, e.Err)
}

// Is reports whether target is [context.DeadlineExceeded].
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Unwrap returns the call's own error.
func (e *TimeoutError) Unwrap() error { return e.Err }

// Timeout returns true, as it does for a net.Error.
func (e *TimeoutError) Timeout() bool { return true }

// HTTPStatus is the status that says so: 504 Gateway Timeout.
func (e *TimeoutError) HTTPStatus() int { return 504 }

// A ReserveError is the refusal of a call that [Reserve] or [Abandon] had no time for. errors.Is finds
// [context.DeadlineExceeded] in it.
type ReserveError struct {
	Reserve time.Duration // what is to be kept back
	Left    time.Duration // what was left, until the caller's deadline
}

func (e *ReserveError) Error() string {
	return fmt.Sprintf("reserve: no call with %v left, %v are kept for the answer", max(e.Left, 0), e.Reserve)
}

// Is reports whether target is [context.DeadlineExceeded].
func (e *ReserveError) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout returns true.
func (e *ReserveError) Timeout() bool { return true }

// Refused returns true: the call was not made.
func (e *ReserveError) Refused() bool { return true }

// HTTPStatus is the status that says so: 504 Gateway Timeout.
func (e *ReserveError) HTTPStatus() int { return 504 }
