package ratelimit

import (
	"errors"
	"time"

	"github.com/seawall-go/seawall/internal/refusal"
)

// ErrLimited is what errors.Is finds in every refusal of a limiter.
var ErrLimited = errors.New("ratelimit: over the limit")

// A LimitedError is the refusal of a [Limiter]: the call was not made, and no token was taken. A limiter returns the
// same *LimitedError every time.
type LimitedError struct {
	Name string // of the Limit
	Key  string // of the limiter in its [Group], if it has one; not part of the text, for it may be a secret

	limiter *Limiter
}

// Error says when to come back, as of the moment it is called.
func (e *LimitedError) Error() string {
	text := "ratelimit: over the limit"
	if e.Name != "" {
		text = "ratelimit " + e.Name + ": over the limit"
	}
	if wait := e.RetryAfter(); wait > 1 {
		text += ", retry in " + refusal.Readable(wait)
	}
	return text
}

// RetryAfter is how long from now the next token comes, to the nanosecond: then, unless others are faster, a call is
// let through. If a token is there by now it is a nanosecond: zero would say that nobody knows.
func (e *LimitedError) RetryAfter() time.Duration {
	if e.limiter == nil {
		return 0
	}
	return max(e.limiter.retryAfter(), 1)
}

// RetryWithin reports whether RetryAfter was at most d when the limiter last refused a call.
func (e *LimitedError) RetryWithin(d time.Duration) bool {
	return e.limiter != nil && time.Duration(e.limiter.told.Load()) <= d
}

// Is reports whether target is [ErrLimited].
func (e *LimitedError) Is(target error) bool { return target == ErrLimited }

// Refused returns true: the call was not made.
func (e *LimitedError) Refused() bool { return true }

// HTTPStatus is the status that says so: 429 Too Many Requests.
func (e *LimitedError) HTTPStatus() int { return 429 }
