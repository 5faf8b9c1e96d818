package idempotency

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/refusal"
)

// maxClaims is how often a key is claimed when its record is gone each time one looks at what stood in the way.
const maxClaims = 3

// A work is a call of some type.
type work interface {
	keyed() (string, error)
	arg() any
	call(ctx context.Context) error
	result() any // a pointer to it
}

// A run is one call on its way: claimed, made, completed.
type run struct {
	op   *operation
	work work

	name        string // the caller's key
	key         string // of the record
	fingerprint string
	owner       string
	attempt     int64
	claimed     time.Time
	deadline    time.Time // the caller's; zero if there is none
	outcome     Outcome

	ctx   runContext              // the handler's
	keep  bool                    // whether the handler's error is a result
	lost  context.CancelCauseFunc // ends it
	beats heartbeat
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
	r.owner = r.op.owner(ctx)
	defer r.enter(ctx)()
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
	r.ctx = runContext{ctx, r}
	deadline, ok := ctx.Deadline()
	if !ok {
		r.ctx.Context, r.lost = context.WithCancelCause(ctx)
		return func() { r.lost(nil) }
	}
	r.deadline = deadline
	reserve := r.op.reserve(time.Until(deadline))
	if reserve == 0 {
		return func() {}
	}
	r.ctx.Context, end = context.WithDeadline(ctx, deadline.Add(-reserve))
	return end
}

// compete claims the key, and either runs the call, or replays it, or refuses it. The store is the judge of what has
// expired; the claimer, whether a run that stands in the way lives, so that one that does not is looked at before it is
// followed by another.
func (r *run) compete(ctx context.Context) error {
	w := waiting{limit: r.op.Wait}
	record, err := r.claim(false)
	var next Record // the dead run to take over from
	for claims := 1; ; claims++ {
		dead := next
		next = Record{}
		switch {
		case err != nil:
			return r.unclaimed(ctx, err)
		case record.Status == InProgress && record.Owner == r.owner:
			r.attempt = record.Attempt
			if record.Attempt <= dead.Attempt {
				dead = Record{} // it was released, or swept, before the claim
			}
			return r.own(ctx, dead)
		case record.Status == "": // it is gone since
		case record.Status != InProgress && record.Status != Completed:
			return r.refuse(ctx, &CorruptError{r.subject(), fmt.Errorf("unknown status %q", record.Status)})
		case r.mismatch(record):
			return r.refuse(ctx, &MismatchError{r.subject()})
		case record.Status == Completed:
			return r.replay(ctx, record, false)
		case r.leaseLeft(record) < 0:
			if r.op.RefuseAbandoned && r.op.Reconcile == nil {
				return r.refuse(ctx, &UncertainError{Subject: r.subject(), Attempt: record.Attempt})
			}
			next = record
		case w.sleep(&r.ctx):
			claims = 0
			record, err = r.load()
			continue
		case ctx.Err() != nil:
			r.outcome = Refused
			return ctx.Err()
		default:
			return r.refuse(ctx, &InProgressError{r.subject(), r.leaseLeft(record)})
		}
		if claims >= maxClaims {
			if !w.sleep(&r.ctx) {
				return r.refuse(ctx, &InProgressError{Subject: r.subject()})
			}
			claims = 0
		}
		record, err = r.claim(next.Status != "")
	}
}

func (r *run) claim(takeOver bool) (Record, error) {
	now := time.Now()
	lease := r.lease(now)
	now = milli(now)
	expires := now.Add(r.op.TTL)
	if r.op.RefuseAbandoned || r.op.Reconcile != nil {
		expires = expires.AddDate(10, 0, 0) // what is uncertain is not forgotten
	}
	record, err := r.op.Store.Claim(&r.ctx, Claim{
		Key:         r.key,
		Owner:       r.owner,
		Fingerprint: r.fingerprint,
		Now:         now,
		Lease:       now.Add(lease),
		Expires:     later(expires, now.Add(lease)),
		Skew:        r.op.Skew,
		TakeOver:    takeOver,
	})
	if err != nil {
		return Record{}, r.storeError("claim", err)
	}
	r.claimed = now
	return record, nil
}

func (r *run) load() (Record, error) {
	record, err := r.op.Store.Load(&r.ctx, r.key)
	if err != nil {
		return Record{}, r.storeError("load", err)
	}
	return record, nil
}

// unclaimed is what follows when the store does not say whether the call may run.
func (r *run) unclaimed(ctx context.Context, err error) error {
	if r.ctx.Err() != nil {
		// The caller hung up on the store, which may have granted the claim all the same.
		if r.op.Owner == nil {
			_ = r.insist(ctx, fifth, func(ctx context.Context, _ bool) error { return r.op.Store.Release(ctx, r.key, r.owner) })
		}
		if ctx.Err() != nil {
			r.outcome = Refused
			return ctx.Err()
		}
		return r.refuse(ctx, err)
	}
	if failed, ok := errors.AsType[*StoreError](err); ok && failed.Op == "claim" && r.op.FailOpen {
		return r.unprotected(ctx, err)
	}
	return r.refuse(ctx, err)
}

