package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/seawall-go/seawall/breaker"
)

func TestAllocs(t *testing.T) {
	ctx := t.Context()
	half := breaker.New(breaker.Config{Failures: 1, OpenFor: 1})
	_ = half.Do(ctx, fail)
	_ = half.Do(ctx, func(context.Context) error {
		for name, tt := range map[string]struct {
			b    *breaker.Breaker
			call func(context.Context) error
		}{
			"closed":             {breaker.New(breaker.Config{}), succeed},
			"closed, ratio off":  {breaker.New(breaker.Config{Ratio: -1}), succeed},
			"closed, slow calls": {breaker.New(breaker.Config{Slow: time.Second}), succeed},
			"closed, failing":    {breaker.New(breaker.Config{Failures: 1 << 30, Ratio: -1}), fail},
			"open":               {opened(t, breaker.Config{OpenFor: time.Hour}), succeed},
			"half-open, probing": {half, succeed},
		} {
			if n := testing.AllocsPerRun(100, func() { _ = tt.b.Do(ctx, tt.call) }); n != 0 {
				t.Errorf("%s: %v allocations, want none", name, n)
			}
		}
		return nil
	})
	g := breaker.NewGroup(breaker.Config{}, 1)
	if n := testing.AllocsPerRun(100, func() { _ = g.Get("host").Do(ctx, succeed) }); n != 0 {
		t.Errorf("of a group: %v allocations, want none", n)
	}
}

func BenchmarkDo(b *testing.B) {
	ctx := b.Context()
	g := breaker.NewGroup(breaker.Config{}, 16)
	machine := gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Interval: time.Minute, BucketPeriod: 6 * time.Second,
	})
	broken := gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{Timeout: time.Hour})
	for range 6 {
		_, _ = broken.Execute(func() (struct{}, error) { return struct{}{}, errDown })
	}
	execute := func(machine *gobreaker.CircuitBreaker[struct{}]) func(func(context.Context) error) {
		return func(call func(context.Context) error) {
			_, _ = machine.Execute(func() (struct{}, error) { return struct{}{}, call(ctx) })
		}
	}
	through := func(p *breaker.Breaker) func(func(context.Context) error) {
		return func(call func(context.Context) error) { _ = p.Do(ctx, call) }
	}
	for _, bb := range []struct {
		name string
		do   func(call func(context.Context) error)
		call func(context.Context) error
	}{
		{"closed", through(breaker.New(breaker.Config{})), succeed},
		{"closed, gobreaker", execute(machine), succeed},
		{"closed, ratio off", through(breaker.New(breaker.Config{Ratio: -1})), succeed},
		{"closed, in a group", func(call func(context.Context) error) { _ = g.Get("host").Do(ctx, call) }, succeed},
		{"failing", through(breaker.New(breaker.Config{Failures: 1 << 30, Ratio: -1})), fail},
		{"open", through(opened(b, breaker.Config{OpenFor: time.Hour})), succeed},
		{"open, gobreaker", execute(broken), succeed},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bb.do(bb.call)
			}
		})
		b.Run(bb.name+", parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					bb.do(bb.call)
				}
			})
		})
	}
	b.Run("time.Now, for scale", func(b *testing.B) {
		for b.Loop() {
			_ = time.Now()
		}
	})
}
