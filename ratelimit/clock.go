package ratelimit

import (
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/wall"
)

// A clock tells the time of buckets, which goes on during a freeze and never runs backwards: the monotonic clock, put
// ahead by the most that the wall clock was ever ahead of it.
type clock struct {
	start time.Time
	began wall.Instant
	ahead atomic.Int64
}

func newClock() *clock {
	now := time.Now()
	return &clock{start: now, began: wall.At(now)}
}

// at is the bucket's time at now, a time that [time.Now] returned.
func (c *clock) at(now time.Time) time.Time {
	ahead := max(int64(wall.At(now).Gained(c.began)), 0)
	for {
		most := c.ahead.Load()
		switch {
		case ahead <= most && most == 0: // it was never frozen
			return now
		case ahead <= most:
			return now.Add(time.Duration(most))
		}
		if c.ahead.CompareAndSwap(most, ahead) {
			return now.Add(time.Duration(ahead))
		}
	}
}

// since is how long after the clock began at is, a time of the clock.
func (c *clock) since(at time.Time) time.Duration { return at.Sub(c.start) }
