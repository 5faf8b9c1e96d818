package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/retry"
)

var errDown = errors.New("down")

// script is a call that fails with one error after another and then succeeds.
type script struct {
	errs  []error
	calls int
}

func (s *script) call(context.Context) error {
	s.calls++
	if s.calls > len(s.errs) {
		return nil
	}
	return s.errs[s.calls-1]
}

func failing(err error) *script { return &script{errs: slices.Repeat([]error{err}, 1000)} }

// calls is how many calls a policy makes that does not wait, if each fails with err.
func calls(ctx context.Context, p retry.Policy, err error) int {
	p.Base, p.ThrottleBase = -1, -1
	s := failing(err)
	_ = p.Do(ctx, s.call)
	return s.calls
}

type (
	panicked struct{ error }
	refused  struct{ after time.Duration }

	finalError struct{}
	hinted     struct{ after time.Duration }
	marked     struct{ retryable bool }
	throttled  struct{ yes bool }
	coded      struct{ code string }
	status     int
	both       struct {
		marked
		status
	}
	api struct {
		coded
		status
	}
	timedOut struct{}
)

func (panicked) Panicked() bool  { return true }
func (e panicked) Unwrap() error { return e.error }
func (finalError) Error() string { return "final" }
func (finalError) Final() bool   { return true }

func (refused) Error() string               { return "refused" }
func (refused) Refused() bool               { return true }
func (e refused) RetryAfter() time.Duration { return e.after }
func (hinted) Error() string                { return "busy" }
func (e hinted) RetryAfter() time.Duration  { return e.after }
func (marked) Error() string                { return "marked" }
func (e marked) RetryableError() bool       { return e.retryable }
func (throttled) Error() string             { return "throttled" }
func (e throttled) Throttled() bool         { return e.yes }
func (coded) Error() string                 { return "api error" }
func (e coded) ErrorCode() string           { return e.code }
func (e status) Error() string              { return fmt.Sprintf("status %d", int(e)) }
func (e status) HTTPStatusCode() int        { return int(e) }
func (both) Error() string                  { return "marked with a status" }
func (api) Error() string                   { return "api error with a status" }
func (timedOut) Error() string              { return "timeout" }
func (timedOut) Timeout() bool              { return true }
func (timedOut) Is(err error) bool          { return err == context.DeadlineExceeded }
func wrapped(err error) error               { return fmt.Errorf("charge: %w", err) }
func classify(c retry.Class) retry.Policy {
	return retry.Policy{Classify: func(error) retry.Class { return c }}
}
func observe(log *[]event.Event) context.Context {
	return event.With(context.Background(), func(_ context.Context, e event.Event) { *log = append(*log, e) })
}

func TestAttempts(t *testing.T) {
	for _, tt := range []struct {
		attempts, failures, want int
		repeats                  bool
	}{
		{attempts: 0, failures: 0, want: 1, repeats: true},
		{attempts: 0, failures: 2, want: 3, repeats: true},
		{attempts: 0, failures: 9, want: 3, repeats: true},
		{attempts: 1, failures: 9, want: 1, repeats: false},
		{attempts: 5, failures: 9, want: 5, repeats: true},
		{attempts: -1, failures: 900, want: 901, repeats: true},
	} {
		t.Run(fmt.Sprintf("%d attempts, %d failures", tt.attempts, tt.failures), func(t *testing.T) {
			p := retry.Policy{Attempts: tt.attempts, Base: -1}
			s := &script{errs: slices.Repeat([]error{errDown}, tt.failures)}
			err := p.Do(t.Context(), s.call)
			if s.calls != tt.want {
				t.Errorf("made %d calls, want %d", s.calls, tt.want)
			}
			if failed := tt.failures >= tt.want; failed != (err != nil) {
				t.Errorf("Do = %v", err)
			}
			if p.Repeats() != tt.repeats {
				t.Errorf("Repeats = %v", p.Repeats())
			}
		})
	}
}

