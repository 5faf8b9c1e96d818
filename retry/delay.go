package retry

import (
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/seawall-go/seawall/internal/refusal"
)

// forever is what no cap comes to: 73 years, of which two can be added.
const forever time.Duration = 1 << 61

// delays are the waits of one call that fails and fails. Both grow with every failure, whatever its class.
type delays struct {
	transient, throttle backoff.ExponentialBackOff
	limit               time.Duration
}

func (p *Policy) delays() delays {
	base, throttleBase := p.Base, p.ThrottleBase
	if base == 0 {
		base = defaultBase
	}
	if throttleBase == 0 {
		throttleBase = max(defaultThrottleBase, base)
	}
	limit := p.limit()
	return delays{fullJitter(base, limit), fullJitter(throttleBase, limit), limit}
}

func (p *Policy) limit() time.Duration {
	switch {
	case p.Cap == 0:
		return defaultCap
	case p.Cap < 0:
		return forever
	}
	return min(p.Cap, forever)
}

// fullJitter draws from an interval to either side of its middle, so the middle of [0, base] it is that grows.
// MaxElapsedTime is zero: only ctx says when the time is over.
func fullJitter(base, limit time.Duration) backoff.ExponentialBackOff {
	b := backoff.ExponentialBackOff{
		InitialInterval:     max(0, min(base, limit)/2),
		RandomizationFactor: 1,
		Multiplier:          2,
		MaxInterval:         limit / 2,
		Clock:               backoff.SystemClock,
	}
	b.Reset()
	return b
}

// next is how long to wait after err.
func (d *delays) next(class Class, err error) time.Duration {
	wait, throttled := d.transient.NextBackOff(), d.throttle.NextBackOff()
	if class == Throttle {
		wait = throttled
	}
	if hint, ok := refusal.After(err); ok {
		wait += min(hint, d.limit)
	}
	return wait
}
