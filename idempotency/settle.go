package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/internal/event"
)

// settle leaves in the record how the run ended.
func (r *run) settle(ctx context.Context, err error, lost bool) {
	switch {
	case lost:
		r.lose(ctx)
	case err == nil || r.keep:
		r.complete(ctx, err)
	case errors.Is(err, ErrLost) && r.gone(ctx):
		r.lose(ctx)
	case r.uncertain:
		r.giveBack(ctx)
	default:
		r.release(ctx)
	}
}

// complete writes what the run left: its result, or an error that is kept.
func (r *run) complete(ctx context.Context, failure error) {
	full, unsaved := r.encoded(failure)
	c := r.completion(full)
	if unsaved == nil {
		c.Result, unsaved = r.fit(ctx, full)
	}
	var failed error
	err := r.insist(ctx, whole, func(ctx context.Context, last bool) error {
		if (last || errors.Is(failed, ErrTooLarge)) && len(c.Result.Data) > 0 {
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
	case !r.handed.Load(): // or the record may have another result
		r.op.Cache.put(r.key, Record{Fingerprint: c.Fingerprint, Expires: c.Expires, Result: full})
	}
}

// encoded is what the run left. With an error it is not kept.
func (r *run) encoded(failure error) (result Result, err error) {
	if failure != nil {
		result, err = encodeFailure(failure)
	} else {
		result, err = r.op.encode(r.work.result())
	}
	if err != nil {
		return Result{Encoding: NotKept, Failed: failure != nil}, r.notKept(err)
	}
	return result, nil
}

// release gives the key back after a run that failed.
func (r *run) release(ctx context.Context) {
	r.end(Released)
	if err := r.free(ctx); err != nil {
		r.unsave(ctx, r.storeError("release", err))
	}
}

// giveBack leaves the record as that of a run which is dead.
func (r *run) giveBack(ctx context.Context) {
	r.end(Released)
	if err := r.abandon(ctx); err != nil {
		r.unsave(ctx, r.storeError("extend", err))
	}
}

// free deletes the record, if it is there and its own.
func (r *run) free(ctx context.Context) error {
	return r.insist(ctx, whole, func(ctx context.Context, _ bool) error {
		return r.op.Store.Release(ctx, r.key, r.owner)
	})
}

// abandon lets the lease be over, if the record is there and its own.
func (r *run) abandon(ctx context.Context) error {
	over := time.Now().Round(0).Add(-r.op.Skew - time.Second)
	err := r.insist(ctx, whole, func(ctx context.Context, _ bool) error {
		return r.op.Store.Extend(ctx, r.key, r.owner, over)
	})
	if errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// gone reports whether the record is no longer its own, as a handler says whose transaction was told so.
func (r *run) gone(ctx context.Context) (gone bool) {
	_ = r.insist(ctx, half, func(ctx context.Context, _ bool) error {
		record, err := r.op.Store.Load(ctx, r.key)
		gone = err == nil && record.Owner != r.owner
		return err
	})
	return gone
}

// lose says that the run was followed by another before it ended.
func (r *run) lose(ctx context.Context) {
	if r.open {
		return // there is no record, as was told
	}
	r.outcome = Lost
	r.emit(ctx, event.Event{Kind: event.Lost, Err: ErrLost})
}

func (r *run) unsave(ctx context.Context, err error) {
	if r.open {
		return
	}
	r.outcome = Unsaved
	r.emit(ctx, event.Event{Kind: event.Unsaved, Err: err})
}

func (r *run) notKept(err error) error {
	return fmt.Errorf("%s: %w", r.subject().text("result not kept"), err)
}

// Shares of the time there is to write how the run ended.
const (
	whole = 1
	half  = 2
)

// insist takes a step that has to be taken though the caller may have gone, and takes it again while it fails, if that can
// help, in a share of the time there is. A step that hangs leaves half of that to those after it, and the last one is told that it is.
func (r *run) insist(ctx context.Context, share time.Duration, step func(ctx context.Context, last bool) error) error {
	ctx = context.WithoutCancel(ctx)
	now := time.Now()
	all := r.remaining(now) / share
	end := now.Add(all)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		left := end.Sub(now)
		last := left < all/16
		if !last {
			left /= 2
		}
		err := within(ctx, now.Add(left), last, step)
		if err == nil || last || errors.Is(err, ErrLost) || lasting(err) {
			return err
		}
		time.Sleep(min(jitter(pause), time.Until(end)/4))
		now = time.Now()
	}
}

func within(ctx context.Context, end time.Time, last bool, step func(ctx context.Context, last bool) error) error {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	return step(ctx, last)
}

// remaining is the time there is, a little even if the handler left none.
func (r *run) remaining(now time.Time) time.Duration {
	most := settle
	if r.hurry {
		most = hurry
	}
	if r.deadline.IsZero() {
		return most
	}
	return min(most, max(r.deadline.Sub(now)*9/10, settle/20))
}
