package tracing

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/internal/event"
)

// Observe is told what a policy noticed in ctx, once for all spans around it.
func (w *within) Observe(ctx context.Context, e event.Event) {
	inner := cmp.Or(innermost(ctx), w)
	counted := counted(e)
	if span := recording(ctx, inner); span != nil {
		span.AddEvent("seawall."+string(e.Kind), trace.WithAttributes(append(described(e), counted...)...))
	}
	for o := inner; o != nil; o = o.outer() {
		if c := o.series.events[e.Kind]; c != nil && c.Enabled(ctx) {
			c.Add(ctx, 1, metric.WithAttributes(counted...))
			break
		}
	}
	state, ok := stateAfter(e)
	for o := inner; ok && o != nil; o = o.outer() {
		if o.series.state.Enabled(ctx) {
			o.series.turned(ctx, e, state)
			break
		}
	}
}

// recording is the innermost span that records, or nil.
func recording(ctx context.Context, w *within) trace.Span {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return span
	}
	for ; w != nil; w = w.outer() {
		if span := trace.SpanFromContext(w.Context); span.IsRecording() {
			return span
		}
	}
	return nil
}

func policyOf(e event.Event) []attribute.KeyValue {
	kvs := make([]attribute.KeyValue, 0, 8)
	kvs = append(kvs, keyPolicy.String(e.Policy))
	if e.Name != "" {
		kvs = append(kvs, keyName.String(text(e.Name)))
	}
	return kvs
}

// counted is the attributes of an event's counter: of no more values than there are types and configurations.
func counted(e event.Event) []attribute.KeyValue {
	kvs := policyOf(e)
	if e.Err != nil {
		kvs = append(kvs, semconv.ErrorTypeKey.String(errorType(e.Err)))
	}
	if e.Kind == event.Transition {
		kvs = append(kvs, keyFrom.String(e.From), keyTo.String(e.To))
	}
	return kvs
}

// described is what else a span's event says.
func described(e event.Event) []attribute.KeyValue {
	kvs := make([]attribute.KeyValue, 0, 8)
	if e.Attempt != 0 {
		kvs = append(kvs, keyAttempt.Int(e.Attempt))
	}
	if e.Wait != 0 {
		kvs = append(kvs, keyWait.Float64(e.Wait.Seconds()))
	}
	if e.Err != nil {
		kvs = append(kvs, semconv.ExceptionMessage(errorText(e.Err)))
	}
	if e.Key != "" {
		kvs = append(kvs, keyDigest.String(e.Key))
	}
	return kvs
}

// A turn is a state and when a breaker turned to it.
type turn struct {
	at    time.Time
	state int64
}

// turned records the state of a breaker. Of transitions that are made at once, each by a goroutine of its own, the first may
// be told last: what is recorded last is the latest.
func (i *instruments) turned(ctx context.Context, e event.Event, state int64) {
	named, _ := i.turns.LoadOrStore([2]string{e.Policy, e.Name}, new(atomic.Pointer[turn]))
	latest := named.(*atomic.Pointer[turn])
	mine := &turn{e.At, state}
	for {
		known := latest.Load()
		if known != nil && known.at.After(mine.at) {
			return
		}
		if latest.CompareAndSwap(known, mine) {
			break
		}
	}
	for {
		known := latest.Load()
		i.state.Record(ctx, known.state, metric.WithAttributes(policyOf(e)...))
		if latest.Load() == known {
			return
		}
	}
}

// stateAfter is the state that a breaker is in after an event.
func stateAfter(e event.Event) (state int64, known bool) {
	if e.Kind != event.Transition {
		return 0, false
	}
	switch e.To {
	case "closed":
		return 0, true
	case "half-open":
		return 1, true
	case "open":
		return 2, true
	}
	return 0, false
}
