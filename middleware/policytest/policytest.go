// Package policytest tests whether a [middleware.Policy] keeps its promises, and scripts the downstream that unit tests of
// policies call. It is for tests only.
package policytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/middleware"
)

// Run puts the policies which open makes to the test: do they keep the contract of [middleware.Policy]? Each check is a
// subtest with new policies, in a [synctest] bubble, so days pass in no time; open is called inside it and must not bring in
// anything from outside, such as a network connection. A new policy has to make its first calls; whether it refuses
// later ones is its own affair, but a day without calls ends that. Policies should be small: a leak shows when 64 calls
// have leaked.
//
//   - Do awaits every call it started, and makes them one at a time.
//   - The call's error, and its success, come out as they are: the same value, that of the last call if there were
//     several, also when the deadline is near or the caller has gone, rather than a wait's own error.
//   - The call sees a context derived from the caller's.
//   - Nothing sleeps past the caller's deadline or on after its cancellation.
//   - A panic passes through unchanged or becomes an error, [runtime.Goexit] passes, and nothing is held after them,
//     nor after calls that failed.
//   - A call that its caller cancelled is not held against anyone.
//   - No lock is held while a call or an observer runs, and no caller gets another one's error.
func Run(t *testing.T, open func(t *testing.T) middleware.Policy) {
	t.Helper()
	for _, c := range []struct {
		name  string
		check func(t *testing.T, open func() middleware.Policy)
	}{
		{"awaits its calls", awaits},
		{"makes one call at a time", oneAtATime},
		{"returns the call's outcome", outcome},
		{"derives the context", derives},
		{"keeps the deadline", keepsDeadline},
		{"ends when cancelled", endsWhenCancelled},
		{"releases on failure", releasesOnFailure},
		{"releases on panic", releasesOnPanic},
		{"releases on Goexit", releasesOnGoexit},
		{"forgives cancelled calls", forgivesCancelled},
		{"holds no lock while the call runs", noLockInCall},
		{"holds no lock while an observer runs", noLockInObserver},
		{"keeps callers apart", keepsApart},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A goroutine that waits for a mutex stops the bubble's clock, so this one runs outside.
			stuck := time.AfterFunc(stuckAfter, func() { panic("policytest: " + t.Name() + ": stuck: is a lock held while user code runs?") })
			defer stuck.Stop()
			synctest.Test(t, func(t *testing.T) {
				c.check(t, func() middleware.Policy { return open(t) })
				time.Sleep(2 * day) // an abandoned call must end before the bubble does
			})
		})
	}
}

const (
	day  = 24 * time.Hour
	many = 64 // more calls than anything small has room for
)

var stuckAfter = 20 * time.Second

// A failure is an error like a handler's own.
type failure struct{ text string }

func (f *failure) Error() string { return f.text }

var errFailed = &failure{"policytest: failed"}

func succeed(context.Context) error { return nil }

func fail(context.Context) error { return errFailed }

func awaits(t *testing.T, open func() middleware.Policy) {
	for _, name := range []string{"no deadline", "a deadline", "a caller who cancels"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		switch name {
		case "a deadline":
			ctx, cancel = context.WithTimeout(ctx, time.Second)
			defer cancel()
		case "a caller who cancels":
			time.AfterFunc(time.Second, cancel)
		}
		var started, returned atomic.Int64
		_ = open().Do(ctx, func(context.Context) error {
			started.Add(1)
			time.Sleep(day) // deaf to its context
			returned.Add(1)
			return nil
		})
		s, r := started.Load(), returned.Load()
		time.Sleep(2 * day)
		if s == 0 && name == "no deadline" {
			t.Fatalf("with %s: a new policy did not make its first call", name)
		}
		if s != r {
			t.Errorf("with %s: Do returned while its call was running", name)
		}
		if late := started.Load(); late != s {
			t.Errorf("with %s: a call was started after Do had returned", name)
		}
	}
}

func oneAtATime(t *testing.T, open func() middleware.Policy) {
	var running atomic.Int64
	_ = open().Do(t.Context(), func(context.Context) error {
		if running.Add(1) > 1 {
			t.Error("two calls of one Do were running at once")
		}
		time.Sleep(time.Hour)
		running.Add(-1)
		return errFailed
	})
}

type uncomparable struct{ list []int }

func (uncomparable) Error() string { return "policytest: uncomparable" }

