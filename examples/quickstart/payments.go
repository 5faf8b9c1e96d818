package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

const workers = 4

// A payments is a payment service: some workers with a queue before them. It goes through the phases of a scenario.
type payments struct {
	scenario scenario
	start    time.Time
	server   *httptest.Server
	workers  chan struct{} // that are busy
	closing  chan struct{}

	mu      sync.Mutex
	calls   []int           // received, by phase
	repeats int             // of them with a key that was there before
	keys    map[string]bool // idempotency keys, and whether what was asked for is done
	charges map[string]int  // by order
}

func openPayments(s scenario, start time.Time) *payments {
	p := &payments{
		scenario: s,
		start:    start,
		workers:  make(chan struct{}, workers),
		closing:  make(chan struct{}),
		calls:    make([]int, len(s.phases)),
		keys:     map[string]bool{},
		charges:  map[string]int{},
	}
	p.server = httptest.NewServer(p)
	return p
}

func (p *payments) close() {
	close(p.closing)
	p.server.Close()
}

// ServeHTTP charges for an order.
func (p *payments) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	now := p.receive(key)
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if rand.Float64() < now.fails {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	select {
	case p.workers <- struct{}{}:
		defer func() { <-p.workers }()
	case <-r.Context().Done(): // the caller hung up while queued
		return
	}
	if now = p.now(); now.fails == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	select {
	case <-time.After(now.takes): // even if the caller hangs up
	case <-p.closing:
		return
	}
	p.charge(key, o)
	w.WriteHeader(http.StatusCreated)
}

func (p *payments) now() phase { return p.scenario.phases[p.scenario.phase(time.Since(p.start))] }

// receive counts a call, and returns the phase in which it came.
func (p *payments) receive(key string) phase {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.scenario.phase(time.Since(p.start))
	p.calls[i]++
	if _, known := p.keys[key]; known {
		p.repeats++
	} else if key != "" {
		p.keys[key] = false
	}
	return p.scenario.phases[i]
}

// charge takes the money, unless that is done for the key.
func (p *payments) charge(key string, o order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys[key] {
		return
	}
	if key != "" {
		p.keys[key] = true
	}
	p.charges[o.ID]++
}
