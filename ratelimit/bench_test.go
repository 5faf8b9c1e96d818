package ratelimit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/seawall-go/seawall/ratelimit"
)

// What a limiter costs beside the bucket it is made of, and what it costs to be refused.
func BenchmarkDo(b *testing.B) {
	ctx := context.Background()
	b.Run("rate.Limiter.Allow", func(b *testing.B) {
		bucket := rate.NewLimiter(1e9, 1e9)
		for b.Loop() {
			bucket.Allow()
		}
	})
	b.Run("let through", func(b *testing.B) {
		l := ratelimit.New(ratelimit.PerSecond(1e9, 1e9))
		b.ReportAllocs()
		for b.Loop() {
			_ = l.Do(ctx, succeed)
		}
	})
	b.Run("refused", func(b *testing.B) {
		l := ratelimit.New(ratelimit.Every(time.Hour, 1))
		_ = l.Do(ctx, succeed)
		b.ReportAllocs()
		for b.Loop() {
			_ = l.Do(ctx, succeed)
		}
	})
}

func BenchmarkDoParallel(b *testing.B) {
	l := ratelimit.New(ratelimit.PerSecond(1e9, 1e9))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = l.Do(context.Background(), succeed)
		}
	})
}

func BenchmarkGroup(b *testing.B) {
	const max = 1000
	keys := make([]string, 2*max)
	for i := range keys {
		keys[i] = fmt.Sprint("key ", i)
	}
	for _, bench := range []struct {
		name  string
		limit ratelimit.Limit
		keys  []string
	}{
		{"known keys", ratelimit.PerSecond(1e9, 1e9), keys[:max]},
		{"new keys", ratelimit.PerSecond(1e9, 1), keys},
		{"new keys, none forgotten", ratelimit.Every(time.Hour, 1), keys},
	} {
		b.Run(bench.name, func(b *testing.B) {
			g := ratelimit.NewGroup(bench.limit, max)
			for _, key := range bench.keys {
				_ = g.Get(key).Do(b.Context(), succeed)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				_ = g.Get(bench.keys[i%len(bench.keys)]).Do(context.Background(), succeed)
				i++
			}
		})
	}
}
