package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
)

func TestTimeout(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name    string
		takes   time.Duration
		deaf    bool
		err     error
		timeout bool
		want    error
		after   time.Duration
	}{
		{name: "in time", takes: 500 * time.Millisecond, after: 500 * time.Millisecond},
		{name: "late success is a success", takes: 3 * time.Second, deaf: true, after: 3 * time.Second},
		{name: "fails in time", takes: time.Millisecond, err: boom, want: boom, after: time.Millisecond},
		{name: "fails late for a reason of its own", takes: 3 * time.Second, deaf: true, err: boom, want: boom, after: 3 * time.Second},
		{name: "ends with its context", takes: time.Hour, timeout: true, want: context.DeadlineExceeded, after: time.Second},
		{name: "reports the end late", takes: 2 * time.Second, deaf: true, err: os.ErrDeadlineExceeded, timeout: true, want: os.ErrDeadlineExceeded, after: 2 * time.Second},
		{name: "a network timeout at the end", takes: 2 * time.Second, deaf: true, err: &net.DNSError{IsTimeout: true}, timeout: true, after: 2 * time.Second},
		{name: "a network timeout of its own", takes: time.Millisecond, err: os.ErrDeadlineExceeded, want: os.ErrDeadlineExceeded, after: time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				s := policytest.NewScript(policytest.Step{Takes: tt.takes, Deaf: tt.deaf, Err: tt.err})
				err := middleware.Timeout(time.Second).Do(t.Context(), s.Call)
				if took := time.Since(start); took != tt.after {
					t.Errorf("took %v, want %v", took, tt.after)
				}
				var timeout *middleware.TimeoutError
				if errors.As(err, &timeout) != tt.timeout {
					t.Fatalf("got %T %v", err, err)
				}
				if tt.timeout {
					if !errors.Is(err, context.DeadlineExceeded) || !timeout.Timeout() || timeout.Limit != time.Second || timeout.HTTPStatus() != 504 {
						t.Errorf("got %#v", timeout)
					}
					if tt.want != nil && !errors.Is(timeout.Err, tt.want) {
						t.Errorf("the call's own error is %v, want %v", timeout.Err, tt.want)
					}
				} else if err != tt.want { //nolint:errorlint // the same value
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestTimeoutShowsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_ = middleware.Timeout(time.Second).Do(t.Context(), func(ctx context.Context) error {
			if d, ok := ctx.Deadline(); !ok || !d.Equal(time.Now().Add(time.Second)) {
				t.Errorf("deadline %v, %v", d, ok)
			}
			return nil
		})
	})
}

// With a parent that ends earlier there is nothing to do, and nothing is made.
func TestTimeoutLongerThanTheCallersIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, limit := range []time.Duration{time.Second, time.Minute} {
			err := middleware.Timeout(limit).Do(parent, func(ctx context.Context) error {
				if ctx != parent {
					t.Errorf("Timeout(%v) under a deadline of 1s made a context", limit)
				}
				return context.DeadlineExceeded
			})
			if err != context.DeadlineExceeded { //nolint:errorlint // the same value
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestTimeoutIsNotToBlame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		err := middleware.Timeout(time.Second).Do(parent, policytest.NewScript(policytest.Step{Takes: time.Hour}).Call)
		if err != context.Canceled { //nolint:errorlint // the same value
			t.Errorf("cancelled by the caller: got %v", err)
		}

		inner := middleware.Join(middleware.Timeout(time.Minute), middleware.Timeout(time.Second))
		err = inner.Do(t.Context(), policytest.NewScript(policytest.Step{Takes: time.Hour}).Call)
		var timeout *middleware.TimeoutError
		if !errors.As(err, &timeout) || timeout.Limit != time.Second || errors.As(timeout.Err, &timeout) {
			t.Errorf("the inner timeout of two: got %v", err)
		}
	})
}

func TestTimeoutEndsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, use := range map[string]func(context.Context){
			"armed":   func(ctx context.Context) { ctx.Done() },
			"unarmed": func(context.Context) {},
		} {
			var kept context.Context
			leave := map[string]func(){"return": func() {}, "panic": func() { panic("x") }}
			for how, leave := range leave {
				func() {
					defer func() { _ = recover() }()
					_ = middleware.Timeout(time.Minute).Do(t.Context(), func(ctx context.Context) error {
						kept = ctx
						use(ctx)
						leave()
						return nil
					})
				}()
				select {
				case <-kept.Done():
				default:
					t.Errorf("%s, %s: the context is not done after the call", name, how)
				}
				if !errors.Is(kept.Err(), context.Canceled) {
					t.Errorf("%s, %s: after the call: %v", name, how, kept.Err())
				}
			}
		}
	})
}

