package refusal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/refusal"
)

type refused struct {
	status int
	after  time.Duration
}

func (r *refused) Error() string             { return "breaker payments: open" }
func (r *refused) HTTPStatus() int           { return r.status }
func (r *refused) RetryAfter() time.Duration { return r.after }

func TestAnswerTo(t *testing.T) {
	for _, tt := range []struct {
		name       string
		err        error
		status     int
		retryAfter string
		title      string
	}{
		{"limited", &refused{429, 20 * time.Millisecond}, 429, "1", "Too Many Requests"},
		{"open, exactly three seconds", &refused{503, 3 * time.Second}, 503, "3", "Service Unavailable"},
		{"open, a little more", &refused{503, 3*time.Second + 1}, 503, "4", "Service Unavailable"},
		{"no time known", &refused{503, 0}, 503, "", "Service Unavailable"},
		{"never", &refused{503, math.MaxInt64}, 503, "9223372037", "Service Unavailable"},
		{"timeout", &refused{504, 0}, 504, "", "Gateway Timeout"},
		{"inside another error", fmt.Errorf("place order: %w", &refused{503, time.Second}), 503, "1", "Service Unavailable"},
		{"a status of the user's own", &refused{404, 0}, 404, "", "Not Found"},
		{"a status without a name", &refused{499, 0}, 499, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, ok := refusal.AnswerTo(tt.err, http.StatusText)
			if !ok || a.Status != tt.status {
				t.Fatalf("AnswerTo = %d, %v; want %d, true", a.Status, ok, tt.status)
			}
			if got := a.Headers["Retry-After"]; got != tt.retryAfter {
				t.Errorf("Retry-After = %q, want %q", got, tt.retryAfter)
			}
			if got := a.Headers["Cache-Control"]; got != "no-store" {
				t.Errorf("Cache-Control = %q, want no-store", got)
			}
			if got := a.Headers["Content-Type"]; got != "application/problem+json" {
				t.Errorf("Content-Type = %q", got)
			}
			var problem struct {
				Type, Title, Detail string
				Status              int
			}
			if err := json.Unmarshal(a.Body, &problem); err != nil {
				t.Fatalf("body %s: %v", a.Body, err)
			}
			if problem.Type != "about:blank" || problem.Title != tt.title || problem.Status != tt.status {
				t.Errorf("body = %s", a.Body)
			}
			if strings.Contains(string(a.Body), "payments") {
				t.Errorf("the body names what is inside the program: %s", a.Body)
			}
		})
	}
}

func TestAnswerToNothing(t *testing.T) {
	for _, err := range []error{nil, errors.New("boom"), &refused{status: 0}, &refused{status: 200}, &refused{status: 600}} {
		if a, ok := refusal.AnswerTo(err, http.StatusText); ok {
			t.Errorf("AnswerTo(%v) = %+v, want none", err, a)
		}
	}
}
