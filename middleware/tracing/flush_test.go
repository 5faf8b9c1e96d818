package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
	"github.com/seawall-go/seawall/middleware/policytest"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// A flushFunc is a function that flushes.
type flushFunc func(context.Context) error

func (f flushFunc) ForceFlush(ctx context.Context) error { return f(ctx) }

// A provider flushes for as long as takes says, whatever its context, and counts.
type provider struct {
	takes         time.Duration
	began, ended  atomic.Int64
	most, running atomic.Int64
}

func (p *provider) ForceFlush(context.Context) error {
	p.began.Add(1)
	p.most.Store(max(p.most.Load(), p.running.Add(1)))
	time.Sleep(p.takes)
	p.running.Add(-1)
	p.ended.Add(1)
	return nil
}

// handled returns what otel.Handle is given until the end of the test.
func handled(t *testing.T) func() []string {
	var mu sync.Mutex
	var texts []string
	old := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		texts = append(texts, err.Error())
	}))
	t.Cleanup(func() { otel.SetErrorHandler(old) })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(texts)
	}
}

func nothing(context.Context) error { return nil }

func TestFlusherIsAPolicy(t *testing.T) {
	policytest.Run(t, func(*testing.T) middleware.Policy {
		return tracing.NewFlusher(time.Second, flushFunc(nothing))
	})
}

func TestFlusherConfig(t *testing.T) {
	for want, make := range map[string]func(){
		"tracing: NewFlusher(0s): want a positive":   func() { tracing.NewFlusher(0, flushFunc(nothing)) },
		"tracing: NewFlusher(-1s): want a positive":  func() { tracing.NewFlusher(-time.Second, flushFunc(nothing)) },
		"tracing: NewFlusher: want something":        func() { tracing.NewFlusher(time.Second) },
		"tracing: NewFlusher: provider 2 of 2 is ni": func() { tracing.NewFlusher(time.Second, flushFunc(nothing), nil) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			make()
		}()
	}
}

// How long the answer waits, by how long the flush takes and by the time that is left. It begins in any case.
func TestFlusherWaits(t *testing.T) {
	const budget, forever = time.Second, time.Hour
	const late = "tracing: flush: not done within 1s, what is left is delayed"
	for _, tt := range []struct {
		name         string
		takes, left  time.Duration // 0: no deadline
		waits        time.Duration
		wantsHandled string
	}{
		{"no time at all", 0, 0, 0, ""},
		{"as long as it takes", 300 * time.Millisecond, 0, 300 * time.Millisecond, ""},
		{"a deaf one", forever, 0, budget, late},
		{"with time to spare", 300 * time.Millisecond, time.Minute, 300 * time.Millisecond, ""},
		{"a deaf one, with time to spare", forever, 15 * time.Minute, budget, late},
		{"short of time", 300 * time.Millisecond, 250 * time.Millisecond, 150 * time.Millisecond, ""},
		{"a deaf one, short of time", forever, 250 * time.Millisecond, 150 * time.Millisecond, late},
		{"out of time", 300 * time.Millisecond, 100 * time.Millisecond, 0, ""},
		{"after the end", 300 * time.Millisecond, -time.Second, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			handled := handled(t)
			synctest.Test(t, func(t *testing.T) {
				p := &provider{takes: tt.takes}
				f := tracing.NewFlusher(budget, p)
				ctx := t.Context()
				if tt.left != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.left)
					defer cancel()
				}
				began := time.Now()
				want := errors.New("its own")
				if err := f.Do(ctx, func(context.Context) error { return want }); err != want { //nolint:errorlint // the same value
					t.Errorf("Do = %v, want %v", err, want)
				}
				if waited := time.Since(began); waited != tt.waits {
					t.Errorf("waited %v, want %v", waited, tt.waits)
				}
				time.Sleep(2 * forever)
				if p.ended.Load() != 1 {
					t.Errorf("%d flushes, want one", p.ended.Load())
				}
				if got := strings.Join(handled(), "\n"); got != tt.wantsHandled {
					t.Errorf("otel.Handle was given %q, want %q", got, tt.wantsHandled)
				}
			})
		})
	}
}

