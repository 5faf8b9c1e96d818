package idempotency

import (
	"errors"
	"fmt"
	"time"
)

// ErrLost is what a [Store] returns to a caller that does not own the record: its lease was over and another took the
// key over, or the record is gone. A handler whose record is lost while it runs, or whose lease is over because it could
// not be renewed, finds it as the cause of its context's end, with [context.Cause].
var ErrLost = errors.New("idempotency: the record has another owner")

// What errors.Is finds in the errors of calls that were not run.
var (
	ErrInProgress = errors.New("idempotency: the call is in progress elsewhere")
	ErrMismatch   = errors.New("idempotency: the key was used with another payload")
	ErrUncertain  = errors.New("idempotency: it is uncertain what an earlier run did")
	ErrNotKept    = errors.New("idempotency: the call is done, its result was not kept")
	ErrNoKey      = errors.New("idempotency: there is no key")
	ErrStore      = errors.New("idempotency: the store failed")
	ErrCorrupt    = errors.New("idempotency: the record cannot be read")
)

// ErrTooLarge is what a [Store] returns, on its own or wrapped, for a completion whose result it will never take. The result
// is then not kept, and no time is lost with trying again.
var ErrTooLarge = errors.New("idempotency: the result is too large for the record")

// ErrRejected is what a [Store] returns, on its own or wrapped, for what it will go on rejecting until somebody changes
// something: its table is not there, or the caller may not use it. That is no outage: Config.FailOpen is not for it, and no
// time is lost with trying again.
var ErrRejected = errors.New("idempotency: the store rejects the request")

// A Subject is what an error is about. It names the key by a digest, because keys may be secrets and errors are logged.
type Subject struct {
	Scope  string // as in the Config
	Digest string // the first eight hexadecimal digits of the SHA-256 of the key; empty if there is no key
}

func (s Subject) text(what string) string {
	if s.Digest == "" {
		return "idempotency " + s.Scope + ": " + what
	}
	return "idempotency " + s.Scope + " " + s.Digest + ": " + what
}

// An InProgressError is the refusal of a call that runs elsewhere at this moment. errors.Is finds [ErrInProgress] in it.
type InProgressError struct {
	Subject

	Left time.Duration // until the other run is taken for dead, if it goes on for so long without a word
}

func (e *InProgressError) Error() string {
	return e.text(fmt.Sprintf("in progress, retry in %v", e.RetryAfter().Round(time.Millisecond)))
}

// Is reports whether target is [ErrInProgress].
func (e *InProgressError) Is(target error) bool { return target == ErrInProgress }

// Refused returns true: the call was not made.
func (e *InProgressError) Refused() bool { return true }

// RetryAfter is Left, or a little if that is not known: the result may well be there before.
func (e *InProgressError) RetryAfter() time.Duration { return max(e.Left, 50*time.Millisecond) }

// HTTPStatus is the status that says so: 409 Conflict.
func (e *InProgressError) HTTPStatus() int { return 409 }

// A MismatchError is the refusal of a call whose key was used before with another payload, whether that call is still
// in progress or not. errors.Is finds [ErrMismatch] in it.
type MismatchError struct{ Subject }

func (e *MismatchError) Error() string { return e.text("the key was used with another payload") }

// Is reports whether target is [ErrMismatch].
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }

// Refused returns true: the call was not made.
func (e *MismatchError) Refused() bool { return true }

// HTTPStatus is the status that says so: 422 Unprocessable Content.
func (e *MismatchError) HTTPStatus() int { return 422 }

// An UncertainError is the refusal of a call of which an earlier run ended without a word, so that nobody knows whether
// it had its effect. errors.Is finds [ErrUncertain] in it.
type UncertainError struct {
	Subject

	Attempt int64 // the run that was abandoned, from 1
	Err     error // why Config.Reconcile could not say; nil if there is none
}

