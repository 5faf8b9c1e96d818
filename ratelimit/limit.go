// Package ratelimit keeps calls below a rate: what a dependency bears, what a tenant pays for, what a quota allows.
//
// A [Limiter] is a token bucket in this process. It holds at most Burst tokens, Rate new ones come every second, and a
// call takes one; in any stretch of time t, at most Burst + Rate·t calls are made. A call that finds no token is
// refused at once, or waits for a bounded time if its [Limit] says so.
//
// Time goes on while the process is frozen, so it thaws with a full bucket; calls that were waiting when it froze go then
// as well. The bound is as exact as golang.org/x/time/rate: callers that are held up between reading the clock and
// taking a token can be credited twice for that time.
//
// Each process has buckets of its own: n processes with the same Limit make up to n times as many calls. While a process
// is frozen, its buckets fill all the same.
//
// Use [New] for one bucket that all calls share, and a [Group] for one bucket per key, such as a tenant or an address.
package ratelimit

import (
	"fmt"
	"time"
)

// A Limit says how many calls are let through. Rate and Burst have no default.
type Limit struct {
	// Name is the limiter's name in errors and events.
	Name string

	// Rate is how many calls a second are let through in the long run, from 1e-9 to 1e9.
	Rate float64

	// Burst is how many calls are let through at once after a pause: the size of the bucket, at least 1.
	Burst int

	// Wait is how long a call may wait for its token. Zero means not at all.
	Wait time.Duration
}

// PerSecond is the Limit of rate calls a second, and of burst calls at once. Calls do not wait.
func PerSecond(rate float64, burst int) Limit {
	return Limit{Rate: rate, Burst: burst}
}

// Every is the Limit of one call per interval, and of burst calls at once. Calls do not wait.
func Every(interval time.Duration, burst int) Limit {
	return Limit{Rate: 1 / interval.Seconds(), Burst: burst}
}

// check panics on behalf of a constructor.
func (l Limit) check() {
	switch {
	case !(l.Rate >= 1e-9 && l.Rate <= 1e9): // NaN is outside too
		panic(fmt.Sprintf("ratelimit: Limit.Rate is %v: want calls per second, from 1e-9 to 1e9; "+
			"without a limit, leave the limiter out", l.Rate))
	case l.Burst < 1:
		panic(fmt.Sprintf("ratelimit: Limit.Burst is %d: want at least 1, the call itself", l.Burst))
	case l.Wait < 0:
		panic(fmt.Sprintf("ratelimit: Limit.Wait is %v: want how long a call may wait, or 0 to refuse at once", l.Wait))
	}
}
