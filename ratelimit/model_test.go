package ratelimit_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/ratelimit"
)

// check is rapid.Check with a bubble for each case.
func check(t *testing.T, prop func(rt *rapid.T)) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) { rapid.SyncTest(rt, prop) })
}

// Whatever the limit and the past, a call is let through after exactly RetryAfter, and not before, but for the rounding
// of the bucket: it lets a call through that is less than a nanosecond early.
func TestRetryAfterIsExact(t *testing.T) {
	check(t, func(rt *rapid.T) {
		l := ratelimit.New(ratelimit.Limit{
			Rate:  math.Pow(10, rapid.Float64Range(-8, 8.9).Draw(rt, "log rate")),
			Burst: rapid.IntRange(1, 1e4).Draw(rt, "burst"),
		})
		for range rapid.IntRange(1, 20).Draw(rt, "rounds") {
			time.Sleep(time.Duration(rapid.Int64Range(0, 1e10).Draw(rt, "pause")))
			drainFor(rt, l, rapid.IntRange(1, 2e4).Draw(rt, "calls"))
			err := l.Do(t.Context(), succeed)
			if err == nil {
				continue
			}
			var limited *ratelimit.LimitedError
			if !errors.As(err, &limited) || limited.RetryAfter() <= 0 {
				rt.Fatalf("Do = %v, want a refusal that says when", err)
			}
			wait := limited.RetryAfter()
			early := min(wait, 2+wait>>40)
			time.Sleep(wait - early)
			if early < wait && l.Do(t.Context(), succeed) == nil {
				rt.Fatalf("let through %v before %v were over", early, wait)
			}
			time.Sleep(early)
			if err := l.Do(t.Context(), succeed); err != nil {
				rt.Fatalf("after exactly %v: %v, wait %v more", wait, err, limited.RetryAfter())
			}
		}
	})
}

func drainFor(rt *rapid.T, l *ratelimit.Limiter, calls int) {
	for range calls {
		if l.Do(context.Background(), succeed) != nil {
			return
		}
	}
}

// Between any two calls that are let through there is time for the tokens of all between them, but for a burst.
func TestNeverMoreThanBurstAndRate(t *testing.T) {
	check(t, func(rt *rapid.T) {
		limit := ratelimit.Limit{
			Rate:  math.Pow(10, rapid.Float64Range(-2, 6).Draw(rt, "log rate")),
			Burst: rapid.IntRange(1, 50).Draw(rt, "burst"),
		}
		l := ratelimit.New(limit)
		interval := 1e9 / limit.Rate
		var made []time.Time
		for range rapid.IntRange(1, 100).Draw(rt, "calls") {
			time.Sleep(time.Duration(interval * rapid.Float64Range(0, 2).Draw(rt, "pause")))
			for range rapid.IntRange(1, 10).Draw(rt, "at once") {
				_ = l.Do(t.Context(), func(context.Context) error { made = append(made, time.Now()); return nil })
			}
		}
		checkBound(rt, limit, made)
	})
}

func checkBound(rt *rapid.T, limit ratelimit.Limit, made []time.Time) {
	slices.SortFunc(made, time.Time.Compare)
	for i := range made {
		for j := i; j < len(made); j++ {
			// The bucket rounds to nanoseconds.
			span := made[j].Sub(made[i]) + 2
			if bound := float64(limit.Burst) + limit.Rate*span.Seconds(); float64(j-i+1) > bound+1e-6 {
				rt.Fatalf("%d calls in %v, want at most %v", j-i+1, span, bound)
			}
		}
	}
}

// A caller comes at some time, and gives up at another if it is still waiting.
type caller struct {
	comes, patience time.Duration
}

type outcome struct {
	at  time.Duration // when Do returned or made its call
	err error
}

func (o outcome) String() string { return fmt.Sprintf("%v at %v", o.err, o.at) }

