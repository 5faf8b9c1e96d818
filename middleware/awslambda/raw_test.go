package awslambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
	"github.com/seawall-go/seawall/retry"
)

// An echo is what many invocations at once must not mix up: every byte of it says whose it is.
type echo struct {
	N    int
	Text string
}

func echoOf(n int) echo {
	return echo{n, strings.Repeat(fmt.Sprintf("%04d ", n), 20+n%200)}
}

func answerEcho(_ context.Context, e echo) (echo, error) { return echoOf(e.N), nil }

func echoPolicies() []middleware.Policy {
	return []middleware.Policy{
		middleware.Recover{}, middleware.Timeout(time.Minute), retry.Policy{}, breaker.New(breaker.Config{}), middleware.NewBulkhead(64, 0),
	}
}

// naive is the wrapper that everybody writes.
type naive struct{ lambda.Handler }

func (n naive) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return n.Handler.Invoke(ctx, payload)
}

func serveRaw() {
	lambdatest.Serve("typed echo", func() { lambda.StartHandlerFunc(middleware.Wrap(answerEcho, echoPolicies()...)) })
	lambdatest.Serve("raw echo", func() { lambda.Start(awslambda.Raw(lambda.NewHandler(answerEcho), echoPolicies()...)) })
}

const (
	workers     = 16
	invocations = 2000
)

// crowd sends so many echoes from so many workers at once, and reports those that are not their own.
func crowd(t *testing.T, send func(payload []byte) ([]byte, error)) {
	t.Helper()
	work := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for n := range work {
				payload, _ := json.Marshal(echo{N: n})
				answer, err := send(payload)
				if want, _ := json.Marshal(echoOf(n)); err != nil || !bytes.Equal(answer, want) {
					t.Errorf("invocation %d was answered %.60q, %v", n, answer, err)
				}
			}
		})
	}
	for n := range invocations {
		work <- n
	}
	close(work)
	wg.Wait()
}

func TestNoResponseIsAnothers(t *testing.T) {
	for _, name := range []string{"typed echo", "raw echo"} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t, name, lambdatest.Config{Concurrency: workers})
			crowd(t, func(payload []byte) ([]byte, error) {
				result, err := f.Invoke(t.Context(), payload)
				if err == nil && result.Err != nil {
					err = result.Err
				}
				return result.Payload, err
			})
		})
	}
}

func TestNoResponseIsAnothersInProcess(t *testing.T) {
	for name, h := range map[string]awslambda.Handler{
		"NewHandler":         lambda.NewHandler(answerEcho),
		"wrapper around one": naive{lambda.NewHandler(answerEcho)},
	} {
		t.Run(name, func(t *testing.T) {
			raw := awslambda.Raw(h, echoPolicies()...)
			crowd(t, func(payload []byte) ([]byte, error) { return raw.Invoke(t.Context(), payload) })
		})
	}
}

// TestRegression_ResponseAliasesPool: what lambda.NewHandler's Invoke returns changes under whoever keeps it.
func TestRegression_ResponseAliasesPool(t *testing.T) {
	digits := func(_ context.Context, n int) (string, error) { return strings.Repeat(fmt.Sprint(n), 8), nil }
	raw := awslambda.Raw(lambda.NewHandler(digits))
	var kept [][]byte
	for n := 1; n <= 5; n++ {
		answer, err := raw.Invoke(t.Context(), fmt.Append(nil, n))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, answer)
	}
	for i, answer := range kept {
		if want := `"` + strings.Repeat(fmt.Sprint(i+1), 8) + `"`; string(answer) != want {
			t.Errorf("answer %d became %s", i+1, answer)
		}
	}
}

// TestRegression_PayloadIsTheNextEvent: a call that was left behind read the event after its own.
func TestRegression_PayloadIsTheNextEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan string, 1)
		late := middleware.Abandon(func(_ context.Context, payload []byte) ([]byte, error) {
			time.Sleep(time.Hour)
			read <- string(payload)
			return nil, nil
		}, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		payload := []byte(`{"n":1}`)
		if _, err := awslambda.HandlerFunc(late).Invoke(ctx, payload); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("err = %v, want a timeout", err)
		}
		copy(payload, `{"n":5}`) // as Lambda's loop does
		if got := <-read; got != `{"n":1}` {
			t.Errorf("the call that was left behind read %s", got)
		}
	})
}

// TestRegression_TwoRawsOneHandler: two Raws around one lambda.NewHandler, whose memory they share, mixed up responses.
func TestRegression_TwoRawsOneHandler(t *testing.T) {
	h := naive{lambda.NewHandler(answerEcho)}
	raws := []awslambda.HandlerFunc{awslambda.Raw(h), awslambda.Raw(h), awslambda.Raw(awslambda.Raw(h)), awslambda.Raw(naive{awslambda.Raw(h)})}
	var n atomic.Int64
	crowd(t, func(payload []byte) ([]byte, error) {
		return raws[int(n.Add(1))%len(raws)].Invoke(t.Context(), payload)
	})
}

