package surge

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

const workers = 4

// A Payments is a payment service: some workers with a queue before them. It goes through the phases of a scenario.
type Payments struct {
	// What it has counted, for when all is over.
	Calls   []int          // received, by phase
	Repeats int            // of them with a key that was there before
	Charges map[string]int // by order

	scenario Scenario
	start    time.Time
	server   *httptest.Server
	workers  chan struct{} // that are busy
	closing  chan struct{}

	mu   sync.Mutex      // of what is counted, too
	keys map[string]bool // idempotency keys, and whether what was asked for is done
}

// OpenPayments starts a service, with middleware around it, whose first phase begins at start.
func OpenPayments(s Scenario, start time.Time, middleware ...func(http.Handler) http.Handler) *Payments {
	p := &Payments{
		Calls:    make([]int, len(s.Phases)),
		Charges:  map[string]int{},
		scenario: s,
		start:    start,
		workers:  make(chan struct{}, workers),
		closing:  make(chan struct{}),
		keys:     map[string]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /charges", p.serve)
	h := http.Handler(mux)
	for _, m := range middleware {
		h = m(h)
	}
	p.server = httptest.NewServer(h)
	return p
}

// URL is where to ask for a charge.
func (p *Payments) URL() string { return p.server.URL + "/charges" }

// Close ends the service, and what it is at.
func (p *Payments) Close() {
	close(p.closing)
	p.server.Close()
}

// serve charges for an order.
func (p *Payments) serve(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	now := p.receive(key)
	var o Order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if rand.Float64() < now.Fails {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	select {
	case p.workers <- struct{}{}:
		defer func() { <-p.workers }()
	case <-r.Context().Done(): // the caller hung up while queued
		return
	}
	if now = p.now(); now.Fails == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	select {
	case <-time.After(now.Takes): // even if the caller hangs up
	case <-p.closing:
		return
	}
	p.charge(key, o)
	w.WriteHeader(http.StatusCreated)
}

func (p *Payments) now() Phase { return p.scenario.Phases[p.scenario.Phase(time.Since(p.start))] }

// receive counts a call, and returns the phase in which it came.
func (p *Payments) receive(key string) Phase {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.scenario.Phase(time.Since(p.start))
	p.Calls[i]++
	if _, known := p.keys[key]; known {
		p.Repeats++
	} else if key != "" {
		p.keys[key] = false
	}
	return p.scenario.Phases[i]
}

// charge takes the money, unless that is done for the key.
func (p *Payments) charge(key string, o Order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys[key] {
		return
	}
	if key != "" {
		p.keys[key] = true
	}
	p.Charges[o.ID]++
}
