package main

import (
	"context"
	"sync"
	"time"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

// A variant is one of the two functions, with the gateway before it and the payment service behind it.
type variant struct {
	scenario scenario
	start    time.Time
	payments *payments
	function *lambdatest.Function
	journal  journal
	wg       sync.WaitGroup

	mu      sync.Mutex
	records []record // of all orders that are through
	busy    int      // environments
	started int      // environments
	killed  int      // environments, at the timeout
}

// A record is what became of an order.
type record struct {
	order order
	fate  fate
	sent  time.Duration // since the start
	took  time.Duration // until the answer, or until the customer gave up
}

// A fate is what a customer sees of an order.
type fate int

const (
	served     fate = iota
	refused         // told when to come back
	failed          // an error, and no more than that
	turnedAway      // by Lambda, which had no environment free
	gaveUp          // no answer in time
	fates
)

func open(function string, s scenario, start time.Time) *variant {
	v := &variant{scenario: s, start: start, payments: openPayments(s, start)}
	v.function = lambdatest.New(function, lambdatest.Config{
		Env:          []string{"PAYMENTS=" + v.payments.server.URL},
		Environments: s.environments,
		Timeout:      s.timeout,
		Log:          &v.journal,
	})
	return v
}

// close ends the function's processes and the payment service.
func (v *variant) close() {
	v.function.Close()
	v.wg.Wait()
	v.payments.close()
}

// place sends an order, and records what its customer sees of it.
func (v *variant) place(ctx context.Context, o order) {
	sent := time.Now()
	answer := make(chan fate, 1)
	v.wg.Go(func() { answer <- v.invoke(ctx, o) })
	v.wg.Go(func() {
		r := record{order: o, fate: gaveUp, sent: sent.Sub(v.start)}
		select {
		case r.fate = <-answer:
		case <-time.After(v.scenario.patience):
		}
		r.took = time.Since(sent)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.records = append(v.records, r)
	})
}

// count is how many orders have met each fate so far, and how many environments are busy.
func (v *variant) count() (n [fates]int, busy int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.records {
		n[r.fate]++
	}
	return n, v.busy
}
