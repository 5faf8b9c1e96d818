package main

import (
	"os"
	"testing"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestMain(m *testing.M) {
	lambdatest.Serve("orders", main)
	os.Exit(m.Run())
}

func TestFunction(t *testing.T) {
	f := lambdatest.New("orders", lambdatest.Config{})
	defer f.Close()
	for event, want := range map[string]string{
		`{"ID":"7"}`: `{"OrderID":"7"}`,
		`{}`:         `{"errorMessage":"order without an ID","errorType":"errorString"}`,
	} {
		result, err := f.Invoke(t.Context(), []byte(event))
		if err != nil {
			t.Fatal(err)
		}
		if string(result.Payload) != want {
			t.Errorf("%s: got %s, want %s", event, result.Payload, want)
		}
	}
}

// Orders without an ID took the payment service away from all others.
func TestRegression_BadOrdersOpenTheBreaker(t *testing.T) {
	for range 10 {
		if _, err := placeOrder(t.Context(), Order{}); err == nil {
			t.Fatal("an order without an ID was placed")
		}
	}
	if _, err := placeOrder(t.Context(), Order{ID: "7"}); err != nil {
		t.Errorf("a good order after ten without an ID: %v", err)
	}
}
