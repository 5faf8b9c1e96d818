package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/internal/wall"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
	"github.com/seawall-go/seawall/ratelimit"
)

func succeed(context.Context) error { return nil }

// drain makes calls until one is refused, and returns how many were made.
func drain(t *testing.T, l *ratelimit.Limiter) (made int) {
	t.Helper()
	for {
		switch err := l.Do(t.Context(), succeed); {
		case err == nil:
			made++
		case errors.Is(err, ratelimit.ErrLimited):
			return made
		default:
			t.Fatalf("Do = %v", err)
		}
	}
}

func TestIsAPolicy(t *testing.T) {
	for name, limit := range map[string]ratelimit.Limit{
		"refusing": ratelimit.PerSecond(1, 100),
		"waiting":  {Rate: 1000, Burst: 1, Wait: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			policytest.Run(t, func(*testing.T) middleware.Policy { return ratelimit.New(limit) })
		})
	}
}

func TestBurstThenRate(t *testing.T) {
	for _, test := range []struct {
		limit ratelimit.Limit
		after time.Duration
		want  int
	}{
		{ratelimit.PerSecond(10, 5), 0, 0},
		{ratelimit.PerSecond(10, 5), 99 * time.Millisecond, 0},
		{ratelimit.PerSecond(10, 5), 100 * time.Millisecond, 1},
		{ratelimit.PerSecond(10, 5), 350 * time.Millisecond, 3},
		{ratelimit.PerSecond(10, 5), time.Hour, 5},
		{ratelimit.Every(time.Minute, 1), 59 * time.Second, 0},
		{ratelimit.Every(time.Minute, 1), time.Minute, 1},
		{ratelimit.PerSecond(1e9, 1), time.Nanosecond, 1},
		{ratelimit.PerSecond(1e-9, 1), 24 * time.Hour, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := ratelimit.New(test.limit)
			if got := drain(t, l); got != test.limit.Burst && test.limit.Rate < 1e9 {
				t.Errorf("%+v: %d calls at first, want the burst", test.limit, got)
			}
			time.Sleep(test.after)
			if got := drain(t, l); got != test.want && test.limit.Rate < 1e9 {
				t.Errorf("%+v: %d calls after %v, want %d", test.limit, got, test.after, test.want)
			}
		})
	}
}

func TestCallsOwnErrorComesOut(t *testing.T) {
	want := errors.New("own")
	if got := ratelimit.New(ratelimit.PerSecond(1, 1)).Do(t.Context(), func(context.Context) error { return want }); got != want { //nolint:errorlint // the same value
		t.Errorf("Do = %v, want the call's own error", got)
	}
}

func TestRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Limit{Name: "search", Rate: 0.5, Burst: 1})
		drain(t, l)
		time.Sleep(500 * time.Millisecond)

		var events []event.Event
		ctx := event.With(t.Context(), func(_ context.Context, e event.Event) {
			events = append(events, e)
			_ = l.Do(t.Context(), succeed) // would deadlock under a lock
		})
		err := l.Do(ctx, func(context.Context) error { t.Error("the call was made"); return nil })

		var limited *ratelimit.LimitedError
		if !errors.As(err, &limited) || !errors.Is(err, ratelimit.ErrLimited) || errors.Is(err, context.Canceled) {
			t.Fatalf("Do = %#v, want a *LimitedError that is ErrLimited", err)
		}
		if limited.Name != "search" || !refusal.Is(err) || refusal.Status(err) != 429 {
			t.Errorf("name %q, refused %v, status %d", limited.Name, refusal.Is(err), refusal.Status(err))
		}
		want := event.Event{Kind: event.Refusal, Policy: "ratelimit", Name: "search", Wait: 1500 * time.Millisecond, Err: err}
		if len(events) != 1 || events[0] != want {
			t.Errorf("events = %+v, want %+v", events, want)
		}
		if again := l.Do(t.Context(), succeed); again != err { //nolint:errorlint // the same value
			t.Errorf("the second refusal is %p, want the first, %p", again, err)
		}

		if limited.RetryWithin(1500*time.Millisecond-1) || !limited.RetryWithin(1500*time.Millisecond) {
			t.Error("RetryWithin does not know the wait of the refusal")
		}

		for _, test := range []struct {
			sleep, after time.Duration
			text         string
		}{
			{0, 1500 * time.Millisecond, "ratelimit search: over the limit, retry in 2s"},
			{500 * time.Millisecond, time.Second, "ratelimit search: over the limit, retry in 1s"},
			{987654321, 12345679, "ratelimit search: over the limit, retry in 13ms"},
			{12345679, 1, "ratelimit search: over the limit"},
		} {
			time.Sleep(test.sleep)
			if got, _ := refusal.After(err); got != test.after {
				t.Errorf("RetryAfter = %v, want %v", got, test.after)
			}
			if got := err.Error(); got != test.text {
				t.Errorf("Error = %q, want %q", got, test.text)
			}
		}
	})
}

