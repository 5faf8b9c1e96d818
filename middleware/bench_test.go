package middleware_test

import (
	"context"
	"testing"
	"time"

	"github.com/seawall-go/seawall/middleware"
)

var quiet = middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error { return call(ctx) })

type order struct {
	ID     string
	Amount int64
}

type receipt struct{ ID string }

func bare(_ context.Context, o order) (receipt, error) { return receipt{o.ID}, nil }

func BenchmarkTimeNow(b *testing.B) {
	for b.Loop() {
		_ = time.Now()
	}
}

func BenchmarkBare(b *testing.B) {
	h := bare
	for b.Loop() {
		_, _ = h(b.Context(), order{ID: "1"})
	}
}

func BenchmarkWrapPassThrough(b *testing.B) {
	h := middleware.Wrap(bare, quiet)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = h(ctx, order{ID: "1"})
	}
}
