package retry

import (
	"context"
	"errors"
	"time"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/scope"
)

const (
	defaultAttempts     = 3
	defaultBase         = 50 * time.Millisecond
	defaultThrottleBase = time.Second
	defaultCap          = 20 * time.Second

	patience = time.Second // with refusals
)

// A Policy says how often and how soon a failed call is made again. Its zero value makes up to three attempts. A Policy
// is a plain value: copy it freely, and use it from many goroutines at once.
//
// The wait after the n-th failure is random, uniform between zero and Base·2ⁿ⁻¹ but at most Cap: full jitter, which
// spreads callers that failed together. An error that has a method RetryAfter() time.Duration, anywhere in its tree, sets
// the least wait, also at most Cap, and the random wait comes on top of it, so that callers told the same second do not
// come back in the same millisecond.
//
// The defaults are those of the AWS SDKs since November 2026; three attempts are also what the Google SRE book allows a
// request.
type Policy struct {
	// Name is the policy's name in events.
	Name string

	// Attempts is how many calls Do makes at most, the first included. Zero means 3. Negative means no limit but ctx,
	// the Budget, and a call that succeeds or stops.
	Attempts int

	// Base is the longest first wait after a transient error. Zero means 50 ms, negative means no wait.
	Base time.Duration

	// ThrottleBase is the same after a throttle. Zero means 1 s, or Base if that is longer; negative means no wait.
	ThrottleBase time.Duration

	// Cap is the longest random wait, and the longest RetryAfter that is waited for, so that a server that says a day
	// does not stall its callers. Both together come to twice Cap at most. Zero means 20 s, negative means no cap.
	Cap time.Duration

	// Classify sorts errors. Those for which it says Unknown, and all if it is nil, are sorted by the rules in the
	// package comment. It is not asked about nil and not about Permanent errors.
	Classify func(error) Class

	// Budget limits the repeats of all policies that share it. Nil means no limit.
	Budget *Budget

	// Nested lets the policy repeat calls inside the call of another policy too. The attempts of both multiply.
	Nested bool
}

// Do makes the call, and makes it again while it fails with an error that allows it. Each attempt runs in the caller's
// goroutine and has returned before Do goes on. A panic or [runtime.Goexit] ends Do as it would end the caller.
//
// Do returns nil after a success and otherwise the error of the last attempt, that very value. It has no errors of its
// own: not when the attempts or the Budget are used up, and not when ctx ends. The first attempt is always made, even
// if ctx has already ended: what to do about that is for the call to say. A wait that would not end before ctx's
// deadline is not begun, and one that ctx cuts short is not followed by an attempt.
//
// Do panics if the Budget's fields make no sense.
func (p Policy) Do(ctx context.Context, call func(context.Context) error) error {
	p.Budget.check()
	nested := scope.Retrying(ctx)
	if nested && !p.Nested {
		return call(ctx)
	}
	if !nested && p.Repeats() {
		ctx = scope.WithRetry(ctx)
	}
	err := call(ctx)
	if err == nil {
		p.Budget.earn()
		return nil
	}
	err = p.again(ctx, call, err)
	if nested {
		return err // the outer policy has to see what steers it
	}
	return bare(err)
}

// Repeats reports whether Do can make more than one attempt.
func (p Policy) Repeats() bool { return p.Attempts != 1 }

// again repeats the call that failed with err, and returns the last error.
func (p *Policy) again(ctx context.Context, call func(context.Context) error, err error) error {
	limit := p.Attempts
	if limit == 0 {
		limit = defaultAttempts
	}
	var waits delays
	for attempt := 1; ; attempt++ {
		class := p.class(err)
		if class == Stop || errors.Is(ctx.Err(), context.Canceled) {
			return err
		}
		if attempt == 1 {
			waits = p.delays()
		}
		wait := waits.next(class, err)
		if attempt == limit || !fits(ctx, wait) || !p.Budget.spend() {
			p.emit(ctx, event.GiveUp, attempt, 0, err)
			return err
		}
		p.emit(ctx, event.Retry, attempt, wait, err)
		if !sleep(ctx, wait) {
			p.Budget.refund()
			return err
		}
		if err = call(ctx); err == nil {
			return nil
		}
	}
}

func (p *Policy) emit(ctx context.Context, kind event.Kind, attempt int, wait time.Duration, err error) {
	event.Emit(ctx, event.Event{Kind: kind, Policy: "retry", Name: p.Name, Attempt: attempt, Wait: wait, Err: bare(err)})
}

// fits reports whether an attempt after wait begins before ctx's deadline.
func fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || wait < time.Until(deadline)
}

// sleep waits, and reports whether ctx is still alive after it.
func sleep(ctx context.Context, wait time.Duration) bool {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}
