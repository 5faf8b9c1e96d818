package ratelimit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/seawall-go/seawall/internal/event"
)

// A Limiter lets calls through at the rate of its [Limit]. Its bucket is full at first. Use [New] to make one; it is
// safe for use by many goroutines at once.
type Limiter struct {
	limit   Limit
	clock   *clock
	bucket  *rate.Limiter
	refused LimitedError // all refusals are this one
	told    atomic.Int64 // how long the last call that was refused would have had to wait
	next    atomic.Int64 // when a token comes, by the clock; only where nobody waits, and so none is given back

	// The line is of the calls that wait, first come first served. The bucket is in debt by a token for each of them,
	// so that nobody overtakes. The first in line has sent to turn and sleeps; the others try to send.
	turn    chan struct{}
	mu      sync.Mutex // for what has to know debt and waiting at once
	waiting int
}

// New returns a Limiter. It panics if limit makes no sense.
func New(limit Limit) *Limiter {
	limit.check()
	return newLimiter(limit, "", newClock())
}

func newLimiter(limit Limit, key string, c *clock) *Limiter {
	l := &Limiter{limit: limit, clock: c, bucket: rate.NewLimiter(rate.Limit(limit.Rate), limit.Burst)}
	l.refused = LimitedError{Name: limit.Name, Key: key, limiter: l}
	if limit.Wait > 0 {
		l.turn = make(chan struct{}, 1)
	}
	return l
}

// Do takes a token and makes the call. Nothing is held while the call runs, and its error comes out as it is.
//
// If no token is there, Do waits in line for one, at most Limit.Wait. It refuses with a [*LimitedError], at once and
// without taking a token, if the token would come later than that, or not before ctx's deadline. If ctx is cancelled
// during the wait, Do returns ctx.Err(): the call is not made, its token goes back, and all who wait behind it move up.
//
// Do does not look at ctx when a token is there: what to do in a context that has ended is for the call to say.
func (l *Limiter) Do(ctx context.Context, call func(context.Context) error) error {
	now := time.Now()
	at := l.clock.at(now)
	if wait := l.known(at); wait > 0 {
		return l.refuse(ctx, wait)
	}
	if !l.bucket.AllowN(at, 1) {
		if err := l.wait(ctx, now, at); err != nil {
			return err
		}
	}
	return call(ctx)
}

// known is how long after at there is no token, as far as an earlier refusal tells. It spares the bucket, and its lock,
// the surge of calls that it cannot serve.
func (l *Limiter) known(at time.Time) time.Duration {
	next := l.next.Load()
	if next == 0 {
		return 0
	}
	return time.Duration(next) - l.clock.since(at)
}

// wait takes the next token that is not spoken for, when it comes.
func (l *Limiter) wait(ctx context.Context, now, at time.Time) error {
	if l.limit.Wait == 0 {
		wait := l.untilToken(at)
		l.next.Store(int64(l.clock.since(at) + wait))
		return l.refuse(ctx, wait)
	}
	if ctx.Err() != nil {
		return l.ended(ctx)
	}
	longest := l.limit.Wait
	if deadline, ok := ctx.Deadline(); ok {
		longest = min(longest, max(deadline.Sub(now), 1)-1) // with time left for the call
	}
	delay := l.lineUp(at, longest)
	if delay == 0 {
		return nil
	}
	if delay > longest {
		return l.refuse(ctx, delay)
	}

	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		l.gaveUp()
		return l.ended(ctx)
	}
	if delay := l.untilTurn(); delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			l.gaveUp()
			return l.ended(ctx)
		}
	}
	l.served()
	return nil
}

// ended is what a caller gets whose context has ended: with its deadline, it was the limiter that kept it from calling.
func (l *Limiter) ended(ctx context.Context) error {
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return err
	}
	return l.refuse(ctx, l.untilToken(l.now()))
}

func (l *Limiter) refuse(ctx context.Context, wait time.Duration) error {
	l.told.Store(int64(wait))
	event.Emit(ctx, event.Event{Kind: event.Refusal, Policy: "ratelimit", Name: l.limit.Name, Wait: wait, Err: &l.refused})
	return &l.refused
}

// lineUp takes a token that comes in at most longest, and returns when it comes. The caller is in line if that is later
// than now, and has not taken a token if it is later than longest.
func (l *Limiter) lineUp(at time.Time, longest time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if delay := l.refill(1 - l.bucket.TokensAt(at)); delay > longest {
		return delay
	}
	at = l.now()
	delay := l.bucket.ReserveN(at, 1).DelayFrom(at)
	switch {
	case delay > longest: // somebody was faster
		l.giveBack(at)
	case delay > 0:
		l.waiting++
	}
	return delay
}

// served is for the first in line, whose token has come.
func (l *Limiter) served() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
}

// gaveUp is for who leaves the line without its token.
func (l *Limiter) gaveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	l.giveBack(l.now())
}

// untilTurn is how long until the token of the first in line is there.
func (l *Limiter) untilTurn() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refill(1 - float64(l.waiting) - l.bucket.TokensAt(l.now()))
}

// giveBack puts a token back, whoever took it. Reservation.Cancel would not: it gives back only what nobody queued
// behind, and forgets the rest.
func (l *Limiter) giveBack(at time.Time) {
	l.bucket.ReserveN(at, -1)
}

// now is the bucket's time. Who changes the bucket under mu asks for it there: a bucket that is told an earlier time than
// before takes the time between for new, and fills twice.
func (l *Limiter) now() time.Time {
	return l.clock.at(time.Now())
}

// retryAfter is how long from now the bucket lets a call through.
func (l *Limiter) retryAfter() time.Duration {
	at := l.now()
	if wait := l.known(at); wait > 0 {
		return wait
	}
	return l.untilToken(at)
}

// untilToken is how long after at the bucket lets a call through. It asks the bucket, whose floating-point sums may
// come out a nanosecond beside ours.
func (l *Limiter) untilToken(at time.Time) time.Duration {
	var wait time.Duration
	for {
		more := l.refill(1 - l.bucket.TokensAt(at.Add(wait)))
		if more == 0 || wait+more >= longest {
			return wait + more
		}
		wait += more
	}
}

// longest is a wait that can still be added to a time, and to itself.
const longest = 1 << 61

// refill is how long it takes until so many tokens have come, rounded as the bucket does.
func (l *Limiter) refill(tokens float64) time.Duration {
	return time.Duration(min(max(tokens, 0)/l.limit.Rate*float64(time.Second), longest))
}
