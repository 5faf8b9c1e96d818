package policytest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
)

// twice is a policy of one's own: it makes a call that fails once more.
var twice = middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
	if call(ctx) == nil {
		return nil
	}
	return call(ctx)
})

// In a test of one's own policy, Run is all there is to write:
//
//	func TestTwice(t *testing.T) {
//		policytest.Run(t, func(*testing.T) middleware.Policy { return twice })
//	}
func ExampleRun() {
	var _ = func(t *testing.T) {
		policytest.Run(t, func(*testing.T) middleware.Policy { return twice })
	}
	// Output:
}

func ExampleScript() {
	payments := policytest.NewScript(
		policytest.Step{Err: errors.New("503")},
		policytest.Step{},
	)
	fmt.Println(twice.Do(context.Background(), payments.Call), payments.Calls())
	// Output: <nil> 2
}

func ExampleFail() {
	payments := policytest.Fail(2, errors.New("503"))
	fmt.Println(twice.Do(context.Background(), payments.Call), payments.Calls())
	// Output: 503 2
}
