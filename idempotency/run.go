package idempotency

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/event"
)

// A work is a call of some type.
type work interface {
	keyed() (string, error)
	arg() any
	call(ctx context.Context) error
	result() any // a pointer to it
}

// A run is one call on its way: claimed, made, settled.
type run struct {
	op   *operation
	work work

	name        string // the caller's key
	key         string // of the record
	fingerprint string
	as          string // who runs, if Config.Owner says so
	owner       string // who claims
	attempt     int64
	claimed     time.Time
	deadline    time.Time // the caller's; zero if there is none
	stage       stage
	outcome     Outcome

	ctx       runContext              // the handler's
	lost      context.CancelCauseFunc // ends it, where nothing else does
	beats     heartbeat
	takesOver bool        // whether the claim may be that of a dead run's record
	open      bool        // whether the handler runs though nobody knows whether the claim was granted
	hurry     bool        // whether the store failed already, and is not to be waited for
	keep      bool        // whether the handler's error is a result
	uncertain bool        // whether the handler's error leaves open what was done
	handed    atomic.Bool // whether the completion may have been written by others
}

func (r *run) do(ctx context.Context) error {
	defer func() { r.outcome.tell(ctx) }()
	if disabled() {
		return r.unprotected(ctx, errDisabled)
	}
	switch err := r.identify(); {
	case r.name == "" && errors.Is(err, ErrNoKey) && !r.op.RequireKey:
		return r.unprotected(ctx, err)
	case err != nil:
		return r.refuse(ctx, err)
	}
	if err := ctx.Err(); err != nil {
		r.outcome = Refused
		return err
	}
	if record, ok := r.op.Cache.get(r.key); ok {
		if r.mismatch(record) {
			return r.refuse(ctx, &MismatchError{r.subject()})
		}
		return r.replay(ctx, record, true)
	}
	if r.op.Owner != nil {
		r.as = r.op.Owner(ctx)
	}
	defer r.enter(ctx)()
	defer r.abort(ctx)
	return r.compete(ctx)
}

// identify finds the call's key and fingerprint, before the handler can change what they are made of.
func (r *run) identify() error {
	fail := func(err error) error { return &KeyError{r.subject(), err} }
	name, err := r.work.keyed()
	if err == nil && name == "" {
		err = ErrNoKey
	}
	if err != nil {
		return fail(err)
	}
	r.name = name
	if r.key, err = r.op.record(name); err != nil {
		return fail(err)
	}
	if r.op.Fingerprint != nil {
		if r.fingerprint, err = r.op.Fingerprint(r.work.arg()); err != nil {
			return fail(fmt.Errorf("fingerprint: %w", err))
		}
	}
	return nil
}

// enter makes the handler's context, and returns what ends it. Where a deadline is known it ends so much earlier that there
// is time to write how the run ended, and the lease is good for longer than that; where none is, it ends when the record
// is lost.
func (r *run) enter(ctx context.Context) (end func()) {
	r.ctx, r.beats.run = runContext{ctx, r}, r
	deadline, ok := ctx.Deadline()
	if !ok {
		ctx, lost := context.WithCancelCause(ctx)
		r.ctx.Context, r.lost = ctx, lost
		return func() { lost(nil) }
	}
	r.deadline = deadline
	reserve := r.op.reserve(time.Until(deadline))
	if reserve == 0 {
		return func() {}
	}
	r.ctx.Context, end = context.WithDeadline(ctx, deadline.Add(-reserve))
	return end
}

// own makes the call that was claimed, unless it turns out that a dead run, from which it was taken over, has done it.
func (r *run) own(ctx context.Context, dead Record) error {
	r.outcome = Ran
	if dead.Status != "" {
		if done, err := r.follow(ctx, dead); done || err != nil {
			return err
		}
	}
	return r.make(ctx)
}

// openly makes the call though the claim failed. It may have been granted all the same: so the call is made as the owner of
// the record, which will say how it ended if it is there, and is nothing but a call if not.
func (r *run) openly(ctx context.Context, why error) error {
	r.outcome = Unprotected
	r.emit(ctx, event.Event{Kind: event.Unprotected, Err: why})
	r.ctx = runContext{Context: r.ctx.Context}
	r.open, r.lost = true, nil
	return r.make(ctx)
}

// unprotected makes the call without a record.
func (r *run) unprotected(ctx context.Context, why error) error {
	r.outcome = Unprotected
	r.emit(ctx, event.Event{Kind: event.Unprotected, Err: why})
	return r.work.call(&runContext{Context: ctx})
}

// make makes the call while the lease is kept, and leaves in the record how it ended.
func (r *run) make(ctx context.Context) error {
	r.stage = calling
	r.beats.start(ctx)
	err := r.handle()
	lost := r.beats.stop()
	r.stage = settling
	r.settle(ctx, err, lost)
	r.stage = idle
	return err
}

func (r *run) handle() error {
	err := r.work.call(&r.ctx)
	if err == nil {
		return nil
	}
	if r.op.Uncertain != nil {
		r.uncertain = true // even if it panics
		r.uncertain = r.op.Uncertain(err)
	}
	if r.op.Keep != nil && !r.uncertain && r.ctx.Err() == nil {
		r.keep = r.op.Keep(err)
	}
	return err
}

// end says how the call ended, unless it runs without the protection that the outcome would promise.
func (r *run) end(o Outcome) {
	if !r.open {
		r.outcome = o
	}
}

func (r *run) emit(ctx context.Context, e event.Event) {
	if !event.Observed(ctx) { // the digest costs something
		return
	}
	s := r.subject()
	e.Policy, e.Name, e.Key = "idempotency", s.Scope, s.Digest
	event.Emit(ctx, e)
}

func (r *run) token() FencingToken { return FencingToken{r.key, r.owner, r.attempt, r.claimed} }

func (r *run) subject() Subject { return r.op.subject(r.name) }

// lasting reports whether a store would say again what err says.
func lasting(err error) bool { return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrRejected) }

// storeError is what the call is told when op fails: a record that is there and cannot be read is no failure of the store.
func (r *run) storeError(op string, err error) error {
	if errors.Is(err, ErrCorrupt) {
		return &CorruptError{r.subject(), err}
	}
	return &StoreError{r.subject(), op, err}
}
