package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// Every stack is a timeout of a second around three attempts around a breaker around a limiter, in one of these states.
type state int

const (
	healthy  state = iota // every call goes through
	open                  // the breaker refuses
	limiting              // the limiter refuses
)

type (
	order   struct{ id string }
	receipt struct{ id string }
	handler = func(context.Context, order) (receipt, error)
)

const (
	limit    = time.Second
	attempts = 3
	plenty   = 1e9 // calls a second
)

var errDown = errors.New("down")

func place(_ context.Context, o order) (receipt, error) { return receipt(o), nil }

func seawall(s state) handler {
	b := breaker.New(breaker.Config{Name: "payments", OpenFor: time.Hour})
	if s == open {
		for range 20 {
			_ = b.Do(context.Background(), func(context.Context) error { return errDown })
		}
	}
	return middleware.Wrap(place, middleware.Timeout(limit), retry.Policy{Attempts: attempts}, b, limiter(s))
}

func limiter(s state) *ratelimit.Limiter {
	if s != limiting {
		return ratelimit.New(ratelimit.PerSecond(plenty, plenty))
	}
	l := ratelimit.New(ratelimit.PerSecond(1e-6, 1))
	_ = l.Do(context.Background(), func(context.Context) error { return nil })
	return l
}

var errLimited = errors.New("limited")

// byHand is what a careful engineer writes in place of the four policies.
func byHand(s state) handler {
	b := gobreaker.NewCircuitBreaker[receipt](gobreaker.Settings{
		Name:         "payments",
		Timeout:      time.Hour,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 5 },
		IsSuccessful: func(err error) bool { return err == nil || errors.Is(err, errLimited) },
	})
	if s == open {
		for range 20 {
			_, _ = b.Execute(func() (receipt, error) { return receipt{}, errDown })
		}
	}
	l := rate.NewLimiter(plenty, plenty)
	if s == limiting {
		l = rate.NewLimiter(1e-6, 1)
		l.Allow()
	}
	return func(ctx context.Context, o order) (receipt, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		for attempt := 1; ; attempt++ {
			out, err := b.Execute(func() (receipt, error) {
				if !l.Allow() {
					return receipt{}, errLimited
				}
				return place(ctx, o)
			})
			if err == nil || attempt == attempts || errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, errLimited) {
				return out, err
			}
			select {
			case <-time.After(rand.N(50 * time.Millisecond << attempt)):
			case <-ctx.Done():
				return out, err
			}
		}
	}
}

func withFailsafe(s state) handler {
	b := circuitbreaker.NewBuilder[receipt]().WithFailureThreshold(5).WithDelay(time.Hour).Build()
	if s == open {
		b.Open()
	}
	l := ratelimiter.NewSmooth[receipt](plenty, time.Second)
	if s == limiting {
		l = ratelimiter.NewSmooth[receipt](1, time.Hour)
		l.TryAcquirePermit()
	}
	r := retrypolicy.NewBuilder[receipt]().WithMaxAttempts(attempts).WithBackoff(50*time.Millisecond, 20*time.Second).
		AbortOnErrors(circuitbreaker.ErrOpen, ratelimiter.ErrExceeded).Build()
	executor := failsafe.With(timeout.New[receipt](limit), r, b, l)
	return func(ctx context.Context, o order) (receipt, error) {
		return executor.WithContext(ctx).GetWithExecution(func(e failsafe.Execution[receipt]) (receipt, error) {
			return place(e.Context(), o)
		})
	}
}

// passThrough is a handler in one policy that does nothing.
func passThrough() handler {
	return middleware.Wrap(place, middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		return call(ctx)
	}))
}
