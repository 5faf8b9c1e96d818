package idempotency_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
	"github.com/seawall-go/seawall/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

type order struct {
	ID     string
	Amount int64
}

type receipt struct {
	Order string
	Run   int32
}

// A stage is a handler on which one test plays.
type stage struct {
	storetest.Flaky

	memory idempotency.Memory
	config idempotency.Config
	then   func(ctx context.Context) error // what the handler does besides counting
	runs   atomic.Int32

	mu     sync.Mutex
	events []event.Event
}

func newStage() *stage {
	s := new(stage)
	s.Store = &s.memory
	s.config = idempotency.Config{Store: s, Scope: "orders"}
	return s
}

func (s *stage) place(ctx context.Context, o order) (receipt, error) {
	r := receipt{o.ID, s.runs.Add(1)}
	if s.then != nil {
		return r, s.then(ctx)
	}
	return r, nil
}

func byID(o order) (string, error) { return o.ID, nil }

// call wraps the handler anew, as another process would, and calls it.
func (s *stage) call(ctx context.Context, o order) (receipt, idempotency.Outcome, error) {
	return watched(s.observe(ctx), idempotency.Wrap(s.place, byID, s.config), o)
}

func watched[In, Out any](ctx context.Context, h func(context.Context, In) (Out, error), in In) (Out, idempotency.Outcome, error) {
	ctx, outcome := idempotency.Watch(ctx)
	out, err := h(ctx, in)
	return out, outcome(), err
}

func (s *stage) observe(ctx context.Context) context.Context {
	return event.With(ctx, func(_ context.Context, e event.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	})
}

// told returns the kinds of what observers were told, and forgets it.
func (s *stage) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []string
	for _, e := range s.events {
		kinds = append(kinds, string(e.Kind))
	}
	s.events = nil
	return strings.Join(kinds, " ")
}

// want checks how the call with this order ends, and what it costs.
func (s *stage) want(t *testing.T, ctx context.Context, o order, run int32, outcome idempotency.Outcome, trips int) { //nolint:revive // t comes first in tests
	t.Helper()
	before := s.Calls(storetest.Any)
	r, got, err := s.call(ctx, o)
	if err != nil || r != (receipt{o.ID, run}) || got != outcome {
		t.Errorf("got %v, %v, %v; want the receipt of run %d, %v", r, got, err, run, outcome)
	}
	if n := s.Calls(storetest.Any) - before; n != trips {
		t.Errorf("%d round trips, want %d", n, trips)
	}
}

// refused checks that the call is refused with target.
func (s *stage) refused(t *testing.T, ctx context.Context, o order, target error) error { //nolint:revive // t comes first in tests
	t.Helper()
	runs := s.runs.Load()
	r, outcome, err := s.call(ctx, o)
	if !errors.Is(err, target) || r != (receipt{}) || outcome != idempotency.Refused || s.runs.Load() != runs {
		t.Errorf("got %v, %v, %v after %d runs; want nothing but %v", r, outcome, err, s.runs.Load()-runs, target)
	}
	return err
}

// record is the only record there is with this key.
func (s *stage) record(t *testing.T, key string) idempotency.Record {
	t.Helper()
	r, err := s.memory.Load(t.Context(), recordKey("orders", key))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func recordKey(scope, key string) string {
	return fmt.Sprintf("%s#%x", scope, sha256.Sum256([]byte(key)))
}

// panics returns what f panics with, as text.
func panics(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

func contains(text, part string) bool { return part != "" && strings.Contains(text, part) }
