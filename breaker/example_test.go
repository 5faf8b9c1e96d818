package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/seawall-go/seawall/breaker"
)

// One breaker stands before one dependency, and all calls to it share it.
func Example() {
	payments := breaker.New(breaker.Config{Name: "payments"})
	charge := func(context.Context) error { return errors.New("connection refused") }

	for range 6 {
		err := payments.Do(context.Background(), charge)
		if errors.Is(err, breaker.ErrOpen) {
			fmt.Println("not called: the breaker is", payments.State())
			continue
		}
		fmt.Println(err)
	}
	// Output:
	// connection refused
	// connection refused
	// connection refused
	// connection refused
	// connection refused
	// not called: the breaker is open
}

func ExampleOpenError() {
	payments := breaker.New(breaker.Config{Name: "payments", Failures: 1})
	charge := func(context.Context) error { return errors.New("connection refused") }
	_ = payments.Do(context.Background(), charge)

	err := payments.Do(context.Background(), charge)
	if open, ok := errors.AsType[*breaker.OpenError](err); ok {
		fmt.Println(open.Name, "answers with", open.HTTPStatus())
		fmt.Println(open.RetryAfter() <= 15*time.Second)
	}
	// Output:
	// payments answers with 503
	// true
}

// Rarely called and quick to recover: open after two failures in a row, and probe soon.
func ExampleConfig() {
	search := breaker.New(breaker.Config{
		Name:       "search",
		Failures:   2,
		Ratio:      -1, // off
		OpenFor:    time.Second,
		MaxOpenFor: 5 * time.Second,
		Slow:       2 * time.Second, // an answer that nobody waits for is none
	})
	fmt.Println(search.State())
	// Output: closed
}

// Of a store's errors, one that says that a file is not there says that the store is.
func ExampleOutcome() {
	store := breaker.New(breaker.Config{
		Failures: 3,
		Classify: func(err error) breaker.Outcome {
			if errors.Is(err, fs.ErrNotExist) {
				return breaker.Success
			}
			return breaker.Failure
		},
	})
	for range 100 {
		_ = store.Do(context.Background(), func(context.Context) error { return fs.ErrNotExist })
	}
	fmt.Println(store.State())
	// Output: closed
}

func ExampleBreaker_State() {
	payments := breaker.New(breaker.Config{Failures: 1})
	fmt.Println(payments.State())
	_ = payments.Do(context.Background(), func(context.Context) error { return errors.New("down") })
	fmt.Println(payments.State())
	// Output:
	// closed
	// open
}

// One host that is down does not keep calls from the others.
func ExampleGroup() {
	hosts := breaker.NewGroup(breaker.Config{Failures: 1}, 1000)
	get := func(url string) error {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		return hosts.Get(req.URL.Host).Do(req.Context(), func(context.Context) error {
			if req.URL.Host == "a.example" {
				return errors.New("no route to host")
			}
			return nil
		})
	}
	fmt.Println(get("http://a.example/1"))
	fmt.Println(errors.Is(get("http://a.example/2"), breaker.ErrOpen))
	fmt.Println(get("http://b.example/1"))
	// Output:
	// no route to host
	// true
	// <nil>
}
