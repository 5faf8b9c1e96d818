package idempotency

import (
	"context"
	"sync/atomic"
	"time"
)

// A FencingToken names a run, so that a handler can fence its own writes: a run that another has taken over must not
// write any more, and may not know it yet. Write Claimed along, and refuse, in one step with the write, a token that was
// claimed before the last one.
type FencingToken struct {
	Key     string    // of the record in the store
	Owner   string    // this run and no other
	Attempt int64     // one more than that of the run it took over from; 1 again after a run that gave the key back
	Claimed time.Time // to the millisecond; later than for the run it took over from, if clocks differ by less than Skew
}

// Token returns the token of the innermost call that ctx is in, and false if that runs unprotected or there is none.
func Token(ctx context.Context) (FencingToken, bool) {
	r := running(ctx)
	if r == nil {
		return FencingToken{}, false
	}
	return r.token(), true
}

// An Outcome says how a call ended.
type Outcome uint32

// The outcomes of calls.
const (
	Pending     Outcome = iota // it did not end yet
	Ran                        // the handler ran, and its record has the result
	TookOver                   // the same, after an earlier run that was abandoned
	Released                   // the handler ran and failed, and the next call runs, or asks what it did if that is uncertain
	Replayed                   // the handler did not run, the result is that of an earlier call
	Refused                    // the handler did not run, the error says why
	Unprotected                // the handler ran without a record: there is no key, no store, or idempotency is disabled
	Lost                       // the handler ran, and others may have too: its key was taken over before it ended
	Unsaved                    // the handler ran, and its record does not say all: see the event
)

// String returns the outcome as a word or two.
func (o Outcome) String() string {
	return [...]string{"pending", "ran", "took over", "released", "replayed", "refused", "unprotected", "lost", "unsaved"}[min(o, Unsaved)]
}

type watchKey struct{}

// Watch returns a child of ctx, and a function that says how the call made with it ended, the last one if there were
// several:
//
//	ctx, outcome := idempotency.Watch(ctx)
//	receipt, err := placeOrder(ctx, order)
//	if outcome() == idempotency.Replayed {
//
// Calls that the handler makes in its turn are not watched.
func Watch(ctx context.Context) (context.Context, func() Outcome) {
	outcome := new(atomic.Uint32)
	return context.WithValue(ctx, watchKey{}, outcome), func() Outcome { return Outcome(outcome.Load()) }
}

func (o Outcome) tell(ctx context.Context) {
	if watched, _ := ctx.Value(watchKey{}).(*atomic.Uint32); watched != nil {
		watched.Store(uint32(o))
	}
}

type runKey struct{}

// A runContext is the context of a handler: it knows the run, which is nil if it is unprotected, and hides who watches
// the call from the calls that the handler makes.
type runContext struct {
	context.Context //nolint:containedctx // it is a context

	run *run
}

func (c *runContext) Value(key any) any {
	switch key {
	case runKey{}:
		return c.run
	case watchKey{}:
		return nil
	}
	return c.Context.Value(key)
}

func running(ctx context.Context) *run {
	r, _ := ctx.Value(runKey{}).(*run)
	return r
}
