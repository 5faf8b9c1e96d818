package jmespath_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/jmespath"
)

type Order struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id"`
	Note   string `json:"note"`
}

func ExampleKey() {
	placeOrder := func(_ context.Context, o Order) (string, error) {
		fmt.Println("placing", o.Tenant, o.ID)
		return "placed", nil
	}
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "place order"}
	h := idempotency.Wrap(placeOrder, jmespath.Key[Order]("[tenant, id]"), once)

	for _, o := range []Order{{"a", "7", ""}, {"a", "7", "again"}, {"b", "7", ""}} {
		fmt.Println(h(context.Background(), o))
	}
	// Output:
	// placing a 7
	// placed <nil>
	// placed <nil>
	// placing b 7
	// placed <nil>
}

// What is JSON in a string, as the body of a request is, is searched on its own.
func ExampleKey_body() {
	type request struct{ Body string }
	id := jmespath.Key[json.RawMessage]("order.id")
	key := func(r request) (string, error) { return id(json.RawMessage(r.Body)) }

	fmt.Println(key(request{Body: `{"order": {"id": "7"}}`}))
	// Output: 7 <nil>
}