func TestReturnsTheLastError(t *testing.T) {
	first, last := errors.New("first"), errors.New("last")
	s := &script{errs: []error{first, first, last}}
	if err := (retry.Policy{Base: -1}).Do(t.Context(), s.call); err != last { //nolint:errorlint // the same value
		t.Errorf("Do = %v, want the last attempt's error itself", err)
	}
}

func TestClasses(t *testing.T) {
	const stop, again = 1, 3
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"any error", errDown, again},
		{"timeout of an attempt", timedOut{}, again},
		{"deadline of an attempt", context.DeadlineExceeded, again},
		{"cancelled within the call", context.Canceled, again},
		{"panic", panicked{errDown}, stop},
		{"panic with what would be repeated", panicked{refused{time.Millisecond}}, stop},
		{"final", finalError{}, stop},
		{"refusal", refused{}, stop},
		{"refusal that says when", refused{time.Millisecond}, again},
		{"refusal that says a second", refused{time.Second}, again},
		{"refusal that says later", refused{time.Second + 1}, stop},
		{"marked retryable", marked{true}, again},
		{"marked not retryable", marked{false}, stop},
		{"marked retryable, status 400", both{marked{true}, 400}, again},
		{"marked not retryable, status 503", both{marked{false}, 503}, stop},
		{"throttled", throttled{true}, again},
		{"status 400", status(400), stop},
		{"status 404", status(404), stop},
		{"status 408", status(408), again},
		{"status 425", status(425), again},
		{"status 429", status(429), again},
		{"status 499", status(499), stop},
		{"status 500", status(500), again},
		{"status 0", status(0), again},
		{"unknown code", coded{"ValidationException"}, again},
		{"unknown code, status 400", api{coded{"ValidationException"}, 400}, stop},
		{"throttling code, status 400", api{coded{"ThrottlingException"}, 400}, again},
		{"timeout code, status 400", api{coded{"RequestTimeout"}, 400}, again},
		{"timeout exception code, status 400", api{coded{"RequestTimeoutException"}, 400}, again},
		{"permanent", retry.Permanent(errDown), stop},
		{"after", retry.After(errDown, 0), again},
		{"after what would stop", retry.After(refused{}, 0), again},
		{"after what is permanent", retry.After(retry.Permanent(errDown), 0), stop},
		{"permanent with a wait", retry.Permanent(retry.After(errDown, 0)), stop},
		{"joined with a permanent one", errors.Join(errDown, retry.Permanent(errDown)), stop},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := calls(t.Context(), retry.Policy{}, tt.err); got != tt.want {
					t.Errorf("made %d calls, want %d", got, tt.want)
				}
				if got := calls(t.Context(), retry.Policy{}, wrapped(tt.err)); got != tt.want {
					t.Errorf("made %d calls when the error was wrapped, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		name string
		says retry.Class
		err  error
		want int
	}{
		{"unknown, any error", retry.Unknown, errDown, 3},
		{"unknown, refusal", retry.Unknown, refused{}, 1},
		{"stop, any error", retry.Stop, errDown, 1},
		{"stop, after", retry.Stop, retry.After(errDown, 0), 3},
		{"transient, refusal", retry.Transient, refused{}, 3},
		{"transient, final", retry.Transient, finalError{}, 1},
		{"throttle, status 400", retry.Throttle, status(400), 3},
		{"transient, permanent", retry.Transient, retry.Permanent(errDown), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := calls(t.Context(), classify(tt.says), tt.err); got != tt.want {
				t.Errorf("made %d calls, want %d", got, tt.want)
			}
		})
	}
	t.Run("sees the error without marks", func(t *testing.T) {
		p := retry.Policy{Classify: func(err error) retry.Class {
			if err != errDown { //nolint:errorlint // the same value
				t.Errorf("Classify was asked about %#v", err)
			}
			return retry.Unknown
		}}
		calls(t.Context(), p, retry.After(errDown, 0))
	})
}

