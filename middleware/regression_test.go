package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
)

// A call that a policy left behind before it had begun ran with the next caller's input.
func TestRegression_LateCallRunsForNobody(t *testing.T) {
	start, ended := make(chan struct{}), make(chan error)
	careless := middleware.PolicyFunc(func(ctx context.Context, call do) error {
		if ctx.Err() == nil {
			return call(ctx)
		}
		go func() { <-start; ended <- call(ctx) }()
		return ctx.Err()
	})
	var served []string
	h := middleware.Wrap(func(_ context.Context, in string) (string, error) {
		served = append(served, in)
		return in, nil
	}, careless)

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := h(gone, "mallory"); out != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("left behind: %q, %v", out, err)
	}
	if out, err := h(t.Context(), "alice"); out != "alice" || err != nil {
		t.Errorf("the next caller: %q, %v", out, err)
	}
	close(start)
	if err := <-ended; err == nil || fmt.Sprint(served) != "[alice]" {
		t.Errorf("the late call got %v; served %v", err, served)
	}
}

// The second call of a hedge that began when the first had returned, and the next caller was being served, ran with that
// caller's input.
func TestRegression_LateSecondCallRunsForNobody(t *testing.T) {
	for _, later := range []int{1, 2, 3} {
		start, ended := make(chan struct{}), make(chan error)
		first := true
		hedge := middleware.PolicyFunc(func(ctx context.Context, call do) error {
			if first {
				first = false
				go func() { <-start; ended <- call(ctx) }()
			}
			return call(ctx)
		})
		var served []string
		var during error
		h := middleware.Wrap(func(_ context.Context, in string) (string, error) {
			served = append(served, in)
			if in == "alice" && during == nil {
				during = errors.New("is under way")
				close(start)
				during = <-ended
			}
			return in, nil
		}, hedge)
		want := []string{"mallory"}
		for range later - 1 {
			want = append(want, "bob")
		}
		want = append(want, "alice")
		for _, in := range want {
			if out, err := h(t.Context(), in); out != in || err != nil {
				t.Errorf("%s got %q, %v", in, out, err)
			}
		}
		if during == nil || fmt.Sprint(served) != fmt.Sprint(want) {
			t.Errorf("the late call got %v; served %q, want %q", during, served, want)
		}
	}
}

// A call that was late for its frame, lying idle, ran without an input.
func TestRegression_CallOfAnIdleFrameRunsForNobody(t *testing.T) {
	var late func() error
	calls := 0
	hold := middleware.PolicyFunc(func(ctx context.Context, call do) error {
		late = func() error { return call(ctx) }
		return call(ctx)
	})
	for name, h := range map[string]func(string) (string, error){
		"Wrap": func() func(string) (string, error) {
			h := middleware.Wrap(func(_ context.Context, in string) (string, error) { calls++; return in, nil }, hold)
			return func(in string) (string, error) { return h(t.Context(), in) }
		}(),
		"Call": func(in string) (string, error) {
			return middleware.Call(t.Context(), func(context.Context) (string, error) { calls++; return in, nil }, hold)
		},
	} {
		calls = 0
		if out, err := h("in"); out != "in" || err != nil || calls != 1 {
			t.Fatalf("%s: got %q, %v after %d calls", name, out, err, calls)
		}
		if err := late(); err == nil || calls != 1 {
			t.Errorf("%s: the late call: %v, after %d calls", name, err, calls)
		}
	}
}

// A policy that returned nil though it had made no call gave its caller an empty result and no error.
func TestRegression_NoCallIsNoSuccess(t *testing.T) {
	begin := make(chan struct{})
	defer close(begin)
	for name, p := range map[string]middleware.PolicyFunc{
		"never calls":     func(context.Context, do) error { return nil },
		"is yet to begin": func(ctx context.Context, call do) error { go func() { <-begin; _ = call(ctx) }(); return nil },
	} {
		handler := func(context.Context, int) (int, error) { return 7, nil }
		if out, err := middleware.Wrap(handler, p)(t.Context(), 1); err == nil {
			t.Errorf("Wrap, a policy that %s: %d and no error", name, out)
		}
		if out, err := middleware.Call(t.Context(), func(ctx context.Context) (int, error) { return handler(ctx, 1) }, p); err == nil {
			t.Errorf("Call, a policy that %s: %d and no error", name, out)
		}
	}
}

// A policy that handed on a context of its own made Wrap look for a hold that was not there.
func TestRegression_ForeignContextOfAStream(t *testing.T) {
	foreign := middleware.PolicyFunc(func(_ context.Context, call do) error { return call(context.Background()) })
	stream := &closing{}
	for _, want := range []any{1, stream} {
		out, err := middleware.Wrap(func(context.Context, int) (any, error) { return want, nil }, repeatOnce, foreign)(t.Context(), 1)
		if out != want || err != nil {
			t.Errorf("got %v, %v; want %v", out, err, want)
		}
	}
	if !stream.closed { // by the second attempt
		t.Error("the first attempt's stream was left open")
	}
}

