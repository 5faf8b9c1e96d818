package main

import (
	"fmt"
	"io"
	"time"
)

// table compares the variants.
func (t *trial) table(out io.Writer) {
	without, with := t.without.outcome(), t.with.outcome()
	line := func(label, without, with string) { fmt.Fprintf(out, "%-62s%18s%18s\n", label, without, with) }
	count := func(label string, of func(outcome) int) {
		line(label, fmt.Sprint(of(without)), fmt.Sprint(of(with)))
	}
	part := func(label string, of func(outcome) share) {
		text := func(s share) string { return fmt.Sprintf("%d of %d", s.served, s.orders) }
		line(label, text(of(without)), text(of(with)))
	}
	span := func(label string, of func(outcome) time.Duration) {
		line(label, readable(of(without)), readable(of(with)))
	}
	s := t.scenario

	fmt.Fprintln(out)
	line("", "without Seawall", "with Seawall")
	count("orders", func(o outcome) int { return o.orders })
	count("  served", func(o outcome) int { return o.fates[served] })
	part("    by card", func(o outcome) share { return o.cards })
	part("    by invoice, which needs no payment", func(o outcome) share { return o.invoices })
	count("  refused, and told when to come back (429, 503)", func(o outcome) int { return o.fates[refused] })
	count("  failed with another error", func(o outcome) int { return o.fates[failed] })
	count("  turned away by Lambda, all environments being busy", func(o outcome) int { return o.fates[turnedAway] })
	count("  given up by the customer after "+readable(s.Patience), func(o outcome) int { return o.fates[gaveUp] })
	fmt.Fprintln(out)
	span("time to serve a card order, median", func(o outcome) time.Duration { return o.median })
	span("  99th percentile", func(o outcome) time.Duration { return o.p99 })
	span("longest wait of a customer, whatever came of it", func(o outcome) time.Duration { return o.longest })
	span("from the end of the outage to the first card order served", func(o outcome) time.Duration { return o.first })
	span("  to the last order not served", func(o outcome) time.Duration { return o.last })
	fmt.Fprintln(out)
	count("environments started", func(o outcome) int { return o.environments })
	count("  killed by Lambda after "+readable(s.Timeout), func(o outcome) int { return o.killed })
	fmt.Fprintln(out)
	count("calls to the payment service", func(o outcome) int { return o.calls })
	for i, p := range s.Phases {
		if p.Outage() {
			count("  while it "+p.Name, func(o outcome) int { return o.byPhase[i] })
		}
	}
	count("  repeats of an earlier call", func(o outcome) int { return o.repeats })
	count("orders charged for", func(o outcome) int { return o.charged })
	count("  twice", func(o outcome) int { return o.twice })
	count("  though the customer was not told", func(o outcome) int { return o.silent })
}

func readable(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.3g s", d.Seconds())
	}
}