// own runs the call that was claimed, unless it turns out that a dead run, from which it was taken over, has done it.
func (r *run) own(ctx context.Context, dead Record) error {
	r.outcome = Ran
	if dead.Status != "" {
		r.outcome = TookOver
		r.emit(ctx, event.Event{Kind: event.Takeover, Attempt: int(dead.Attempt)})
		if r.op.Reconcile != nil {
			if done, err := r.reconcile(ctx, dead); done || err != nil {
				return err
			}
		}
	}
	err := r.guard(ctx, (*run).handle, (*run).release)
	switch {
	case r.beats.lost || errors.Is(err, ErrLost):
		r.lose(ctx)
	case err != nil && !r.keep:
		r.release(ctx)
	default:
		r.complete(ctx, err)
	}
	return err
}

func (r *run) handle() error {
	err := r.work.call(&r.ctx)
	if err != nil && r.op.Keep != nil {
		ended := r.ctx.Err()
		r.keep = (ended == nil || !errors.Is(err, ended)) && r.op.Keep(err)
	}
	return err
}

// guard calls f while the lease is kept. What does not return, but panics or exits, is undone.
func (r *run) guard(ctx context.Context, f func(*run) error, undo func(*run, context.Context)) error {
	ended := false
	r.beats.start(ctx, r)
	defer func() {
		r.beats.stop()
		if !ended {
			undo(r, ctx)
		}
	}()
	err := f(r)
	ended = true
	return err
}

