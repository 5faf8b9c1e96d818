package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/ratelimit"
)

func search(context.Context) error {
	fmt.Println("searching")
	return nil
}

// Two calls at once, and one more every hour.
func Example() {
	limiter := ratelimit.New(ratelimit.Every(time.Hour, 2))
	for range 3 {
		if err := limiter.Do(context.Background(), search); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// searching
	// searching
	// ratelimit: over the limit, retry in 1h0m0s
}

func ExampleLimit() {
	limiter := ratelimit.New(ratelimit.Limit{Name: "search", Rate: 100, Burst: 1, Wait: time.Second})
	for range 3 {
		_ = limiter.Do(context.Background(), search) // waits a hundredth of a second for its turn
	}
	// Output:
	// searching
	// searching
	// searching
}

func ExamplePerSecond() {
	limiter := ratelimit.New(ratelimit.PerSecond(100, 20))
	fmt.Println(limiter.Do(context.Background(), search))
	// Output:
	// searching
	// <nil>
}

func ExampleEvery() {
	limit := ratelimit.Every(time.Minute, 1)
	fmt.Printf("%.4f calls a second\n", limit.Rate)
	// Output:
	// 0.0167 calls a second
}

func ExampleLimiter_Do() {
	limiter := ratelimit.New(ratelimit.Every(time.Hour, 1))
	for range 2 {
		err := limiter.Do(context.Background(), search)
		fmt.Println(err == nil, errors.Is(err, ratelimit.ErrLimited))
	}
	// Output:
	// searching
	// true false
	// false true
}

func ExampleLimitedError() {
	limiter := ratelimit.New(ratelimit.Limit{Name: "search", Rate: 1.0 / 3600, Burst: 1})
	_ = limiter.Do(context.Background(), search)

	err := limiter.Do(context.Background(), search)
	var limited *ratelimit.LimitedError
	if errors.As(err, &limited) {
		fmt.Println(limited.Name, limited.HTTPStatus(), limited.RetryAfter().Round(time.Second))
	}
	// Output:
	// searching
	// search 429 1h0m0s
}

// A tenant that has used up its limit does not take from the others.
func ExampleGroup() {
	tenants := ratelimit.NewGroup(ratelimit.Every(time.Hour, 1), 10_000)
	for _, tenant := range []string{"ann", "ann", "bob"} {
		err := tenants.Get(tenant).Do(context.Background(), search)
		fmt.Println(tenant, errors.Is(err, ratelimit.ErrLimited))
	}
	// Output:
	// searching
	// ann false
	// ann true
	// searching
	// bob false
}

type tenantKey struct{}

// A policy with a limit for each tenant, for a list of policies.
func ExampleGroup_Get() {
	tenants := ratelimit.NewGroup(ratelimit.Every(time.Hour, 1), 10_000)
	perTenant := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		tenant, _ := ctx.Value(tenantKey{}).(string)
		return tenants.Get(tenant).Do(ctx, call)
	})

	handler := middleware.WrapErr(func(ctx context.Context, query string) error {
		fmt.Println("searching for", query)
		return nil
	}, perTenant)

	ctx := context.WithValue(context.Background(), tenantKey{}, "ann")
	fmt.Println(handler(ctx, "sea"))
	fmt.Println(handler(ctx, "wall"))
	// Output:
	// searching for sea
	// <nil>
	// ratelimit: over the limit, retry in 1h0m0s
}
