package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/internal/wall"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
	"github.com/seawall-go/seawall/retry"
)

var errDown = errors.New("down")

func succeed(context.Context) error { return nil }

func fail(context.Context) error { return errDown }

// opened returns a breaker of config that failures have opened.
func opened(t testing.TB, config breaker.Config) *breaker.Breaker {
	t.Helper()
	b := breaker.New(config)
	for range 5 {
		_ = b.Do(t.Context(), fail)
	}
	if b.State() != breaker.Open {
		t.Fatalf("after five failures it is %s, want open", b.State())
	}
	return b
}

// refused makes a call that b has to refuse.
func refused(t testing.TB, b *breaker.Breaker) *breaker.OpenError {
	t.Helper()
	err := b.Do(t.Context(), func(context.Context) error {
		t.Error("the call was made, want it refused")
		return nil
	})
	open, ok := errors.AsType[*breaker.OpenError](err)
	if !ok {
		t.Fatalf("Do = %v, want an *OpenError", err)
	}
	return open
}

// halfOpened returns a breaker of config that is due for a probe.
func halfOpened(t testing.TB, config breaker.Config) *breaker.Breaker {
	t.Helper()
	b := opened(t, config)
	time.Sleep(refused(t, b).RetryAfter())
	want(t, b, breaker.HalfOpen)
	return b
}

func want(t testing.TB, b *breaker.Breaker, state breaker.State) {
	t.Helper()
	if got := b.State(); got != state {
		t.Errorf("it is %s, want %s", got, state)
	}
}

// A running call is one that waits to be told how to end.
type running struct {
	made   atomic.Bool
	cancel context.CancelFunc
	end    chan func() error
	err    chan error
}

// start makes a call in a goroutine of its own.
func start(b *breaker.Breaker) *running {
	ctx, cancel := context.WithCancel(context.Background())
	c := &running{cancel: cancel, end: make(chan func() error, 1), err: make(chan error, 1)}
	go func() {
		defer cancel()
		returned := false
		defer func() {
			if v := recover(); v != nil || !returned {
				c.err <- fmt.Errorf("ended by %v", v)
			}
		}()
		err := b.Do(ctx, func(context.Context) error {
			c.made.Store(true)
			return (<-c.end)()
		})
		returned = true
		c.err <- err
	}()
	synctest.Wait()
	return c
}

// exit is what t.FailNow does.
func exit() error {
	runtime.Goexit()
	return nil
}

func (c *running) finish(err error) error {
	return c.finishBy(func() error { return err })
}

func (c *running) finishBy(end func() error) error {
	c.end <- end
	return <-c.err
}

func TestPolicy(t *testing.T) {
	for name, config := range map[string]breaker.Config{
		"default":  {},
		"twitchy":  {Failures: 1, Slow: time.Second},
		"by ratio": {Failures: -1, MinCalls: 1, Probes: 3},
	} {
		t.Run(name, func(t *testing.T) {
			policytest.Run(t, func(*testing.T) middleware.Policy { return breaker.New(config) })
		})
	}
}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Name: "payments"})
		for i := range 5 {
			want(t, b, breaker.Closed)
			if err := b.Do(t.Context(), fail); err != errDown { //nolint:errorlint // the same value
				t.Fatalf("call %d: Do = %v, want the call's error", i, err)
			}
			time.Sleep(time.Hour) // few calls are enough
		}
		want(t, b, breaker.HalfOpen) // an hour is longer than it stays open
		_ = b.Do(t.Context(), fail)
		want(t, b, breaker.Open)
		time.Sleep(refused(t, b).RetryAfter() - 1)
		want(t, b, breaker.Open)
		_ = refused(t, b)
		time.Sleep(time.Nanosecond)
		want(t, b, breaker.HalfOpen)
		if err := b.Do(t.Context(), succeed); err != nil {
			t.Errorf("the probe: Do = %v, want <nil>", err)
		}
		want(t, b, breaker.Closed)
	})
}

