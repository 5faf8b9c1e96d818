// Package event carries what policies notice, a retry, a refusal, a transition, to the observers found in the
// context. Emitting costs one context lookup and happens on rare paths only: a call that goes well emits nothing.
package event

import (
	"context"
	"time"
)

// A Kind says what happened.
type Kind string

// The kinds of events. A package that notices something new adds its kind here.
const (
	Retry      Kind = "retry"      // an attempt failed and another follows after Wait
	GiveUp     Kind = "give_up"    // an attempt failed and no other follows though its error could be retried
	Refusal    Kind = "refusal"    // a policy answered without making the call
	Transition Kind = "transition" // a breaker went From one state To another
	Timeout    Kind = "timeout"    // a call failed because its time was over
	Panic      Kind = "panic"      // a panic became an error
	Fallback   Kind = "fallback"   // an error was answered by a fallback
	Abandon    Kind = "abandon"    // a handler was left behind, still running

	Replay      Kind = "replay"      // a call was answered with the result of an earlier one
	Takeover    Kind = "takeover"    // a run that was abandoned, its Attempt, is followed by another
	Lost        Kind = "lost"        // a run ended after another had taken its key over
	Unsaved     Kind = "unsaved"     // a run ended, and its record does not say all because of Err
	Unprotected Kind = "unprotected" // a run had no record because of Err
	Mismatch    Kind = "mismatch"    // a call was refused because its key belongs to another payload
)

// An Event is one thing a policy noticed. Fields that do not belong to its Kind are zero. The Wait of a Timeout and of an
// Abandon is the limit, the time that the call had.
type Event struct {
	Kind    Kind
	Policy  string        // the pattern: "retry", "breaker", "ratelimit", "timeout", "bulkhead", ...
	Name    string        // the name its user gave it, if any
	Attempt int           // the attempt that failed, or was abandoned, from 1
	Wait    time.Duration // until the next attempt, until a refused call may come again, or until an open breaker probes
	From    string        // the state a breaker left
	To      string        // the state it entered
	At      time.Time     // when the state changed, of a transition only: later than the one before of the same breaker
	Err     error         // the error behind it, if any
	Key     string        // the digest of an idempotency key, never the key
}

type observerKey struct{}

// An Observer is a context that is told what policies notice in it. It answers [IsObserver] keys with itself, so that to
// observe costs no more than the context.
type Observer interface {
	Observe(ctx context.Context, e Event)

	// Around is the context that it is a child of, whose observers are told next.
	Around() context.Context
}

// IsObserver reports whether key asks for an [Observer].
func IsObserver(key any) bool { return key == (observerKey{}) }

type observing struct {
	context.Context //nolint:containedctx // it is a context

	observe func(context.Context, Event)
}

func (o *observing) Value(key any) any {
	if IsObserver(key) {
		return o
	}
	return o.Context.Value(key)
}

func (o *observing) String() string { return "middleware.Observe" }

func (o *observing) Observe(ctx context.Context, e Event) { o.observe(ctx, e) }

func (o *observing) Around() context.Context { return o.Context }

// With returns a child of ctx in which observe is told what policies notice, before the observers ctx already has.
func With(ctx context.Context, observe func(context.Context, Event)) context.Context {
	return &observing{ctx, observe}
}

// Observed reports whether anybody would be told, for events that cost something to describe.
func Observed(ctx context.Context) bool { return observer(ctx) != nil }

func observer(ctx context.Context) Observer {
	o, _ := ctx.Value(observerKey{}).(Observer)
	return o
}

// Emit tells the observers in ctx, innermost first, in the caller's goroutine. The caller holds no lock. What an observer
// causes in the context it is given is told to those around it only, or it might never end.
func Emit(ctx context.Context, e Event) {
	for o := observer(ctx); o != nil; {
		outer := observer(o.Around())
		o.Observe(&telling{ctx, outer}, e)
		o = outer
	}
}

// telling is the context that an observer is given.
type telling struct {
	context.Context //nolint:containedctx // it is a context

	outer Observer
}

func (t *telling) Value(key any) any {
	if IsObserver(key) {
		return t.outer
	}
	return t.Context.Value(key)
}

func (t *telling) String() string { return "event.Emit" }
