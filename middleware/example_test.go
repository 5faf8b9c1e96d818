package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/middleware"
)

type Order struct{ ID string }

type Receipt struct{ Text string }

func placeOrder(_ context.Context, o Order) (Receipt, error) {
	return Receipt{"order " + o.ID + " placed"}, nil
}

// A typed handler with policies around it is a plain function of the same type, which lambda.StartHandlerFunc takes.
func ExampleWrap() {
	h := middleware.Wrap(placeOrder,
		middleware.Recover{},
		middleware.Reserve(500*time.Millisecond), // stop before Lambda does
		middleware.NewBulkhead(8, 0),
	)

	receipt, err := h(context.Background(), Order{ID: "7"})
	fmt.Println(receipt.Text, err)
	// Output: order 7 placed <nil>
}

// What is listed first is outermost: it sees the call first and its end last.
func ExampleWrap_order() {
	say := func(name string) middleware.Policy {
		return middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
			fmt.Println(name, "in")
			defer fmt.Println(name, "out")
			return call(ctx)
		})
	}
	h := middleware.Wrap(placeOrder, say("first"), say("second"))
	_, _ = h(context.Background(), Order{})
	// Output:
	// first in
	// second in
	// second out
	// first out
}

func ExampleWrapErr() {
	remove := func(_ context.Context, o Order) error {
		fmt.Println("removed", o.ID)
		return nil
	}
	h := middleware.WrapErr(remove, middleware.Timeout(time.Second))
	fmt.Println(h(context.Background(), Order{ID: "7"}))
	// Output:
	// removed 7
	// <nil>
}

func ExampleCall() {
	fetch := func(context.Context) (Receipt, error) { return Receipt{"from the archive"}, nil }

	receipt, err := middleware.Call(context.Background(), fetch, middleware.Timeout(time.Second))
	fmt.Println(receipt.Text, err)
	// Output: from the archive <nil>
}

// A downstream's policies belong together; joined, they have a name and are one policy.
func ExampleJoin() {
	database := middleware.Join(middleware.Timeout(time.Second), middleware.NewBulkhead(4, 0))

	err := database.Do(context.Background(), func(context.Context) error { return nil })
	fmt.Println(err)
	// Output: <nil>
}

func ExamplePolicyFunc() {
	maintenance := middleware.PolicyFunc(func(context.Context, func(context.Context) error) error {
		return errors.New("back at noon")
	})
	fmt.Println(maintenance.Do(context.Background(), func(context.Context) error { return nil }))
	// Output: back at noon
}

func ExampleChain() {
	loud := func(next middleware.Handler[Order, Receipt]) middleware.Handler[Order, Receipt] {
		return func(ctx context.Context, o Order) (Receipt, error) {
			r, err := next(ctx, o)
			r.Text += "!"
			return r, err
		}
	}
	h := middleware.Chain(placeOrder, loud, loud)
	receipt, _ := h(context.Background(), Order{ID: "7"})
	fmt.Println(receipt.Text)
	// Output: order 7 placed!!
}

func ExampleTimeout() {
	slow := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	err := middleware.Timeout(10*time.Millisecond).Do(context.Background(), slow)

	var timeout *middleware.TimeoutError
	fmt.Println(errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded))
	fmt.Println(err)
	// Output:
	// true true
	// timeout: over after 10ms: context deadline exceeded
}

// With 500 ms reserved, a call that has only 100 ms is not begun.
func ExampleReserve() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()

	err := middleware.Reserve(500*time.Millisecond).Do(ctx, func(context.Context) error {
		fmt.Println("never printed")
		return nil
	})

	var refused *middleware.ReserveError
	fmt.Println(errors.As(err, &refused))
	// Output: true
}

func ExampleRecover() {
	err := middleware.Recover{}.Do(context.Background(), func(context.Context) error { panic("no such table") })

	var p *middleware.PanicError
	if errors.As(err, &p) {
		fmt.Println(p.Value)
	}
	// Output: no such table
}

func ExampleNewBulkhead() {
	connections := middleware.NewBulkhead(1, 0)
	query := func(ctx context.Context) error {
		// A second call, while the only place is taken.
		return connections.Do(ctx, func(context.Context) error { return nil })
	}
	err := connections.Do(context.Background(), query)
	fmt.Println(errors.Is(err, middleware.ErrFull), err)
	// Output: true bulkhead: full, at most 1 at once
}

func ExampleObserve() {
	events := middleware.Observe(func(_ context.Context, e middleware.Event) {
		fmt.Println(e.Policy, e.Kind, e.Err)
	})
	h := middleware.Wrap(func(context.Context, Order) (Receipt, error) { panic("no such table") },
		events, middleware.Recover{})
	_, _ = h(context.Background(), Order{})
	// Output: recover panic panic: no such table
}

func ExampleFallback() {
	quote := func(context.Context, string) (int, error) { return 0, errors.New("pricing is down") }
	h := middleware.Fallback(quote, func(_ context.Context, item string, err error) (int, error) {
		fmt.Println("list price of", item, "because", err)
		return 100, nil
	})
	fmt.Println(h(context.Background(), "chair"))
	// Output:
	// list price of chair because pricing is down
	// 100 <nil>
}

// A handler that does not look at its context is answered for, before the caller gives up.
func ExampleAbandon() {
	done := make(chan struct{})
	deaf := func(context.Context, Order) (Receipt, error) {
		<-done
		return Receipt{"too late"}, nil
	}
	h := middleware.Abandon(deaf, 20*time.Millisecond)

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	receipt, err := h(ctx, Order{ID: "7"})
	fmt.Printf("%q %t\n", receipt.Text, errors.Is(err, context.DeadlineExceeded))
	close(done)
	// Output: "" true
}