func TestRatio(t *testing.T) {
	const ok, bad = true, false
	times := func(n int, ends ...bool) []bool { return slices.Repeat(ends, n) }
	for _, tt := range []struct {
		name   string
		config breaker.Config
		before []bool
		pause  time.Duration
		after  []bool
		want   breaker.State
	}{
		{"half of ten", breaker.Config{}, nil, 0, times(5, ok, bad), breaker.Open},
		{"half of nine", breaker.Config{}, times(4, bad, ok), 0, times(1, bad), breaker.Closed},
		{"less than half", breaker.Config{}, nil, 0, times(30, ok, ok, bad), breaker.Closed},
		{"exactly its ratio", breaker.Config{Ratio: 0.3}, times(7, ok), 0, times(3, bad), breaker.Open},
		{"few calls wanted", breaker.Config{MinCalls: 2}, nil, 0, times(1, ok, bad), breaker.Open},
		{"off", breaker.Config{Ratio: -1}, nil, 0, times(100, bad, bad, ok), breaker.Closed},
		{"not enough", breaker.Config{Failures: -1}, nil, 0, times(9, bad), breaker.Closed},
		{"just enough", breaker.Config{Failures: -1}, nil, 0, times(10, bad), breaker.Open},
		{"within the window", breaker.Config{}, times(2, ok, bad), 50 * time.Second, times(3, ok, bad), breaker.Open},
		{"beyond the window", breaker.Config{}, times(2, ok, bad), time.Minute, times(3, ok, bad), breaker.Closed},
		{"successes of old", breaker.Config{}, times(1000, ok), time.Minute, times(5, ok, bad), breaker.Open},
		{"successes lately", breaker.Config{}, times(1000, ok), time.Second, times(5, ok, bad), breaker.Closed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := breaker.New(tt.config)
				do := func(good bool) {
					call := fail
					if good {
						call = succeed
					}
					_ = b.Do(t.Context(), call)
				}
				for _, good := range tt.before {
					do(good)
				}
				time.Sleep(tt.pause)
				for _, good := range tt.after {
					do(good)
				}
				want(t, b, tt.want)
			})
		})
	}
}

// reply is an error with what a server answered.
type reply struct {
	status int
	code   string
}

func (r reply) Error() string       { return fmt.Sprint(r.status, " ", r.code) }
func (r reply) HTTPStatusCode() int { return r.status }
func (r reply) ErrorCode() string   { return r.code }