// Waits are as long as their class and number allow, and random.
func TestWaits(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	for _, tt := range []struct {
		name   string
		policy retry.Policy
		err    error
		least  time.Duration
		most   []time.Duration // the longest first wait, second, ...
	}{
		{"default", retry.Policy{}, errDown, 0, []time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms}},
		{"throttle", retry.Policy{}, throttled{true}, 0, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 20 * s, 20 * s}},
		{"throttle by classifier", classify(retry.Throttle), errDown, 0, []time.Duration{s, 2 * s}},
		{"throttle by status", retry.Policy{}, status(429), 0, []time.Duration{s, 2 * s}},
		{"throttle by code", retry.Policy{}, coded{"SlowDown"}, 0, []time.Duration{s, 2 * s}},
		{"throttle, marked", retry.Policy{}, retry.After(status(429), 0), 0, []time.Duration{s, 2 * s}},
		{"not throttled", retry.Policy{}, throttled{false}, 0, []time.Duration{50 * ms, 100 * ms}},
		{"base", retry.Policy{Base: 2 * s}, errDown, 0, []time.Duration{2 * s, 4 * s, 8 * s}},
		{"throttle with a longer base", retry.Policy{Base: 2 * s}, throttled{true}, 0, []time.Duration{2 * s, 4 * s}},
		{"throttle with its own base", retry.Policy{Base: 2 * s, ThrottleBase: s}, throttled{true}, 0, []time.Duration{s, 2 * s}},
		{"cap", retry.Policy{Base: s, Cap: 3 * s}, errDown, 0, []time.Duration{s, 2 * s, 3 * s, 3 * s}},
		{"cap below base", retry.Policy{Base: s, Cap: ms}, errDown, 0, []time.Duration{ms, ms}},
		{"no cap", retry.Policy{Base: 16 * s, Cap: -1}, errDown, 0, []time.Duration{16 * s, 32 * s, 64 * s}},
		{"no wait", retry.Policy{Base: -s}, errDown, 0, []time.Duration{0, 0, 0}},
		{"no wait after a throttle", retry.Policy{ThrottleBase: -s}, throttled{true}, 0, []time.Duration{0, 0}},
		{"hint", retry.Policy{}, hinted{5 * s}, 5 * s, []time.Duration{50 * ms, 100 * ms}},
		{"hint of a day", retry.Policy{}, hinted{24 * time.Hour}, 20 * s, []time.Duration{50 * ms, 100 * ms}},
		{"hint of a day, short cap", retry.Policy{Cap: s}, hinted{24 * time.Hour}, s, []time.Duration{50 * ms, 100 * ms}},
		{"hint of nothing", retry.Policy{}, hinted{-s}, 0, []time.Duration{50 * ms, 100 * ms}},
		{"hint of a refusal", retry.Policy{}, refused{s}, s, []time.Duration{50 * ms, 100 * ms}},
		{"after", retry.Policy{}, retry.After(errDown, 5*s), 5 * s, []time.Duration{50 * ms, 100 * ms}},
		{"after, wrapped", retry.Policy{}, wrapped(retry.After(errDown, 5*s)), 5 * s, []time.Duration{50 * ms, 100 * ms}},
		{"after a day", retry.Policy{}, retry.After(errDown, 24*time.Hour), 20 * s, []time.Duration{50 * ms, 100 * ms}},
		{"after over a hint", retry.Policy{}, retry.After(hinted{time.Hour}, 5*s), 5 * s, []time.Duration{50 * ms, 100 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.policy.Attempts = len(tt.most) + 1
				const rounds = 200
				longest := make([]time.Duration, len(tt.most))
				shortest := slices.Repeat([]time.Duration{math.MaxInt64}, len(tt.most))
				for range rounds {
					var log []event.Event
					began := time.Now()
					_ = tt.policy.Do(observe(&log), failing(tt.err).call)
					var sum time.Duration
					for i := range tt.most {
						wait := log[i].Wait - tt.least
						if wait < 0 || wait > tt.most[i] {
							t.Fatalf("wait %d is %v, want %v to %v", i+1, log[i].Wait, tt.least, tt.least+tt.most[i])
						}
						longest[i], shortest[i] = max(longest[i], wait), min(shortest[i], wait)
						sum += log[i].Wait
					}
					if slept := time.Since(began); slept != sum {
						t.Fatalf("slept %v and said %v", slept, sum)
					}
				}
				// A full jitter leaves a tenth of its range untouched in 200 draws once in a billion times.
				for i, most := range tt.most {
					if shortest[i] > most/10 || longest[i] < most-most/10 {
						t.Errorf("wait %d is between %v and %v, want all of 0 to %v", i+1, shortest[i], longest[i], most)
					}
				}
			})
		})
	}
}

