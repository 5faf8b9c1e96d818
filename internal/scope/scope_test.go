package scope_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall/internal/scope"
)

// seated is a context that offers a seat.
type seated struct {
	context.Context //nolint:containedctx // it is a context

	seat scope.Seat
}

func (s *seated) Value(key any) any {
	if scope.IsSeat(key) {
		return &s.seat
	}
	return s.Context.Value(key)
}

type key struct{}

func TestWithRetry(t *testing.T) {
	parent := context.WithValue(t.Context(), key{}, "value")
	seat := &seated{Context: parent}
	for name, from := range map[string]context.Context{
		"no seat":         parent,
		"free seat":       seat,
		"taken seat":      seat,
		"seat further up": context.WithValue(&seated{Context: parent}, key{}, "value"),
	} {
		ctx := scope.WithRetry(from)
		if scope.Retrying(from) || !scope.Retrying(ctx) || !scope.Retrying(context.WithValue(ctx, key{}, "value")) {
			t.Errorf("%s: Retrying is %v outside and %v inside", name, scope.Retrying(from), scope.Retrying(ctx))
		}
		if ctx.Value(key{}) != "value" {
			t.Errorf("%s: the context lost its values", name)
		}
	}
}

// A taken seat stays taken: a context that was handed out may be kept, and must go on meaning what it meant.
func TestSeatIsTakenOnce(t *testing.T) {
	parent := &seated{Context: t.Context()}
	first := scope.WithRetry(parent)
	second := scope.WithRetry(context.WithValue(parent, key{}, "second"))
	if first == second || first.Value(key{}) != nil || second.Value(key{}) != "second" {
		t.Error("the second retry changed the first one's context")
	}
}

func TestSeatSavesTheAllocation(t *testing.T) {
	ctx := t.Context()
	var s *seated
	if got := testing.AllocsPerRun(100, func() { s = &seated{Context: ctx}; scope.WithRetry(s) }); got != 1 {
		t.Errorf("%v allocations for the seat and its mark, want 1", got)
	}
}

func TestHold(t *testing.T) {
	h := new(scope.Hold)
	ctx := context.WithValue(scope.WithHold(t.Context(), h), key{}, "value")
	if scope.Held(t.Context()) != nil || scope.Held(ctx) != h {
		t.Error("Held does not find the hold")
	}
	released := 0
	release := func() { released++ }
	if (*scope.Hold)(nil).Keep(release) || h.Keep(release) {
		t.Error("something is kept where no result is open")
	}
	h.Open()
	if !h.Keep(release) || !h.Keep(release) || released != 0 {
		t.Error("an open result does not keep")
	}
	h.Seal()
	if h.Keep(release) {
		t.Error("something is kept after the policies are done")
	}
	h.End()
	h.End()
	if released != 2 {
		t.Errorf("%d released at the end, want 2", released)
	}
	if h.Keep(release) {
		t.Error("an ended result keeps")
	}
}

func TestWithoutRetry(t *testing.T) {
	outer := context.WithValue(t.Context(), key{}, "value")
	retrying := context.WithValue(scope.WithRetry(&seated{Context: outer}), key{}, "inner")
	once := scope.WithoutRetry(retrying, outer)
	if scope.Retrying(once) || !scope.Retrying(retrying) || once.Value(key{}) != "inner" {
		t.Error("the mark is not off, or more than the mark")
	}
	if again := scope.WithRetry(once); !scope.Retrying(again) || scope.Retrying(once) {
		t.Error("there is no mark inside")
	}
	if scope.WithoutRetry(outer, outer) != outer {
		t.Error("another context where there was no mark")
	}
	if inner := context.WithValue(retrying, key{}, ""); scope.WithoutRetry(inner, retrying) != inner {
		t.Error("the mark of a retry around both is off")
	}
}

// A hold that is not there, as in a context of somebody's own, holds nothing.
func TestNilHold(t *testing.T) {
	var h *scope.Hold
	h.Open()
	h.Seal()
	h.End()
	if h.Keep(func() {}) {
		t.Error("it keeps")
	}
}
