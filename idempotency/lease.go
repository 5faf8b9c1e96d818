package idempotency

import (
	"context"
	"errors"
	"sync"
	"time"
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
	timer   *time.Timer
	cancel  context.CancelFunc // of the renewal under way
	renewed chan struct{}      // closed when it has ended
	stopped bool
	lost    bool
}

// start lets the heartbeat begin. ctx is what renewals run with; they outlive its end, for the handler may.
func (h *heartbeat) start(ctx context.Context, r *run) {
	first := r.op.Lease / 3
	if !r.deadline.IsZero() {
		// Lambda has killed the function by then; only where nobody does is there anything to renew.
		first = max(time.Until(r.deadline), 0) + overrun*4/5
	}
	h.run = r
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped, h.renewed = false, nil
	h.timer = time.AfterFunc(first, func() { h.beat(context.WithoutCancel(ctx)) })
}

// stop ends the heartbeat, and reports whether the record was lost. Nothing of it goes on after that.
func (h *heartbeat) stop() (lost bool) {
	h.mu.Lock()
	h.stopped = true
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

func (h *heartbeat) beat(ctx context.Context) {
	op := h.run.op
	h.mu.Lock()
	if h.stopped {
		h.mu.Unlock()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, op.Lease/3)
	defer cancel()
	renewed := make(chan struct{})
	h.cancel, h.renewed = cancel, renewed
	h.mu.Unlock()
	defer close(renewed)

	err := op.Store.Extend(ctx, h.run.key, h.run.owner, time.Now().Round(0).Add(op.Lease))
	if errors.Is(err, ErrLost) {
		h.mu.Lock()
		h.lost = true
		h.mu.Unlock()
		if h.run.lost != nil {
			h.run.lost(ErrLost)
		}
		return
	}
	next := op.Lease / 3
	if err != nil {
		next = min(next, time.Second)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.stopped {
		h.timer.Reset(next)
	}
}
