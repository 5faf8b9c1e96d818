package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/internal/wall"
)

// recovers checks that b, whatever became of its probes, lets one through again and closes.
func recovers(t *testing.T, b *breaker.Breaker) {
	t.Helper()
	time.Sleep(time.Hour)
	if errors.Is(b.Do(t.Context(), succeed), breaker.ErrOpen) { // it may have to notice first that a probe hangs
		time.Sleep(time.Hour)
		_ = b.Do(t.Context(), succeed)
	}
	want(t, b, breaker.Closed)
}

// A panic in a probe kept the probe's place: the breaker refused for ever.
func TestRegression_PanickingProbeReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{})
		probe := start(b)
		_ = probe.finishBy(func() error { panic("boom") })
		want(t, b, breaker.Open)
		recovers(t, b)
	})
}

// A probe that ended its goroutine, as t.FailNow does, kept its place: the breaker refused for ever.
func TestRegression_GoexitOfProbeReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{})
		probe := start(b)
		_ = probe.finishBy(exit)
		want(t, b, breaker.Open)
		recovers(t, b)
	})
}

// A probe that hung kept its place: the breaker refused for ever.
func TestRegression_HungProbeReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{})
		probe := start(b)
		recovers(t, b)
		_ = probe.finish(errDown)
		want(t, b, breaker.Closed)
	})
}

// An error that was to be ignored kept the probe's place: the breaker refused for ever.
func TestRegression_IgnoredProbeReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{})
		for range 100 {
			err := b.Do(t.Context(), func(context.Context) error { return &breaker.OpenError{Name: "inner"} })
			if open, _ := errors.AsType[*breaker.OpenError](err); open == nil || open.Name != "inner" {
				t.Fatalf("Do = %v, want it let in and refused inside", err)
			}
			want(t, b, breaker.HalfOpen)
		}
		recovers(t, b)
	})
}

// A caller that gave up during its probe closed the breaker: what was neither handled nor a success counted as one.
func TestRegression_CancelledProbeDecidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{})
		for range 100 {
			probe := start(b)
			probe.cancel()
			_ = probe.finish(context.Canceled)
			want(t, b, breaker.HalfOpen)
		}
		recovers(t, b)
	})
}

// Clients that hung up opened the breaker of a healthy dependency.
func TestRegression_CallersThatGiveUpDoNotOpen(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := breaker.New(breaker.Config{})
	for range 100 {
		_ = b.Do(ctx, context.Context.Err)
	}
	want(t, b, breaker.Closed)
}

// A slow call of better days closed a half-open breaker, and one of worse days opened it again.
func TestRegression_OldResultsDoNotCount(t *testing.T) {
	for _, result := range []error{nil, errDown} {
		synctest.Test(t, func(t *testing.T) {
			b := breaker.New(breaker.Config{})
			old := []*running{start(b), start(b), start(b)}
			for range 5 {
				_ = b.Do(t.Context(), fail)
			}
			_ = old[0].finish(result)
			want(t, b, breaker.Open)
			time.Sleep(time.Minute)
			_ = old[1].finish(result)
			want(t, b, breaker.HalfOpen)
			probe := start(b)
			_ = old[2].finish(result)
			want(t, b, breaker.HalfOpen)
			_ = refused(t, b)
			_ = probe.finish(nil)
			want(t, b, breaker.Closed)
		})
	}
}

// The window aged only when a call was counted, so that after a rest the failures of the day before still refused.
func TestRegression_OldFailuresDoNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Failures: -1})
		for range 9 {
			_ = b.Do(t.Context(), fail)
		}
		time.Sleep(24 * time.Hour)
		for range 9 {
			_ = b.Do(t.Context(), fail)
		}
		want(t, b, breaker.Closed)
	})
}

// A window that began anew at fixed times never saw enough of 36 failures in a row to open.
func TestRegression_WindowHasNoEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for offset := range 10 {
			b := breaker.New(breaker.Config{Failures: -1, Window: 100 * time.Millisecond})
			time.Sleep(time.Duration(offset) * 7 * time.Millisecond)
			for range 36 {
				_ = b.Do(t.Context(), fail)
				time.Sleep(6 * time.Millisecond)
			}
			if wait := refused(t, b).RetryAfter(); wait == 0 {
				t.Errorf("36 failures in 216 ms did not open it")
			}
		}
	})
}

// With a hundred calls a minute to be judged at all, a process that serves few never opened.
func TestRegression_FewCallsAreEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{})
		failures := 0
		for ; b.State() == breaker.Closed && failures < 100; failures++ {
			time.Sleep(10 * time.Minute)
			_ = b.Do(t.Context(), fail)
		}
		if failures != 5 {
			t.Errorf("it took %d failures of all calls, want 5", failures)
		}
	})
}

// An observer that asked the breaker for its state waited for a lock that its own caller held.
func TestRegression_ObserverMayAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Failures: 1})
		told := 0
		ctx := event.With(t.Context(), func(ctx context.Context, _ event.Event) {
			told++
			_ = b.State()
			_ = b.Do(t.Context(), fail)
		})
		for range 10 {
			_ = b.Do(ctx, func(ctx context.Context) error {
				_ = b.State()
				_ = b.Do(t.Context(), fail)
				return errDown
			})
			time.Sleep(time.Minute)
			_ = b.Do(ctx, succeed)
			time.Sleep(time.Minute)
		}
		if told == 0 {
			t.Error("nothing was told")
		}
	})
}

