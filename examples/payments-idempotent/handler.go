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

// once makes a handler of it that may be called as often as anybody likes.
func once(placeOrder handler, payments *Payments, store idempotency.Store) handler {
	return idempotency.Wrap(placeOrder, byID, idempotency.Config{
		Store: store,
		Scope: "place order",

		// Who comes while another is at work waits for its receipt.
		Wait: 5 * time.Second,

		// A worker that says nothing for so long is dead. Leave that at its minute: here nobody wants to watch one.
		Lease: 400 * time.Millisecond,
		Skew:  -1, // there is one clock

		// It may have charged before it died. The payment service knows.
		Reconcile: func(_ context.Context, run idempotency.Abandoned) (result any, done bool, err error) {
			receipt, charged := payments.Find(run.In.(Order))
			return receipt, charged, nil
		},
	})
}

func byID(o Order) (string, error) { return o.ID, nil }
