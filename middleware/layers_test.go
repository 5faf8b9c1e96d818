package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
)

func goroutines() int { return runtime.NumGoroutine() }

func TestRecover(t *testing.T) {
	boom := errors.New("boom")
	for _, value := range []any{"text", 7, boom} {
		err := middleware.Recover{}.Do(t.Context(), func(context.Context) error { panic(value) })
		var p *middleware.PanicError
		if !errors.As(err, &p) || p.Value != value || !p.Panicked() || p.Error() != fmt.Sprint("panic: ", value) {
			t.Fatalf("got %#v", err)
		}
		if !strings.Contains(string(p.Stack), "TestRecover") {
			t.Errorf("the stack does not show who panicked:\n%s", p.Stack)
		}
		if errors.Is(err, boom) {
			t.Error("a panic with an error is found to be that error")
		}
	}
	err := middleware.Recover{}.Do(t.Context(), func(context.Context) error { panic(nil) }) //nolint:govet // on purpose
	var p *middleware.PanicError
	if !errors.As(err, &p) {
		t.Fatalf("panic(nil): got %v", err)
	}
	if _, ok := p.Value.(*runtime.PanicNilError); !ok {
		t.Errorf("panic(nil): got %#v", p.Value)
	}
}

func TestBulkhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := middleware.NewBulkhead(2, time.Second)
		slow := policytest.NewScript(policytest.Step{Takes: 1500 * time.Millisecond})
		start := time.Now()
		var ran, refused atomic.Int64
		for range 6 {
			go func() {
				switch err := b.Do(t.Context(), slow.Call); {
				case err == nil:
					ran.Add(1)
				case errors.Is(err, middleware.ErrFull) && time.Since(start) == time.Second:
					refused.Add(1)
				default:
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			}()
		}
		time.Sleep(1200 * time.Millisecond)
		late := make(chan error)
		go func() { late <- b.Do(t.Context(), slow.Call) }()
		if err := <-late; err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("a call that waits 300ms for its place: %v after %v", err, time.Since(start))
		}
		if ran.Load() != 2 || refused.Load() != 4 {
			t.Errorf("%d ran and %d were refused, want 2 and 4", ran.Load(), refused.Load())
		}
	})
}

// A waiter that goes away must not take a place with it.
func TestRegression_CancelledWaiterLeaksNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := middleware.NewBulkhead(1, time.Hour)
		for range 100 {
			release := make(chan struct{})
			held := make(chan error)
			go func() { held <- b.Do(t.Context(), func(context.Context) error { <-release; return nil }) }()
			synctest.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			waiting := make(chan error)
			go func() { waiting <- b.Do(ctx, func(context.Context) error { t.Error("called"); return nil }) }()
			synctest.Wait()
			cancel()
			if err := <-waiting; err != context.Canceled { //nolint:errorlint // the same value
				t.Fatalf("a cancelled waiter got %v", err)
			}
			close(release)
			<-held
		}
		if err := b.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

// A panic that kept its permit closed other libraries' bulkheads for good.
func TestRegression_PanicLeaksNoPlace(t *testing.T) {
	b := middleware.Join(middleware.Recover{}, middleware.NewBulkhead(2, 0))
	for range 10 {
		var p *middleware.PanicError
		if err := b.Do(t.Context(), func(context.Context) error { panic("boom") }); !errors.As(err, &p) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestFullError(t *testing.T) {
	b := middleware.NewBulkhead(1, 0)
	_ = b.Do(t.Context(), func(ctx context.Context) error {
		err := b.Do(ctx, func(context.Context) error { t.Error("called"); return nil })
		var full *middleware.FullError
		if !errors.As(err, &full) || full.Limit != 1 || !full.Refused() || full.HTTPStatus() != 503 || full.Error() != "bulkhead: full, at most 1 at once" {
			t.Errorf("got %#v", err)
		}
		if allocs := testing.AllocsPerRun(100, func() { _ = b.Do(ctx, nil) }); allocs != 0 {
			t.Errorf("refusing allocates %v times", allocs)
		}
		return nil
	})
}

func TestObserve(t *testing.T) {
	var log []string
	write := func(name string) middleware.Policy {
		return middleware.Observe(func(_ context.Context, e middleware.Event) {
			log = append(log, fmt.Sprintf("%s: %s %s", name, e.Policy, e.Kind))
		})
	}
	h := middleware.Wrap(func(context.Context, int) (int, error) { panic("boom") },
		write("outer"), write("inner"), middleware.Recover{})
	_, _ = h(t.Context(), 0)
	if got, want := strings.Join(log, ", "), "inner: recover panic, outer: recover panic"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []middleware.Event
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		watch := middleware.Observe(func(_ context.Context, e middleware.Event) { got = append(got, e) })
		hang := policytest.NewScript(policytest.Step{Takes: time.Hour})
		full := middleware.NewBulkhead(1, 0)
		errs := []error{
			middleware.Join(watch, middleware.Timeout(time.Second)).Do(ctx, hang.Call),
			middleware.Join(watch, middleware.Reserve(time.Hour)).Do(ctx, hang.Call),
			middleware.Join(watch, middleware.Recover{}).Do(ctx, func(context.Context) error { panic("boom") }),
			full.Do(ctx, func(ctx context.Context) error { return middleware.Join(watch, full).Do(ctx, hang.Call) }),
			watch.Do(ctx, func(ctx context.Context) error {
				_, err := middleware.Abandon(func(context.Context, int) (int, error) { time.Sleep(time.Hour); return 0, nil }, 50*time.Second)(ctx, 0)
				return err
			}),
			watch.Do(ctx, func(ctx context.Context) error {
				_, err := middleware.Fallback(func(context.Context, int) (int, error) { return 0, context.Canceled },
					func(_ context.Context, _ int, err error) (int, error) { return 0, nil })(ctx, 0)
				return err
			}),
		}
		for i, want := range []string{"timeout timeout", "reserve refusal", "recover panic", "bulkhead refusal", "abandon abandon", "fallback fallback"} {
			if i >= len(got) || fmt.Sprint(got[i].Policy, " ", got[i].Kind) != want || got[i].Err != errs[i] && errs[i] != nil { //nolint:errorlint // the same value
				t.Fatalf("event %d of %+v, want %s with %v", i, got, want, errs[i])
			}
		}
		time.Sleep(time.Hour)
	})
}

