package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/retry"
)

var errUnavailable = errors.New("unavailable")

// flaky returns a call that fails so many times and then succeeds.
func flaky(failures int) func(context.Context) error {
	attempt := 0
	return func(context.Context) error {
		attempt++
		if attempt <= failures {
			fmt.Printf("attempt %d: %v\n", attempt, errUnavailable)
			return errUnavailable
		}
		fmt.Printf("attempt %d: ok\n", attempt)
		return nil
	}
}

func Example() {
	ctx, ping := context.Background(), flaky(2)

	err := retry.Policy{}.Do(ctx, ping)
	fmt.Println(err)
	// Output:
	// attempt 1: unavailable
	// attempt 2: unavailable
	// attempt 3: ok
	// <nil>
}

func ExamplePolicy() {
	ctx, ping := context.Background(), flaky(9)

	err := retry.Policy{Attempts: 4, Base: 5 * time.Millisecond}.Do(ctx, ping)
	fmt.Println(err)
	// Output:
	// attempt 1: unavailable
	// attempt 2: unavailable
	// attempt 3: unavailable
	// attempt 4: unavailable
	// unavailable
}

// A wait that would not end before the deadline is not begun: the error is there at once.
func ExamplePolicy_Do_deadline() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p := retry.Policy{Cap: time.Hour}

	err := p.Do(ctx, func(context.Context) error {
		return retry.After(errUnavailable, 5*time.Minute)
	})
	fmt.Println(err)
	// Output:
	// unavailable
}

// An inner policy leaves the repeating to the outer one, so that attempts do not multiply.
func ExamplePolicy_Do_nested() {
	ctx, ping := context.Background(), flaky(9)
	p := retry.Policy{Base: time.Millisecond}

	err := p.Do(ctx, func(ctx context.Context) error {
		return p.Do(ctx, ping)
	})
	fmt.Println(err)
	// Output:
	// attempt 1: unavailable
	// attempt 2: unavailable
	// attempt 3: unavailable
	// unavailable
}

func ExampleClass() {
	errLocked := errors.New("row is locked")
	errConstraint := errors.New("constraint violated")
	p := retry.Policy{
		Base: time.Millisecond,
		Classify: func(err error) retry.Class {
			switch {
			case errors.Is(err, errLocked):
				return retry.Transient
			case errors.Is(err, errConstraint):
				return retry.Stop
			}
			return retry.Unknown
		},
	}

	answers := []error{errLocked, errConstraint, nil}
	err := p.Do(context.Background(), func(context.Context) error {
		answer := answers[0]
		answers = answers[1:]
		fmt.Println("insert:", answer)
		return answer
	})
	fmt.Println(err)
	// Output:
	// insert: row is locked
	// insert: constraint violated
	// constraint violated
}

func ExamplePermanent() {
	err := retry.Policy{}.Do(context.Background(), func(context.Context) error {
		fmt.Println("charge")
		return retry.Permanent(errors.New("card declined"))
	})
	fmt.Println(err)
	// Output:
	// charge
	// card declined
}

func ExampleAfter() {
	polls := 0

	err := retry.Policy{}.Do(context.Background(), func(context.Context) error {
		polls++
		if polls == 1 {
			fmt.Println("not ready")
			return retry.After(errors.New("export is still running"), 10*time.Millisecond)
		}
		fmt.Println("ready")
		return nil
	})
	fmt.Println(err)
	// Output:
	// not ready
	// ready
	// <nil>
}

// All policies for one dependency share its budget. In an outage it is soon used up, and calls fail at once.
func ExampleBudget() {
	var payments retry.Budget
	charge := retry.Policy{Base: -1, Budget: &payments}
	refund := retry.Policy{Base: -1, Budget: &payments, Attempts: 2}

	calls := 0
	fail := func(context.Context) error {
		calls++
		return errUnavailable
	}
	for range 50 {
		_ = charge.Do(context.Background(), fail)
		_ = refund.Do(context.Background(), fail)
	}
	fmt.Println("100 failing calls, with repeats:", calls)
	// Output:
	// 100 failing calls, with repeats: 110
}