func TestOutcomes(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()
	missing, harmless := errors.New("no such thing"), errors.New("harmless")
	classify := func(err error) breaker.Outcome {
		switch {
		case err == nil || refusal.Is(err) || errors.Is(err, context.Canceled):
			t.Errorf("Classify was asked about %v", err)
		case errors.Is(err, missing):
			return breaker.Success
		case errors.Is(err, harmless):
			return breaker.Ignore
		}
		return breaker.Failure
	}
	after := func(d time.Duration, err error) func(context.Context) error {
		return func(context.Context) error { time.Sleep(d); return err }
	}
	err := func(err error) func(context.Context) error { return after(0, err) }
	refused := fmt.Errorf("inside: %w", &breaker.OpenError{})
	unsure := func(error) breaker.Outcome { return breaker.Unknown }
	strict := func(error) breaker.Outcome { return breaker.Failure }

	const success, failure, nothing = "success", "failure", "nothing"
	for _, tt := range []struct {
		name   string
		config breaker.Config
		ctx    context.Context //nolint:containedctx // of a table
		call   func(context.Context) error
		want   string
	}{
		{"nil", breaker.Config{}, t.Context(), succeed, success},
		{"error", breaker.Config{}, t.Context(), fail, failure},
		{"cancelled by the caller", breaker.Config{}, cancelled, context.Context.Err, nothing},
		{"failed while the caller cancelled", breaker.Config{}, cancelled, fail, nothing},
		{"succeeded though cancelled", breaker.Config{}, cancelled, succeed, success},
		{"deadline exceeded", breaker.Config{}, expired, context.Context.Err, failure},
		{"cancelled by somebody else", breaker.Config{}, t.Context(), err(context.Canceled), failure},
		{"refused inside", breaker.Config{}, t.Context(), err(refused), nothing},
		{"classified as success", breaker.Config{Classify: classify}, t.Context(), err(missing), success},
		{"classified as nothing", breaker.Config{Classify: classify}, t.Context(), err(harmless), nothing},
		{"classified as failure", breaker.Config{Classify: classify}, t.Context(), err(errDown), failure},
		{"nil is not for Classify", breaker.Config{Classify: classify}, t.Context(), succeed, success},
		{"nor is a cancelled call", breaker.Config{Classify: classify}, cancelled, context.Context.Err, nothing},
		{"nor is a refusal", breaker.Config{Classify: classify}, t.Context(), err(refused), nothing},
		{"the request was at fault", breaker.Config{}, t.Context(), err(fmt.Errorf("get: %w", reply{404, ""})), success},
		{"so says an AWS service", breaker.Config{}, t.Context(), err(reply{400, "ConditionalCheckFailedException"}), success},
		{"Classify does not know better", breaker.Config{Classify: unsure}, t.Context(), err(reply{404, ""}), success},
		{"Classify does", breaker.Config{Classify: strict}, t.Context(), err(reply{404, ""}), failure},
		{"Classify leaves it to the rules", breaker.Config{Classify: unsure}, t.Context(), fail, failure},
		{"throttled", breaker.Config{}, t.Context(), err(reply{429, ""}), failure},
		{"throttled by an AWS service", breaker.Config{}, t.Context(), err(reply{400, "ThrottlingException"}), failure},
		{"the server's timeout", breaker.Config{}, t.Context(), err(reply{408, ""}), failure},
		{"the server's fault", breaker.Config{}, t.Context(), err(reply{500, ""}), failure},
		{"not to be repeated", breaker.Config{}, t.Context(), err(retry.Permanent(errDown)), failure},
		{"just fast enough", breaker.Config{Slow: time.Second}, t.Context(), after(time.Second, nil), success},
		{"slow", breaker.Config{Slow: time.Second}, t.Context(), after(time.Second+1, nil), failure},
		{"slow, classified as success", breaker.Config{Slow: 1, Classify: classify}, t.Context(), after(2, missing), failure},
		{"slow for nothing", breaker.Config{Slow: time.Second}, cancelled, after(time.Minute, errDown), nothing},
		{"never slow", breaker.Config{}, t.Context(), after(time.Hour, nil), success},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.config.Failures, tt.config.Ratio = 2, -1
				b := breaker.New(tt.config)
				_ = b.Do(t.Context(), fail)
				_ = b.Do(tt.ctx, tt.call)
				got := success
				if b.State() == breaker.Open {
					got = failure
				} else if _ = b.Do(t.Context(), fail); b.State() == breaker.Open {
					got = nothing
				}
				if got != tt.want {
					t.Errorf("it counts as %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestOpenTimes(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		config breaker.Config
		want   []time.Duration // at least, and less than half as much again
	}{
		{breaker.Config{}, []time.Duration{10 * s, 20 * s, 40 * s, 60 * s, 60 * s}},
		{breaker.Config{OpenFor: s, MaxOpenFor: 2 * s}, []time.Duration{s, 2 * s, 2 * s}},
		{breaker.Config{OpenFor: s, MaxOpenFor: -1}, []time.Duration{s, s, s}},
		{breaker.Config{OpenFor: 120 * s}, []time.Duration{120 * s, 120 * s}},
		{breaker.Config{OpenFor: math.MaxInt64}, []time.Duration{math.MaxInt64 / 4}},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := opened(t, tt.config)
			for i, least := range tt.want {
				if i > 0 {
					_ = b.Do(t.Context(), fail)
				}
				wait := refused(t, b).RetryAfter()
				if wait < least || wait > least+least/2 {
					t.Errorf("%+v: the stay %d is %v, want %v and up to a half more", tt.config, i, wait, least)
				}
				time.Sleep(min(wait, 1000*time.Hour))
			}
		})
	}
}

func TestOpenTimeStartsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{})
		_ = b.Do(t.Context(), fail)
		time.Sleep(refused(t, b).RetryAfter())
		_ = b.Do(t.Context(), succeed)
		for range 5 {
			_ = b.Do(t.Context(), fail)
		}
		if wait := refused(t, b).RetryAfter(); wait > 15*time.Second {
			t.Errorf("after a recovery it stays open for %v, want as long as at first", wait)
		}
	})
}

func TestOpenTimesDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shortest, longest := time.Hour, time.Duration(0)
		for range 200 {
			wait := refused(t, opened(t, breaker.Config{OpenFor: 10 * time.Second})).RetryAfter()
			shortest, longest = min(shortest, wait), max(longest, wait)
		}
		if shortest > 11*time.Second || longest < 14*time.Second {
			t.Errorf("200 breakers of a fleet stay open from %v to %v, want them spread over 10s to 15s", shortest, longest)
		}
	})
}

