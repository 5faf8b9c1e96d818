package refusal_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/refusal"
)

type made struct{}

func (made) Error() string { return "made" }
func (made) Refused() bool { return false }

type notMade struct{}

func (notMade) Error() string { return "not made" }
func (notMade) Refused() bool { return true }

func TestIs(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("boom"), false},
		{made{}, false},
		{notMade{}, true},
		{fmt.Errorf("wrapped: %w", notMade{}), true},
		{errors.Join(errors.New("boom"), notMade{}), true},
	} {
		if got := refusal.Is(tt.err); got != tt.want {
			t.Errorf("Is(%v) = %v", tt.err, got)
		}
	}
}

func TestAfter(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want time.Duration
		ok   bool
	}{
		{nil, 0, false},
		{errors.New("boom"), 0, false},
		{&refused{after: 0}, 0, false},
		{&refused{after: -time.Second}, 0, false},
		{fmt.Errorf("wrapped: %w", &refused{after: time.Second}), time.Second, true},
	} {
		if got, ok := refusal.After(tt.err); ok != tt.ok || ok && got != tt.want {
			t.Errorf("After(%v) = %v, %v; want %v, %v", tt.err, got, ok, tt.want, tt.ok)
		}
	}
}

// A quick answers at once, whatever it says about the time.
type quick struct {
	refused

	within bool
}

func (q *quick) RetryWithin(time.Duration) bool { return q.within }

func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("boom"), false},
		{&refused{after: 0}, false},
		{&refused{after: time.Second}, true},
		{&refused{after: time.Second + 1}, false},
		{fmt.Errorf("wrapped: %w", &refused{after: time.Second}), true},
		{&quick{refused{after: time.Hour}, true}, true},
		{&quick{refused{after: 1}, false}, false},
	} {
		if got := refusal.Within(tt.err, time.Second); got != tt.want {
			t.Errorf("Within(%v) = %v", tt.err, got)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	err := error(&refused{503, time.Second})
	if got := testing.AllocsPerRun(100, func() { refusal.Is(err); refusal.After(err); refusal.Status(err) }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

func TestReadable(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		1:                         "1ms",
		999 * time.Millisecond:    "999ms",
		time.Second:               "1s",
		time.Second + 1:           "2s",
		90*time.Second - 1:        "1m30s",
		20*time.Millisecond + 500: "21ms",
	} {
		if got := refusal.Readable(wait); got != want {
			t.Errorf("Readable(%v) = %s, want %s", wait, got, want)
		}
	}
}
