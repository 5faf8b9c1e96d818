// Command payments-idempotent charges for orders that come twice: delivered twice, clicked twice, sent again after a
// timeout and after a crash. It prints what each delivery got, and how often each order was charged, with idempotency
// and without:
//
//	go run ./examples/payments-idempotent
//
// The records are in memory, or where a fleet has them:
//
//	go run ./examples/payments-idempotent -store dynamodb -endpoint http://localhost:8000
//	go run ./examples/payments-idempotent -store redis -addr localhost:6379
//
// All that a program of its own needs is in handler.go. The rest is what happens to it: shop.go delivers every order
// twice, scene.go says when, and worker.go lets workers answer, or not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	place, err := parse(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "payments-idempotent:", err)
		os.Exit(2)
	}
	if err := run(context.Background(), place, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "payments-idempotent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p place, out io.Writer) error {
	store, closeStore, err := p.open(ctx)
	defer closeStore()
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}

	without, with := newShop(nil), newShop(store)
	fmt.Fprintf(out, "%d orders, each delivered twice. Records: %s.\n", len(scenes), p)
	for _, s := range scenes {
		without.play(s)
		first, second := with.play(s)
		fmt.Fprintf(out, "\n%s: %s\n", s.name, s.story)
		fmt.Fprintf(out, "    first delivery   %s\n", first)
		fmt.Fprintf(out, "    second delivery  %s\n", second)
	}

	fmt.Fprintf(out, "\n%-24s%8s%8s\n", "charges for each order", "without", "with")
	for _, s := range scenes {
		fmt.Fprintf(out, "    %-20s%8d%8d\n", s.name, without.charges(s), with.charges(s))
	}
	for _, s := range scenes {
		if n := with.charges(s); n != 1 {
			return fmt.Errorf("%s: the order was charged %d times", s.name, n)
		}
	}
	fmt.Fprintln(out, "\nWith idempotency, every order was charged once.")
	return nil
}