// TestRegression_NothingLeavesWhenTimeIsShort: an invocation that had used its time up, the one whose telemetry matters
// most, was not flushed at all, not even to standard output.
func TestRegression_NothingLeavesWhenTimeIsShort(t *testing.T) {
	for _, left := range []time.Duration{90 * time.Millisecond, 100 * time.Millisecond, -time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			p := &provider{}
			f := tracing.NewFlusher(300*time.Millisecond, p)
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			_ = f.Do(ctx, nothing)
			synctest.Wait()
			if p.ended.Load() != 1 {
				t.Errorf("with %v left: %d flushes, want one", left, p.ended.Load())
			}
		})
	}
}

// TestRegression_AnswerWaitsForTheErrorHandler: the answer waited for the report of a flush that was late or had failed,
// so that an error handler that takes its time, as one that logs over the network does, delayed it.
func TestRegression_AnswerWaitsForTheErrorHandler(t *testing.T) {
	handled(t) // restores the handler
	for _, tt := range []struct {
		name  string
		does  flushFunc
		waits time.Duration
	}{
		{"late", func(context.Context) error { time.Sleep(time.Minute); return nil }, time.Second},
		{"fails", func(context.Context) error { return errors.New("no route") }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var reports atomic.Int64
			otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { time.Sleep(time.Hour); reports.Add(1) }))
			f := tracing.NewFlusher(time.Second, tt.does)
			began := time.Now()
			_ = f.Do(t.Context(), nothing)
			if waited := time.Since(began); waited != tt.waits {
				t.Errorf("%s: the answer waited %v, want %v", tt.name, waited, tt.waits)
			}
			time.Sleep(2 * time.Hour)
			if reports.Load() != 1 {
				t.Errorf("%s: %d reports, want one", tt.name, reports.Load())
			}
		})
	}
}

// TestRegression_ErrorHandlerHoldsTheFlushes: an error handler that hangs, as one that writes to a pipe nobody reads does,
// ended all flushes of the provider that had failed once, and each call waited the whole budget for the next.
func TestRegression_ErrorHandlerHoldsTheFlushes(t *testing.T) {
	handled(t) // restores the handler
	synctest.Test(t, func(t *testing.T) {
		var flushes, reports atomic.Int64
		hang := make(chan struct{})
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { reports.Add(1); <-hang }))
		f := tracing.NewFlusher(time.Second, flushFunc(func(context.Context) error {
			flushes.Add(1)
			return errors.New("no route")
		}))
		began := time.Now()
		for range 5 {
			_ = f.Do(t.Context(), nothing)
			synctest.Wait()
		}
		if waited := time.Since(began); flushes.Load() != 5 || waited != 0 {
			t.Errorf("%d flushes, waited %v; want 5, and no wait", flushes.Load(), waited)
		}
		if reports.Load() != 1 {
			t.Errorf("%d reports hang, want one", reports.Load())
		}
		close(hang)
		synctest.Wait()
		_ = f.Do(t.Context(), nothing)
		synctest.Wait()
		if reports.Load() != 2 {
			t.Errorf("%d reports once the handler is back, want 2", reports.Load())
		}
	})
}

// Flush waits as long as a call does.
func TestFlushWaits(t *testing.T) {
	handled(t)
	for takes, want := range map[time.Duration]time.Duration{300 * time.Millisecond: 300 * time.Millisecond, time.Minute: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f := tracing.NewFlusher(time.Second, &provider{takes: takes})
			began := time.Now()
			f.Flush()
			if waited := time.Since(began); waited != want {
				t.Errorf("waited %v for a flush of %v, want %v", waited, takes, want)
			}
			time.Sleep(time.Minute)
		})
	}
}

// The handler's context may have ended; the flush's has not, and is no child of it. It ends with the flush.
func TestFlusherDetaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "of the handler"))
		var its context.Context
		f := tracing.NewFlusher(time.Second, flushFunc(func(ctx context.Context) error {
			its = ctx
			deadline, ok := ctx.Deadline()
			if ctx.Err() != nil || ctx.Value(key{}) != nil || !ok || time.Until(deadline) != 30*time.Second {
				t.Errorf("context of the flush: %v, value %v, ends in %v", ctx.Err(), ctx.Value(key{}), time.Until(deadline))
			}
			return nil
		}))
		_ = f.Do(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() })
		if its.Err() != context.Canceled {
			t.Errorf("after the flush its context says %v", its.Err())
		}
	})
}