// reconcile asks what became of a dead run, and completes the record if it was done.
func (r *run) reconcile(ctx context.Context, dead Record) (done bool, err error) {
	err = r.guard(ctx, func(r *run) error {
		result, did, err := r.op.Reconcile(&r.ctx, Abandoned{
			Key:     r.name,
			In:      r.work.arg(),
			Owner:   dead.Owner,
			Attempt: dead.Attempt,
			Lease:   dead.Lease,
		})
		if err == nil && did {
			done = true
			err = assign(r.work.result(), result)
		}
		return err
	}, (*run).giveBack)
	switch {
	case r.beats.lost:
		return false, r.refuse(ctx, &InProgressError{Subject: r.subject()})
	case err != nil:
		r.giveBack(ctx)
		return false, r.refuse(ctx, &UncertainError{r.subject(), dead.Attempt, err})
	case !done:
		return false, nil
	}
	r.complete(ctx, nil)
	if r.outcome == TookOver {
		r.outcome = Replayed
	}
	r.emit(ctx, event.Event{Kind: event.Replay})
	return true, nil
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

// complete writes what the run left: its result, or an error that is kept.
func (r *run) complete(ctx context.Context, failure error) {
	var full Result
	var unsaved error
	if failure != nil {
		full = encodeFailure(failure)
	} else {
		full, unsaved = r.encoded(r.work.result())
	}
	c := r.completion(full)
	if unsaved == nil {
		c.Result, unsaved = r.fit(ctx, full)
	}
	var failed error
	err := r.insist(ctx, all, func(ctx context.Context, last bool) error {
		if last && len(c.Result.Data) > 0 {
			// Better a record that says no more than that it is done, than a second run.
			c.Result, unsaved = Result{Encoding: NotKept, Failed: full.Failed}, r.storeError("complete", failed)
		}
		failed = r.op.Store.Complete(ctx, c)
		return failed
	})
	switch {
	case errors.Is(err, ErrLost):
		r.lose(ctx)
	case err != nil:
		r.unsave(ctx, r.storeError("complete", err))
	case unsaved != nil:
		r.unsave(ctx, unsaved)
	default:
		r.op.Cache.put(r.key, Record{Fingerprint: c.Fingerprint, Expires: c.Expires, Result: full})
	}
}

// encoded is the result that v points to. With an error it is not kept.
func (r *run) encoded(v any) (Result, error) {
	result, err := r.op.encode(v)
	if err != nil {
		return Result{Encoding: NotKept}, r.notKept(err)
	}
	return result, nil
}

// release gives the key back after a run that failed.
func (r *run) release(ctx context.Context) {
	err := r.insist(ctx, all, func(ctx context.Context, _ bool) error {
		return r.op.Store.Release(ctx, r.key, r.owner)
	})
	if err != nil {
		r.unsave(ctx, r.storeError("release", err))
	}
}

// giveBack leaves the record as that of a run which is dead.
func (r *run) giveBack(ctx context.Context) {
	over := time.Now().Round(0).Add(-r.op.Skew - time.Second)
	err := r.insist(ctx, all, func(ctx context.Context, _ bool) error {
		return r.op.Store.Extend(ctx, r.key, r.owner, over)
	})
	if err != nil && !errors.Is(err, ErrLost) {
		r.unsave(ctx, r.storeError("extend", err))
	}
}

const tries = 4

// Shares of the time there is to write how the run ended.
const (
	all   = 1
	half  = 2
	fifth = 5
)

// insist takes a step that has to be taken though the caller may have gone, and takes it again if it fails, in a share of
// the time there is to write how the run ended.
func (r *run) insist(ctx context.Context, share time.Duration, step func(ctx context.Context, last bool) error) error {
	ctx = context.WithoutCancel(ctx)
	now := time.Now()
	end := now.Add(r.remaining(now) / share)
	try := func(end time.Time, last bool) error {
		ctx, cancel := context.WithDeadline(ctx, end)
		defer cancel()
		return step(ctx, last)
	}
	for range tries - 1 {
		err := try(now.Add(end.Sub(now)/2), false)
		if err == nil || errors.Is(err, ErrLost) {
			return err
		}
		time.Sleep(min(time.Until(end)/4, jitter(40*time.Millisecond)))
		now = time.Now()
	}
	return try(end, true)
}

// remaining is the time there is, a little even if the handler left none.
func (r *run) remaining(now time.Time) time.Duration {
	if r.deadline.IsZero() {
		return settle
	}
	return min(settle, max(r.deadline.Sub(now)*9/10, settle/20))
}

// replay answers the call with what an earlier run left.
func (r *run) replay(ctx context.Context, record Record, cached bool) error {
	if record.Result.Encoding == NotKept {
		return r.refuse(ctx, &NotKeptError{r.subject()})
	}
	data, err := r.unpack(ctx, record.Result)
	if errors.Is(err, ErrStore) {
		return r.refuse(ctx, err)
	}
	var failure *ReplayedError
	if err == nil && record.Result.Failed {
		failure, err = decodeFailure(data)
	} else if err == nil {
		err = r.op.decode(data, record.Result.Encoding, r.work.result())
	}
	if err != nil {
		return r.refuse(ctx, &CorruptError{r.subject(), err})
	}
	if !cached {
		record.Result.Data = data
		record.Result.Encoding = r.op.unpacked(record.Result)
		r.op.Cache.put(r.key, record)
	}
	r.outcome = Replayed
	r.emit(ctx, event.Event{Kind: event.Replay})
	switch {
	case failure == nil:
		return nil
	case r.op.Rebuild != nil:
		return r.op.Rebuild(failure)
	}
	return failure
}

// lose says that the run was followed by another before it ended.
func (r *run) lose(ctx context.Context) {
	r.outcome = Lost
	r.emit(ctx, event.Event{Kind: event.Lost, Err: ErrLost})
}

func (r *run) unsave(ctx context.Context, err error) {
	r.outcome = Unsaved
	r.emit(ctx, event.Event{Kind: event.Unsaved, Err: err})
}

func (r *run) refuse(ctx context.Context, err error) error {
	r.outcome = Refused
	_ = assign(r.work.result(), nil) // it may be half decoded
	wait, _ := refusal.After(err)
	r.emit(ctx, event.Event{Kind: event.Refusal, Wait: wait, Err: err})
	return err
}

// unprotected makes the call without a record.
func (r *run) unprotected(ctx context.Context, why error) error {
	r.outcome = Unprotected
	r.emit(ctx, event.Event{Kind: event.Unprotected, Err: why})
	return r.work.call(&runContext{Context: ctx})
}

func (r *run) emit(ctx context.Context, e event.Event) {
	e.Policy, e.Name = "idempotency", r.op.Scope
	event.Emit(ctx, e)
}

func (r *run) mismatch(record Record) bool {
	return r.fingerprint != "" && record.Fingerprint != "" && r.fingerprint != record.Fingerprint
}

// leaseLeft is how long the run of a record is still taken to be alive.
func (r *run) leaseLeft(record Record) time.Duration {
	lease := record.Lease
	if lease.IsZero() {
		lease = record.Expires
	}
	return lease.Add(r.op.Skew).Sub(milli(time.Now()))
}

func (r *run) token() FencingToken { return FencingToken{r.key, r.owner, r.attempt, r.claimed} }

func (r *run) subject() Subject { return r.op.subject(r.name) }

func (r *run) notKept(err error) error {
	return fmt.Errorf("%s: %w", r.subject().text("result not kept"), err)
}

func (r *run) storeError(op string, err error) error { return &StoreError{r.subject(), op, err} }

func (op *operation) owner(ctx context.Context) string {
	if op.Owner != nil {
		if owner := op.Owner(ctx); owner != "" {
			return owner
		}
	}
	var random [16]byte
	_, _ = rand.Read(random[:])
	return string(hex.AppendEncode(make([]byte, 0, 2*len(random)), random[:]))
}