func (e *UncertainError) Error() string {
	what := fmt.Sprintf("uncertain what attempt %d did", e.Attempt)
	if e.Err != nil {
		what += ": " + e.Err.Error()
	}
	return e.text(what)
}

// Is reports whether target is [ErrUncertain].
func (e *UncertainError) Is(target error) bool { return target == ErrUncertain }

// Unwrap returns Err.
func (e *UncertainError) Unwrap() error { return e.Err }

// Refused returns true: the call was not made.
func (e *UncertainError) Refused() bool { return true }

// HTTPStatus is the status that says so: 409 Conflict.
func (e *UncertainError) HTTPStatus() int { return 409 }

// A NotKeptError is the answer to a call that has been made, with success, but whose result was too large or of a kind
// that cannot be kept, or is gone from where it was kept. The call is not made again. errors.Is finds [ErrNotKept] in it.
type NotKeptError struct {
	Subject

	Err error // how it is known to be gone; nil if it never was there
}

func (e *NotKeptError) Error() string {
	if e.Err != nil {
		return e.text("done, its result was not kept: " + e.Err.Error())
	}
	return e.text("done, its result was not kept")
}

// Unwrap returns Err.
func (e *NotKeptError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrNotKept].
func (e *NotKeptError) Is(target error) bool { return target == ErrNotKept }

// Refused returns true: the call was not made, this time.
func (e *NotKeptError) Refused() bool { return true }

// HTTPStatus is the status that says so: 409 Conflict.
func (e *NotKeptError) HTTPStatus() int { return 409 }

// A KeyError is the refusal of a call without a usable key. errors.Is finds [ErrNoKey] in it if there is none.
type KeyError struct {
	Subject

	Err error // why there is no key, from the function that was to find it; ErrNoKey if it found nothing
}

func (e *KeyError) Error() string {
	if e.Err == ErrNoKey { //nolint:errorlint // it is put there as it is
		return e.text("the call has no key")
	}
	return e.text("key: " + e.Err.Error())
}

// Unwrap returns Err.
func (e *KeyError) Unwrap() error { return e.Err }

// Refused returns true: the call was not made.
func (e *KeyError) Refused() bool { return true }

// HTTPStatus is the status that says so: 400 Bad Request.
func (e *KeyError) HTTPStatus() int { return 400 }

// A StoreError says that the store, or the place where large results are, did not do what it was asked. errors.Is finds
// [ErrStore] in it, and whatever is in Err.
type StoreError struct {
	Subject

	Op  string // "claim", "load", "extend", "complete", "release", "put" or "get"
	Err error  // the store's
}

func (e *StoreError) Error() string { return e.text(e.Op + ": " + e.Err.Error()) }

// Is reports whether target is [ErrStore].
func (e *StoreError) Is(target error) bool { return target == ErrStore }

// Unwrap returns Err.
func (e *StoreError) Unwrap() error { return e.Err }

// Refused reports whether the call was not made. One that comes back from a call always says true; only what is told to
// observers is about a run.
func (e *StoreError) Refused() bool { return e.Op == "claim" || e.Op == "load" || e.Op == "get" }

// HTTPStatus is the status that says so: 503 Service Unavailable.
func (e *StoreError) HTTPStatus() int { return 503 }

// A CorruptError is the refusal of a call whose record is there but makes no sense: another program wrote it, or the
// type of the result has changed since. The record is left as it is. errors.Is finds [ErrCorrupt] in it.
type CorruptError struct {
	Subject

	Err error // what is wrong with it
}

func (e *CorruptError) Error() string { return e.text("record: " + e.Err.Error()) }

// Is reports whether target is [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns Err.
func (e *CorruptError) Unwrap() error { return e.Err }

// Refused returns true: the call was not made.
func (e *CorruptError) Refused() bool { return true }

// HTTPStatus is the status that says so: 500 Internal Server Error.
func (e *CorruptError) HTTPStatus() int { return 500 }
