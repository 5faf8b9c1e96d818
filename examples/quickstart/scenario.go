package main

import "time"

// A scenario is what happens to the payment service, how many orders come meanwhile, and what there is to take them.
type scenario struct {
	phases       []phase       // of the payment service
	rate, surge  int           // orders per second, without and with the surge
	from, to     time.Duration // of the surge
	environments int           // that a function may have at once
	timeout      time.Duration // of an invocation
	patience     time.Duration // of a customer
}

// A phase is a time for which the payment service is in one condition.
type phase struct {
	name  string
	lasts time.Duration
	takes time.Duration // to charge for an order
	fails float64       // the share of calls that are answered with 503 at once
}

const ms = time.Millisecond

var full = scenario{
	phases: []phase{
		{name: "healthy", lasts: 1000 * ms, takes: 15 * ms},
		{name: "stalls", lasts: 3250 * ms, takes: 4000 * ms},
		{name: "fails", lasts: 1000 * ms, fails: 1},
		{name: "limps", lasts: 1250 * ms, takes: 15 * ms, fails: 0.25},
		{name: "well", lasts: 750 * ms, takes: 15 * ms},
	},
	rate: 50, surge: 100, from: 500 * ms, to: 5000 * ms,
	environments: 24,
	timeout:      3000 * ms,
	patience:     2000 * ms,
}

var short = scenario{
	phases: []phase{
		{name: "healthy", lasts: 500 * ms, takes: 15 * ms},
		{name: "stalls", lasts: 2500 * ms, takes: 3000 * ms},
		{name: "fails", lasts: 500 * ms, fails: 1},
		{name: "limps", lasts: 500 * ms, takes: 15 * ms, fails: 0.25},
		{name: "well", lasts: 1000 * ms, takes: 15 * ms},
	},
	rate: 20, surge: 40, from: 500 * ms, to: 4000 * ms,
	environments: 8,
	timeout:      1500 * ms,
	patience:     1000 * ms,
}

// outage reports whether the service is of no use in the phase.
func (p phase) outage() bool { return p.fails == 1 || p.takes > time.Second }

func (s scenario) length() time.Duration { return s.begin(len(s.phases)) }

// begin is when a phase begins.
func (s scenario) begin(phase int) (at time.Duration) {
	for _, p := range s.phases[:phase] {
		at += p.lasts
	}
	return at
}

// phase is the index of the phase at a time. The last one goes on.
func (s scenario) phase(at time.Duration) int {
	i := len(s.phases) - 1
	for i > 0 && at < s.begin(i) {
		i--
	}
	return i
}

// recovery is when the outage is over.
func (s scenario) recovery() (at time.Duration) {
	for i, p := range s.phases {
		if p.outage() {
			at = s.begin(i + 1)
		}
	}
	return at
}

// orders is when each order is sent.
func (s scenario) orders() (times []time.Duration) {
	for at := time.Duration(0); at < s.length(); {
		times = append(times, at)
		rate := s.rate
		if s.from <= at && at < s.to {
			rate = s.surge
		}
		at += time.Second / time.Duration(rate)
	}
	return times
}
