// Command lambda is a whole Lambda function with policies around its handler and around what it depends on.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/retry"
)

type Order struct{ ID string }

type Receipt struct{ OrderID string }

// payments is the way to the payment service.
var payments = middleware.Join(
	retry.Policy{Attempts: 3, Base: 50 * time.Millisecond}, // with jitter, never past the deadline
	breaker.New(breaker.Config{Name: "payments"}),          // leaves the service alone while it is down
	middleware.Timeout(time.Second),                        // for each attempt
)

func placeOrder(ctx context.Context, o Order) (Receipt, error) {
	if o.ID == "" {
		return Receipt{}, errors.New("order without an ID") // out here, since the service is not at fault
	}
	err := payments.Do(ctx, func(ctx context.Context) error { return charge(ctx, o) })
	return Receipt{OrderID: o.ID}, err
}

// charge stands for the call to the payment service.
func charge(ctx context.Context, _ Order) error { return ctx.Err() }

func main() {
	lambda.StartHandlerFunc(middleware.Wrap(placeOrder,
		middleware.Recover{},
		middleware.Reserve(500*time.Millisecond), // answers before Lambda ends the function
	))
}
