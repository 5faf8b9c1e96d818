package dynamostore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// A run whose transaction went through, or may have, and that ended uncertain after it, or panicked, was remembered for ever.
func TestRegression_WhatARunSentIsForgottenWhenItIsOver(t *testing.T) {
	lost := fakedynamo.Fault{DropReply: true}
	for name, tt := range map[string]struct {
		faults []fakedynamo.Fault
		panics bool
	}{
		"uncertain":                         {nil, false},
		"uncertain whether it went through": {[]fakedynamo.Fault{lost, lost, lost}, false},
		"panics":                            {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			tills(t, func(l *till) {
				l.once.Uncertain = func(error) bool { return true }
				l.tx = func(ctx context.Context) error {
					l.fake.Fail("TransactWriteItems", tt.faults...)
					err := l.store.CompleteTx(ctx, "charged", charge)
					if (err != nil) != (tt.faults != nil) || l.store.Running() != 1 {
						l.Errorf("got %v, and %d runs are remembered", err, l.store.Running())
					}
					if tt.panics {
						panic("boom")
					}
					return errors.New("no answer") // to something else
				}
				func() {
					defer func() { _ = recover() }()
					if _, err := l.pay(); err == nil {
						l.Error("no error")
					}
				}()
				if n := l.store.Running(); n != 0 {
					l.Errorf("%d runs that are over are remembered", n)
				}
				l.charged(1)
				l.paid(1) // a replay
			})
		})
	}
}

// There is nothing to be renewed of a record that is completed, and nothing to be asked.
func TestHandlerGoesOnAfterItsTransactionAndAsksNothing(t *testing.T) {
	tills(t, func(l *till) {
		l.tx = func(ctx context.Context) error {
			err := l.store.CompleteTx(ctx, "charged", charge)
			before := l.fake.Calls()
			l.works(10 * time.Minute)
			if n := l.fake.Calls() - before; n != 0 || l.store.Running() != 1 {
				l.Errorf("%d requests, and %d runs are remembered", n, l.store.Running())
			}
			if ctx.Err() != nil {
				l.Error(context.Cause(ctx))
			}
			return err
		}
		ctx, outcome := idempotency.Watch(l.Context())
		_, err := idempotency.Do(ctx, l.once, "key", func(ctx context.Context) (string, error) { return "charged", l.tx(ctx) })
		if outcome() != idempotency.Ran || err != nil {
			l.Errorf("got %v, %v", outcome(), err)
		}
	})
}