// Nothing overflows where nothing is capped.
func TestWaitsWithoutEnd(t *testing.T) {
	for _, limit := range []time.Duration{-1, math.MaxInt64} {
		var log []event.Event
		synctest.Test(t, func(*testing.T) {
			ctx, cancel := context.WithCancel(observe(&log))
			time.AfterFunc(365*24*time.Hour, cancel)
			p := retry.Policy{Attempts: -1, Base: math.MaxInt64, Cap: limit}
			_ = p.Do(ctx, failing(hinted{math.MaxInt64}).call)
		})
		if len(log) == 0 || log[0].Wait < 365*24*time.Hour {
			t.Errorf("Cap %v: waits %v", limit, log)
		}
	}
}

func TestDeadline(t *testing.T) {
	const limit = 10 * time.Second
	for _, tt := range []struct {
		name   string
		policy retry.Policy
		err    error
		takes  time.Duration // by each call
		calls  int
	}{
		{"hint before it", retry.Policy{Base: -1, Attempts: 9}, hinted{4 * time.Second}, 0, 3},
		{"hint at it", retry.Policy{Base: -1}, hinted{limit}, 0, 1},
		{"hint after it", retry.Policy{Base: -1}, hinted{limit + 1}, 0, 1},
		{"no time left for another wait", retry.Policy{Base: -1}, hinted{time.Second}, 9 * time.Second, 1},
		{"over before the call returns", retry.Policy{Base: -1}, errDown, limit, 1},
		{"long over", retry.Policy{Base: -1}, errDown, 2 * limit, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log []event.Event
				ctx, cancel := context.WithTimeout(observe(&log), limit)
				defer cancel()
				began, ended, n := time.Now(), time.Time{}, 0
				err := tt.policy.Do(ctx, func(context.Context) error {
					n++
					time.Sleep(tt.takes)
					ended = time.Now()
					return tt.err
				})
				if n != tt.calls {
					t.Errorf("made %d calls, want %d", n, tt.calls)
				}
				if err != tt.err { //nolint:errorlint // the same value
					t.Errorf("Do = %v, want the call's error itself", err)
				}
				if !time.Now().Equal(ended) {
					t.Errorf("returned at %v, %v after the last call", time.Since(began), time.Since(ended))
				}
				if last := log[len(log)-1]; last.Kind != event.GiveUp || last.Attempt != n {
					t.Errorf("last event is %+v, want a GiveUp after attempt %d", last, n)
				}
			})
		})
	}
}