// An observer that panicked when it was told of a probe took the probe's place along.
func TestRegression_ObserverMayPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{ProbeTimeout: 100 * time.Hour})
		ctx := event.With(t.Context(), func(context.Context, event.Event) { panic("boom") })
		func() {
			defer func() { _ = recover() }()
			_ = b.Do(ctx, succeed)
		}()
		recovers(t, b)
	})
}

// Whoever came while the probes were out got "too many requests", which nobody took for an open breaker.
func TestRegression_RefusalsAreAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{Name: "payments"})
		probe := start(b)
		open := refused(t, b)
		if want := "breaker payments: open, retry in 1s"; open.Error() != want || !errors.Is(open, breaker.ErrOpen) {
			t.Errorf("refused with %q, want %q", open, want)
		}
		_ = probe.finish(nil)
	})
}

// A refusal did not say for how long, so that all came back at once and too early.
func TestRegression_RefusalSaysWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, breaker.Config{})
		wait, ok := refusal.After(refused(t, b))
		if !ok {
			t.Fatal("it does not say when")
		}
		time.Sleep(wait - 1)
		_ = refused(t, b)
		time.Sleep(time.Nanosecond)
		if err := b.Do(t.Context(), succeed); err != nil {
			t.Errorf("it said to come back after %v, and then Do = %v", wait, err)
		}
	})
}

// Refusals of a breaker inside counted as failures, and kept the outer one open for ever.
func TestRegression_RefusalsAreNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer, inner := breaker.New(breaker.Config{}), opened(t, breaker.Config{})
		for range 100 {
			_ = outer.Do(t.Context(), func(ctx context.Context) error { return inner.Do(ctx, succeed) })
		}
		want(t, outer, breaker.Closed)
	})
}

// Four times over, more probes went out than asked for; another breaker let all 50 callers through at once.
func TestRegression_NoMoreProbesThanAsked(t *testing.T) {
	for _, probes := range []int{1, 3, 64} {
		synctest.Test(t, func(t *testing.T) {
			b := halfOpened(t, breaker.Config{Probes: probes})
			var all sync.WaitGroup
			var mu sync.Mutex
			made, turns := 0, 0
			end := make(chan struct{})
			ctx := event.With(t.Context(), func(_ context.Context, e event.Event) {
				if e.Kind == event.Transition {
					mu.Lock()
					turns++
					mu.Unlock()
				}
			})
			for range 64 {
				all.Go(func() {
					_ = b.Do(ctx, func(context.Context) error {
						mu.Lock()
						made++
						mu.Unlock()
						<-end
						return nil
					})
				})
			}
			synctest.Wait()
			if made != probes {
				t.Errorf("64 callers made %d probes, want %d", made, probes)
			}
			close(end)
			all.Wait()
			want(t, b, breaker.Closed)
			if turns != 2 {
				t.Errorf("%d transitions were told, want 2", turns)
			}
		})
	}
}

// Of transitions made at once by several callers, one was told after the next, and a gauge of the state stayed at what it
// said.
func TestRegression_TransitionsHaveAnOrder(t *testing.T) {
	b := breaker.New(breaker.Config{Failures: 1, OpenFor: 1, MaxOpenFor: 1})
	var mu sync.Mutex
	var told []event.Event
	ctx := event.With(t.Context(), func(_ context.Context, e event.Event) {
		if e.Kind == event.Transition {
			runtime.Gosched()
			mu.Lock()
			defer mu.Unlock()
			told = append(told, e)
		}
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				_ = b.Do(ctx, [...]func(context.Context) error{succeed, fail}[i%2])
			}
		})
	}
	all.Wait()
	slices.SortFunc(told, func(a, b event.Event) int { return a.At.Compare(b.At) })
	state := string(breaker.Closed)
	for i, e := range told {
		if e.From != state || i > 0 && !e.At.After(told[i-1].At) {
			t.Fatalf("transition %d of %d, at %v, is from %s to %s; it was %s", i, len(told), e.At, e.From, e.To, state)
		}
		state = e.To
	}
	if got := string(b.State()); got != state && (got != string(breaker.HalfOpen) || state != string(breaker.Open)) {
		t.Errorf("the last of %d says %s, and the state is %s", len(told), state, got)
	}
}

// Callers who had seen that the time was over still made their calls, after the first probe had failed.
func TestRegression_OneFailedProbeIsEnough(t *testing.T) {
	for range 1000 {
		b := opened(t, breaker.Config{OpenFor: time.Hour, MaxOpenFor: 100 * time.Hour})
		thaw := wall.Freeze(90 * time.Minute)
		var waiting, made atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for waiting.Add(1); waiting.Load() < 4; {
					runtime.Gosched()
				}
				_ = b.Do(t.Context(), func(context.Context) error { made.Add(1); return errDown })
			})
		}
		all.Wait()
		thaw()
		if n := made.Load(); n != 1 {
			t.Fatalf("%d calls were made, want 1", n)
		}
	}
}

// A breaker that had closed again opened at the first failure, for those from before.
func TestRegression_FailuresFromBeforeTheRecoveryCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Failures: -1, OpenFor: time.Second, Window: time.Hour, MinCalls: 4})
		for range 4 {
			_ = b.Do(t.Context(), fail)
		}
		want(t, b, breaker.Open)
		time.Sleep(2 * time.Second)
		_ = b.Do(t.Context(), succeed)
		want(t, b, breaker.Closed)
		_ = b.Do(t.Context(), fail)
		want(t, b, breaker.Closed)
	})
}

// A success that was slow because its caller had gone counted as a failure.
func TestRegression_SlowForACallerWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Failures: 1, Slow: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		_ = b.Do(ctx, func(context.Context) error { cancel(); time.Sleep(time.Minute); return nil })
		want(t, b, breaker.Closed)
	})
}
