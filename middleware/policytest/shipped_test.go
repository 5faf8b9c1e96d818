package policytest_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
)

func TestShippedPolicies(t *testing.T) {
	request := func(context.Context) slog.Attr { return slog.String("requestId", "42") }
	for name, open := range map[string]func() middleware.Policy{
		"Timeout":           func() middleware.Policy { return middleware.Timeout(time.Second) },
		"Timeout, long":     func() middleware.Policy { return middleware.Timeout(100 * time.Hour) },
		"Reserve":           func() middleware.Policy { return middleware.Reserve(time.Second) },
		"Recover":           func() middleware.Policy { return middleware.Recover{} },
		"Bulkhead":          func() middleware.Policy { return middleware.NewBulkhead(1, 0) },
		"Bulkhead, waiting": func() middleware.Policy { return middleware.NewBulkhead(4, time.Second) },
		"Observe":           func() middleware.Policy { return middleware.Observe(func(context.Context, middleware.Event) {}) },
		"Log": func() middleware.Policy {
			return middleware.Log(slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)), request)
		},
		"Join of nothing": func() middleware.Policy { return middleware.Join() },
		"Join": func() middleware.Policy {
			return middleware.Join(middleware.Timeout(time.Second), middleware.Recover{}, middleware.NewBulkhead(4, time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			policytest.Run(t, func(*testing.T) middleware.Policy { return open() })
		})
	}
}
