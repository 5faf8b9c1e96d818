package main

import (
	"fmt"
	"io"
	"time"

	"github.com/seawall-go/seawall/examples/internal/surge"
)

// introduce says what there is to see.
func introduce(out io.Writer, s surge.Scenario) {
	fmt.Fprintf(out, `A checkout function as it is often written, and the same with Seawall, side by side. Both get the
same %d orders: %d a second, and %d in a surge from %s to %s. Every fourth is by invoice and
needs no payment. Each runs in up to %d environments, processes that speak Lambda's Runtime API.
The payment service stalls, fails, limps (fails one call in four), and is well again. An order is
lost if it fails, finds all environments busy, or takes longer than the %s that customers wait.

`, len(s.Orders()), s.Rate, s.Surge, readable(s.From), readable(s.To), s.Environments, readable(s.Patience))
}

// A progress shows, line by line, what customers got since the line before.
type progress struct {
	trial         *trial
	out           io.Writer
	without, with [fates]int // up to the last line
}

const progressEvery = 500 * time.Millisecond

func (p *progress) header() {
	fmt.Fprint(p.out, `        |          |          without Seawall        |           with Seawall
        | payment  |                    environments |                    environments
   time | service  |  served refused    lost    busy |  served refused    lost    busy
`)
}

func (p *progress) line() {
	s, now := p.trial.scenario, time.Since(p.trial.start)
	fmt.Fprintf(p.out, "%5.1f s | %-8s |%s |%s\n", now.Seconds(), s.Phases[s.Phase(now-progressEvery/2)].Name,
		cells(p.trial.without, &p.without), cells(p.trial.with, &p.with))
}

// cells is half a line. It makes last, what was counted up to the line before, what is counted now.
func cells(v *variant, last *[fates]int) string {
	n, busy := v.count()
	was := *last
	*last = n
	lost := func(n [fates]int) int { return n[failed] + n[turnedAway] + n[gaveUp] }
	return cell(n[served]-was[served]) + cell(n[refused]-was[refused]) + cell(lost(n)-lost(was)) + cell(busy)
}

// cell makes it easy to overlook nothing.
func cell(n int) string {
	if n == 0 {
		return "       -"
	}
	return fmt.Sprintf("%8d", n)
}