// Callers that come, wait and give up fare as in a queue in front of a bucket: nobody is overtaken, no token is lost
// or made up, and a wait is refused if and only if it would be too long as things are.
func TestLineFollowsTheModel(t *testing.T) {
	check(t, func(rt *rapid.T) {
		limit := ratelimit.Limit{
			Rate:  rapid.SampledFrom([]float64{1, 3, 7, 10, 30, 300}).Draw(rt, "rate"),
			Burst: rapid.IntRange(1, 3).Draw(rt, "burst"),
			// A fraction of a millisecond that no sum of pauses and intervals comes near keeps ties out of the model.
			Wait: time.Duration(rapid.IntRange(0, 3000).Draw(rt, "wait"))*time.Millisecond + 123457,
		}
		var callers []caller
		var now time.Duration
		for range rapid.IntRange(1, 30).Draw(rt, "callers") {
			now += time.Duration(rapid.IntRange(0, 400).Draw(rt, "pause")) * time.Millisecond
			callers = append(callers, caller{now, time.Duration(rapid.IntRange(0, 4000).Draw(rt, "patience"))*time.Millisecond + 333700})
		}
		got, want := run(limit, callers), model(limit, callers)
		var made []time.Time
		for i := range callers {
			if d := got[i].at - want[i].at; !errors.Is(got[i].err, want[i].err) || d.Abs() > 100 {
				rt.Fatalf("caller %d of %v\n%v\nfared  %v\nshould %v", i, limit, callers, got, want)
			}
			if got[i].err == nil {
				made = append(made, time.Time{}.Add(got[i].at))
			}
		}
		checkBound(rt, limit, made)
	})
}

func run(limit ratelimit.Limit, callers []caller) []outcome {
	l := ratelimit.New(limit)
	began := time.Now()
	outcomes := make([]outcome, len(callers))
	var wg sync.WaitGroup
	for i, c := range callers {
		time.Sleep(c.comes - time.Since(began))
		synctest.Wait()
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			defer time.AfterFunc(c.patience, cancel).Stop()
			err := l.Do(ctx, succeed)
			outcomes[i] = outcome{time.Since(began), err}
		})
		synctest.Wait()
	}
	wg.Wait()
	return outcomes
}

func model(limit ratelimit.Limit, callers []caller) []outcome {
	type departure struct {
		at time.Duration
		i  int
	}
	const nanosecond = 1e-9
	var (
		outcomes = make([]outcome, len(callers))
		gone     []departure // those who will give up
		line     []int
		tokens   = float64(limit.Burst)
		clock    time.Duration
	)
	// advance lets tokens come, and the first in line go, until it is t.
	advance := func(t time.Duration) {
		for len(line) > 0 {
			due := clock + time.Duration((1-tokens)/limit.Rate/nanosecond)
			if due > t {
				break
			}
			outcomes[line[0]] = outcome{at: due}
			tokens, clock, line = 0, due, line[1:]
		}
		tokens, clock = min(tokens+(t-clock).Seconds()*limit.Rate, float64(limit.Burst)), t
	}
	giveUp := func(until time.Duration) {
		for len(gone) > 0 && gone[0].at < until {
			d := gone[0]
			gone = gone[1:]
			advance(d.at)
			if at := slices.Index(line, d.i); at >= 0 {
				outcomes[d.i] = outcome{d.at, context.Canceled}
				line = slices.Delete(line, at, at+1)
			}
		}
	}
	for i, c := range callers {
		giveUp(c.comes)
		advance(c.comes)
		wait := time.Duration((float64(len(line)+1) - tokens) / limit.Rate / nanosecond)
		switch {
		case wait <= 0:
			tokens--
			outcomes[i] = outcome{at: c.comes}
		case wait > limit.Wait:
			outcomes[i] = outcome{c.comes, ratelimit.ErrLimited}
		default:
			line = append(line, i)
			gone = append(gone, departure{c.comes + c.patience, i})
			slices.SortStableFunc(gone, func(a, b departure) int { return cmp.Compare(a.at, b.at) })
		}
	}
	giveUp(math.MaxInt64)
	advance(1 << 60)
	return outcomes
}
