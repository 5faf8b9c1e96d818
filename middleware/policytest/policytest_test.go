package policytest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
)

type call = func(context.Context) error

// broken are policies that break one promise each, and the check that has to say so.
var broken = map[string]struct {
	open  func() middleware.PolicyFunc
	fails string
}{
	"abandons its call": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			done := make(chan error, 1)
			go func() { done <- call(ctx) }()
			select {
			case err := <-done:
				return err
			case <-time.After(time.Minute):
				return context.DeadlineExceeded
			}
		}
	}, "awaits its calls"},
	"calls after it has returned": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			go func() {
				time.Sleep(time.Hour)
				_ = call(ctx)
			}()
			return call(ctx)
		}
	}, "awaits its calls"},
	"never calls": {func() middleware.PolicyFunc {
		return func(context.Context, call) error { return nil }
	}, "awaits its calls"},
	"calls twice at once": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			var both sync.WaitGroup
			both.Go(func() { _ = call(ctx) })
			err := call(ctx)
			both.Wait()
			return err
		}
	}, "makes one call at a time"},
	"swallows the error": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			_ = call(ctx)
			return nil
		}
	}, "returns the call's outcome"},
	"replaces the error": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			if call(ctx) != nil {
				return errors.New("failed")
			}
			return nil
		}
	}, "returns the call's outcome"},
	"wraps the error": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			if err := call(ctx); err != nil {
				return fmt.Errorf("policy: %w", err)
			}
			return nil
		}
	}, "returns the call's outcome"},
	"makes an error of a success": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			_ = call(ctx)
			return errors.New("too late")
		}
	}, "returns the call's outcome"},
	"calls with a context of its own": {func() middleware.PolicyFunc {
		return func(_ context.Context, call call) error { return call(context.Background()) }
	}, "derives the context"},
	"cuts the cancellation": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error { return call(context.WithoutCancel(ctx)) }
	}, "derives the context"},
	"sleeps past the deadline": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			err := call(ctx)
			if err != nil {
				time.Sleep(time.Hour)
				err = call(ctx)
			}
			return err
		}
	}, "keeps the deadline"},
	"sleeps into the deadline and forgets the error": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			for {
				err := call(ctx)
				if err == nil {
					return nil
				}
				select {
				case <-time.After(time.Hour):
					return err
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
	}, "keeps the deadline"},
	"sleeps on when cancelled": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			err := call(ctx)
			if d, ok := ctx.Deadline(); err != nil && (!ok || time.Until(d) > time.Second) {
				time.Sleep(time.Second)
			}
			return err
		}
	}, "ends when cancelled"},
	"replaces a panic": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			defer func() {
				if v := recover(); v != nil {
					panic(fmt.Sprint("policy: ", v))
				}
			}()
			return call(ctx)
		}
	}, "releases on panic"},
	"swallows a panic": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			defer func() { _ = recover() }()
			return call(ctx)
		}
	}, "releases on panic"},
	"leaks a permit on panic": {func() middleware.PolicyFunc {
		permits := make(chan struct{}, 3)
		return func(ctx context.Context, call call) error {
			select {
			case permits <- struct{}{}:
			default:
				return middleware.ErrFull
			}
			done := false
			defer func() {
				if !done && recover() == nil { // by Goexit
					<-permits
				} else if !done {
					panic("policytest: panic")
				}
			}()
			err := call(ctx)
			done = true
			<-permits
			return err
		}
	}, "releases on panic"},
	"leaks a permit on Goexit": {func() middleware.PolicyFunc {
		permits := make(chan struct{}, 3)
		return func(ctx context.Context, call call) error {
			select {
			case permits <- struct{}{}:
			default:
				return middleware.ErrFull
			}
			defer func() {
				if v := recover(); v != nil {
					<-permits
					panic(v)
				}
			}()
			err := call(ctx)
			<-permits
			return err
		}
	}, "releases on Goexit"},
	"holds cancelled calls against the callee": {func() middleware.PolicyFunc {
		var mu sync.Mutex
		failures := 0
		return func(ctx context.Context, call call) error {
			mu.Lock()
			open := failures >= 5
			mu.Unlock()
			if open {
				return errors.New("open")
			}
			err := call(ctx)
			if err != nil {
				mu.Lock()
				failures++
				mu.Unlock()
			}
			return err
		}
	}, "forgives cancelled calls"},
	"calls under its lock": {func() middleware.PolicyFunc {
		var mu sync.Mutex
		return func(ctx context.Context, call call) error {
			mu.Lock()
			defer mu.Unlock()
			return call(ctx)
		}
	}, "holds no lock while the call runs"},
	"swallows all errors but the first": {func() middleware.PolicyFunc {
		var before atomic.Bool
		return func(ctx context.Context, call call) error {
			if err := call(ctx); !before.Swap(true) {
				return err
			}
			return nil
		}
	}, "keeps callers apart"},
	"abandons its call when cancelled": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			if _, ok := ctx.Deadline(); ok {
				return call(ctx)
			}
			done := make(chan error, 1)
			go func() { done <- call(ctx) }()
			select {
			case err := <-done:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}, "awaits its calls"},
	"keeps the first caller's context": {func() middleware.PolicyFunc {
		var first atomic.Value
		return func(ctx context.Context, call call) error {
			first.CompareAndSwap(nil, &ctx)
			return call(*first.Load().(*context.Context))
		}
	}, "derives the context"},
	"cuts the cancellation of contexts without a deadline": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			if _, ok := ctx.Deadline(); !ok {
				ctx = context.WithoutCancel(ctx)
			}
			return call(ctx)
		}
	}, "derives the context"},
	"drops the deadline": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			return call(inner)
		}
	}, "derives the context"},
	"drops the values": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			inner, cancel := context.WithCancel(context.Background())
			if d, ok := ctx.Deadline(); ok {
				inner, cancel = context.WithDeadline(context.Background(), d)
			}
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			return call(inner)
		}
	}, "derives the context"},
	"returns the first error of several": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			err := call(ctx)
			if err != nil && call(ctx) == nil {
				return nil
			}
			return err
		}
	}, "returns the call's outcome"},
	"compares errors": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			err := call(ctx)
			if err != nil && any(err) == any(err) { //nolint:gocritic // panics for some
				return err
			}
			return err
		}
	}, "returns the call's outcome"},
	"forgets the error when cancelled": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			if err := call(ctx); err != nil {
				select {
				case <-time.After(100 * time.Millisecond):
				case <-ctx.Done():
					if _, ok := ctx.Deadline(); !ok {
						return ctx.Err()
					}
				}
				return err
			}
			return nil
		}
	}, "ends when cancelled"},
	"waits before the call": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			time.Sleep(time.Microsecond)
			return call(ctx)
		}
	}, "ends when cancelled"},
	"leaks a permit on failure": {func() middleware.PolicyFunc {
		permits := make(chan struct{}, 20)
		return func(ctx context.Context, call call) error {
			select {
			case permits <- struct{}{}:
			default:
				return middleware.ErrFull
			}
			kept := false
			defer func() {
				if !kept {
					<-permits
				}
			}()
			err := call(ctx)
			kept = err != nil
			return err
		}
	}, "releases on failure"},
	"swallows Goexit": {func() middleware.PolicyFunc {
		return func(ctx context.Context, call call) error {
			done := make(chan error, 1)
			panicked := make(chan any, 1)
			go func() {
				returned := false
				defer func() {
					if v := recover(); v != nil {
						panicked <- v
					} else if !returned {
						done <- nil
					}
				}()
				err := call(ctx)
				returned = true
				done <- err
			}()
			select {
			case err := <-done:
				return err
			case v := <-panicked:
				panic(v)
			}
		}
	}, "releases on Goexit"},
	"notifies under its lock": {func() middleware.PolicyFunc {
		var mu sync.Mutex
		return func(ctx context.Context, call call) error {
			err := call(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				event.Emit(ctx, event.Event{Kind: event.Retry})
			}
			return err
		}
	}, "holds no lock while an observer runs"},
	"mixes up its callers": {func() middleware.PolicyFunc {
		var mu sync.Mutex
		var last error
		return func(ctx context.Context, call call) error {
			err := call(ctx)
			mu.Lock()
			defer mu.Unlock()
			err, last = last, err
			return err
		}
	}, "keeps callers apart"},
}

