package idempotency

import "context"

// A stage is how far a run has come. It says what becomes of the record if it comes no further, because something panics
// or exits.
type stage uint8

const (
	idle     stage = iota // there is no record of its own, or nothing to be done with it
	claiming              // there may be one
	asking                // it was a dead run's, and Reconcile did not say yet what became of that
	calling               // the handler runs
	settling              // the handler has ended, and the record does not say how
)

// abort leaves the record of a run that something put an end to as it should be found. What panics in its turn does not
// take the place of that.
func (r *run) abort(ctx context.Context) {
	if r.stage == idle {
		return
	}
	defer func() { _ = recover() }()
	r.beats.stop()
	switch {
	case r.stage == claiming:
		r.outcome = Refused
		r.takeBack(ctx)
	case r.stage == asking:
		r.outcome = Refused
		_ = r.abandon(ctx)
	case r.stage == calling && !r.uncertain:
		r.release(ctx)
	case r.stage == calling:
		r.giveBack(ctx)
	default:
		r.end(Unsaved)
		_ = r.abandon(ctx)
	}
}