func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{Probes: 3})
		for range 2 {
			if err := b.Do(t.Context(), succeed); err != nil {
				t.Fatalf("a probe: Do = %v, want <nil>", err)
			}
			want(t, b, breaker.HalfOpen)
			time.Sleep(time.Hour) // patience is for probes that hang, not for those that have not come
		}
		_ = b.Do(t.Context(), succeed)
		want(t, b, breaker.Closed)

		b = halfOpened(t, breaker.Config{Probes: 3})
		for _, call := range []func(context.Context) error{succeed, succeed, fail} {
			_ = b.Do(t.Context(), call)
		}
		want(t, b, breaker.Open)
	})
}

func TestProbeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpened(t, breaker.Config{Probes: 2, ProbeTimeout: time.Minute})
		hung := start(b)
		time.Sleep(time.Minute)
		other := start(b) // there was room for it all the time
		time.Sleep(time.Minute - 1)
		_ = refused(t, b)
		want(t, b, breaker.HalfOpen)
		time.Sleep(time.Nanosecond)
		refusal := refused(t, b)
		want(t, b, breaker.Open)
		if wait := refusal.RetryAfter(); wait < 20*time.Second {
			t.Errorf("it stays open for %v, want a new time, doubled", wait)
		}

		time.Sleep(refusal.RetryAfter())
		probe := start(b)
		_ = hung.finish(errDown)
		_ = other.finish(nil)
		want(t, b, breaker.HalfOpen) // they came too late to count
		_ = probe.finish(nil)
		want(t, b, breaker.HalfOpen)
		_ = b.Do(t.Context(), succeed)
		want(t, b, breaker.Closed)
	})
}

func TestFreeze(t *testing.T) {
	freeze := func(t *testing.T) { t.Cleanup(wall.Freeze(time.Hour)) }
	t.Run("the open time goes on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := opened(t, breaker.Config{})
			refusal := refused(t, b)
			freeze(t)
			if wait := refusal.RetryAfter(); wait != 1 {
				t.Errorf("after an hour RetryAfter = %v, want 1ns", wait)
			}
			want(t, b, breaker.HalfOpen)
			if err := b.Do(t.Context(), succeed); err != nil {
				t.Errorf("the probe: Do = %v, want <nil>", err)
			}
			want(t, b, breaker.Closed)
		})
	})
	t.Run("the window goes on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := breaker.New(breaker.Config{Failures: -1})
			for range 9 {
				_ = b.Do(t.Context(), fail)
			}
			freeze(t)
			_ = b.Do(t.Context(), fail)
			want(t, b, breaker.Closed)
		})
	})
	t.Run("failures in a row stay", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := breaker.New(breaker.Config{})
			for range 4 {
				_ = b.Do(t.Context(), fail)
			}
			freeze(t)
			_ = b.Do(t.Context(), fail)
			want(t, b, breaker.Open)
		})
	})
	t.Run("a probe's time goes on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := halfOpened(t, breaker.Config{})
			probe := start(b)
			_ = refused(t, b)
			want(t, b, breaker.HalfOpen)
			freeze(t)
			_ = refused(t, b)
			want(t, b, breaker.Open)
			_ = probe.finish(nil)
			want(t, b, breaker.Open)
		})
	})
	t.Run("a clock set back does not keep it open", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := opened(t, breaker.Config{})
			t.Cleanup(wall.Freeze(-time.Hour))
			time.Sleep(15 * time.Second)
			want(t, b, breaker.HalfOpen)
		})
	})
}