// A stream that a policy made an error of came out beside the error, where nobody looks for something to close.
func TestRegression_StreamOfAnErrorIsClosed(t *testing.T) {
	boom := errors.New("boom")
	for name, p := range map[string]middleware.Policy{
		"an error after a success": middleware.PolicyFunc(func(ctx context.Context, call do) error { _ = call(ctx); return boom }),
		"a panic after a success":  middleware.Join(repeatOnce, middleware.Recover{}),
	} {
		var s *closing
		h := middleware.Wrap(func(ctx context.Context, _ int) (io.Reader, error) {
			if s != nil {
				panic(boom)
			}
			s = &closing{pipe: pipe{ctx: ctx}}
			return s, nil
		}, p, middleware.Timeout(time.Minute))
		if out, err := h(t.Context(), 1); out != nil || err == nil {
			t.Errorf("%s: got %v, %v", name, out, err)
		}
		if !s.closed || s.ctx.Err() == nil {
			t.Errorf("%s: the stream was left: closed %v, context %v", name, s.closed, s.ctx.Err())
		}
	}
	own := &closing{}
	h := middleware.Wrap(func(context.Context, int) (io.Reader, error) { return own, boom }, quiet)
	if out, err := h(t.Context(), 1); out != io.Reader(own) || err != boom || own.closed { //nolint:errorlint // the same value
		t.Errorf("what the handler itself returned beside an error: %v, %v", out, err)
	}
}

// Around Abandon, a Recover has the stack of the goroutine that waited.
func TestStackOfAPanicBehindAbandon(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var seen error
	watch := middleware.Observe(func(_ context.Context, e middleware.Event) {
		if e.Policy == "abandon" {
			seen = e.Err
		}
	})
	_, err := middleware.Abandon(middleware.Wrap(panicsHere, middleware.Recover{}), time.Second)(ctx, 1)
	_, _ = middleware.Wrap(middleware.Abandon(panicsHere, time.Second), watch, middleware.Recover{})(ctx, 1)
	for name, err := range map[string]error{"Recover inside": err, "the event": seen} {
		var p *middleware.PanicError
		if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "panicsHere") {
			t.Errorf("%s does not know where it panicked: %#v", name, err)
		}
	}
}

func panicsHere(context.Context, int) (int, error) { panic("boom") }

// A result that was not awaited is not an empty success.
func TestRegression_LostResultIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impatient := middleware.PolicyFunc(func(ctx context.Context, call do) error {
			go func() { _ = call(ctx) }()
			synctest.Wait()
			return nil
		})
		h := middleware.Wrap(func(context.Context, int) (int, error) { time.Sleep(time.Minute); return 7, nil }, impatient)
		if out, err := h(t.Context(), 1); out != 0 || err == nil {
			t.Errorf("got %d, %v", out, err)
		}
		time.Sleep(time.Hour)
	})
}

// readerFunc is a stream that does something for each chunk.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// What a stream does while it is read kept its contexts for ever.
func TestRegression_CallsOfAStreamEndTheirContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inner context.Context
		h := middleware.Wrap(func(ctx context.Context, _ int) (io.Reader, error) {
			return readerFunc(func(p []byte) (int, error) {
				_ = middleware.Timeout(time.Minute).Do(ctx, func(ctx context.Context) error { inner = ctx; ctx.Done(); return nil })
				return len(p), nil
			}), nil
		}, middleware.Timeout(time.Hour))
		r, err := h(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = r.Read(make([]byte, 1))
		if inner.Err() == nil {
			t.Error("the context of a call that is over is alive")
		}
	})
}

// A caller whose deadline came while it waited for a place was counted against the dependency that nobody had called.
func TestRegression_FullBulkheadDoesNotOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := middleware.NewBulkhead(1, time.Hour)
		release := make(chan struct{})
		go func() { _ = full.Do(t.Context(), func(context.Context) error { <-release; return nil }) }()
		synctest.Wait()
		b := breaker.New(breaker.Config{})
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := middleware.Join(b, middleware.Timeout(time.Second/2), full).Do(ctx, func(context.Context) error { t.Error("called"); return nil })
			if !errors.Is(err, middleware.ErrFull) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		if s := b.State(); s != breaker.Closed {
			t.Errorf("the breaker is %s", s)
		}
		close(release)
	})
}

