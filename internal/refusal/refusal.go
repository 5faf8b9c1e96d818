// Package refusal reads from errors what policies say through methods, so that packages which do not import each
// other agree: a breaker inside a retry, a limiter behind an HTTP handler.
package refusal

import (
	"errors"
	"time"
)

// Is reports whether err says that the call was not made: the first error in its tree that has a method Refused() bool
// returns true from it.
func Is(err error) bool {
	if r, ok := err.(interface{ Refused() bool }); ok { // it is the first, and to ask it alone is cheaper
		return r.Refused()
	}
	r, ok := errors.AsType[interface {
		error
		Refused() bool
	}](err)
	return ok && r.Refused()
}

// After is what err says about when to come again: what the first error in its tree that has a method RetryAfter()
// time.Duration returns from it. Without one, or if that is not more than zero, ok is false.
func After(err error) (wait time.Duration, ok bool) {
	r, found := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err)
	if !found {
		return 0, false
	}
	wait = r.RetryAfter()
	return wait, wait > 0
}

// Within reports whether err says to come again, and that within most. A refusal that comes often can have a method
// RetryWithin(time.Duration) bool, which answers for the moment of the refusal and need not look at the clock again.
func Within(err error, most time.Duration) bool {
	if r, ok := err.(interface{ RetryWithin(most time.Duration) bool }); ok {
		return r.RetryWithin(most)
	}
	wait, ok := After(err)
	return ok && wait <= most
}

// Status is the HTTP status with which err wants to be answered: that of the first error in its tree that has a method
// HTTPStatus() int, or 0.
func Status(err error) int {
	s, ok := errors.AsType[interface {
		error
		HTTPStatus() int
	}](err)
	if !ok {
		return 0
	}
	return s.HTTPStatus()
}

// Readable is wait as errors say it, rounded up to whole seconds, or to whole milliseconds up to a second.
func Readable(wait time.Duration) string {
	unit := time.Millisecond
	if wait > time.Second {
		unit = time.Second
	}
	return (wait + unit - 1).Truncate(unit).String()
}