func TestOpenError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, breaker.Config{Name: "payments", OpenFor: 2 * time.Second})
		open := refused(t, b)
		if again := refused(t, b); again != open {
			t.Error("two refusals are two errors, want the same")
		}
		if !errors.Is(open, breaker.ErrOpen) || errors.Is(open, errDown) {
			t.Error("it is not ErrOpen alone")
		}
		if open.Name != "payments" || !refusal.Is(open) || refusal.Status(open) != 503 {
			t.Errorf("Name %q, Refused %v, HTTPStatus %d, want payments, true, 503",
				open.Name, open.Refused(), open.HTTPStatus())
		}
		whole := open.RetryAfter()
		if got, want := open.Error(), "breaker payments: open, retry in 3s"; whole > 2*time.Second && got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
		if open.RetryWithin(whole-1) || !open.RetryWithin(whole) {
			t.Error("RetryWithin does not know the wait of the refusal")
		}
		time.Sleep(whole - 1200*time.Microsecond)
		if got, want := open.Error(), "breaker payments: open, retry in 2ms"; got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
		if wait, ok := refusal.After(open); !ok || wait != 1200*time.Microsecond {
			t.Errorf("RetryAfter = %v, want what is left", wait)
		}
		time.Sleep(time.Hour)
		if got, want := open.Error(), "breaker payments: open"; got != want || open.RetryAfter() != 1 {
			t.Errorf("Error() = %q, RetryAfter() = %v, want %q, 1ns", got, open.RetryAfter(), want)
		}

		probe := start(b)
		probing := refused(t, b)
		time.Sleep(time.Second)
		if wait := probing.RetryAfter(); wait != 200*time.Millisecond {
			t.Errorf("while a probe is under way RetryAfter = %v, want a tenth of OpenFor", wait)
		}
		_ = probe.finish(nil)
	})
	if got, want := (&breaker.OpenError{}).Error(), "breaker: open"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var b *breaker.Breaker
		var got []event.Event
		var last time.Time
		do := func(who string, call func(context.Context) error) error {
			ctx := event.With(context.WithValue(t.Context(), key{}, who), func(ctx context.Context, e event.Event) {
				if ctx.Value(key{}) != who {
					t.Errorf("%s heard of what %v did", who, ctx.Value(key{}))
				}
				if e.Kind == event.Transition && e.To != string(b.State()) {
					t.Errorf("told that it is %s, State says %s", e.To, b.State())
				}
				got = append(got, e)
			})
			return b.Do(ctx, call)
		}
		expect := func(when string, events ...event.Event) {
			t.Helper()
			for i := range events {
				events[i].Policy, events[i].Name = "breaker", "payments"
			}
			for i, e := range got {
				if e.Kind == event.Transition {
					if late := time.Since(e.At); !e.At.After(last) || late < -time.Microsecond || late > 0 {
						t.Errorf("%s: at %v, %v ago, after %v", when, e.At, late, last)
					}
					last, got[i].At = e.At, time.Time{}
				}
				if e.To == string(breaker.Open) {
					if e.Wait < 10*time.Second {
						t.Errorf("%s: it says that it opens for %v", when, e.Wait)
					}
					got[i].Wait = 0 // has jitter
				}
			}
			if !slices.Equal(got, events) {
				t.Errorf("%s: got %+v, want %+v", when, got, events)
			}
			got = nil
		}
		turn := func(from, to breaker.State, err error) event.Event {
			return event.Event{Kind: event.Transition, From: string(from), To: string(to), Err: err}
		}

		b = breaker.New(breaker.Config{Name: "payments", Failures: 2, Slow: time.Second})
		_ = do("a", fail)
		expect("a call that fails")
		_ = do("a", fail)
		expect("one too many", turn(breaker.Closed, breaker.Open, errDown))
		refusal := refused(t, b)
		_ = do("b", succeed)
		expect("a refusal", event.Event{Kind: event.Refusal, Wait: refusal.RetryAfter(), Err: refusal})
		time.Sleep(refusal.RetryAfter())
		_ = do("c", func(context.Context) error {
			expect("a probe lets itself in", turn(breaker.Open, breaker.HalfOpen, nil))
			_ = do("d", succeed)
			refusal := refused(t, b)
			expect("another is refused", event.Event{Kind: event.Refusal, Wait: time.Second, Err: refusal})
			return nil
		})
		expect("the probe succeeds", turn(breaker.HalfOpen, breaker.Closed, nil))

		slow := func(context.Context) error { time.Sleep(time.Minute); return nil }
		_ = do("a", fail)
		_ = do("a", slow)
		if len(got) != 1 || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), "slow") {
			t.Errorf("a slow call opens it: got %+v, want an event that says so", got)
		}
		got = nil
		time.Sleep(refused(t, b).RetryAfter())
		func() {
			defer func() { _ = recover() }()
			_ = do("a", func(context.Context) error { panic("boom") })
		}()
		if len(got) != 2 || got[1].To != string(breaker.Open) || !strings.Contains(got[1].Err.Error(), "panicked") {
			t.Errorf("a panic opens it: got %+v, want events that say so", got)
		}
		got = nil
		time.Sleep(refused(t, b).RetryAfter())
		probe := start(b)
		time.Sleep(time.Minute)
		_ = do("e", succeed)
		if len(got) != 2 || got[0].To != string(breaker.Open) || got[1].Kind != event.Refusal ||
			!strings.Contains(got[0].Err.Error(), "did not end") {
			t.Errorf("a probe hangs: got %+v, want that it opens and refuses", got)
		}
		_ = probe.finish(nil)
	})
}

