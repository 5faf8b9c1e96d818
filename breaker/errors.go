package breaker

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/internal/wall"
)

// ErrOpen is what errors.Is finds in every refusal of a breaker.
var ErrOpen = errors.New("breaker: open")

// An OpenError is the refusal of a [Breaker] that is open, or half-open with all its probes under way: the call was not
// made. A breaker returns the same *OpenError to all callers until its state changes.
type OpenError struct {
	Name string // of the Config
	Key  string // of the breaker in its [Group], if it is in one; not part of the text, for it may be a secret

	since wall.Instant // zero if wait is the same at any time
	wait  time.Duration
	told  atomic.Int64 // what was left of it when a call was last refused
}

// Error says when to come back, as of the moment it is called.
func (e *OpenError) Error() string {
	text := "breaker: open"
	if e.Name != "" {
		text = "breaker " + e.Name + ": open"
	}
	if wait := e.left(); wait > 0 {
		text += ", retry in " + refusal.Readable(wait)
	}
	return text
}

// RetryAfter is how long from now the breaker stays open; then it lets a probe through. When that time is over it is a
// nanosecond: zero would say that nobody knows. When the refusal came from a half-open breaker nobody can tell how long
// the probes will take, and RetryAfter is a tenth of Config.OpenFor.
func (e *OpenError) RetryAfter() time.Duration { return max(e.left(), 1) }

func (e *OpenError) left() time.Duration {
	if e.since.IsZero() {
		return e.wait
	}
	return max(e.wait-wall.Now().Since(e.since), 0)
}

// RetryWithin reports whether RetryAfter was at most d when the breaker last refused a call.
func (e *OpenError) RetryWithin(d time.Duration) bool { return time.Duration(e.told.Load()) <= d }

// Is reports whether target is [ErrOpen].
func (e *OpenError) Is(target error) bool { return target == ErrOpen }

// Refused returns true: the call was not made.
func (e *OpenError) Refused() bool { return true }

// HTTPStatus is the status that says so: 503 Service Unavailable.
func (e *OpenError) HTTPStatus() int { return 503 }
