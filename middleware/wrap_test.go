package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/middleware"
)

type do = func(context.Context) error

// named returns a policy that writes its name down when a call comes and goes.
func named(log *[]string, name string) middleware.Policy {
	return middleware.PolicyFunc(func(ctx context.Context, call do) error {
		*log = append(*log, name+" in")
		defer func() { *log = append(*log, name+" out") }()
		return call(ctx)
	})
}

func TestFirstListedIsOutermost(t *testing.T) {
	const want = "a in, b in, c in, handler, c out, b out, a out"
	for name, run := range map[string]func(log *[]string, a, b, c middleware.Policy, h do) error{
		"Wrap": func(_ *[]string, a, b, c middleware.Policy, h do) error {
			_, err := middleware.Wrap(func(ctx context.Context, _ int) (int, error) { return 0, h(ctx) }, a, b, c)(t.Context(), 0)
			return err
		},
		"WrapErr": func(_ *[]string, a, b, c middleware.Policy, h do) error {
			return middleware.WrapErr(func(ctx context.Context, _ int) error { return h(ctx) }, a, b, c)(t.Context(), 0)
		},
		"Call": func(_ *[]string, a, b, c middleware.Policy, h do) error {
			_, err := middleware.Call(t.Context(), func(ctx context.Context) (int, error) { return 0, h(ctx) }, a, b, c)
			return err
		},
		"Join": func(_ *[]string, a, b, c middleware.Policy, h do) error {
			return middleware.Join(a, b, c).Do(t.Context(), h)
		},
		"Join of a Join": func(_ *[]string, a, b, c middleware.Policy, h do) error {
			return middleware.Join(a, middleware.Join(b, c)).Do(t.Context(), h)
		},
		"Chain": func(_ *[]string, a, b, c middleware.Policy, h do) error {
			layer := func(p middleware.Policy) middleware.Middleware[int, int] {
				return func(next middleware.Handler[int, int]) middleware.Handler[int, int] { return middleware.Wrap(next, p) }
			}
			_, err := middleware.Chain(func(ctx context.Context, _ int) (int, error) { return 0, h(ctx) }, layer(a), layer(b), layer(c))(t.Context(), 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log []string
			err := run(&log, named(&log, "a"), named(&log, "b"), named(&log, "c"), func(context.Context) error {
				log = append(log, "handler")
				return nil
			})
			if got := strings.Join(log, ", "); got != want || err != nil {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
		})
	}
}

func TestWrapReturnsWhatTheHandlerReturns(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		out int
		err error
	}{{0, nil}, {7, nil}, {0, boom}, {7, boom}} {
		h := middleware.Wrap(func(context.Context, string) (int, error) { return tt.out, tt.err }, quiet, quiet)
		if out, err := h(t.Context(), "in"); out != tt.out || err != tt.err { //nolint:errorlint // the same value
			t.Errorf("got %d, %v; want %d, %v", out, err, tt.out, tt.err)
		}
	}
}

func TestRefusedHandlerHasNoResult(t *testing.T) {
	refused := errors.New("refused")
	admit := true
	h := middleware.Wrap(func(context.Context, int) (string, error) { return "secret", nil },
		middleware.PolicyFunc(func(ctx context.Context, call do) error {
			if admit {
				return call(ctx)
			}
			return refused
		}))
	if out, err := h(t.Context(), 1); out != "secret" || err != nil {
		t.Fatalf("admitted: got %q, %v", out, err)
	}
	admit = false
	if out, err := h(t.Context(), 1); out != "" || !errors.Is(err, refused) {
		t.Errorf("refused after an admitted call: got %q, %v; want the zero result", out, err)
	}
}

func TestRepeatedHandlerGetsItsInputAgain(t *testing.T) {
	calls := 0
	h := middleware.Wrap(func(_ context.Context, in string) (string, error) {
		calls++
		if calls < 3 {
			return "early", errors.New("not yet")
		}
		return in, nil
	}, middleware.PolicyFunc(func(ctx context.Context, call do) error {
		for call(ctx) != nil {
		}
		return nil
	}))
	if out, err := h(t.Context(), "input"); out != "input" || err != nil || calls != 3 {
		t.Errorf("got %q, %v after %d calls", out, err, calls)
	}
}

func TestWrapKeepsInvocationsApart(t *testing.T) {
	h := middleware.Wrap(func(ctx context.Context, in int) (string, error) {
		runtime.Gosched()
		if in%3 == 0 {
			return "", fmt.Errorf("%d", in)
		}
		return fmt.Sprint(in), ctx.Err()
	}, middleware.Timeout(time.Minute), middleware.Recover{}, middleware.NewBulkhead(100, 0), quiet)
	var workers sync.WaitGroup
	for w := range 16 {
		workers.Go(func() {
			for i := range 2000 / 16 {
				in := w*1000 + i
				out, err := h(t.Context(), in)
				if in%3 == 0 {
					if out != "" || err == nil || err.Error() != fmt.Sprint(in) {
						t.Errorf("%d got %q, %v", in, out, err)
					}
				} else if out != fmt.Sprint(in) || err != nil {
					t.Errorf("%d got %q, %v", in, out, err)
				}
			}
		})
	}
	workers.Wait()
}

