package main

import (
	"testing"
	"time"
)

func TestOutcome(t *testing.T) {
	v := &variant{
		scenario: scenario{phases: []phase{
			{lasts: time.Second},
			{lasts: time.Second, fails: 1},
			{lasts: time.Second},
		}},
		payments: &payments{
			calls:   []int{1, 2, 3},
			repeats: 2,
			charges: map[string]int{"1": 1, "2": 2, "4": 1},
		},
		records: []record{
			{order{"1", 100, "card"}, served, 0, 20 * ms},
			{order{"2", 100, "card"}, gaveUp, 1000 * ms, 1500 * ms},
			{order{"3", 100, "invoice"}, served, 2100 * ms, 1 * ms},
			{order{"4", 100, "card"}, served, 2200 * ms, 40 * ms},
			{order{"5", 100, "card"}, refused, 2300 * ms, 2 * ms},
		},
	}
	o := v.outcome()
	if o.orders != 5 || o.fates != [fates]int{served: 3, refused: 1, gaveUp: 1} ||
		o.cards != (share{2, 4}) || o.invoices != (share{1, 1}) {
		t.Errorf("orders: %+v", o)
	}
	if o.median != 40*ms || o.p99 != 40*ms || o.longest != 1500*ms || o.first != 240*ms || o.last != 500*ms {
		t.Errorf("times: %+v", o)
	}
	if o.calls != 6 || o.repeats != 2 || o.charged != 3 || o.twice != 1 || o.silent != 1 {
		t.Errorf("payments: %+v", o)
	}
}
