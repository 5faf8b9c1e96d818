package tracing

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
)

// A ForceFlusher is what keeps telemetry until it leaves: the TracerProvider, the MeterProvider or the LoggerProvider of
// the OpenTelemetry SDK.
type ForceFlusher interface {
	ForceFlush(ctx context.Context) error
}

// A Flusher is a policy that has telemetry leave before Lambda freezes the process, which it does as soon as an
// invocation is answered: what has not left by then is delayed until the next one, if there is one. It is the outermost
// policy, outside [Span], whose span it waits for:
//
//	flusher := tracing.NewFlusher(300*time.Millisecond, tracerProvider, meterProvider)
//	handler := middleware.Wrap(h, flusher, tracing.Span{Name: "place order"}, ...)
//	lambda.StartWithOptions(handler, lambda.WithEnableSIGTERM(flusher.Flush))
//
// After each call, however it ended, every provider is told to flush, all at once, and the answer waits for that: until
// all are done, for the budget at most, and at most until 100 ms before ctx's own deadline. With less time left it does
// not wait, though what leaves at once, such as a line on standard output, may still be in time. The body of a streaming
// answer, an io.Reader or *events.LambdaFunctionURLStreamingResponse, is read after that, when both flush and span are over.
//
// The call's result, error or panic stays as it is: [otel.Handle] is told of a flush that fails, and of one that takes
// longer than the budget. No answer waits for it, it may finish when the process next runs; while it is busy with one
// report of a provider, further ones are left out.
//
// The handler's context has no part in the flush, it may have ended. Nor does the end of the budget: an exporter that is
// cut short drops what it has in hand, where one that is late finishes when the process next runs. So the flush goes on,
// for 30 s at most if the provider looks at its context, and what it has not sent is delayed rather than lost, unless the
// process never runs again or the exporter's own time is over. No second one begins beside it: calls that end while a
// provider flushes share the next flush, which begins when that one is over, since their own telemetry may have come too
// late for it.
type Flusher struct {
	budget time.Duration
	queues []*queue
}

const (
	flushMargin   = 100 * time.Millisecond // for the answer to leave
	flushPatience = 30 * time.Second       // with an exporter that has lost its peer in a freeze
)

// NewFlusher returns a Flusher of providers. The budget is what an invocation may lose to a receiver that is slow or
// gone; with one that is well, the answer waits as long as the export takes. NewFlusher panics if the budget is not
// positive, and without providers.
func NewFlusher(budget time.Duration, providers ...ForceFlusher) *Flusher {
	if budget <= 0 {
		panic(fmt.Sprintf("tracing: NewFlusher(%v): want a positive budget", budget))
	}
	if len(providers) == 0 {
		panic("tracing: NewFlusher: want something to flush, such as a TracerProvider")
	}
	f := &Flusher{budget: budget}
	for i, p := range providers {
		if p == nil {
			panic(fmt.Sprintf("tracing: NewFlusher: provider %d of %d is nil; leave it out", i+1, len(providers)))
		}
		f.queues = append(f.queues, &queue{provider: p, budget: budget})
	}
	return f
}

// Do makes the call and flushes.
func (f *Flusher) Do(ctx context.Context, call func(context.Context) error) error {
	defer f.after(ctx)
	return call(ctx)
}

func (f *Flusher) after(ctx context.Context) {
	wait := f.budget
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)-flushMargin)
	}
	f.flush(wait)
}

// Flush flushes all providers, and waits for the budget at most. It is for lambda.WithEnableSIGTERM, which calls it when
// Lambda is about to end the process, half a second before: a budget of more than that is of no use there.
func (f *Flusher) Flush() { f.flush(f.budget) }

// flush has all providers flush, and waits for them, but no longer than wait.
func (f *Flusher) flush(wait time.Duration) {
	rounds := make([]*round, len(f.queues))
	for i, q := range f.queues {
		rounds[i] = q.join()
	}
	if wait <= 0 {
		return
	}
	late := time.After(wait)
	for _, r := range rounds {
		select {
		case <-r.done:
		case <-late:
			return
		}
	}
}

// A queue flushes one provider, one round at a time.
type queue struct {
	provider ForceFlusher
	budget   time.Duration

	mu        sync.Mutex
	now, next *round // nil if there is none

	reporting sync.Mutex
}

// A round is one flush, for all who joined it before it began.
type round struct{ done chan struct{} }

// join returns a round that is yet to begin, or begins now.
func (q *queue) join() *round {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.now == nil {
		q.now = &round{make(chan struct{})}
		go q.run(q.now)
		return q.now
	}
	if q.next == nil {
		q.next = &round{make(chan struct{})}
	}
	return q.next
}

func (q *queue) run(r *round) {
	if err := q.flush(r); err != nil {
		q.report(err) // with the round over, for nobody knows how long otel.Handle takes
	}
}

func (q *queue) flush(r *round) (err error) {
	defer q.end(r) // whatever the provider does
	ctx, cancel := context.WithTimeout(context.Background(), flushPatience)
	defer cancel()
	late := time.AfterFunc(q.budget, func() {
		q.report(fmt.Errorf("not done within %v, what is left is delayed", q.budget))
	})
	defer late.Stop()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return q.provider.ForceFlush(ctx)
}

func (q *queue) end(r *round) {
	close(r.done)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.now, q.next = q.next, nil
	if q.now != nil {
		go q.run(q.now)
	}
}

// report hands err to whoever the program has told OpenTelemetry to. Neither telemetry nor what becomes of its errors may
// fail a call, and one who never returns costs a goroutine, not one for each err.
func (q *queue) report(err error) {
	if !q.reporting.TryLock() {
		return
	}
	defer q.reporting.Unlock()
	defer func() { _ = recover() }()
	otel.Handle(fmt.Errorf("tracing: flush: %w", err))
}
