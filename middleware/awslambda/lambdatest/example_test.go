package lambdatest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

// TestMain of this package begins with
//
//	lambdatest.Serve("greet", func() { lambda.Start(greet) })
func Example() {
	f := lambdatest.New("greet", lambdatest.Config{Timeout: 10 * time.Second})
	defer f.Close()

	result, err := f.Invoke(context.Background(), []byte(`{"name":"Ada"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, cold start: %v\n", result.Payload, result.Cold)

	result, err = f.Invoke(context.Background(), []byte(`["not", "an", "object"]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Err.Type)
	// Output:
	// "hello Ada", cold start: true
	// UnmarshalTypeError
}

func ExampleFunction_Send() {
	f := lambdatest.New("seen", lambdatest.Config{}) // answers with what it sees of its invocation
	defer f.Close()

	result, err := f.Send(context.Background(), lambdatest.Request{Payload: []byte(`{}`), TenantID: "acme"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var seen struct{ Tenant string }
	err = json.Unmarshal(result.Payload, &seen)
	fmt.Println(seen.Tenant, err)
	// Output: acme <nil>
}
