package main

import "sync"

// Payments is a payment service. It charges as often as it is told to, and knows what it did.
type Payments struct {
	mu       sync.Mutex
	count    int
	receipts map[string][]Receipt // by order
	delays   map[string]func()    // of the first answer about an order
}

// Charge takes the money.
func (p *Payments) Charge(o Order) Receipt {
	r, delay := p.charge(o)
	delay()
	return r
}

func (p *Payments) charge(o Order) (r Receipt, delay func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	r = Receipt{Number: p.count, Cents: o.Cents}
	p.receipts[o.ID] = append(p.receipts[o.ID], r)
	if len(p.receipts[o.ID]) > 1 {
		return r, func() {}
	}
	return r, p.delays[o.ID]
}

// Find says whether an order was charged.
func (p *Payments) Find(o Order) (r Receipt, charged bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.receipts[o.ID]) == 0 {
		return Receipt{}, false
	}
	return p.receipts[o.ID][0], true
}

// Charges is how often an order was charged.
func (p *Payments) Charges(o Order) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.receipts[o.ID])
}
