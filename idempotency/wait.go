package idempotency

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause = 25 * time.Millisecond
	lastPause  = time.Second
)

// A waiting is the patience of a call whose result another one is about to have.
type waiting struct {
	limit time.Duration
	ends  time.Time
	pause time.Duration
}

// sleep waits until the other's record is worth another look. It returns false if there is no time to wait, or no more.
func (w *waiting) sleep(ctx context.Context) bool {
	if w.ends.IsZero() {
		w.ends = time.Now().Add(w.limit)
	}
	left := time.Until(w.ends)
	if left <= 0 {
		return false
	}
	w.pause = min(max(2*w.pause, firstPause), lastPause)
	timer := time.NewTimer(min(left, jitter(w.pause)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// jitter is between half of d and all of it, at random, so that callers that came together do not go on together.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}
