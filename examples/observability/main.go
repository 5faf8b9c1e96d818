// Command observability runs a checkout function through a surge while the payment service behind it stalls and fails,
// and shows what OpenTelemetry has of it: the trace of one order that was paid at the second attempt, what the breakers
// did and why, and what the metrics have counted.
//
//	go run ./examples/observability
//
// It is the surge of examples/quickstart in small, and nothing is installed: the gateway, the payment service and the
// receiver of the telemetry are in this program, the function is in processes that lambdatest runs as Lambda runs them. All
// of them send their spans and metrics to the receiver as they would to a collector, by OTLP over HTTP, and what is
// printed is made of nothing else. Function.go is how a function is told to. Beside it are dashboards of the same metrics:
// grafana.json for Prometheus, cloudwatch.json for what package emf writes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func main() {
	lambdatest.Serve("checkout", function)
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "usage: go run ./examples/observability")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	fmt.Printf("Orders come for %v, up to %d in a second, while the payment service goes through this:\n\n", length(), surge)
	for i, p := range phases {
		fmt.Printf("  from %-4v  %-8s %s\n", begin(i), p.name, p.is)
	}
	fmt.Println("\nNo policy has a hook; the function has a Span around it and one around each attempt to pay.")
	seen, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "observability:", err)
		os.Exit(1)
	}
	seen.trace(os.Stdout)
	seen.breakers(os.Stdout)
	seen.metrics(os.Stdout)
}
