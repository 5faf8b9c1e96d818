package main

import (
	"crypto/rand"
	"sync"

	"github.com/seawall-go/seawall/idempotency"
)

// A shop has workers, which share a store, and a payment service.
type shop struct {
	payments *Payments
	store    idempotency.Store // nil if the shop is without
	orders   map[string]Order  // by scene
}

func newShop(store idempotency.Store) *shop {
	return &shop{payments: newPayments(), store: store, orders: map[string]Order{}}
}

// play returns what the two deliveries of an order got. They come to two workers.
func (s *shop) play(sc scene) (first, second string) {
	order := Order{ID: rand.Text(), Cents: 3000}
	s.orders[sc.name] = order
	one, two := s.hire(), s.hire()

	var delivered sync.WaitGroup
	again := sync.OnceFunc(func() { delivered.Go(func() { second = two.deliver(order) }) })
	s.payments.onCharge(order, func() { sc.charged(one, again) })
	first = one.deliver(order)
	again()
	delivered.Wait()
	one.retire()
	two.retire()
	return first, second
}

func (s *shop) hire() *worker {
	w := &worker{Store: s.store, placeOrder: placeOrder(s.payments), silent: make(chan string), buried: make(chan struct{})}
	if s.store != nil {
		w.placeOrder = once(w.placeOrder, s.payments, w)
	}
	return w
}

func (s *shop) charges(sc scene) int { return s.payments.Charges(s.orders[sc.name]) }
