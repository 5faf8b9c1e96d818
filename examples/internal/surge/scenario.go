// Package surge is the story that examples tell: a shop with its checkout on Lambda, the payment service behind it, which
// stalls, fails and recovers, and the orders that come meanwhile, more of them than before.
package surge

import (
	"context"
	"fmt"
	"time"
)

// A Scenario is what happens to the payment service, how many orders come meanwhile, and what there is to take them.
type Scenario struct {
	Phases       []Phase       // of the payment service
	Rate, Surge  int           // orders per second, without and with the surge
	From, To     time.Duration // of the surge
	Environments int           // that a function may have at once
	Timeout      time.Duration // of an invocation
	Patience     time.Duration // of a customer
}

// A Phase is a time for which the payment service is in one condition.
type Phase struct {
	Name  string
	Lasts time.Duration
	Takes time.Duration // to charge for an order
	Fails float64       // the share of calls that are answered with 503 at once
}

const ms = time.Millisecond

// Full is the scenario for people.
var Full = Scenario{
	Phases: []Phase{
		{Name: "healthy", Lasts: 1000 * ms, Takes: 15 * ms},
		{Name: "stalls", Lasts: 3250 * ms, Takes: 4000 * ms},
		{Name: "fails", Lasts: 1000 * ms, Fails: 1},
		{Name: "limps", Lasts: 1250 * ms, Takes: 15 * ms, Fails: 0.25},
		{Name: "well", Lasts: 750 * ms, Takes: 15 * ms},
	},
	Rate: 50, Surge: 100, From: 500 * ms, To: 5000 * ms,
	Environments: 24,
	Timeout:      3000 * ms,
	Patience:     2000 * ms,
}

// Short is the scenario for tests, shorter and with fewer orders.
var Short = Scenario{
	Phases: []Phase{
		{Name: "healthy", Lasts: 500 * ms, Takes: 15 * ms},
		{Name: "stalls", Lasts: 2500 * ms, Takes: 3000 * ms},
		{Name: "fails", Lasts: 500 * ms, Fails: 1},
		{Name: "limps", Lasts: 1000 * ms, Takes: 15 * ms, Fails: 0.25},
		{Name: "well", Lasts: 500 * ms, Takes: 15 * ms},
	},
	Rate: 20, Surge: 40, From: 500 * ms, To: 4500 * ms,
	Environments: 8,
	Timeout:      1500 * ms,
	Patience:     1000 * ms,
}

// Outage reports whether the service is of no use in the phase.
func (p Phase) Outage() bool { return p.Fails == 1 || p.Takes > time.Second }

// Length is the time that all phases take.
func (s Scenario) Length() time.Duration { return s.Begin(len(s.Phases)) }

// Begin is when a phase begins.
func (s Scenario) Begin(phase int) (at time.Duration) {
	for _, p := range s.Phases[:phase] {
		at += p.Lasts
	}
	return at
}

// Phase is the index of the phase at a time. The last one goes on.
func (s Scenario) Phase(at time.Duration) int {
	i := len(s.Phases) - 1
	for i > 0 && at < s.Begin(i) {
		i--
	}
	return i
}

// Recovery is when the outage is over.
func (s Scenario) Recovery() (at time.Duration) {
	for i, p := range s.Phases {
		if p.Outage() {
			at = s.Begin(i + 1)
		}
	}
	return at
}

// Orders is when each order is sent.
func (s Scenario) Orders() (times []time.Duration) {
	for at := time.Duration(0); at < s.Length(); {
		times = append(times, at)
		rate := s.Rate
		if s.From <= at && at < s.To {
			rate = s.Surge
		}
		at += time.Second / time.Duration(rate)
	}
	return times
}

// Run calls place with each order when its time after start has come. Place sends the order and does not wait for what
// becomes of it. Run returns an error only if ctx ends before the last one.
func (s Scenario) Run(ctx context.Context, start time.Time, place func(Order)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, at := range s.Orders() {
		timer.Reset(time.Until(start.Add(at)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		o := Order{ID: fmt.Sprintf("order-%d", i+1), Cents: 1000 + i, Pay: "card"}
		if i%4 == 3 {
			o.Pay = "invoice"
		}
		place(o)
	}
	return nil
}
