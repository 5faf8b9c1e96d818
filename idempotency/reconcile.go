package idempotency

import (
	"context"
	"fmt"
	"reflect"

	"github.com/seawall-go/seawall/internal/event"
)

// follow takes over from a dead run. If that turns out to have done the call, or if nobody knows, there is nothing left to
// run.
func (r *run) follow(ctx context.Context, dead Record) (done bool, err error) {
	r.stage = asking
	r.outcome = TookOver
	r.emit(ctx, event.Event{Kind: event.Takeover, Attempt: int(dead.Attempt)})
	if r.op.Reconcile == nil {
		return false, nil
	}
	r.beats.start(ctx)
	done, err = r.reconcile(dead)
	lost := r.beats.stop()
	switch {
	case lost:
		r.stage = idle
		return false, r.refuse(ctx, &InProgressError{Subject: r.subject()})
	case err != nil:
		r.giveBack(ctx)
		r.stage = idle
		return false, r.refuse(ctx, &UncertainError{r.subject(), dead.Attempt, err})
	case done:
		r.adopt(ctx)
		return true, nil
	case r.late() != nil: // what was found out may be so no longer
		_ = r.abandon(ctx)
		r.stage = idle
		return false, r.leave(ctx, &InProgressError{Subject: r.subject()})
	case r.as != "":
		r.release(ctx) // it was claimed under another name
		r.stage = idle
		return true, r.compete(ctx)
	}
	return false, nil
}

// reconcile asks what became of a dead run.
func (r *run) reconcile(dead Record) (done bool, err error) {
	result, done, err := r.op.Reconcile(&r.ctx, Abandoned{
		Key:     r.name,
		In:      r.work.arg(),
		Owner:   dead.Owner,
		Attempt: dead.Attempt,
		Lease:   dead.Lease,
	})
	if err == nil && done {
		err = assign(r.work.result(), result)
	}
	return done, err
}

// adopt leaves in the record what a dead run did.
func (r *run) adopt(ctx context.Context) {
	r.stage = settling
	r.complete(ctx, nil)
	r.stage = idle
	if r.outcome == TookOver {
		r.outcome = Replayed
	}
	r.emit(ctx, event.Event{Kind: event.Replay})
}

// assign sets what to points to.
func assign(to, value any) error {
	v, t := reflect.ValueOf(value), reflect.ValueOf(to).Elem()
	switch {
	case value == nil:
		t.SetZero()
	case v.Type().AssignableTo(t.Type()):
		t.Set(v)
	default:
		return fmt.Errorf("the result is a %T, want %v", value, t.Type())
	}
	return nil
}