// A deaf provider is left behind once, and joined from then on; the others are not kept waiting by it.
func TestFlusherLeavesTheDeafAlone(t *testing.T) {
	handled(t)
	synctest.Test(t, func(t *testing.T) {
		deaf, other := &provider{takes: 3500 * time.Millisecond}, &provider{}
		f := tracing.NewFlusher(time.Second, deaf, other)
		for i := range 5 {
			began := time.Now()
			_ = f.Do(t.Context(), nothing)
			if waited := time.Since(began); waited != time.Second {
				t.Errorf("call %d waited %v, want the budget", i+1, waited)
			}
			if got := other.ended.Load(); got != int64(i+1) {
				t.Errorf("call %d: the other provider has flushed %d times", i+1, got)
			}
		}
		time.Sleep(time.Minute)
		if deaf.most.Load() != 1 || deaf.began.Load() != 3 {
			t.Errorf("%d flushes, up to %d at once, want 3, one after the other", deaf.began.Load(), deaf.most.Load())
		}
	})
}

// Calls that end together share a flush, and one that ends while it is under way waits for another.
func TestFlusherIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{takes: 100 * time.Millisecond}
		f := tracing.NewFlusher(time.Second, p)
		var wg sync.WaitGroup
		for i, want := range []time.Duration{100 * time.Millisecond, 150 * time.Millisecond, 150 * time.Millisecond, 150 * time.Millisecond} {
			wg.Go(func() {
				if i > 0 {
					time.Sleep(50 * time.Millisecond)
				}
				ended := time.Now()
				_ = f.Do(t.Context(), nothing)
				if waited := time.Since(ended); waited != want {
					t.Errorf("call %d waited %v, want %v", i, waited, want)
				}
			})
		}
		wg.Wait()
		if p.began.Load() != 2 || p.most.Load() != 1 {
			t.Errorf("%d flushes, up to %d at once, want 2, one after the other", p.began.Load(), p.most.Load())
		}
	})
}

func TestFlusherAfterPanic(t *testing.T) {
	p := &provider{}
	f := tracing.NewFlusher(time.Second, p)
	func() {
		defer func() {
			if v := recover(); v != "its own" {
				t.Errorf("recovered %v", v)
			}
		}()
		_ = f.Do(t.Context(), func(context.Context) error { panic("its own") })
	}()
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.Do(t.Context(), func(context.Context) error { runtime.Goexit(); return nil }) })
	wg.Wait()
	if p.ended.Load() != 2 {
		t.Errorf("%d flushes, want one after the panic and one after the Goexit", p.ended.Load())
	}
}

// Whatever a provider does goes to otel.Handle, and whatever that does goes no further.
func TestFlusherHandlesErrors(t *testing.T) {
	for _, tt := range []struct {
		want string
		does flushFunc
	}{
		{"tracing: flush: no route", func(context.Context) error { return errors.New("no route") }},
		{"tracing: flush: panic: no hope", func(context.Context) error { panic("no hope") }},
		{"", func(context.Context) error { runtime.Goexit(); return nil }},
	} {
		handled := handled(t)
		synctest.Test(t, func(t *testing.T) {
			f := tracing.NewFlusher(time.Hour, tt.does)
			want := errors.New("its own")
			for range 2 {
				if err := f.Do(t.Context(), func(context.Context) error { return want }); err != want { //nolint:errorlint // the same value
					t.Errorf("Do = %v, want %v", err, want)
				}
				synctest.Wait()
			}
			if got := strings.Join(slices.Compact(handled()), "\n"); got != tt.want {
				t.Errorf("otel.Handle was given %q, want %q", got, tt.want)
			}
			panics := 0
			otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { panics++; panic("the handler's") }))
			for range 2 {
				func() {
					defer func() {
						if v := recover(); v != "its own" {
							t.Errorf("recovered %v", v)
						}
					}()
					_ = f.Do(t.Context(), func(context.Context) error { panic("its own") })
				}()
				synctest.Wait()
			}
			if panics != 2 && tt.want != "" {
				t.Errorf("the handler has panicked %d times, want 2", panics)
			}
		})
	}
}