// TestRegression_AttemptSeesWhatTheFirstWrote: a handler that changed its payload got the changed one again.
func TestRegression_AttemptSeesWhatTheFirstWrote(t *testing.T) {
	calls := 0
	raw := awslambda.Raw(handlerOf(func(payload []byte) ([]byte, error) {
		if calls++; string(payload) != "abc" {
			t.Errorf("attempt %d sees %s", calls, payload)
		}
		copy(payload, "ABC")
		return nil, errors.New("once more")
	}), retry.Policy{Base: -1})
	raw(t.Context(), []byte("abc"))
	if calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
}

// handlerOf is a handler that makes no copies.
type handlerOf func(payload []byte) ([]byte, error)

func (h handlerOf) Invoke(_ context.Context, payload []byte) ([]byte, error) { return h(payload) }

// TestRegression_OneHungWrapperHoldsUpAll: after a flush that never ended, every later invocation timed out.
func TestRegression_OneHungWrapperHoldsUpAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		raw := awslambda.Raw(lingering{lambda.NewHandler(func(n int) (int, error) { return n, nil }), func(answer []byte) {
			if string(answer) == "1" {
				<-hung
			}
		}})
		first, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			if answer, err := raw.Invoke(first, []byte("1")); answer != nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the response that others wrote into is %q, %v", answer, err)
			}
		}()
		synctest.Wait()
		start := time.Now()
		for n, want := range []time.Duration{time.Second, time.Second, time.Second} {
			later, cancel := context.WithTimeout(t.Context(), time.Minute)
			answer, err := raw.Invoke(later, fmt.Append(nil, n+2))
			cancel()
			if string(answer) != fmt.Sprint(n+2) || err != nil || time.Since(start) != want {
				t.Errorf("%d was answered %q, %v after %v", n+2, answer, err, time.Since(start))
			}
		}
		close(hung)
		<-done
	})
}

// A response whose context is over is as good as any if it is copied before somebody needs its memory.
func TestLateResponse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	raw := awslambda.Raw(lingering{lambda.NewHandler(func(n int) (int, error) { return n, nil }), func([]byte) { cancel() }})
	for n := range 3 {
		if answer, err := raw.Invoke(ctx, fmt.Append(nil, n)); string(answer) != fmt.Sprint(n) || err != nil {
			t.Errorf("%d was answered %q, %v", n, answer, err)
		}
	}
}

// lingering is a wrapper that has something to do when the handler has answered.
type lingering struct {
	lambda.Handler

	linger func(answer []byte)
}

func (l lingering) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := l.Handler.Invoke(ctx, payload)
	l.linger(answer)
	return answer, err
}

func TestAResponseWaitsForThoseBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		ran, answered := 0, 0
		handler := lambda.NewHandler(func(n int) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			ran++
			return strings.Repeat(fmt.Sprint(n), 8), nil
		})
		first := make(chan struct{})
		raw := awslambda.Raw(lingering{handler, func(answer []byte) {
			if strings.HasPrefix(string(answer), `"1`) {
				<-first
			}
		}})
		for n := 1; n <= 4; n++ {
			go func() {
				answer, err := raw.Invoke(t.Context(), fmt.Append(nil, n))
				if want := `"` + strings.Repeat(fmt.Sprint(n), 8) + `"`; err != nil || string(answer) != want {
					t.Errorf("%d was answered %s, %v", n, answer, err)
				}
				mu.Lock()
				defer mu.Unlock()
				answered++
			}()
			synctest.Wait()
		}
		if ran != 4 || answered != 0 {
			t.Errorf("%d calls ran and %d were answered while the first lingers; want 4 and 0", ran, answered)
		}
		close(first)
		synctest.Wait()
		if answered != 4 {
			t.Errorf("%d of 4 were answered", answered)
		}
	})
}

// twice is a wrapper that calls again and takes the second answer.
type twice struct{ lambda.Handler }

func (w twice) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if _, err := w.Handler.Invoke(ctx, payload); err != nil {
		return nil, err
	}
	return w.Handler.Invoke(ctx, payload)
}

func TestWrapperThatCallsTwice(t *testing.T) {
	raw := awslambda.Raw(twice{lambda.NewHandler(answerEcho)}, retry.Policy{})
	crowd(t, func(payload []byte) ([]byte, error) { return raw.Invoke(t.Context(), payload) })
}

// stubborn is a result that cannot be encoded, one way or another.
type stubborn string

func (s stubborn) MarshalJSON() ([]byte, error) {
	switch s {
	case "panic":
		panic("cannot be encoded")
	case "fail":
		return nil, errors.New("cannot be encoded")
	}
	return json.Marshal(string(s))
}

