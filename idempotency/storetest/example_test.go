package storetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

// In a test of one's own store, Run is all there is to write:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(*testing.T) storetest.Harness {
//			return storetest.Harness{Store: new(idempotency.Memory)}
//		})
//	}
func ExampleRun() {
	var _ = func(t *testing.T) {
		storetest.Run(t, func(*testing.T) storetest.Harness {
			return storetest.Harness{Store: new(idempotency.Memory)}
		})
	}
	// Output:
}

// A store on a server is tested where it is, and shows more if the Harness can do more.
func ExampleRunServer() {
	var _ = func(t *testing.T) {
		storetest.RunServer(t, func(*testing.T) storetest.Harness {
			table := &storetest.Flaky{Store: new(idempotency.Memory)}
			return storetest.Harness{
				Store:     table,
				LoseReply: func() { table.Next(storetest.Any, storetest.Fault{Lost: true}) },
			}
		})
	}
	// Output:
}

func ExampleFlaky() {
	store := &storetest.Flaky{Store: new(idempotency.Memory)}
	store.Next(storetest.Claim, storetest.Fault{Lost: true})

	claim := idempotency.Claim{Key: "orders#1", Owner: "A", Now: time.Now(), Lease: time.Now().Add(time.Minute)}
	for range 2 {
		r, err := store.Claim(context.Background(), claim)
		fmt.Printf("%q %v\n", r.Owner, err)
	}
	// Output:
	// "" storetest: the reply was lost
	// "A" <nil>
}