func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		err := middleware.Reserve(3*time.Second).Do(parent, policytest.NewScript(policytest.Step{Takes: time.Hour}).Call)
		var timeout *middleware.TimeoutError
		if !errors.As(err, &timeout) || timeout.Limit != 7*time.Second || time.Since(start) != 7*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}

		s := policytest.NewScript()
		err = middleware.Reserve(3*time.Second).Do(parent, s.Call)
		var refused *middleware.ReserveError
		if !errors.As(err, &refused) || s.Calls() != 0 || refused.Left != 3*time.Second || !refused.Refused() || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with 3s left: got %v after %d calls", err, s.Calls())
		}
		if err := middleware.Reserve(3*time.Second).Do(t.Context(), s.Call); err != nil || s.Calls() != 1 {
			t.Errorf("with no deadline: got %v after %d calls", err, s.Calls())
		}
		time.Sleep(time.Minute)
		if err := middleware.Reserve(3*time.Second).Do(parent, s.Call); !errors.As(err, &refused) || s.Calls() != 1 {
			t.Errorf("past the deadline: got %v after %d calls", err, s.Calls())
		}
	})
}

func TestTimeoutErrors(t *testing.T) {
	for want, err := range map[string]error{
		"timeout: over after 2s: boom":                                   &middleware.TimeoutError{Limit: 2 * time.Second, Err: errors.New("boom")},
		"timeout: no answer in 2s":                                       &middleware.TimeoutError{Limit: 2 * time.Second},
		"reserve: no call with 20ms left, 500ms are kept for the answer": &middleware.ReserveError{Reserve: 500 * time.Millisecond, Left: 20 * time.Millisecond},
		"reserve: no call with 0s left, 500ms are kept for the answer":   &middleware.ReserveError{Reserve: 500 * time.Millisecond, Left: -time.Second},
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

// contexts are the ways to a context that ends after a second: the standard library's, and ours.
func contexts(parent context.Context, use func(context.Context)) map[string]func() {
	return map[string]func(){
		"context.WithTimeout": func() {
			ctx, cancel := context.WithTimeout(parent, time.Second)
			defer cancel()
			use(ctx)
		},
		"middleware.Timeout": func() {
			_ = middleware.Timeout(time.Second).Do(parent, func(ctx context.Context) error { use(ctx); return nil })
		},
	}
}

// Whatever code does with a context, it sees what it would see of one from package context.
func TestTimeoutContextBehavesLikeTheStandardOne(t *testing.T) {
	type key struct{}
	errCause := errors.New("the reason")
	for name, use := range map[string]func(t *testing.T, cancel context.CancelCauseFunc, ctx context.Context) string{
		"fresh": func(_ *testing.T, _ context.CancelCauseFunc, ctx context.Context) string {
			return fmt.Sprint(ctx.Err(), context.Cause(ctx), ctx.Value(key{}))
		},
		"Err after the deadline": func(_ *testing.T, _ context.CancelCauseFunc, ctx context.Context) string {
			time.Sleep(time.Second + time.Millisecond)
			return fmt.Sprint(ctx.Err(), context.Cause(ctx))
		},
		"Cause after the deadline": func(_ *testing.T, _ context.CancelCauseFunc, ctx context.Context) string {
			time.Sleep(time.Second + time.Millisecond)
			return fmt.Sprint(context.Cause(ctx), ctx.Err())
		},
		"Done at the deadline": func(_ *testing.T, _ context.CancelCauseFunc, ctx context.Context) string {
			start := time.Now()
			<-ctx.Done()
			return fmt.Sprint(time.Since(start), ctx.Err())
		},
		"the caller cancels": func(_ *testing.T, cancel context.CancelCauseFunc, ctx context.Context) string {
			cancel(errCause)
			return fmt.Sprint(ctx.Err(), context.Cause(ctx))
		},
		"the caller cancels, Done": func(_ *testing.T, cancel context.CancelCauseFunc, ctx context.Context) string {
			done := ctx.Done()
			cancel(errCause)
			<-done
			return fmt.Sprint(ctx.Err(), context.Cause(ctx))
		},
		"Err, then cancelled, then the deadline": func(_ *testing.T, cancel context.CancelCauseFunc, ctx context.Context) string {
			before := ctx.Err()
			cancel(nil)
			during := ctx.Err()
			time.Sleep(time.Minute)
			return fmt.Sprint(before, during, ctx.Err())
		},
		"a child": func(_ *testing.T, _ context.CancelCauseFunc, ctx context.Context) string {
			child, cancel := context.WithCancel(context.WithValue(ctx, key{}, "child"))
			defer cancel()
			<-child.Done()
			return fmt.Sprint(child.Err(), context.Cause(child), child.Value(key{}))
		},
		"AfterFunc": func(_ *testing.T, _ context.CancelCauseFunc, ctx context.Context) string {
			start := time.Now()
			ran := make(chan time.Duration)
			context.AfterFunc(ctx, func() { ran <- time.Since(start) })
			return fmt.Sprint(<-ran)
		},
		"WithoutCancel": func(_ *testing.T, _ context.CancelCauseFunc, ctx context.Context) string {
			free := context.WithoutCancel(ctx)
			time.Sleep(time.Minute)
			return fmt.Sprint(free.Err(), free.Value(key{}))
		},
		"a shorter child": func(_ *testing.T, _ context.CancelCauseFunc, ctx context.Context) string {
			child, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			<-child.Done()
			return fmt.Sprint(child.Err(), ctx.Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for _, kind := range []string{"context.WithTimeout", "middleware.Timeout"} {
				synctest.Test(t, func(t *testing.T) {
					parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "parent"))
					defer cancel(nil)
					contexts(parent, func(ctx context.Context) { got[kind] = use(t, cancel, ctx) })[kind]()
				})
			}
			if got["middleware.Timeout"] != got["context.WithTimeout"] {
				t.Errorf("got %q, the standard library %q", got["middleware.Timeout"], got["context.WithTimeout"])
			}
		})
	}
}

