package main

import (
	"context"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

type Order struct {
	ID    string
	Cents int
}

type Receipt struct {
	Number int
	Cents  int
}

type handler = func(ctx context.Context, o Order) (Receipt, error)

// placeOrder is written as if every order came once.
func placeOrder(payments *Payments) handler {
	return func(_ context.Context, o Order) (Receipt, error) {
		return payments.Charge(o), nil
	}
}

// once makes a handler of it that may be called as often as it wants.
func once(placeOrder handler, payments *Payments, store idempotency.Store) handler {
	return idempotency.Wrap(placeOrder, func(o Order) (string, error) { return o.ID, nil }, idempotency.Config{
		Store: store,
		Scope: "place order",
		Wait:  5 * time.Second,        // the second click gets the first one's receipt
		Lease: 400 * time.Millisecond, // of a run without a word; so short only because nobody likes to watch a minute
		Skew:  -1,                     // there is one clock here

		// A run has died, and nobody knows whether it had charged: the payment service does.
		Reconcile: func(_ context.Context, run idempotency.Abandoned) (result any, done bool, err error) {
			receipt, charged := payments.Find(run.In.(Order))
			return receipt, charged, nil
		},
	})
}