func TestErrorMadeByHand(t *testing.T) {
	err := &ratelimit.LimitedError{}
	if got := err.Error(); got != "ratelimit: over the limit" || err.RetryAfter() != 0 || err.RetryWithin(time.Hour) || !err.Is(ratelimit.ErrLimited) {
		t.Errorf("Error = %q, RetryAfter = %v", got, err.RetryAfter())
	}
}

func TestHappyPathIsQuiet(t *testing.T) {
	ctx := event.With(t.Context(), func(_ context.Context, e event.Event) { t.Errorf("event %+v", e) })
	if err := ratelimit.New(ratelimit.PerSecond(1, 1)).Do(ctx, succeed); err != nil {
		t.Fatal(err)
	}
}

func TestWait(t *testing.T) {
	for _, test := range []struct {
		name     string
		wait     time.Duration // of the limit
		deadline time.Duration // of the context, 0 for none
		cancel   time.Duration // when it is cancelled, 0 for never
		took     time.Duration
		want     error
	}{
		{name: "fits", wait: time.Second, took: time.Second},
		{name: "does not fit", wait: time.Second - 1, want: ratelimit.ErrLimited},
		{name: "fits the deadline", wait: time.Minute, deadline: time.Second + 1, took: time.Second},
		{name: "ends with the deadline", wait: time.Minute, deadline: time.Second, want: ratelimit.ErrLimited},
		{name: "does not fit the deadline", wait: time.Minute, deadline: 1, want: ratelimit.ErrLimited},
		{name: "cancelled", wait: time.Minute, cancel: 300 * time.Millisecond, took: 300 * time.Millisecond, want: context.Canceled},
		{name: "deadline long over", wait: time.Minute, deadline: -1, want: ratelimit.ErrLimited},
		{name: "for ever", wait: math.MaxInt64, took: time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := ratelimit.New(ratelimit.Limit{Rate: 1, Burst: 1, Wait: test.wait})
				_ = l.Do(t.Context(), succeed)

				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if test.cancel > 0 {
					time.AfterFunc(test.cancel, func() { cancel(errors.New("a cause")) })
				}
				if test.deadline != 0 {
					var stop context.CancelFunc
					ctx, stop = context.WithDeadline(ctx, time.Now().Add(test.deadline))
					defer stop()
				}
				began := time.Now()
				made := false
				err := l.Do(ctx, func(context.Context) error { made = true; return nil })
				if !errors.Is(err, test.want) || made != (test.want == nil) {
					t.Errorf("Do = %v, made the call: %v; want %v", err, made, test.want)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("Do took %v, want %v", took, test.took)
				}

				// A call that was not made has not cost a token.
				if !made {
					time.Sleep(time.Second - time.Since(began))
					if err := l.Do(t.Context(), succeed); err != nil || time.Since(began) != time.Second {
						t.Errorf("the next call: %v after %v, want <nil> after 1s", err, time.Since(began))
					}
				}
			})
		})
	}
}

func TestCancelledBeforeTheWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := ratelimit.New(ratelimit.Limit{Rate: 1e-9, Burst: 1, Wait: time.Hour})
	if err := l.Do(ctx, succeed); err != nil {
		t.Errorf("with a token: %v, want the call's own outcome", err)
	}
	if err := l.Do(ctx, succeed); err != context.Canceled { //nolint:errorlint // ctx.Err() as it is
		t.Errorf("without one: %v, want %v", err, context.Canceled)
	}
}

// longOver is a context whose deadline is over before anyone ended it.
type longOver struct{ context.Context } //nolint:containedctx // it is a context

func (longOver) Deadline() (time.Time, bool) { return time.Time{}, true }

func TestDeadlineBeforeAllTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Limit{Rate: 1, Burst: 1, Wait: math.MaxInt64})
		for _, want := range []error{nil, ratelimit.ErrLimited} {
			if err := l.Do(longOver{t.Context()}, succeed); !errors.Is(err, want) {
				t.Errorf("Do = %v, want %v", err, want)
			}
		}
	})
}

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Limit{Rate: 10, Burst: 1, Wait: 350 * time.Millisecond})
		_ = l.Do(t.Context(), succeed)
		began := time.Now()
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				err := l.Do(t.Context(), func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
					if took, want := time.Since(began), time.Duration(len(order))*100*time.Millisecond; took != want {
						t.Errorf("call %d after %v, want %v", i, took, want)
					}
					return nil
				})
				if refused := errors.Is(err, ratelimit.ErrLimited); refused != (i > 2) {
					t.Errorf("call %d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if len(order) != 3 || order[0] != 0 || order[1] != 1 || order[2] != 2 {
			t.Errorf("order = %v, want [0 1 2]", order)
		}
	})
}

