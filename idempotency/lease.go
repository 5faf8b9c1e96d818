package idempotency

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/wall"
)

// lease is for how long from now the run is taken to be alive.
func (r *run) lease(now time.Time) time.Duration {
	if r.deadline.IsZero() {
		return r.op.Lease
	}
	left := r.deadline.Sub(now)
	if left <= 0 {
		return min(left, -time.Millisecond)
	}
	return left + overrun
}

// A heartbeat renews the lease of a run that takes long, from a goroutine of its own that is there when the lease is to
// be renewed, and not in between.
type heartbeat struct {
	run *run

	mu      sync.Mutex
	round   int          // one more with every start and stop, so that a beat knows that it is late
	since   wall.Instant // when the lease that the store has confirmed was asked for
	good    time.Duration
	timer   *time.Timer
	cancel  context.CancelFunc // of the renewal under way
	renewed chan struct{}      // closed when it has ended
	lost    bool
}

// confirm notes that the lease, if the store grants what it is asked now, is good for so long.
func (h *heartbeat) confirm(now time.Time, good time.Duration) {
	h.since, h.good = wall.At(now), good
}

// left is how long the lease is still good.
func (h *heartbeat) left() time.Duration { return h.good - wall.Now().Since(h.since) }

// start lets the heartbeat begin. ctx is what renewals run with; they outlive its end, for the handler may.
func (h *heartbeat) start(ctx context.Context) {
	r := h.run
	var first time.Duration
	if r.deadline.IsZero() {
		first = max(h.left()-r.op.Lease*2/3, 0)
	} else {
		// Lambda has killed the function by then; only where nobody does is there anything to renew.
		first = max(time.Until(r.deadline), 0) + overrun*4/5
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.round++
	h.renewed = nil
	round := h.round
	h.timer = time.AfterFunc(first, func() { h.beat(context.WithoutCancel(ctx), round) })
}

// stop ends the heartbeat, if it began, and reports whether the record was lost. Nothing of it goes on after that.
func (h *heartbeat) stop() (lost bool) {
	if h.timer == nil {
		return false
	}
	h.mu.Lock()
	h.round++
	h.timer.Stop()
	renewed := h.renewed
	if renewed != nil {
		h.cancel()
	}
	h.mu.Unlock()
	if renewed != nil {
		<-renewed
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

func (h *heartbeat) beat(ctx context.Context, round int) {
	op := h.run.op
	h.mu.Lock()
	if round != h.round {
		h.mu.Unlock()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, op.Lease/3)
	defer cancel()
	renewed := make(chan struct{})
	h.cancel, h.renewed = cancel, renewed
	left := h.left()
	h.mu.Unlock()
	defer close(renewed)

	over := time.AfterFunc(left, h.tell) // whatever becomes of the renewal
	defer over.Stop()
	now := time.Now()
	done, err := h.renew(ctx, now)
	switch {
	case done:
		return
	case errors.Is(err, ErrLost):
		h.lose()
		return
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	next := op.Lease / 3
	if err == nil {
		h.confirm(now, op.Lease)
	} else {
		next = min(next, time.Second)
		if left := h.left(); left > 0 {
			next = min(next, left)
		}
	}
	if round == h.round {
		h.timer.Reset(next)
	}
}

// renew asks for a lease as of now, unless the record is done: the handler may have completed it in a transaction of its own.
func (h *heartbeat) renew(ctx context.Context, now time.Time) (done bool, err error) {
	r := h.run
	err = r.op.Store.Extend(ctx, r.key, r.owner, now.Round(0).Add(r.op.Lease))
	if !errors.Is(err, ErrLost) || !r.handed.Load() {
		return false, err
	}
	record, problem := r.op.Store.Load(ctx, r.key)
	if problem != nil {
		return false, problem
	}
	return record.Owner == r.owner, err
}

// lose notes that the record has another owner.
func (h *heartbeat) lose() {
	h.mu.Lock()
	h.lost = true
	h.mu.Unlock()
	h.tell()
}

// tell ends the handler's context, where its deadline has not.
func (h *heartbeat) tell() {
	if h.run.lost != nil {
		h.run.lost(ErrLost)
	}
}
