package main

import (
	"crypto/rand"

	"github.com/seawall-go/seawall/idempotency"
)

// A shop has workers, which share a store, and a payment service.
type shop struct {
	payments *Payments
	store    idempotency.Store // nil if the shop is without
	orders   map[string]Order  // by scene
}

func newShop(store idempotency.Store) *shop {
	payments := &Payments{receipts: map[string][]Receipt{}, delays: map[string]func(){}}
	return &shop{payments: payments, store: store, orders: map[string]Order{}}
}

// play returns what the deliveries of an order got, in the order of their answers.
func (s *shop) play(sc scene) (answers []string) {
	order := Order{ID: rand.Text(), Cents: 3000}
	first, second := s.hire(), s.hire()
	s.orders[sc.name] = order
	s.payments.delays[order.ID] = func() { sc.delay(first) }

	heard := make(chan string, 2)
	go func() { heard <- first.deliver(order) }()
	if !sc.together {
		answers = append(answers, <-heard)
	}
	heard <- second.deliver(order)
	for len(answers) < 2 {
		answers = append(answers, <-heard)
	}
	first.running.Wait()
	return answers
}

func (s *shop) hire() *worker {
	w := &worker{Store: s.store, placeOrder: placeOrder(s.payments), impatient: make(chan bool)}
	if s.store != nil {
		w.placeOrder = once(w.placeOrder, s.payments, w)
	}
	return w
}

func (s *shop) charges(sc scene) int { return s.payments.Charges(s.orders[sc.name]) }
