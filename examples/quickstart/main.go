// Command quickstart runs a checkout function on Lambda's own protocol, once as it is usually written and once with
// Seawall around it, while the payment service behind it stalls, fails and recovers.
//
//	go run ./examples/quickstart
//
// Both functions get the same orders at the same moments, in processes that lambdatest runs as Lambda runs them, and
// call a payment service of their own. What is printed is what was counted and timed during the run. Function.go is all
// the difference between the two; the shop, the outage and the orders are in examples/internal/surge.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/seawall-go/seawall/examples/internal/surge"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func main() {
	lambdatest.Serve("checkout-bare", bare)
	lambdatest.Serve("checkout", guarded)

	s := surge.FromFlags("quickstart")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	introduce(os.Stdout, s)
	t := begin(s)
	err := t.run(ctx, os.Stdout)
	t.end()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart: interrupted")
		os.Exit(1)
	}
	t.table(os.Stdout)
	t.timeline(os.Stdout)
	t.remarks(os.Stdout)
}