func outcome(t *testing.T, open func() middleware.Policy) {
	calls := 0
	if err := open().Do(t.Context(), func(context.Context) error { calls++; return nil }); err != nil || calls != 1 {
		t.Errorf("a call that succeeds: got %v after %d calls, want <nil> after 1", err, calls)
	}
	for _, want := range []error{
		errFailed,
		fmt.Errorf("wrapped: %w", errFailed),
		errors.Join(errFailed, errFailed),
		context.DeadlineExceeded,
		context.Canceled,
	} {
		if got := open().Do(t.Context(), func(context.Context) error { return want }); got != want { //nolint:errorlint // the same value
			t.Errorf("a call that returns %T %q: got %T %v, want the same value", want, want, got, got)
		}
	}
	var last error
	calls = 0
	got := open().Do(t.Context(), func(context.Context) error {
		calls++
		last = &failure{fmt.Sprintf("policytest: call %d failed", calls)}
		return last
	})
	if got != last { //nolint:errorlint // the same value
		t.Errorf("after %d calls that failed: got %v, want the error of the last", calls, got)
	}
	want := uncomparable{[]int{1}}
	if got := open().Do(t.Context(), func(context.Context) error { return want }); !reflect.DeepEqual(got, error(want)) {
		t.Errorf("a call that returns an error which cannot be compared: got %#v, want the same value", got)
	}
}

type valueKey struct{}

func derives(t *testing.T, open func() middleware.Policy) {
	p := open()
	derivesFrom(t, p, "first")
	ctx, cancel := context.WithTimeout(t.Context(), day)
	defer cancel()
	derivesFrom(t, p, "second", ctx)
}

// derivesFrom checks the context of a call whose caller is called name, and has a deadline if there is a ctx.
func derivesFrom(t *testing.T, p middleware.Policy, name string, limited ...context.Context) {
	ctx, cancel := context.WithCancel(context.WithValue(append(limited, t.Context())[0], valueKey{}, name))
	defer cancel()
	limit, hasLimit := ctx.Deadline()
	_ = p.Do(ctx, func(inner context.Context) error {
		if inner == nil {
			t.Fatal("the call got a nil context")
		}
		if got := inner.Value(valueKey{}); got != name {
			t.Errorf("the call's context has the value %v, the caller's has %s", got, name)
		}
		if d, ok := inner.Deadline(); hasLimit && (!ok || d.After(limit)) {
			t.Errorf("the call's deadline is %v, %v; the caller's is %v", d, ok, limit)
		}
		if err := inner.Err(); err != nil {
			t.Errorf("the call's context has ended before the call: %v", err)
		}
		cancel()
		select {
		case <-inner.Done():
		case <-time.After(time.Second):
			t.Error("the caller's cancellation does not reach the call's context")
		}
		if !errors.Is(inner.Err(), context.Canceled) {
			t.Errorf("the call's context is cancelled, but Err() = %v", inner.Err())
		}
		return inner.Err()
	})
}

func keepsDeadline(t *testing.T, open func() middleware.Policy) {
	for _, limit := range []time.Duration{time.Millisecond, time.Second, time.Minute} {
		p := open()
		for range 8 {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			start, calls := time.Now(), 0
			err := p.Do(ctx, func(context.Context) error { calls++; return errFailed })
			if took := time.Since(start); took > limit {
				t.Errorf("with %v left, Do took %v", limit, took)
			}
			if calls > 0 && errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with %v left, calls failed and Do returned %v instead of their error", limit, err)
			}
			cancel()
		}
	}
}

