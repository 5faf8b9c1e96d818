package idempotency

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// maxClaims is how often a key is claimed when its record is gone each time one looks at what stood in the way.
const maxClaims = 3

// compete claims the key, and either runs the call, or replays it, or refuses it. The store is the judge of what has
// expired; the claimer, whether a run that stands in the way lives, so that one that does not is looked at before it is
// followed by another.
func (r *run) compete(ctx context.Context) error {
	w := waiting{limit: r.op.Wait}
	var dead Record // the run to take over from
	record, err := r.claim(dead)
	for claims := 1; ; claims++ {
		switch {
		case err != nil:
			return r.unclaimed(ctx, err)
		case r.owns(record):
			r.attempt = record.Attempt
			if r.attempt != dead.Attempt+1 {
				dead = Record{} // it was released, or swept, before the claim
			}
			return r.own(ctx, dead)
		case record.Status == "":
			dead = Record{} // it is gone since
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
			dead = record
		case w.sleep(&r.ctx):
			claims = 0
			record, err = r.look(&w)
			continue
		default:
			return r.leave(ctx, &InProgressError{r.subject(), r.leaseLeft(record)})
		}
		if claims >= maxClaims {
			if !w.sleep(&r.ctx) {
				return r.refuse(ctx, &InProgressError{Subject: r.subject()})
			}
			claims = 0
		}
		record, err = r.claim(dead)
	}
}

// claim asks for the key, also if it is that of a dead run, unless dead is zero. An answer that comes when the lease which
// it grants is over is not believed.
func (r *run) claim(dead Record) (Record, error) {
	var takeOver *Run
	if dead.Status != "" {
		takeOver = new(dead.Run())
	}
	r.takesOver = takeOver != nil
	r.owner = r.claimer()
	r.stage = claiming
	record, err := r.ask(takeOver)
	if err == nil && r.owns(record) && errors.Is(r.late(), errLate) {
		record, err = r.ask(takeOver)
	}
	if err == nil && r.owns(record) {
		err = r.late()
	}
	if err != nil {
		return Record{}, r.storeError("claim", err)
	}
	r.stage = idle
	return record, nil
}

var errLate = errors.New("the lease was over when it was granted")

// late is why the call is not to be made any more though its key is claimed: nobody waits for it, or others may have taken
// it over.
func (r *run) late() error {
	switch {
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	case r.beats.good >= 0 && r.beats.left() < 0: // or it was over from the start
		return errLate
	}
	return nil
}

// claimer is who claims. A run that has a name takes over under another, used once, if Reconcile is to say first what the
// dead run did: what bears its own name is taken for itself, and nobody is asked about it.
func (r *run) claimer() string {
	switch {
	case r.as != "" && (!r.takesOver || r.op.Reconcile == nil):
		return r.as
	case r.owner != "" && r.owner != r.as:
		return r.owner
	}
	var random [16]byte
	_, _ = rand.Read(random[:])
	return string(hex.AppendEncode(make([]byte, 0, 2*len(random)), random[:]))
}

func (r *run) ask(takeOver *Run) (Record, error) {
	now := time.Now()
	lease := r.lease(now)
	r.beats.confirm(now, lease)
	now = milli(now)
	r.claimed = now
	expires := now.Add(r.op.TTL)
	if r.op.RefuseAbandoned || r.op.Reconcile != nil {
		expires = expires.AddDate(10, 0, 0) // what is uncertain is not forgotten
	}
	return r.op.Store.Claim(r.ctx.Context, Claim{
		Key:         r.key,
		Owner:       r.owner,
		Fingerprint: r.fingerprint,
		Now:         now,
		Lease:       now.Add(lease),
		Expires:     later(expires, now.Add(lease)),
		Skew:        r.op.Skew,
		TakeOver:    takeOver,
	})
}

// look reads the record, again if that fails, as long as there is time to wait.
func (r *run) look(w *waiting) (Record, error) {
	for {
		ctx, cancel := context.WithTimeout(r.ctx.Context, lastPause) // then another one is due
		record, err := r.op.Store.Load(ctx, r.key)
		cancel()
		switch {
		case err == nil:
			return record, nil
		case lasting(err), !w.sleep(&r.ctx):
			return Record{}, r.storeError("load", err)
		}
	}
}

// unclaimed is what follows when the store does not say whether the call may run.
func (r *run) unclaimed(ctx context.Context, err error) error {
	if r.stage == claiming {
		r.hurry = true
		known := r.takesOver && r.op.Reconcile != nil // there was a run, and it is not known what it did
		if r.op.FailOpen && !known && r.ctx.Err() == nil && !lasting(err) {
			return r.openly(ctx, err)
		}
		r.takeBack(ctx)
		r.stage = idle
	}
	return r.leave(ctx, err)
}

// takeBack undoes a claim that failed, and that the store may have granted all the same. The key is free then, as it was
// before, or again that of a dead run. What bears the name of a run stays: that one may go on.
func (r *run) takeBack(ctx context.Context) {
	r.hurry = true
	switch {
	case r.owner == r.as:
	case r.takesOver:
		_ = r.abandon(ctx)
	default:
		_ = r.free(ctx)
	}
}

func (r *run) owns(record Record) bool {
	return record.Status == InProgress && record.Owner == r.owner
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
