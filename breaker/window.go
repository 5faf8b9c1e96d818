package breaker

import (
	"time"

	"github.com/seawall-go/seawall/internal/wall"
)

const buckets = 10

// A window counts the calls of a stretch of time, in buckets that are emptied when a call finds them too old.
type window struct {
	tally  // of all buckets
	width  time.Duration
	ring   [buckets]tally
	latest int           // in ring
	begun  time.Duration // how much of the latest bucket's time is over
	now    wall.Instant  // as of the last call
}

type tally struct{ calls, failures int }

func (w *window) add(now wall.Instant, failed bool) {
	w.begun += now.Since(w.now)
	w.now = now
	for range min(w.begun/w.width, buckets) {
		w.latest = (w.latest + 1) % buckets
		old := &w.ring[w.latest]
		w.calls -= old.calls
		w.failures -= old.failures
		*old = tally{}
	}
	w.begun %= w.width

	bucket := &w.ring[w.latest]
	bucket.calls++
	w.calls++
	if failed {
		bucket.failures++
		w.failures++
	}
}

func (w *window) clear() { *w = window{width: w.width} }
