package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/ratelimit"
)

// A limiter that counts per window of a second lets twice its limit through around the edge of two windows.
func TestRegression_TwiceTheLimitAcrossAWindowEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.PerSecond(10, 10))
		time.Sleep(970 * time.Millisecond)
		made := drain(t, l)
		time.Sleep(60 * time.Millisecond)
		if made += drain(t, l); made != 10 {
			t.Errorf("%d calls in 60ms, want 10", made)
		}
	})
}

// A caller that gave up waiting kept its permit, so that callers who gave up stopped everybody else.
func TestRegression_CancelledWaitKeptItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Limit{Rate: 1, Burst: 1, Wait: time.Second})
		_ = l.Do(t.Context(), succeed)
		began := time.Now()
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			time.AfterFunc(time.Millisecond, cancel)
			if err := l.Do(ctx, succeed); !errors.Is(err, context.Canceled) {
				t.Fatalf("Do = %v, want %v", err, context.Canceled)
			}
		}
		if err := l.Do(t.Context(), succeed); err != nil || time.Since(began).Round(time.Microsecond) != time.Second {
			t.Errorf("the next caller: %v after %v, want <nil> after 1s", err, time.Since(began))
		}
	})
}

// A rate.Reservation that is cancelled is forgotten if another was made after it, and so the one behind waited for a
// token that nobody took.
func TestRegression_WaitersStayedBehindOneWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Limit{Rate: 1, Burst: 1, Wait: time.Minute})
		_ = l.Do(t.Context(), succeed)
		began := time.Now()
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				if i < 2 { // the first in line and the one behind it
					if err := l.Do(ctx, succeed); !errors.Is(err, context.Canceled) {
						t.Errorf("caller %d: %v, want %v", i, err, context.Canceled)
					}
					return
				}
				err := l.Do(t.Context(), succeed)
				if took, want := time.Since(began), time.Duration(i-1)*time.Second; err != nil || took != want {
					t.Errorf("caller %d: %v after %v, want <nil> after %v", i, err, took, want)
				}
			})
			synctest.Wait()
		}
		time.Sleep(500 * time.Millisecond)
		leave()
		wg.Wait()
	})
}

// Reservations that were all cancelled at once left the bucket in debt for most of them, since cancelling one rounds
// the time of the one before to a nanosecond beside it, and is then taken for a queue.
func TestRegression_AllWhoWaitedLeftAndTheirDebtStayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Limit{Rate: 3, Burst: 1, Wait: time.Hour})
		_ = l.Do(t.Context(), succeed)
		began := time.Now()
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { _ = l.Do(ctx, succeed) })
		}
		synctest.Wait()
		leave()
		wg.Wait()
		if err := l.Do(t.Context(), succeed); err != nil || time.Since(began).Round(time.Millisecond) != 333*time.Millisecond {
			t.Errorf("the next caller: %v after %v, want <nil> after a third of a second", err, time.Since(began))
		}
	})
}

// Under load, callers read the clock in one order and reach the bucket in another. A bucket that took the earlier time
// of a caller, even of one that it refused, set itself back and then filled twice: up to 20 times the limit got through.
func TestRegression_LateCallersSetTheBucketBack(t *testing.T) {
	for name, longest := range map[string]time.Duration{"refused": 0, "in line": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			l := ratelimit.New(ratelimit.Limit{Rate: 1, Burst: 1, Wait: time.Hour})
			_ = l.Do(t.Context(), succeed)
			const late = time.Millisecond
			time.Sleep(late)
			for range 50 {
				l.LineUp(time.Now(), longest)
				l.LineUp(time.Now().Add(-late), longest)
			}
			want := time.Second - late
			if longest > 0 {
				want += 100 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), 1)
			defer cancel()
			var limited *ratelimit.LimitedError
			if err := l.Do(ctx, succeed); !errors.As(err, &limited) {
				t.Fatalf("%s: Do = %v, want a refusal", name, err)
			}
			if got := limited.RetryAfter().Round(time.Microsecond); got != want {
				t.Errorf("%s: the next token comes after %v, want %v", name, got, want)
			}
		})
	}
}

// A wait of centuries overflowed, and RetryAfter never returned.
func TestRegression_WaitOfCenturies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Limit{Rate: 1e-9, Burst: 1, Wait: math.MaxInt64})
		ctx, cancel := context.WithCancel(t.Context())
		for range 20 {
			go func() { _ = l.Do(ctx, succeed) }()
		}
		synctest.Wait()
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		var limited *ratelimit.LimitedError
		if err := l.Do(short, succeed); !errors.As(err, &limited) || limited.RetryAfter() < 1000*time.Hour {
			t.Errorf("got %v", err)
		}
		cancel()
		synctest.Wait()
	})
}

// A surge of calls that a limiter could not serve queued up for its bucket's lock.
func TestRegression_RefusalsTakeTurnsAtTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Second, 1))
		drain(t, l)
		l.WithoutBucket()
		for range 9 {
			time.Sleep(100 * time.Millisecond)
			var limited *ratelimit.LimitedError
			if err := l.Do(t.Context(), succeed); !errors.As(err, &limited) || limited.RetryAfter() <= 0 {
				t.Fatalf("Do = %v, want a refusal", err)
			}
		}
	})
}

// A caller who saw a token that somebody else then took left the bucket in debt for one that nobody got.
func TestRegression_TokenOfWhoWasTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Limit{Rate: 1, Burst: 1, Wait: time.Hour})
		drained := l.Do(t.Context(), succeed)
		began := time.Now()
		for range 10 {
			l.LineUp(time.Now().Add(time.Second), 0) // when it looks, the token is there
		}
		if err := l.Do(t.Context(), succeed); err != nil || drained != nil || time.Since(began).Round(time.Microsecond) != time.Second {
			t.Errorf("the next caller: %v after %v, want <nil> after 1s", err, time.Since(began))
		}
	})
}
