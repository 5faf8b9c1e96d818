package main

import (
	"slices"
	"time"
)

// An outcome is how a variant fared.
type outcome struct {
	orders          int
	fates           [fates]int
	cards, invoices share

	median, p99 time.Duration // to serve a card order
	longest     time.Duration // that a customer waited
	first, last time.Duration // after the outage, a card order was served, an order was not; 0 if never

	environments, killed int

	calls, repeats         int // of the payment service
	byPhase                []int
	charged, twice, silent int // orders
}

type share struct{ served, orders int }

// outcome is for when all is over.
func (v *variant) outcome() outcome {
	o := outcome{
		orders:       len(v.records),
		environments: v.gateway.Environments().Started,
		killed:       v.gateway.Environments().Killed,
		byPhase:      v.payments.Calls,
		repeats:      v.payments.Repeats,
		charged:      len(v.payments.Charges),
	}
	told := map[string]bool{}
	var times []time.Duration
	for _, r := range v.records {
		o.fates[r.fate]++
		o.longest = max(o.longest, r.took)
		s := &o.cards
		if r.order.Pay == "invoice" {
			s = &o.invoices
		}
		s.orders++
		after := r.sent + r.took - v.scenario.Recovery()
		if r.fate != served {
			o.last = max(o.last, after)
			continue
		}
		s.served++
		told[r.order.ID] = true
		if s == &o.invoices {
			continue
		}
		times = append(times, r.took)
		if after > 0 && (o.first == 0 || after < o.first) {
			o.first = after
		}
	}
	slices.Sort(times)
	if n := len(times); n > 0 {
		o.median, o.p99 = times[n/2], times[n*99/100]
	}
	for _, n := range o.byPhase {
		o.calls += n
	}
	for id, n := range v.payments.Charges {
		if n > 1 {
			o.twice++
		}
		if !told[id] {
			o.silent++
		}
	}
	return o
}
