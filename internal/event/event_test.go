package event_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seawall-go/seawall/internal/event"
)

func TestEmitTellsInnermostFirst(t *testing.T) {
	var got []string
	note := func(who string) func(context.Context, event.Event) {
		return func(_ context.Context, e event.Event) { got = append(got, fmt.Sprint(who, " ", e.Kind)) }
	}
	ctx := event.With(t.Context(), note("outer"))
	if event.Observed(t.Context()) || !event.Observed(ctx) {
		t.Error("Observed does not tell a context with an observer from one without")
	}
	event.Emit(ctx, event.Event{Kind: event.Retry})
	event.Emit(event.With(ctx, note("inner")), event.Event{Kind: event.Refusal})
	if want := "[outer retry inner refusal outer refusal]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// An observer that notices something itself was told of it, and noticed that, until the stack was full.
func TestRegression_AnObserverIsNotToldOfItself(t *testing.T) {
	var got []string
	outer := event.With(t.Context(), func(_ context.Context, e event.Event) { got = append(got, fmt.Sprint("outer ", e.Kind)) })
	inner := event.With(outer, func(ctx context.Context, e event.Event) {
		if got = append(got, fmt.Sprint("inner ", e.Kind)); len(got) < 10 {
			event.Emit(ctx, event.Event{Kind: event.Refusal})
		}
	})
	event.Emit(inner, event.Event{Kind: event.Retry})
	if want := "[inner retry outer refusal outer retry]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	alone := event.With(t.Context(), func(ctx context.Context, _ event.Event) {
		if event.Observed(ctx) {
			t.Error("somebody observes the only observer")
		}
	})
	event.Emit(alone, event.Event{Kind: event.Retry})
}

func TestEmitToNobody(t *testing.T) {
	ctx := t.Context()
	if got := testing.AllocsPerRun(100, func() { event.Emit(ctx, event.Event{Kind: event.Refusal, Err: context.Canceled}) }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

// own is another type of context that observes.
type own struct {
	context.Context //nolint:containedctx // it is a context

	observe func(context.Context, event.Event)
}

func (o own) Value(key any) any {
	if event.IsObserver(key) {
		return o
	}
	return o.Context.Value(key)
}

func (o own) Observe(ctx context.Context, e event.Event) { o.observe(ctx, e) }
func (o own) Around() context.Context                    { return o.Context }

func TestOwnObserver(t *testing.T) {
	var got []string
	note := func(who string) func(context.Context, event.Event) {
		return func(_ context.Context, e event.Event) { got = append(got, fmt.Sprint(who, " ", e.Kind)) }
	}
	outer := event.With(t.Context(), note("outer"))
	ctx := event.With(own{outer, note("own")}, note("inner"))
	event.Emit(ctx, event.Event{Kind: event.Mismatch})
	if want := "[inner mismatch own mismatch outer mismatch]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
