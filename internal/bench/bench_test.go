package main

import (
	"context"
	"errors"
	"testing"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/sony/gobreaker/v2"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/ratelimit"
)

func BenchmarkCandidates(b *testing.B) {
	for _, c := range candidates() {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			c.run(b)
		})
	}
}

// What is measured has to do what its name says.
func TestStacks(t *testing.T) {
	for name, tt := range map[string]struct {
		stack                    func(state) handler
		refusedOpen, refusedRate error
	}{
		"Seawall":     {seawall, breaker.ErrOpen, ratelimit.ErrLimited},
		"by hand":     {byHand, gobreaker.ErrOpenState, errLimited},
		"failsafe-go": {withFailsafe, circuitbreaker.ErrOpen, ratelimiter.ErrExceeded},
	} {
		for s, want := range map[state]error{healthy: nil, open: tt.refusedOpen, limiting: tt.refusedRate} {
			h := tt.stack(s)
			for range 3 {
				out, err := h(context.Background(), order{id: "7"})
				if !errors.Is(err, want) || (want == nil && out.id != "7") {
					t.Errorf("%s in state %d: %+v, %v; want %v", name, s, out, err, want)
				}
			}
		}
	}
}

func TestSeawallAllocates(t *testing.T) {
	for _, s := range []state{healthy, open, limiting} {
		h := seawall(s)
		got := testing.AllocsPerRun(1000, func() { _, _ = h(context.Background(), order{id: "7"}) })
		if got > 1 {
			t.Errorf("state %d: %v allocations, want the timeout's context only", s, got)
		}
	}
}