func TestCancel(t *testing.T) {
	t.Run("while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			began, s := time.Now(), failing(hinted{10 * time.Second})
			err := retry.Policy{}.Do(ctx, s.call)
			if s.calls != 1 || err != (hinted{10 * time.Second}) { //nolint:errorlint // the same value
				t.Errorf("made %d calls, Do = %v", s.calls, err)
			}
			if waited := time.Since(began); waited != time.Second {
				t.Errorf("returned after %v, want 1s", waited)
			}
		})
	})
	t.Run("during the call", func(t *testing.T) {
		var log []event.Event
		ctx, cancel := context.WithCancel(observe(&log))
		n := 0
		err := retry.Policy{Base: -1}.Do(ctx, func(ctx context.Context) error {
			n++
			cancel()
			return ctx.Err()
		})
		if n != 1 || err != context.Canceled { //nolint:errorlint // the same value
			t.Errorf("made %d calls, Do = %v", n, err)
		}
		if len(log) != 0 {
			t.Errorf("events %+v, want none", log)
		}
	})
	t.Run("during the call, which succeeds", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		if err := (retry.Policy{}).Do(ctx, func(context.Context) error { cancel(); return nil }); err != nil {
			t.Errorf("Do = %v", err)
		}
	})
	t.Run("before the call, which is made", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := failing(errDown)
		if err := (retry.Policy{}).Do(ctx, s.call); err != errDown || s.calls != 1 { //nolint:errorlint // the same value
			t.Errorf("made %d calls, Do = %v", s.calls, err)
		}
	})
	t.Run("by an observer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ctx = event.With(ctx, func(context.Context, event.Event) { cancel() })
		if n := calls(ctx, retry.Policy{}, errDown); n != 1 {
			t.Errorf("made %d calls, want 1", n)
		}
	})
}

func TestSteering(t *testing.T) {
	if retry.Permanent(nil) != nil || retry.After(nil, time.Second) != nil {
		t.Error("a nil error is not nil with a mark")
	}
	around := wrapped(retry.Permanent(errDown))
	for _, tt := range []struct {
		name      string
		err, want error
	}{
		{"permanent", retry.Permanent(errDown), errDown},
		{"after", retry.After(errDown, time.Second), errDown},
		{"both", retry.After(retry.Permanent(errDown), time.Second), errDown},
		{"both, the other way round", retry.Permanent(retry.After(errDown, time.Second)), errDown},
		{"wrapped again", around, around},
		{"permanent around a wrapped one", retry.Permanent(around), around},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, attempts := range []int{1, 2} {
				synctest.Test(t, func(t *testing.T) {
					var log []event.Event
					err := retry.Policy{Attempts: attempts}.Do(observe(&log), failing(tt.err).call)
					if err != tt.want { //nolint:errorlint // the same value
						t.Errorf("Do = %#v, want %#v", err, tt.want)
					}
					for _, e := range log {
						if e.Err != tt.want { //nolint:errorlint // the same value
							t.Errorf("event with %#v, want %#v", e.Err, tt.want)
						}
					}
				})
			}
			if got := tt.err.Error(); got != tt.want.Error() {
				t.Errorf("text is %q, want %q", got, tt.want.Error())
			}
			if !errors.Is(tt.err, errDown) {
				t.Error("errors.Is does not find the error")
			}
		})
	}
}

func TestNested(t *testing.T) {
	three := retry.Policy{Base: -1}
	inside := func(outer, inner retry.Policy, err error) (n int, out error) {
		s := failing(err)
		out = outer.Do(context.Background(), func(ctx context.Context) error { return inner.Do(ctx, s.call) })
		return s.calls, out
	}
	nested := retry.Policy{Base: -1, Nested: true}
	once := retry.Policy{Attempts: 1}
	for _, tt := range []struct {
		name         string
		outer, inner retry.Policy
		err          error
		calls        int
	}{
		{"inner leaves it to the outer", three, three, errDown, 3},
		{"inner is asked to repeat too", three, nested, errDown, 9},
		{"outer does not repeat", once, three, errDown, 3},
		{"inner does not repeat", three, once, errDown, 3},
		{"permanent ends both", three, three, retry.Permanent(errDown), 1},
		{"permanent ends both that repeat", three, nested, retry.Permanent(errDown), 1},
		{"after reaches the outer", three, three, retry.After(refused{}, 0), 3},
		{"after reaches the outer of both that repeat", three, nested, retry.After(refused{}, 0), 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := inside(tt.outer, tt.inner, tt.err)
			if n != tt.calls {
				t.Errorf("made %d calls, want %d", n, tt.calls)
			}
			if want := errors.Unwrap(tt.err); want != nil && err != want { //nolint:errorlint // the same value
				t.Errorf("Do = %#v, want %#v", err, want)
			}
		})
	}
	t.Run("inner passes marks through untouched", func(t *testing.T) {
		mark, budget := retry.Permanent(errDown), &retry.Budget{}
		inner := retry.Policy{Budget: budget}
		_ = three.Do(t.Context(), func(ctx context.Context) error {
			if err := inner.Do(ctx, failing(mark).call); err != mark { //nolint:errorlint // the same value
				t.Errorf("inner Do = %#v, want the mark", err)
			}
			return nil
		})
	})
	t.Run("every attempt knows", func(t *testing.T) {
		_ = three.Do(t.Context(), func(ctx context.Context) error {
			if !scope.Retrying(ctx) {
				t.Error("an attempt is not marked as a retry's")
			}
			return errDown
		})
		_ = once.Do(t.Context(), func(ctx context.Context) error {
			if scope.Retrying(ctx) {
				t.Error("a single attempt is marked as a retry's")
			}
			return errDown
		})
	})
}