func TestCallsThatEndWithoutAResponse(t *testing.T) {
	handler := awslambda.Raw(lambda.NewHandler(func(do string) (any, error) {
		switch do {
		case "error":
			return nil, &orderError{"no stock"}
		case "handler panic":
			panic("no hope")
		case "reader":
			return strings.NewReader("plain"), nil
		}
		return stubborn(do), nil
	}))
	for _, tt := range []struct{ do, answer, err, panics string }{
		{do: "error", err: "no stock"},
		{do: "fail", err: "json: error calling MarshalJSON for type awslambda_test.stubborn: cannot be encoded"},
		{do: "panic", panics: "cannot be encoded"},
		{do: "handler panic", panics: "no hope"},
		{do: "reader", answer: "plain"},
		{do: "fine", answer: `"fine"`},
	} {
		func() {
			defer func() {
				if v := recover(); v != nil && v != tt.panics || v == nil && tt.panics != "" {
					t.Errorf("%s: panic %v, want %q", tt.do, v, tt.panics)
				}
			}()
			answer, err := handler.Invoke(t.Context(), fmt.Appendf(nil, "%q", tt.do))
			if string(answer) != tt.answer || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("%s: %q, %v; want %q, %q", tt.do, answer, err, tt.answer, tt.err)
			}
		}()
		// Whatever came of that one, it holds up nobody.
		if answer, err := handler.Invoke(t.Context(), []byte(`"fine"`)); string(answer) != `"fine"` || err != nil {
			t.Errorf("after %s: %q, %v", tt.do, answer, err)
		}
	}
}

func TestHandlerWithoutResult(t *testing.T) {
	handler := awslambda.Raw(lambda.NewHandler(func(context.Context, json.RawMessage) error { return nil }))
	for range 3 {
		if answer, err := handler.Invoke(t.Context(), []byte(`{}`)); string(answer) != "null" || err != nil {
			t.Errorf("%q, %v", answer, err)
		}
	}
}

func TestRawKeepsErrorAndNil(t *testing.T) {
	failed := &orderError{"no stock"}
	handler := awslambda.Raw(awslambda.HandlerFunc(func(_ context.Context, payload []byte) ([]byte, error) {
		if payload != nil {
			return []byte("partial"), failed
		}
		return nil, nil
	}), middleware.Timeout(time.Minute))
	if answer, err := handler.Invoke(t.Context(), []byte("x")); string(answer) != "partial" || err != error(failed) { //nolint:errorlint // the same value
		t.Errorf("%q, %v", answer, err)
	}
	if answer, err := handler.Invoke(t.Context(), nil); answer != nil || err != nil {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestRawNil(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "awslambda: Raw of a nil") {
			t.Errorf("panic %q", got)
		}
	}()
	awslambda.Raw(nil)
}

var _ lambda.Handler = awslambda.HandlerFunc(nil)

// hasty is a wrapper that answers before the handler it called does.
type hasty struct{ lambda.Handler }

func (h hasty) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if string(payload) != `"later"` {
		return h.Handler.Invoke(ctx, payload)
	}
	go h.Handler.Invoke(ctx, payload)
	return []byte("soon"), nil
}

func TestWrapperThatDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		raw := awslambda.Raw(hasty{lambda.NewHandler(func(do string) (string, error) {
			if do == "later" {
				<-release
			}
			return do, nil
		})})
		for _, do := range []string{"later", "now", "later", "now"} {
			if _, err := raw.Invoke(t.Context(), fmt.Appendf(nil, "%q", do)); err != nil {
				t.Fatal(err)
			}
		}
		close(release)
		synctest.Wait()
		if answer, err := raw.Invoke(t.Context(), []byte(`"now"`)); string(answer) != `"now"` { // or a deadlock
			t.Errorf("%s, %v", answer, err)
		}
	})
}

// pipeline is a wrapper that gives the answer of one handler to the next.
type pipeline []awslambda.Handler

func (p pipeline) Invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	for _, h := range p {
		if payload, err = h.Invoke(ctx, payload); err != nil {
			return nil, err
		}
	}
	return payload, nil
}

// A wrapper that called a bare handler and then a Raw one waited for itself, until its context ended.
func TestRegression_RawWaitsForTheRawAroundIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := lambda.NewHandler(func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Millisecond) // so that others come between
			return 2 * n, nil
		})
		raw := awslambda.Raw(pipeline{double, awslambda.Raw(pipeline{double, awslambda.Raw(double), double}), double, awslambda.Raw(double)})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				want := strconv.Itoa(64 * i)
				if out, err := raw.Invoke(t.Context(), []byte(strconv.Itoa(i))); string(out) != want || err != nil {
					t.Errorf("got %s, %v; want %s", out, err, want)
				}
			})
		}
		all.Wait()
	})
}