// A panic with a refusal in it was taken for the refusal.
func TestRegression_PanicIsNotWhatItPanickedWith(t *testing.T) {
	for _, value := range []error{&breaker.OpenError{}, context.DeadlineExceeded} {
		err := middleware.Recover{}.Do(t.Context(), func(context.Context) error { panic(value) })
		if refusal.Is(err) || refusal.Status(err) != 0 || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a panic with %T reads as one: %v", value, err)
		}
	}
}

// endless is a context whose deadline is the zero time.
type endless struct{ context.Context } //nolint:containedctx // it is a context

func (endless) Deadline() (time.Time, bool) { return time.Time{}, true }

// The time that was left overflowed, and the call was made.
func TestRegression_DeadlineBeforeAllTime(t *testing.T) {
	ctx := endless{t.Context()}
	var refused *middleware.ReserveError
	if err := middleware.Reserve(1<<62).Do(ctx, func(context.Context) error { t.Error("called"); return nil }); !errors.As(err, &refused) {
		t.Errorf("Reserve: %v", err)
	}
	if _, err := middleware.Abandon(func(context.Context, int) (int, error) { t.Error("called"); return 0, nil }, 1<<62)(ctx, 0); !errors.As(err, &refused) {
		t.Errorf("Abandon: %v", err)
	}
}

// A late result that held a connection held it for ever, and its panic would have ended the process.
func TestRegression_LateStreamIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &closing{}
		var none *closing
		for _, out := range []*closing{late, none} {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			_, err := middleware.Abandon(func(context.Context, int) (*closing, error) { time.Sleep(time.Hour); return out, nil }, time.Second)(ctx, 0)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if !late.closed {
			t.Error("it was not closed")
		}
	})
}

func TestAbandonEndsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, h := range map[string]middleware.Handler[int, any]{
			"value":  func(context.Context, int) (any, error) { return 1, nil },
			"error":  func(context.Context, int) (any, error) { return &closing{}, errors.New("boom") },
			"panic":  func(context.Context, int) (any, error) { panic("boom") },
			"goexit": func(context.Context, int) (any, error) { runtime.Goexit(); return 0, nil },
			"late":   func(context.Context, int) (any, error) { time.Sleep(time.Hour); return 1, nil },
		} {
			var inner context.Context
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				_, _ = middleware.Abandon(func(ctx context.Context, in int) (any, error) { inner = ctx; return h(ctx, in) }, time.Second)(ctx, 0)
			}()
			<-done
			synctest.Wait()
			if inner.Err() == nil {
				t.Errorf("%s: the handler's context is alive", name)
			}
			cancel()
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestAbandonTellsObservers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kinds []middleware.Kind
		watch := middleware.Observe(func(_ context.Context, e middleware.Event) { kinds = append(kinds, e.Kind) })
		deaf := middleware.Abandon(func(context.Context, int) (int, error) { time.Sleep(time.Hour); return 0, nil }, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		time.AfterFunc(time.Second, cancel)
		_ = watch.Do(ctx, func(ctx context.Context) error { _, err := deaf(ctx, 0); return err })
		loud := middleware.Abandon(func(context.Context, int) (int, error) { panic("boom") }, time.Second)
		other, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		_ = middleware.Join(watch, middleware.Recover{}).Do(other, func(ctx context.Context) error { _, err := loud(ctx, 0); return err })
		if got, want := fmt.Sprint(kinds), "[abandon panic panic]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		time.Sleep(2 * time.Hour)
	})
}

// An error of another kind that comes late, when the caller has gone, is not the timeout's.
func TestTimeoutTellsCancellationFromItsOwnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := middleware.Timeout(time.Hour).Do(ctx, func(context.Context) error { cancel(); return context.DeadlineExceeded })
		if err != context.DeadlineExceeded { //nolint:errorlint // the same value
			t.Errorf("got %v", err)
		}
		refused := &middleware.ReserveError{}
		err = middleware.Timeout(time.Second).Do(t.Context(), policytest.NewScript(policytest.Step{Takes: time.Minute, Deaf: true, Err: refused}).Call)
		if err != error(refused) { //nolint:errorlint // the same value
			t.Errorf("a refusal that comes late: got %v", err)
		}
	})
}

// A TimeoutError around the error of a request that is not repeated had the adapter's wrapper in it.
func TestRegression_TimeoutErrorHasTheCallsOwnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := middleware.Timeout(time.Second).Do(t.Context(), func(ctx context.Context) error {
			<-ctx.Done()
			return refusal.Last(ctx.Err())
		})
		var late *middleware.TimeoutError
		if !errors.As(err, &late) || late.Err != context.DeadlineExceeded || !refusal.IsLast(err) { //nolint:errorlint // the same value
			t.Errorf("got %#v", err)
		}
	})
}
