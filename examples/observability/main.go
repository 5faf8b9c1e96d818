// Command observability runs the surge of examples/quickstart, in which the payment service behind a checkout function
// stalls, fails and recovers, and shows what OpenTelemetry has of it: the trace of one order that was paid at the second
// attempt, what the breakers did and why, and what the metrics have counted.
//
//	go run ./examples/observability
//
// Nothing is installed: the gateway, the payment service and the receiver of the telemetry are in this program, the
// function is in processes that lambdatest runs as Lambda runs them. All of them send their spans and metrics to the
// receiver as they would to a collector, by OTLP over HTTP, and the trees and counters are made of nothing else.
// Function.go is how a function is told to. Beside it are dashboards of the same metrics: grafana.json for Prometheus,
// cloudwatch.json for what package emf writes. In the latter, us-east-1 is to be replaced by the region and nothing else:
// checkout stands for the function that is chosen above the widgets, and for its log if its service has its name.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/seawall-go/seawall/examples/internal/surge"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func main() {
	lambdatest.Serve("checkout", function)

	s := surge.FromFlags("observability")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	introduce(os.Stdout, s)
	seen, err := run(ctx, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "observability:", err)
		os.Exit(1)
	}
	seen.trace(os.Stdout)
	seen.breakers(os.Stdout)
	seen.metrics(os.Stdout)
	seen.rest(os.Stdout)
}

// introduce says what there is to see.
func introduce(out io.Writer, s surge.Scenario) {
	fmt.Fprintf(out, `%d orders come in %v: %d a second, and %d in a surge from %v to %v. Every fourth is by invoice and
needs no payment. The payment service, to which an attempt to pay gives %v, goes through this:

`, len(s.Orders()), s.Length(), s.Rate, s.Surge, s.From, s.To, patience)
	for i, p := range s.Phases {
		does := fmt.Sprintf("takes %v to charge", p.Takes)
		switch {
		case p.Fails == 1:
			does = "answers all calls with 503"
		case p.Fails > 0:
			does += fmt.Sprintf(", but answers one call in %.0f with 503", 1/p.Fails)
		}
		fmt.Fprintf(out, "  from %-5v  %-8s %s\n", s.Begin(i), p.Name, does)
	}
	fmt.Fprintln(out, "\nNo policy has a hook; the function has a Span around it and one around each attempt to pay.")
}