const brokenEnv = "POLICYTEST_BROKEN"

// TestBrokenPolicy runs in a child process of TestRunFindsBrokenPolicies, where it has to fail.
func TestBrokenPolicy(t *testing.T) {
	b, ok := broken[os.Getenv(brokenEnv)]
	if !ok {
		t.Skip("a part of TestRunFindsBrokenPolicies")
	}
	policytest.StuckSoon()
	policytest.Run(t, func(*testing.T) middleware.Policy { return b.open() })
}

func TestRunFindsBrokenPolicies(t *testing.T) {
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := strings.ReplaceAll(b.fails, " ", "_")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenPolicy$/^"+check+"$", "-test.v")
			cmd.Env = append(os.Environ(), brokenEnv+"="+name)
			out, err := cmd.CombinedOutput()
			text := string(out)
			if err == nil {
				t.Fatalf("Run finds nothing wrong:\n%s", text)
			}
			if !strings.Contains(text, "TestBrokenPolicy/"+check) || !strings.Contains(text, "--- FAIL") && !strings.Contains(text, "panic: ") {
				t.Errorf("Run failed otherwise than by %q:\n%s", b.fails, text)
			}
		})
	}
}

func TestRunPassesGoodPolicies(t *testing.T) {
	policytest.Run(t, func(*testing.T) middleware.Policy {
		return middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error { return call(ctx) })
	})
}

func TestScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		s := policytest.NewScript(
			policytest.Step{Err: boom},
			policytest.Step{Takes: time.Minute},
			policytest.Step{Takes: time.Minute, Deaf: true},
			policytest.Step{Panic: "out of paper"},
			policytest.Step{},
		)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := s.Call(ctx); err != boom { //nolint:errorlint // the same value
			t.Errorf("call 1 returned %v", err)
		}
		time.Sleep(200 * time.Millisecond)
		if err := s.Call(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("call 2 returned %v after %v", err, time.Since(start))
		}
		if err := s.Call(ctx); err != nil || time.Since(start) != 61*time.Second {
			t.Errorf("call 3 returned %v after %v", err, time.Since(start))
		}
		func() {
			defer func() {
				if v := recover(); v != "out of paper" {
					t.Errorf("call 4 panicked with %v", v)
				}
			}()
			_ = s.Call(ctx)
		}()
		for range 2 {
			if err := s.Call(ctx); err != nil {
				t.Errorf("a call after the last step returned %v", err)
			}
		}
		if s.Calls() != 6 || s.Waits()[0] != 200*time.Millisecond {
			t.Errorf("%d calls, waits %v", s.Calls(), s.Waits())
		}
	})
}

func TestFail(t *testing.T) {
	boom := errors.New("boom")
	s := policytest.Fail(2, boom)
	for i, want := range []error{boom, boom, nil, nil} {
		if got := s.Call(t.Context()); got != want { //nolint:errorlint // the same value
			t.Errorf("call %d returned %v, want %v", i+1, got, want)
		}
	}
}