// A call that never returns, panics or ends its goroutine holds nothing that others need.
func TestHoldsNothingDuringTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Limit{Rate: 1, Burst: 1, Wait: time.Minute})
		for _, call := range []func(context.Context) error{
			func(context.Context) error { time.Sleep(time.Hour); return nil },
			func(context.Context) error { panic("boom") },
			func(context.Context) error { runtime.Goexit(); return nil },
		} {
			go func() {
				defer func() { _ = recover() }()
				_ = l.Do(t.Context(), call)
			}()
			synctest.Wait()
		}
		began := time.Now()
		if err := l.Do(t.Context(), succeed); err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("Do = %v after %v, want <nil> after 3s", err, time.Since(began))
		}
		time.Sleep(time.Hour)
	})
}

func TestFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Minute, 2))
		drain(t, l)
		defer wall.Freeze(time.Minute)()
		if got := drain(t, l); got != 1 {
			t.Errorf("%d calls after a freeze of one interval, want 1", got)
		}
		thaw := wall.Freeze(-time.Hour) // the wall clock is set back
		if got := drain(t, l); got != 0 {
			t.Errorf("%d calls when the clock was set back, want 0", got)
		}
		time.Sleep(time.Minute)
		if got := drain(t, l); got != 1 {
			t.Errorf("%d calls an interval after the clock was set back, want 1", got)
		}
		thaw()
		if got := drain(t, l); got != 0 {
			t.Errorf("%d calls when the clock was set right again, want 0: no time passed", got)
		}
	})
}

func TestNonsensePanics(t *testing.T) {
	for _, test := range []struct {
		limit ratelimit.Limit
		text  string
	}{
		{ratelimit.Limit{}, "Limit.Rate"},
		{ratelimit.PerSecond(-1, 1), "Limit.Rate"},
		{ratelimit.PerSecond(math.NaN(), 1), "Limit.Rate"},
		{ratelimit.PerSecond(math.Inf(1), 1), "leave the limiter out"},
		{ratelimit.PerSecond(1e10, 1), "Limit.Rate"},
		{ratelimit.PerSecond(1e-10, 1), "Limit.Rate"},
		{ratelimit.Every(0, 1), "Limit.Rate"},
		{ratelimit.Every(-time.Second, 1), "Limit.Rate"},
		{ratelimit.PerSecond(1, 0), "Limit.Burst"},
		{ratelimit.PerSecond(1, -1), "Limit.Burst"},
		{ratelimit.Limit{Rate: 1, Burst: 1, Wait: -1}, "Limit.Wait"},
	} {
		for name, construct := range map[string]func(){
			"New":      func() { ratelimit.New(test.limit) },
			"NewGroup": func() { ratelimit.NewGroup(test.limit, 1) },
		} {
			if text := panicText(construct); !strings.HasPrefix(text, "ratelimit: ") || !strings.Contains(text, test.text) {
				t.Errorf("%s(%+v) panics with %q, want something on %s", name, test.limit, text, test.text)
			}
		}
	}
	if text := panicText(func() { ratelimit.NewGroup(ratelimit.PerSecond(1, 1), 0) }); !strings.HasPrefix(text, "ratelimit: NewGroup") {
		t.Errorf("NewGroup for no keys panics with %q", text)
	}
}

func panicText(f func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	f()
	return ""
}

func TestAllocations(t *testing.T) {
	open := ratelimit.New(ratelimit.PerSecond(1e9, 1e9))
	spent := ratelimit.New(ratelimit.Every(time.Hour, 1))
	short := ratelimit.New(ratelimit.Limit{Rate: 1e-9, Burst: 1, Wait: time.Second})
	_, _ = spent.Do(t.Context(), succeed), short.Do(t.Context(), succeed)
	group := ratelimit.NewGroup(ratelimit.PerSecond(1e9, 1e9), 2)
	group.Get("key")
	ctx := t.Context()
	for name, f := range map[string]func(){
		"let through":              func() { _ = open.Do(ctx, succeed) },
		"refused":                  func() { _ = spent.Do(ctx, succeed) },
		"refused, for a long wait": func() { _ = short.Do(ctx, succeed) },
		"keyed":                    func() { _ = group.Get("key").Do(ctx, succeed) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
}
