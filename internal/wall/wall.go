// Package wall measures ages that survive a freeze. A frozen environment's monotonic clock may stand still while
// the world goes on, and a wall clock may be set back; so what is kept between calls is an [Instant], which has both
// readings, and its age is the larger of the two.
package wall

import (
	"sync"
	"sync/atomic"
	"time"
)

// An Instant is a moment on the wall clock and on the monotonic one. The zero Instant is before every other; use
// [Instant.IsZero] to ask.
type Instant struct {
	wall int64 // nanoseconds since 1970
	mono int64 // nanoseconds since the process began
}

var (
	began = time.Now()
	drift atomic.Int64
)

// Now is the present moment, for one reading of the clock.
func Now() Instant { return At(time.Now()) }

// At is the moment of t, a time that [time.Now] returned.
func At(t time.Time) Instant {
	return Instant{wall: t.UnixNano() + drift.Load(), mono: int64(t.Sub(began))}
}

// IsZero reports whether i is the zero Instant.
func (i Instant) IsZero() bool { return i == Instant{} }

// Since is how long after then i is: by the wall clock or by the monotonic one, whichever says more, and never less
// than zero.
func (i Instant) Since(then Instant) time.Duration {
	return time.Duration(max(i.wall-then.wall, i.mono-then.mono, 0))
}

// Gained is how much more time passed since then on the wall clock than on the monotonic one, as it does while a machine
// sleeps; less than zero if the wall clock was set back.
func (i Instant) Gained(then Instant) time.Duration {
	return time.Duration((i.wall - then.wall) - (i.mono - then.mono))
}

// Freeze lets the wall clock run ahead of the monotonic one by d, as it does for a process that was frozen that long,
// until thaw is called. It is for tests only, which must not run in parallel with others that read this clock.
func Freeze(d time.Duration) (thaw func()) {
	drift.Add(int64(d))
	return sync.OnceFunc(func() { drift.Add(-int64(d)) })
}