func TestEvents(t *testing.T) {
	empty := func() *retry.Budget { return &retry.Budget{Opening: -1} }
	for _, tt := range []struct {
		name   string
		policy retry.Policy
		errs   []error
		want   []event.Kind
	}{
		{"success", retry.Policy{}, nil, nil},
		{"success after a failure", retry.Policy{}, []error{errDown}, []event.Kind{event.Retry}},
		{"out of attempts", retry.Policy{Attempts: 2}, []error{errDown, errDown}, []event.Kind{event.Retry, event.GiveUp}},
		{"a single attempt", retry.Policy{Attempts: 1}, []error{errDown}, []event.Kind{event.GiveUp}},
		{"out of budget", retry.Policy{Budget: empty()}, []error{errDown}, []event.Kind{event.GiveUp}},
		{"not to be repeated", retry.Policy{}, []error{retry.Permanent(errDown)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log []event.Event
				tt.policy.Name = "payments"
				_ = tt.policy.Do(observe(&log), (&script{errs: tt.errs}).call)
				if len(log) != len(tt.want) {
					t.Fatalf("events %+v, want %v", log, tt.want)
				}
				for i, e := range log {
					want := event.Event{Kind: tt.want[i], Policy: "retry", Name: "payments", Attempt: i + 1, Err: errDown}
					if e.Kind == event.Retry {
						want.Wait = e.Wait
					}
					if e != want {
						t.Errorf("event %d is %+v, want %+v", i, e, want)
					}
				}
			})
		})
	}
}

func TestPanicPassesThrough(t *testing.T) {
	defer func() {
		if v := recover(); v != "boom" {
			t.Errorf("recovered %v, want boom", v)
		}
	}()
	_ = retry.Policy{}.Do(t.Context(), func(context.Context) error { panic("boom") })
	t.Error("Do returned")
}

func TestGoexitPassesThrough(t *testing.T) {
	n := 0
	ended := make(chan bool)
	go func() {
		returned := false
		defer func() { ended <- returned }()
		_ = retry.Policy{}.Do(context.Background(), func(context.Context) error {
			n++
			runtime.Goexit()
			return nil
		})
		returned = true
	}()
	if <-ended || n != 1 {
		t.Errorf("Do returned, or made %d calls", n)
	}
}

