package surge_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/examples/internal/surge"
)

func TestScenarioRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := surge.Scenario{
			Phases: []surge.Phase{{Lasts: time.Second}, {Lasts: time.Second, Fails: 1}, {Lasts: time.Second}},
			Rate:   2, Surge: 5, From: time.Second, To: 2 * time.Second,
		}
		start := time.Now()
		var times []time.Duration
		byInvoice := 0
		place := func(o surge.Order) {
			times = append(times, time.Since(start))
			if o.Pay == "invoice" {
				byInvoice++
			}
		}
		if err := s.Run(t.Context(), start, place); err != nil {
			t.Error(err)
		}
		const ms = time.Millisecond
		want := []time.Duration{0, 500 * ms, 1000 * ms, 1200 * ms, 1400 * ms, 1600 * ms, 1800 * ms, 2000 * ms, 2500 * ms}
		if !slices.Equal(times, want) || !slices.Equal(s.Orders(), want) || byInvoice != 2 {
			t.Errorf("placed at %v, %d by invoice, orders at %v, want %v", times, byInvoice, s.Orders(), want)
		}
		if s.Phase(999*ms) != 0 || s.Phase(1000*ms) != 1 || s.Phase(time.Hour) != 2 || s.Recovery() != 2*time.Second {
			t.Error("wrong phases")
		}

		ctx, cancel := context.WithCancel(t.Context())
		placed := 0
		err := s.Run(ctx, time.Now(), func(surge.Order) { placed++; cancel() })
		if placed != 1 || !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %d orders, %v", placed, err)
		}
	})
}