// A lateExporter waits to be let go, unless its context ends.
type lateExporter struct {
	tracetest.InMemoryExporter

	release chan struct{}
}

func (e *lateExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	select {
	case <-e.release:
		return e.InMemoryExporter.ExportSpans(ctx, spans)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestRegression_LateSpansAreDropped: a flush whose context ended with the budget took the spans down with it, for the
// SDK forgets a batch once it was tried.
func TestRegression_LateSpansAreDropped(t *testing.T) {
	handled(t)
	exporter := &lateExporter{release: make(chan struct{})}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	f := tracing.NewFlusher(time.Millisecond, provider)
	for _, name := range []string{"one", "two"} {
		_ = f.Do(t.Context(), func(ctx context.Context) error {
			_, span := provider.Tracer("test").Start(ctx, name)
			span.End()
			return nil
		})
	}
	close(exporter.release)
	_ = provider.ForceFlush(t.Context())
	if spans := exporter.GetSpans(); len(spans) != 2 {
		t.Errorf("%d spans have arrived, want 2", len(spans))
	}
	_ = provider.Shutdown(t.Context())
}

func BenchmarkFlusher(b *testing.B) {
	f := tracing.NewFlusher(time.Second, flushFunc(nothing), flushFunc(nothing))
	for b.Loop() {
		_ = f.Do(b.Context(), nothing)
	}
}

func TestFlusherLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	f := tracing.NewFlusher(time.Hour, &provider{}, &provider{})
	for range 10 {
		_ = f.Do(t.Context(), nothing)
	}
	f.Flush()
}

// receiver is an OTLP receiver, in the environment of the process that TestFlushedFunction is.
const receiver = "SEAWALL_TEST_RECEIVER"

// TestFlushedFunction is the function of TestSIGTERM, in a process of its own: its batches leave when they are flushed,
// or never, and what ends after the answer has no policy that waits for it.
func TestFlushedFunction(t *testing.T) {
	url := os.Getenv(receiver)
	if url == "" {
		t.Skip("it is for a process of its own")
	}
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(url))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(time.Hour)))
	flusher := tracing.NewFlusher(time.Minute, provider) // what bounds it at the end is Lambda
	traced := func(ctx context.Context, name string) {
		_, span := provider.Tracer("test").Start(ctx, name)
		span.End()
	}
	work := func(ctx context.Context, name string) error {
		traced(ctx, name)
		return nil
	}
	handler := middleware.WrapErr(work, flusher)
	lambda.StartWithOptions(func(ctx context.Context, name string) error {
		err := handler(ctx, name)
		traced(ctx, "after "+name)
		return err
	}, lambda.WithEnableSIGTERM(flusher.Flush))
}

func TestSIGTERM(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals")
	}
	var mu sync.Mutex
	var arrived []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var request collector.ExportTraceServiceRequest
		body, err := io.ReadAll(r.Body)
		if err != nil || proto.Unmarshal(body, &request) != nil {
			t.Errorf("%s: %v, %d bytes that are no traces", r.URL, err, len(body))
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					arrived = append(arrived, span.GetName())
				}
			}
		}
	}))
	defer server.Close()
	spans := func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(arrived, ", ")
	}
	f := lambdatest.New("flushed", lambdatest.Config{
		Command: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFlushedFunction$")
			cmd.Env = append(os.Environ(), receiver+"="+server.URL)
			return cmd
		},
		Freeze:  true,
		Timeout: time.Minute,
	})
	defer f.Close()
	for _, tt := range []struct{ event, want string }{
		{`"one"`, "one"},
		{`"two"`, "one, after one, two"},
	} {
		result, err := f.Invoke(t.Context(), []byte(tt.event))
		if err != nil || result.Err != nil {
			t.Fatal(err, result.Err, result.Log)
		}
		if got := spans(); got != tt.want {
			t.Errorf("at the answer to %s these had arrived: %s; want %s", tt.event, got, tt.want)
		}
	}
	f.Close()
	if got, want := spans(), "one, after one, two, after two"; got != want {
		t.Errorf("after the end these had arrived: %s; want %s", got, want)
	}
}