func TestPanicPassesOn(t *testing.T) {
	value := &struct{ text string }{"boom"}
	defer func() {
		stack := make([]byte, 1<<16)
		stack = stack[:runtime.Stack(stack, false)]
		if v := recover(); v != value {
			t.Errorf("out came %v, want the same value", v)
		}
		if !strings.Contains(string(stack), "breaker_test.boom") {
			t.Errorf("the stack does not show where it panicked:\n%s", stack)
		}
	}()
	_ = breaker.New(breaker.Config{}).Do(t.Context(), func(context.Context) error { return boom(value) })
}

//go:noinline
func boom(value any) error { panic(value) }

func TestPanicAndGoexitAreFailures(t *testing.T) {
	for name, end := range map[string]func() error{
		"panic":  func() error { panic("boom") },
		"Goexit": exit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := breaker.New(breaker.Config{Failures: 2})
				for range 2 {
					if err := start(b).finishBy(end); !strings.Contains(err.Error(), "ended by") {
						t.Errorf("Do returned %v", err)
					}
				}
				want(t, b, breaker.Open)
			})
		})
	}
}

func TestStress(t *testing.T) {
	b := breaker.New(breaker.Config{
		Failures: 2, MinCalls: 3, Window: 10, OpenFor: 1, MaxOpenFor: 2, Probes: 2, ProbeTimeout: 1,
	})
	var mu sync.Mutex
	balance := map[string]int{}
	ctx := event.With(t.Context(), func(_ context.Context, e event.Event) {
		if e.Kind == event.Transition {
			mu.Lock()
			balance[e.From]--
			balance[e.To]++
			mu.Unlock()
			_ = b.State()
		}
	})
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for i := range 500 {
				func() {
					defer func() { _ = recover() }()
					ctx, cancel := context.WithCancel(ctx)
					defer cancel()
					_ = b.Do(ctx, func(context.Context) error {
						switch i % 7 {
						case 0, 1, 2:
							return nil
						case 3:
							cancel()
							return errDown
						case 4:
							panic("boom")
						}
						return errDown
					})
				}()
			}
		})
	}
	all.Wait()
	for range 100 {
		_ = b.Do(ctx, succeed)
	}
	want(t, b, breaker.Closed)
	for state, n := range balance {
		if n != 0 { // it ends where it began
			t.Errorf("it came to be %s %+d times more often than it ceased to", state, n)
		}
	}
}

func TestNew(t *testing.T) {
	beyond := math.MaxInt32
	beyond++
	for want, config := range map[string]breaker.Config{
		"":                               {},
		"Failures and Ratio":             {Failures: -1, Ratio: -1},
		"Ratio is 50":                    {Ratio: 50},
		"Ratio is NaN":                   {Ratio: math.NaN()},
		"MinCalls is -1":                 {MinCalls: -1},
		"Window is -1m0s":                {Window: -time.Minute},
		"Window is 9ns":                  {Window: 9},
		"OpenFor is -1s":                 {OpenFor: -time.Second},
		"MaxOpenFor is 1s, less":         {MaxOpenFor: time.Second},
		"Probes is -1":                   {Probes: -1},
		"Probes is ":                     {Probes: beyond},
		"ProbeTimeout is -1ns: want how": {ProbeTimeout: -1},
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				v := recover()
				text, _ := v.(string)
				if want == "" && v != nil || want != "" && !strings.HasPrefix(text, "breaker: Config."+want) {
					t.Errorf("New panicked with %v, want %q", v, want)
				}
			}()
			breaker.New(config)
		})
	}
}