// The model: whatever calls answer and however long they take, attempts, waits and deadline keep their bounds.
func TestModel(t *testing.T) {
	type step struct {
		err      error
		class    retry.Class
		hint     time.Duration
		takes    time.Duration
		from, to time.Time
	}
	rapid.Check(t, func(rt *rapid.T) {
		span := func(name string, most time.Duration) time.Duration {
			return rapid.Custom(func(rt *rapid.T) time.Duration {
				return time.Duration(rapid.Int64Range(1, int64(most)).Draw(rt, name))
			}).Draw(rt, name)
		}
		p := retry.Policy{
			Attempts:     rapid.IntRange(1, 6).Draw(rt, "attempts"),
			Base:         span("base", 10*time.Second),
			ThrottleBase: span("throttle base", 10*time.Second),
			Cap:          span("cap", 30*time.Second),
		}
		limit := span("deadline", 2*time.Minute)
		steps := make([]step, 6)
		for i := range steps {
			s := step{takes: span("takes", 5*time.Second)}
			switch rapid.IntRange(0, 6).Draw(rt, "answer") {
			case 0:
				s.class = retry.Unknown // a success
			case 1:
				s.class, s.err = retry.Stop, retry.Permanent(fmt.Errorf("permanent %d", i))
			case 2:
				s.class, s.err = retry.Throttle, wrapped(throttled{true})
			case 3:
				s.hint = span("hint", time.Minute)
				s.class, s.err = retry.Transient, wrapped(hinted{s.hint})
				s.hint = min(s.hint, p.Cap)
			case 4:
				s.hint = span("hint", 2*time.Second)
				s.class, s.err = retry.Transient, wrapped(refused{s.hint})
				if s.hint > min(p.Cap, time.Second) {
					s.class = retry.Stop
				}
			default:
				s.class, s.err = retry.Transient, fmt.Errorf("down %d", i)
			}
			steps[i] = s
		}
		var (
			n        int
			err      error
			deadline time.Time
			returned time.Time
		)
		synctest.Test(t, func(*testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			deadline, _ = ctx.Deadline()
			err = p.Do(ctx, func(context.Context) error {
				s := &steps[n]
				n++
				s.from = time.Now()
				time.Sleep(s.takes)
				s.to = time.Now()
				return s.err
			})
			returned = time.Now()
		})

		most := func(i int) time.Duration {
			base := p.Base
			if steps[i].class == retry.Throttle {
				base = p.ThrottleBase
			}
			return steps[i].hint + min(p.Cap, base<<i)
		}
		last := steps[n-1]
		if n > p.Attempts {
			rt.Fatalf("%d calls of %d", n, p.Attempts)
		}
		if want := last.err; err != want && err != errors.Unwrap(want) { //nolint:errorlint // the same value
			rt.Fatalf("Do = %v, want %v", err, want)
		}
		if !returned.Equal(last.to) {
			rt.Fatalf("returned %v after the last call", returned.Sub(last.to))
		}
		for i := range n - 1 {
			if c := steps[i].class; c != retry.Transient && c != retry.Throttle {
				rt.Fatalf("call %d followed an error of class %d", i+2, c)
			}
			if wait := steps[i+1].from.Sub(steps[i].to); wait < steps[i].hint || wait > most(i) {
				rt.Fatalf("wait %d is %v, want %v to %v", i+1, wait, steps[i].hint, most(i))
			}
			if !steps[i+1].from.Before(deadline) {
				rt.Fatalf("call %d began after the deadline", i+2)
			}
		}
		if repeatable := last.class == retry.Transient || last.class == retry.Throttle; repeatable &&
			n < p.Attempts && last.to.Add(most(n-1)).Before(deadline) {
			rt.Fatalf("gave up after %d of %d calls with time for another", n, p.Attempts)
		}
	})
}

// The codes are those of aws-sdk-go-v2, aws/retry.
func TestThrottlingCodes(t *testing.T) {
	for code := range strings.FieldsSeq(`
		Throttling ThrottlingException ThrottledException RequestThrottledException TooManyRequestsException
		ProvisionedThroughputExceededException TransactionInProgressException RequestLimitExceeded
		BandwidthLimitExceeded LimitExceededException RequestThrottled SlowDown PriorRequestNotComplete
		EC2ThrottledException`) {
		synctest.Test(t, func(t *testing.T) {
			var longest time.Duration
			for range 200 {
				var log []event.Event
				_ = retry.Policy{Attempts: 2}.Do(observe(&log), failing(api{coded{code}, 400}).call)
				longest = max(longest, log[0].Wait)
			}
			if longest < 900*time.Millisecond {
				t.Errorf("%s: the longest wait is %v, want that of a throttle", code, longest)
			}
		})
	}
}