func TestFallback(t *testing.T) {
	boom := errors.New("boom")
	h := middleware.Fallback(func(_ context.Context, in int) (string, error) {
		if in < 0 {
			return "partial", boom
		}
		return "fresh", nil
	}, func(_ context.Context, in int, err error) (string, error) {
		if in == -1 {
			return "cached", nil
		}
		return "", err
	})
	for in, want := range map[int]struct {
		out string
		err error
	}{1: {"fresh", nil}, -1: {"cached", nil}, -2: {"", boom}} {
		if out, err := h(t.Context(), in); out != want.out || err != want.err { //nolint:errorlint // the same value
			t.Errorf("%d: got %q, %v; want %q, %v", in, out, err, want.out, want.err)
		}
	}
}

func TestAbandon(t *testing.T) {
	boom := errors.New("boom")
	deaf := func(d time.Duration, out string, err error) middleware.Handler[int, string] {
		return func(context.Context, int) (string, error) { time.Sleep(d); return out, err }
	}
	for _, tt := range []struct {
		name  string
		h     middleware.Handler[int, string]
		out   string
		err   error
		after time.Duration
	}{
		{"in time", deaf(time.Second, "done", nil), "done", nil, time.Second},
		{"fails in time", deaf(time.Second, "partial", boom), "partial", boom, time.Second},
		{"too late", deaf(time.Hour, "late", nil), "", context.DeadlineExceeded, 9 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				out, err := middleware.Abandon(tt.h, time.Second)(ctx, 1)
				if took := time.Since(start); took != tt.after {
					t.Errorf("answered after %v, want %v", took, tt.after)
				}
				if out != tt.out || !errors.Is(err, tt.err) {
					t.Errorf("got %q, %v; want %q, %v", out, err, tt.out, tt.err)
				}
				time.Sleep(2 * time.Hour)
				if out != tt.out {
					t.Errorf("the late result went somewhere: %q", out)
				}
			})
		})
	}
}

func TestAbandonAnswersWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := middleware.Abandon(func(context.Context, int) (int, error) { time.Sleep(time.Hour); return 0, nil }, time.Second)(ctx, 1)
		if err != context.Canceled || time.Since(start) != time.Second { //nolint:errorlint // the same value
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		time.Sleep(time.Hour)
	})
}

func TestAbandonWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		h := middleware.Abandon(func(context.Context, int) (int, error) { calls++; return 1, nil }, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var refused *middleware.ReserveError
		if _, err := h(ctx, 0); !errors.As(err, &refused) || calls != 0 {
			t.Errorf("with only the reserve left: %v after %d calls", err, calls)
		}
		if out, err := h(t.Context(), 0); out != 1 || err != nil {
			t.Errorf("without a deadline: %d, %v", out, err)
		}
	})
}

// A panic in a goroutine of the library's would end the process, past every recover of its user.
func TestRegression_PanicOfAnAbandonedHandlerEndsNoProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		boom := errors.New("boom")
		func() {
			defer func() {
				if v := recover(); v != any(boom) {
					t.Errorf("a panic in time surfaced as %v", v)
				}
			}()
			_, _ = middleware.Abandon(func(context.Context, int) (int, error) { panic(boom) }, time.Second)(ctx, 0)
		}()

		exited := make(chan bool)
		go func() {
			returned := false
			defer func() { exited <- !returned }()
			_, _ = middleware.Abandon(func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil }, time.Second)(ctx, 0)
			returned = true
		}()
		if !<-exited {
			t.Error("Goexit of the handler did not end its caller's goroutine")
		}

		_, err := middleware.Abandon(func(context.Context, int) (int, error) { time.Sleep(time.Hour); panic(boom) }, time.Second)(ctx, 0)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		time.Sleep(2 * time.Hour) // the panic comes and goes
	})
}
