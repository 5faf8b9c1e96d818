package retry

import (
	"time"

	"github.com/seawall-go/seawall/internal/refusal"
)

// Permanent returns err marked as not to be repeated, whatever its class. A call returns it to end the retry around
// it; Policy.Do then returns err itself, without the mark. Inside several policies it ends them all. If it is wrapped
// again, it still ends the retry, and the wrapping error comes out of Do as it is. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// After returns err marked as to be repeated, whatever its class, and not sooner than d from now. It is for a call
// whose error has no method RetryAfter of its own, and d is treated as what that would return: up to Policy.Cap, with
// the policy's random wait on top. With a d of zero or less the random wait is all. As with [Permanent], Policy.Do
// returns err itself. After(nil, d) is nil.
func After(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &afterError{err, d}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }
func (e *permanentError) Final() bool   { return true }

type afterError struct {
	err  error
	wait time.Duration
}

func (e *afterError) Error() string             { return e.err.Error() }
func (e *afterError) Unwrap() error             { return e.err }
func (e *afterError) RetryAfter() time.Duration { return e.wait }

// bare is err without the marks that are outermost, an adapter's included; what its user wrapped stays wrapped.
func bare(err error) error {
	for {
		err = refusal.Bare(err)
		switch e := err.(type) { //nolint:errorlint // only the outermost is ours to take off
		case *permanentError:
			err = e.err
		case *afterError:
			err = e.err
		default:
			return err
		}
	}
}