func endsWhenCancelled(t *testing.T, open func() middleware.Policy) {
	p := open()
	for range 8 {
		ctx, cancel := context.WithCancel(t.Context())
		const after = time.Millisecond
		time.AfterFunc(after, cancel)
		start, calls := time.Now(), 0
		err := p.Do(ctx, func(context.Context) error { calls++; return errFailed })
		if took := time.Since(start); took > after {
			t.Errorf("cancelled after %v, Do took %v", after, took)
		}
		if calls > 0 && errors.Is(err, context.Canceled) {
			t.Errorf("calls failed, and after the cancellation Do returned %v instead of their error", err)
		}
		cancel()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start, calls := time.Now(), 0
	err := open().Do(ctx, func(context.Context) error { calls++; return nil })
	if took := time.Since(start); took != 0 || (calls == 0 && err == nil) {
		t.Errorf("cancelled before the call, Do took %v and returned %v after %d calls", took, err, calls)
	}
}

func releasesOnFailure(t *testing.T, open func() middleware.Policy) {
	releases(t, open, "failed", func(p middleware.Policy) { _ = p.Do(t.Context(), fail) })
}

func releasesOnPanic(t *testing.T, open func() middleware.Policy) {
	value := &failure{"policytest: panic"}
	releases(t, open, "panicked", func(p middleware.Policy) {
		defer func() {
			if v := recover(); v != nil && v != value {
				t.Errorf("the call panicked with %v, out came %v", value, v)
			}
		}()
		ran := false
		err := p.Do(t.Context(), func(context.Context) error { ran = true; panic(value) })
		if ran && err == nil {
			t.Error("the call panicked and Do returned <nil>")
		}
	})
}

func releasesOnGoexit(t *testing.T, open func() middleware.Policy) {
	releases(t, open, "ended by Goexit", func(p middleware.Policy) {
		done := make(chan bool)
		go func() {
			ran, returned := false, false
			defer func() { done <- ran && returned }()
			_ = p.Do(t.Context(), func(context.Context) error { ran = true; runtime.Goexit(); return nil })
			returned = true
		}()
		if <-done {
			t.Error("the call ended its goroutine with Goexit, and Do returned")
		}
	})
}

// releases checks that after many calls that end in an odd way, at once or a day apart, and after a day of rest, the
// policy makes the next call, though it may have had reason to refuse some on the way.
func releases(t *testing.T, open func() middleware.Policy, how string, odd func(middleware.Policy)) {
	for _, pause := range []time.Duration{0, day} {
		p := open()
		for range many {
			odd(p)
			time.Sleep(pause)
		}
		time.Sleep(day)
		made := false
		err := p.Do(t.Context(), func(context.Context) error { made = true; return nil })
		if !made {
			t.Errorf("a day after %d calls that %s, %v apart, the next is refused: %v", many, how, pause, err)
		}
	}
}

func forgivesCancelled(t *testing.T, open func() middleware.Policy) {
	admitted := func(p middleware.Policy) (made bool) {
		_ = p.Do(t.Context(), func(context.Context) error { made = true; return nil })
		return made
	}
	healthy := open()
	for range many {
		_ = healthy.Do(t.Context(), succeed)
	}
	if !admitted(healthy) {
		return // it counts calls, whatever they end with
	}
	p := open()
	for range many {
		ctx, cancel := context.WithCancel(t.Context())
		_ = p.Do(ctx, func(inner context.Context) error { cancel(); return inner.Err() })
	}
	if !admitted(p) {
		t.Errorf("after %d calls that their callers cancelled, the next is refused", many)
	}
}

func noLockInCall(t *testing.T, open func() middleware.Policy) {
	p := open()
	for _, result := range []error{nil, errFailed} {
		for range 8 {
			_ = p.Do(t.Context(), func(context.Context) error {
				inner := make(chan error)
				go func() { inner <- p.Do(t.Context(), succeed) }()
				<-inner
				return result
			})
		}
	}
}

func noLockInObserver(t *testing.T, open func() middleware.Policy) {
	p := open()
	ctx := event.With(t.Context(), func(context.Context, event.Event) {
		inner := make(chan error)
		go func() { inner <- p.Do(t.Context(), fail) }()
		<-inner
	})
	for range many {
		_ = p.Do(ctx, fail)
		time.Sleep(time.Second)
	}
}

func keepsApart(t *testing.T, open func() middleware.Policy) {
	p := open()
	own := make([]error, 16)
	for i := range own {
		own[i] = &failure{fmt.Sprintf("policytest: caller %d failed", i)}
	}
	var callers sync.WaitGroup
	for _, mine := range own {
		callers.Go(func() {
			ctx := context.WithValue(t.Context(), valueKey{}, mine)
			for range 16 {
				made := false
				got := p.Do(ctx, func(inner context.Context) error {
					if inner.Value(valueKey{}) != mine { //nolint:errorlint // the same value
						t.Error("a call got another caller's context")
					}
					made = true
					time.Sleep(time.Millisecond)
					return mine
				})
				if got == mine { //nolint:errorlint // the same value
					continue
				}
				if slices.Contains(own, got) || made && !refusal.Is(got) { // the last of several attempts may be refused
					t.Errorf("a call returned %q and its caller got %v", mine, got)
				}
			}
		})
	}
	callers.Wait()
}
