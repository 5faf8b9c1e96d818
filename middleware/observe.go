package middleware

import (
	"context"

	"github.com/seawall-go/seawall/internal/event"
)

// An Event is one thing a policy noticed: a retry, a refusal, a breaker's transition. It is a struct with these fields;
// those that do not belong to the kind of event are zero:
//
//	Kind    Kind          // what happened
//	Policy  string        // the pattern: "retry", "breaker", "ratelimit", "timeout", "bulkhead", ...
//	Name    string        // the name its user gave it, if any
//	Attempt int           // the attempt that failed, from 1
//	Wait    time.Duration // until the next attempt, until a refused call may come again, or until an open breaker probes;
//	                      // of a timeout and an abandon the limit, the time that the call had
//	From    string        // the state a breaker left
//	To      string        // the state it entered
//	At      time.Time     // when the state changed, of a transition only: later than the one before of the same breaker,
//	                      // for they may be told in another order
//	Err     error         // the error behind it, if any
//	Key     string        // the digest of an idempotency key, never the key
type Event = event.Event

// A Kind says what happened. It prints as a word.
type Kind = event.Kind

// The kinds of events.
const (
	EventRetry      = event.Retry      // an attempt failed and another follows after Wait
	EventGiveUp     = event.GiveUp     // an attempt failed and no other follows though its error could be retried
	EventRefusal    = event.Refusal    // a policy answered without making the call
	EventTransition = event.Transition // a breaker went From one state To another
	EventTimeout    = event.Timeout    // a call failed because its time was over
	EventPanic      = event.Panic      // a panic became an error
	EventFallback   = event.Fallback   // an error was answered by a fallback
	EventAbandon    = event.Abandon    // a handler was left behind, still running

	EventReplay      = event.Replay      // a call was answered with the result of an earlier one
	EventTakeover    = event.Takeover    // a run that was abandoned, its Attempt, is followed by another
	EventLost        = event.Lost        // a run ended after another had taken its key over
	EventUnsaved     = event.Unsaved     // a run ended, and its record does not say all because of Err
	EventUnprotected = event.Unprotected // a run had no record because of Err
	EventMismatch    = event.Mismatch    // a call was refused because its key belongs to another payload
)

// Observe returns a policy that tells observe what the policies inside it notice, at the moment they do, in their
// goroutine: whatever takes long there delays the call. A call that goes well is not an event. Observers nest; the
// innermost is told first. What observe itself causes, with the context it is given, is told to the observers around it
// only. It panics if observe is nil.
func Observe(observe func(ctx context.Context, e Event)) Policy {
	if observe == nil {
		panic("middleware: Observe(nil): want a function")
	}
	return observer(observe)
}

type observer func(context.Context, Event)

func (o observer) Do(ctx context.Context, call func(context.Context) error) error {
	return call(event.With(ctx, o))
}