// A policy that breaks its promise and leaves a call running loses that call's result, but mixes up no other.
func TestAbandonedCallTouchesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impatient := middleware.PolicyFunc(func(ctx context.Context, call do) error {
			go func() { _ = call(ctx) }()
			time.Sleep(time.Second)
			return nil
		})
		h := middleware.Wrap(func(_ context.Context, in int) (int, error) {
			if in == 1 {
				time.Sleep(time.Minute)
			}
			return in, nil
		}, impatient)
		if out, err := h(t.Context(), 1); out != 0 || err == nil {
			t.Errorf("an abandoned call returned %d, %v", out, err)
		}
		for range 100 {
			if out, _ := h(t.Context(), 2); out != 2 {
				t.Errorf("the call after it returned %d, want 2", out)
			}
		}
	})
}

func TestPanickedFrameIsClean(t *testing.T) {
	h := middleware.Wrap(func(_ context.Context, in int) (int, error) {
		if in == 1 {
			panic("one")
		}
		return in, nil
	}, middleware.Recover{})
	for range 100 {
		if out, err := h(t.Context(), 1); out != 0 || err == nil {
			t.Fatalf("a panicked call returned %d, %v", out, err)
		}
		if out, err := h(t.Context(), 2); out != 2 || err != nil {
			t.Fatalf("the call after it returned %d, %v", out, err)
		}
	}
}

// The result of an attempt counts, also after one that panicked.
func TestResultAfterAPanickedAttempt(t *testing.T) {
	calls := 0
	h := middleware.Wrap(func(_ context.Context, in int) (int, error) {
		if calls++; calls == 1 {
			panic("once")
		}
		return in, nil
	}, repeatOnce, middleware.Recover{})
	if out, err := h(t.Context(), 7); out != 7 || err != nil || calls != 2 {
		t.Errorf("got %d, %v after %d calls", out, err, calls)
	}
}

// A slice of policies belongs to its caller, who may change it.
func TestWrapCopiesItsPolicies(t *testing.T) {
	policies := []middleware.Policy{quiet}
	h := middleware.Wrap(bare, policies...)
	joined := middleware.Join(policies...)
	policies[0] = nil
	if _, err := h(t.Context(), order{}); err != nil {
		t.Error(err)
	}
	if err := joined.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestNonsensePanics(t *testing.T) {
	for want, construct := range map[string]func(){
		"Wrap of a nil handler":         func() { middleware.Wrap[int, int](nil) },
		"WrapErr of a nil handler":      func() { middleware.WrapErr[int](nil) },
		"Chain of a nil handler":        func() { middleware.Chain[int, int](nil) },
		"Wrap: policy 2 of 2 is nil":    func() { middleware.Wrap(bare, quiet, nil) },
		"Timeout(0s)":                   func() { middleware.Timeout(0) },
		"Timeout(-1s)":                  func() { middleware.Timeout(-time.Second) },
		"Reserve(0s)":                   func() { middleware.Reserve(0) },
		"NewBulkhead(0, 0s)":            func() { middleware.NewBulkhead(0, 0) },
		"NewBulkhead(1, -1s)":           func() { middleware.NewBulkhead(1, -time.Second) },
		"Observe(nil)":                  func() { middleware.Observe(nil) },
		"Fallback: want a handler":      func() { middleware.Fallback[int, int](nil, nil) },
		"Abandon(h, 0s)":                func() { middleware.Abandon(bare, 0) },
		"middleware: Join: policy 1 of": func() { middleware.Join(nil) },
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "middleware: ") || !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			construct()
		})
	}
}

func TestRepeats(t *testing.T) {
	repeats := func(p middleware.Policy) bool {
		r, ok := p.(interface{ Repeats() bool })
		return ok && r.Repeats()
	}
	if repeats(middleware.Join(quiet, middleware.Recover{})) {
		t.Error("a Join of policies that call once repeats")
	}
	if !repeats(middleware.Join(quiet, middleware.Join(repeater{}))) {
		t.Error("a Join with a policy that repeats does not")
	}
}

type repeater struct{}

func (repeater) Do(ctx context.Context, call func(context.Context) error) error { return call(ctx) }
func (repeater) Repeats() bool                                                  { return true }

// pipe is a stream whose reads fail once ctx has ended, as those of a handler that pumps in a goroutine do.
type pipe struct {
	ctx    context.Context //nolint:containedctx // as a stream of a handler has it
	chunks []string
}

func (p *pipe) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	if len(p.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.chunks[0])
	p.chunks = p.chunks[1:]
	return n, nil
}

func TestStreamOutlivesTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := func(ctx context.Context, _ int) (*pipe, error) {
			return &pipe{ctx, strings.Split("five chunks stay five chunks", " ")}, nil
		}
		invocation, respond := context.WithTimeout(t.Context(), time.Minute)
		for name, h := range map[string]func(context.Context, int) (io.Reader, error){
			"typed": func(ctx context.Context, in int) (io.Reader, error) {
				return middleware.Wrap(stream, middleware.Timeout(time.Second), middleware.Timeout(2*time.Second))(ctx, in)
			},
			"io.Reader": middleware.Wrap(func(ctx context.Context, in int) (io.Reader, error) { return stream(ctx, in) },
				middleware.Reserve(time.Second)),
			"any": func(ctx context.Context, in int) (io.Reader, error) {
				out, err := middleware.Wrap(func(ctx context.Context, in int) (any, error) { return stream(ctx, in) },
					middleware.Timeout(time.Second))(ctx, in)
				return out.(io.Reader), err
			},
			"Abandon": func(ctx context.Context, in int) (io.Reader, error) {
				return middleware.Abandon(stream, time.Second)(ctx, in)
			},
		} {
			r, err := h(invocation, 0)
			if err != nil {
				t.Fatal(name, err)
			}
			p := r.(*pipe)
			for len(p.chunks) > 0 {
				want := p.chunks[0]
				b := make([]byte, 100)
				if n, err := r.Read(b); string(b[:n]) != want || err != nil {
					t.Fatalf("%s: read %q, %v; want %q", name, b[:n], err, want)
				}
			}
			if _, err := r.Read(nil); !errors.Is(err, io.EOF) {
				t.Errorf("%s: at its end: %v", name, err)
			}
			defer func() {
				if p.ctx.Err() == nil {
					t.Errorf("%s: the stream's context outlives the invocation", name)
				}
			}()
		}
		respond()
	})
}

// closing is a stream that knows whether it was closed.
type closing struct {
	pipe

	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestDiscardedStreamIsClosed(t *testing.T) {
	var attempts []*closing
	h := middleware.Wrap(func(ctx context.Context, _ int) (*closing, error) {
		attempts = append(attempts, &closing{pipe: pipe{ctx: ctx}})
		return attempts[len(attempts)-1], nil
	}, repeatOnce, middleware.Timeout(time.Minute))
	if out, err := h(t.Context(), 0); out != attempts[1] || err != nil || out.closed || out.ctx.Err() != nil {
		t.Errorf("the last attempt's stream: %+v, %v", out, err)
	}
	if first := attempts[0]; !first.closed || first.ctx.Err() == nil {
		t.Errorf("the first attempt's stream was left: closed %v, context %v", first.closed, first.ctx.Err())
	}
	if _, err := middleware.Wrap(func(context.Context, int) (*closing, error) { return nil, errors.New("boom") }, repeatOnce)(t.Context(), 0); err == nil {
		t.Error("no error")
	}
}

var repeatOnce = middleware.PolicyFunc(func(ctx context.Context, call do) error {
	_ = call(ctx)
	return call(ctx)
})

func TestStreamEndsWithTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := middleware.Wrap(func(ctx context.Context, _ int) (io.Reader, error) { return &pipe{ctx, []string{"late"}}, nil },
			middleware.Timeout(time.Second))
		r, err := h(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := r.Read(make([]byte, 9)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a read after the timeout: %v", err)
		}
	})
}

func TestResultThatIsNoStreamEndsItsContext(t *testing.T) {
	var inner context.Context
	for name, h := range map[string]func(context.Context, int) (any, error){
		"a value": func(ctx context.Context, _ int) (any, error) { inner = ctx; return 1, nil },
		"nil":     func(ctx context.Context, _ int) (any, error) { inner = ctx; return nil, nil },
		"error":   func(ctx context.Context, _ int) (any, error) { inner = ctx; return nil, errors.New("boom") },
	} {
		_, _ = middleware.Wrap(h, middleware.Timeout(time.Minute))(t.Context(), 0)
		if !errors.Is(inner.Err(), context.Canceled) {
			t.Errorf("%s: after the call its context says %v", name, inner.Err())
		}
	}
}

func TestWrapAllocates(t *testing.T) {
	ctx := t.Context()
	for name, tt := range map[string]struct {
		run  func()
		want float64
	}{
		"Wrap, one policy": {calling(ctx, middleware.Wrap(bare, quiet)), 0},
		"Wrap, five policies": {calling(ctx, middleware.Wrap(bare, quiet, quiet, middleware.Recover{},
			middleware.NewBulkhead(1, 0), middleware.Join(quiet))), 0},
		"Timeout": {calling(ctx, middleware.Wrap(bare, middleware.Timeout(time.Minute))), 1},
	} {
		if raceEnabled {
			t.Skip("the race detector drops pooled values")
		}
		if got := testing.AllocsPerRun(1000, tt.run); got != tt.want {
			t.Errorf("%s: %v allocations, want %v", name, got, tt.want)
		}
	}
}

func calling(ctx context.Context, h middleware.Handler[order, receipt]) func() {
	return func() { _, _ = h(ctx, order{ID: "1"}) }
}
