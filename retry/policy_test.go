package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
	"github.com/seawall-go/seawall/retry"
)

func TestKeepsThePolicyContract(t *testing.T) {
	for name, open := range map[string]func() middleware.Policy{
		"zero value":     func() middleware.Policy { return retry.Policy{} },
		"no wait":        func() middleware.Policy { return retry.Policy{Base: -1} },
		"a single call":  func() middleware.Policy { return retry.Policy{Attempts: 1} },
		"with a budget":  func() middleware.Policy { return retry.Policy{Budget: &retry.Budget{}} },
		"nested":         func() middleware.Policy { return retry.Policy{Nested: true} },
		"nine throttles": func() middleware.Policy { p := classify(retry.Throttle); p.Attempts = 9; return p },
		"two of them":    func() middleware.Policy { return middleware.Join(retry.Policy{}, retry.Policy{}) },
	} {
		t.Run(name, func(t *testing.T) {
			policytest.Run(t, func(*testing.T) middleware.Policy { return open() })
		})
	}
}

// What the errors of other policies say through their methods is understood.
func TestAroundOtherPolicies(t *testing.T) {
	full := middleware.NewBulkhead(1, 0)
	for _, tt := range []struct {
		name  string
		inner middleware.Policy
		call  func(context.Context) error
		calls int
		is    func(error) bool
	}{
		{
			name:  "the timeout of an attempt is repeated",
			inner: middleware.Timeout(time.Second),
			call:  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			calls: 3,
			is:    func(err error) bool { _, ok := errors.AsType[*middleware.TimeoutError](err); return ok },
		},
		{
			name:  "a panic is not",
			inner: middleware.Recover{},
			call:  func(context.Context) error { panic(hinted{time.Second}) },
			calls: 1,
			is:    func(err error) bool { _, ok := errors.AsType[*middleware.PanicError](err); return ok },
		},
		{
			name:  "a full bulkhead is not asked again",
			inner: full,
			call:  func(context.Context) error { return nil },
			is:    func(err error) bool { return errors.Is(err, middleware.ErrFull) },
		},
		{
			name:  "a reserve that refuses is not asked again",
			inner: middleware.Reserve(time.Hour),
			call:  func(context.Context) error { return nil },
			is:    func(err error) bool { _, ok := errors.AsType[*middleware.ReserveError](err); return ok },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				asked, calls := 0, 0
				counted := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
					asked++
					return tt.inner.Do(ctx, call)
				})
				policies := middleware.Join(retry.Policy{}, counted)
				err := full.Do(ctx, func(ctx context.Context) error { // takes the only place
					return policies.Do(ctx, func(ctx context.Context) error {
						calls++
						return tt.call(ctx)
					})
				})
				if calls != tt.calls || asked != max(tt.calls, 1) || !tt.is(err) {
					t.Errorf("made %d calls, asked %d times, Do = %T %v", calls, asked, err, err)
				}
			})
		})
	}
}
