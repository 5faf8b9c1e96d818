package retry_test

import (
	"context"
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/retry"
)

// seated is a context with room for a retry's mark, as a timeout's is.
type seated struct {
	context.Context //nolint:containedctx // it is a context

	seat scope.Seat
}

func (c *seated) Value(key any) any {
	if scope.IsSeat(key) {
		return &c.seat
	}
	return c.Context.Value(key)
}

type policy interface {
	Do(ctx context.Context, call func(context.Context) error) error
}

func succeeding(context.Context) error { return nil }

func TestAllocs(t *testing.T) {
	const runs = 100
	full := &retry.Budget{Opening: 35}
	poor := &retry.Budget{Opening: -1}
	failOnce := func() func(context.Context) error {
		n := 0
		return func(context.Context) error {
			if n++; n%2 == 1 {
				return errDown
			}
			return nil
		}
	}()
	for _, tt := range []struct {
		name   string
		policy policy
		seat   bool
		nested bool
		call   func(context.Context) error
		most   float64
	}{
		{name: "alone, for the mark", policy: retry.Policy{}, call: succeeding, most: 1},
		{name: "in a seat", policy: retry.Policy{}, seat: true, call: succeeding, most: 0},
		{name: "in a seat, full budget", policy: retry.Policy{Budget: full}, seat: true, call: succeeding, most: 0},
		{name: "in a seat, earning", policy: retry.Policy{Budget: poor}, seat: true, call: succeeding, most: 0},
		{name: "a single attempt", policy: retry.Policy{Attempts: 1}, call: succeeding, most: 0},
		{name: "inside another", policy: retry.Policy{}, nested: true, call: succeeding, most: 0},
		{name: "nested inside another", policy: retry.Policy{Nested: true}, nested: true, call: succeeding, most: 0},
		{name: "in a seat, a failure first", policy: retry.Policy{Base: -1}, seat: true, call: failOnce, most: 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctxs := make([]context.Context, runs+1)
			for i := range ctxs {
				ctxs[i] = context.Background()
				if tt.seat {
					ctxs[i] = &seated{Context: ctxs[i]}
				}
				if tt.nested {
					ctxs[i] = scope.WithRetry(ctxs[i])
				}
			}
			i := 0
			got := testing.AllocsPerRun(runs, func() {
				_ = tt.policy.Do(ctxs[i], tt.call)
				i++
			})
			if got > tt.most {
				t.Errorf("%v allocations, want %v at most", got, tt.most)
			}
		})
	}
}

func BenchmarkDo(b *testing.B) {
	nested := scope.WithRetry(context.Background())
	for _, bb := range []struct {
		name   string
		ctx    context.Context //nolint:containedctx // of a table
		policy policy
	}{
		{"first attempt succeeds", context.Background(), retry.Policy{}},
		{"first attempt succeeds, full budget", context.Background(), retry.Policy{Budget: &retry.Budget{Opening: 35}}},
		{"inside another", nested, retry.Policy{}},
		{"nested", nested, retry.Policy{Nested: true}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = bb.policy.Do(bb.ctx, succeeding)
			}
		})
	}
	b.Run("three attempts fail", func(b *testing.B) {
		p, fail := policy(retry.Policy{Base: -1}), func(context.Context) error { return errDown }
		b.ReportAllocs()
		for b.Loop() {
			_ = p.Do(context.Background(), fail)
		}
	})
	b.Run("not repeated", func(b *testing.B) {
		p, fail := policy(retry.Policy{}), func(context.Context) error { return refused{} }
		b.ReportAllocs()
		for b.Loop() {
			_ = p.Do(context.Background(), fail)
		}
	})
	b.Run("time.Now, for scale", func(b *testing.B) {
		for b.Loop() {
			_ = time.Now()
		}
	})
}
