package dynamostore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
)

type Order struct{ ID string }

type Receipt struct{ Text string }

// A handler of orders that places each once, however often it is delivered.
func Example_handler() {
	ctx := context.Background()
	placeOrder := func(_ context.Context, o Order) (Receipt, error) {
		fmt.Println("placing", o.ID)
		return Receipt{"order " + o.ID + " placed"}, nil
	}
	if err := dynamostore.CreateTable(ctx, dynamodb.NewFromConfig(cfg), "orders"); err != nil {
		fmt.Println(err)
		return
	}

	once := idempotency.Config{
		Store: dynamostore.New(dynamodb.NewFromConfig(cfg), "orders"),
		Scope: "place order",
		TTL:   24 * time.Hour,
	}
	byID := func(o Order) (string, error) { return o.ID, nil }
	h := idempotency.Wrap(placeOrder, byID, once) // for lambda.StartHandlerFunc, or anything else

	for range 2 {
		fmt.Println(h(ctx, Order{ID: "7"}))
	}
	// Output:
	// placing 7
	// {order 7 placed} <nil>
	// {order 7 placed} <nil>
}
