package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seawall-go/seawall/examples/internal/surge"
)

// A variant is one of the two functions, with the gateway before it and the payment service behind it.
type variant struct {
	scenario surge.Scenario
	start    time.Time
	payments *surge.Payments
	gateway  *surge.Gateway
	journal  journal
	wg       sync.WaitGroup

	mu      sync.Mutex
	records []record // of all orders that are through
}

// A record is what became of an order.
type record struct {
	order surge.Order
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

func open(function string, s surge.Scenario, start time.Time) *variant {
	v := &variant{scenario: s, start: start, payments: surge.OpenPayments(s, start)}
	v.gateway = surge.OpenGateway(function, s, &v.journal, "PAYMENTS="+v.payments.URL())
	return v
}

// close ends the function's processes and the payment service.
func (v *variant) close() {
	v.gateway.Close()
	v.wg.Wait()
	v.payments.Close()
}

// place sends an order, and records what its customer sees of it.
func (v *variant) place(ctx context.Context, o surge.Order) {
	sent := time.Now()
	answer := make(chan fate, 1)
	v.wg.Go(func() { answer <- v.invoke(ctx, o) })
	v.wg.Go(func() {
		r := record{order: o, fate: gaveUp, sent: sent.Sub(v.start)}
		select {
		case r.fate = <-answer:
		case <-time.After(v.scenario.Patience):
		}
		r.took = time.Since(sent)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.records = append(v.records, r)
	})
}

// invoke is what comes of an order at the gateway.
func (v *variant) invoke(ctx context.Context, o surge.Order) fate {
	answer, err := v.gateway.Send(ctx, o.Request())
	switch {
	case errors.Is(err, surge.ErrBusy):
		return turnedAway
	case err != nil:
		return failed
	case answer.StatusCode < 300:
		return served
	case answer.Headers["Retry-After"] != "":
		return refused
	default:
		return failed
	}
}

// count is how many orders have met each fate so far, and how many environments are busy.
func (v *variant) count() (n [fates]int, busy int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.records {
		n[r.fate]++
	}
	return n, v.gateway.Environments().Busy
}
