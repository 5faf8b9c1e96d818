package refusal

// Last returns err with a mark that says no further attempt may follow, whatever is wrong. An adapter puts it on the
// error of a call that cannot be made again, for the policies around that call. It is no part of what went wrong: who
// shows the error to somebody, or hands it out, takes it off with [Bare].
func Last(err error) error { return &last{err} }

// IsLast reports whether err has the mark of [Last] outermost.
func IsLast(err error) bool {
	_, ok := err.(*last) //nolint:errorlint // the mark counts where it is outermost
	return ok
}

// Bare is err without the mark of [Last].
func Bare(err error) error {
	if l, ok := err.(*last); ok { //nolint:errorlint // as above
		return l.error
	}
	return err
}

type last struct{ error }

func (l *last) Unwrap() error { return l.error }

// Final stops a retry whatever its Classify says.
func (l *last) Final() bool { return true }

// RetryableError is how errors of AWS SDK for Go v2 say it, for retries that are not ours.
func (l *last) RetryableError() bool { return false }
