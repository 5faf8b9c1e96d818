package main

import "sync"

// Payments is a payment service. It charges as often as it is told to, and knows what it did.
type Payments struct {
	mu       sync.Mutex
	count    int
	receipts map[string][]Receipt // by order
	charged  map[string]func()    // called when an order was charged for the first time, before the answer
}

func newPayments() *Payments {
	return &Payments{receipts: map[string][]Receipt{}, charged: map[string]func(){}}
}

// Charge takes the money.
func (p *Payments) Charge(o Order) Receipt {
	receipt, first := p.charge(o)
	if first {
		p.charged[o.ID]()
	}
	return receipt
}

func (p *Payments) charge(o Order) (receipt Receipt, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	receipt = Receipt{Number: p.count, Cents: o.Cents}
	p.receipts[o.ID] = append(p.receipts[o.ID], receipt)
	return receipt, len(p.receipts[o.ID]) == 1
}

// Find says whether an order was charged.
func (p *Payments) Find(o Order) (receipt Receipt, charged bool) {
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

// onCharge sets what happens when an order was charged for the first time. The answer waits for it.
func (p *Payments) onCharge(o Order, happens func()) { p.charged[o.ID] = happens }