// A child of a context that package context does not know costs a goroutine; ours must be known to it.
func TestTimeoutContextStartsNoGoroutine(t *testing.T) {
	_ = middleware.Timeout(time.Hour).Do(t.Context(), func(ctx context.Context) error {
		before := goroutines()
		for range 100 {
			child, cancel := context.WithCancel(context.WithValue(ctx, "k", "v")) //nolint:staticcheck,revive // any key
			defer cancel()
			_ = child
		}
		if after := goroutines(); after > before+10 {
			t.Errorf("100 children started %d goroutines", after-before)
		}
		return nil
	})
}

func TestTimeoutContextIsSafeForConcurrentUse(t *testing.T) {
	for range 200 {
		var kept context.Context
		done := make(chan struct{})
		_ = middleware.Timeout(time.Hour).Do(t.Context(), func(ctx context.Context) error {
			kept = ctx
			for range 4 {
				go func() {
					_ = ctx.Err()
					<-ctx.Done()
					_ = context.Cause(ctx)
					done <- struct{}{}
				}()
			}
			return nil
		})
		for range 4 {
			<-done
		}
		if !errors.Is(kept.Err(), context.Canceled) {
			t.Fatal(kept.Err())
		}
	}
}

func TestTimeoutContextHasAName(t *testing.T) {
	_ = middleware.Timeout(time.Hour).Do(t.Context(), func(ctx context.Context) error {
		if s := fmt.Sprint(ctx); !strings.HasPrefix(s, "middleware.Timeout") {
			t.Errorf("prints as %q", s)
		}
		return nil
	})
}

// Whose time was over could not be told: that of one call, or all there was.
func TestRegression_TimeoutSaysWhatWasReserved(t *testing.T) {
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, test := range map[string]struct {
		call func(ctx context.Context) error
		want time.Duration
	}{
		"Timeout": {func(ctx context.Context) error { return middleware.Timeout(time.Second).Do(ctx, wait) }, 0},
		"Reserve": {func(ctx context.Context) error { return middleware.Reserve(time.Second).Do(ctx, wait) }, time.Second},
		"Abandon": {func(ctx context.Context) error {
			_, err := middleware.Abandon(func(context.Context, int) (int, error) { time.Sleep(time.Hour); return 0, nil }, time.Second)(ctx, 0)
			return err
		}, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := test.call(ctx)
			if e := (*middleware.TimeoutError)(nil); !errors.As(err, &e) || e.Reserve != test.want {
				t.Errorf("%s: %v, and it reserved %v", name, err, e.Reserve)
			}
			time.Sleep(time.Hour) // until what was left behind has ended
		})
	}
}
