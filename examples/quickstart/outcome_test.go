package main

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall/examples/internal/surge"
)

func TestOutcome(t *testing.T) {
	const ms = time.Millisecond
	order := func(id, pay string) surge.Order { return surge.Order{ID: id, Cents: 100, Pay: pay} }
	v := &variant{
		scenario: surge.Scenario{Phases: []surge.Phase{
			{Lasts: time.Second},
			{Lasts: time.Second, Fails: 1},
			{Lasts: time.Second},
		}},
		payments: &surge.Payments{
			Calls:   []int{1, 2, 3},
			Repeats: 2,
			Charges: map[string]int{"1": 1, "2": 2, "4": 1},
		},
		gateway: &surge.Gateway{},
		records: []record{
			{order("1", "card"), served, 0, 20 * ms},
			{order("2", "card"), gaveUp, 1000 * ms, 1500 * ms},
			{order("3", "invoice"), served, 2100 * ms, 1 * ms},
			{order("4", "card"), served, 2200 * ms, 40 * ms},
			{order("5", "card"), refused, 2300 * ms, 2 * ms},
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
