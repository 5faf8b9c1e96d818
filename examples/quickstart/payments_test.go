package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// What the table says of orders charged twice is worth something only if the service would do it.
func TestPaymentsChargeOnceForAKey(t *testing.T) {
	for _, test := range []struct {
		key  string
		want int
	}{
		{"", 2},
		{"order-1", 1},
	} {
		p := openPayments(scenario{phases: []phase{{lasts: time.Hour}}}, time.Now())
		for range 2 {
			r, err := http.NewRequest(http.MethodPost, p.server.URL, strings.NewReader(`{"id":"order-1"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Idempotency-Key", test.key)
			response, err := p.server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusCreated {
				t.Errorf("key %q: %s", test.key, response.Status)
			}
		}
		p.close()
		if got := p.charges["order-1"]; got != test.want || p.calls[0] != 2 || p.repeats != 2-test.want {
			t.Errorf("key %q: %d charges, %d calls, %d repeats", test.key, got, p.calls[0], p.repeats)
		}
	}
}
