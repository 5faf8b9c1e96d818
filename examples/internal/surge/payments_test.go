package surge_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/examples/internal/surge"
)

// What quickstart says of orders charged twice is worth something only if the service would do it.
func TestPaymentsChargeOnceForAKey(t *testing.T) {
	for _, test := range []struct {
		key  string
		want int
	}{
		{"", 2},
		{"order-1", 1},
	} {
		seen := 0
		count := func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen++
				h.ServeHTTP(w, r)
			})
		}
		p := surge.OpenPayments(surge.Scenario{Phases: []surge.Phase{{Lasts: time.Hour}}}, time.Now(), count)
		for range 2 {
			r, err := http.NewRequest(http.MethodPost, p.URL(), strings.NewReader(`{"id":"order-1"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Idempotency-Key", test.key)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusCreated {
				t.Errorf("key %q: %s", test.key, response.Status)
			}
		}
		p.Close()
		if got := p.Charges["order-1"]; got != test.want || p.Calls[0] != 2 || p.Repeats != 2-test.want || seen != 2 {
			t.Errorf("key %q: %d charges, %d calls, %d repeats, %d seen by the middleware", test.key, got, p.Calls[0], p.Repeats, seen)
		}
	}
}
