package breaker

import (
	"context"
	"errors"
	"time"

	"github.com/seawall-go/seawall/internal/refusal"
)

// An Outcome is what the end of a call says about the dependency.
type Outcome int

// The outcomes of a call.
const (
	Unknown Outcome = iota // left to the rules in the package comment
	Success                // it works
	Failure                // it does not
	Ignore                 // nothing
)

// A verdict is an Outcome as the machine takes it: nil is Success, errIgnored is Ignore, any other error is Failure.
var (
	errIgnored = errors.New("breaker: counts for nothing")
	errSlow    = errors.New("breaker: a call succeeded, but was slow")
	errLost    = errors.New("breaker: a call panicked or ended its goroutine")
	errHung    = errors.New("breaker: a probe did not end in time")
)

func ignored(verdict error) bool {
	return verdict == errIgnored //nolint:errorlint // it is never wrapped
}

// judge returns the verdict on a call that began then and ended with err.
func (b *Breaker) judge(ctx context.Context, err error, began time.Time) (verdict error) {
	if err != nil {
		err = refusal.Bare(err)
		var outcome Outcome
		switch {
		case refusal.Is(err) || ctx.Err() == context.Canceled:
			outcome = Ignore
		case b.config.Classify != nil:
			outcome = b.config.Classify(err)
		}
		if outcome == Unknown && refusal.FaultOf(err) == refusal.Request {
			outcome = Success
		}
		switch outcome {
		case Success:
		case Ignore:
			return errIgnored
		default:
			return err
		}
	}
	if b.config.Slow > 0 && time.Since(began) > b.config.Slow {
		if ctx.Err() == context.Canceled {
			return errIgnored
		}
		return errSlow
	}
	return nil
}
