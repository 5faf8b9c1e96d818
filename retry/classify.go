package retry

import (
	"errors"

	"github.com/seawall-go/seawall/internal/refusal"
)

// A Class says what a failure is, as far as repeating the call goes.
type Class int

// The classes of errors.
const (
	Unknown   Class = iota // left to the rules in the package comment
	Transient              // repeat soon
	Throttle               // repeat later: the other side has too much to do
	Stop                   // do not repeat
)

// A final error is one after which there is no further attempt, whatever Classify says: the call cannot be made again.
type final interface {
	error
	Final() bool
}

func (p *Policy) class(err error) Class {
	if p.Classify == nil && plainRefusal(err) { // the common case first
		return p.ofRefusal(err)
	}
	if f, ok := errors.AsType[final](err); ok && f.Final() {
		return Stop
	}
	class := Unknown
	if p.Classify != nil {
		class = p.Classify(bare(err))
	}
	if class == Unknown {
		class = p.rule(err)
	}
	if _, ok := errors.AsType[*afterError](err); ok && class != Throttle {
		return Transient
	}
	return class
}

// plainRefusal reports whether err is a refusal, and has nothing inside that might say otherwise.
func plainRefusal(err error) bool {
	switch err := err.(type) { //nolint:errorlint // no need to look further
	case interface{ Unwrap() error }, interface{ Unwrap() []error }:
		return false
	case interface{ Refused() bool }:
		return err.Refused()
	}
	return false
}

// rule is the class of err by the rules in the package comment.
func (p *Policy) rule(err error) Class {
	if e, ok := errors.AsType[interface {
		error
		Panicked() bool
	}](err); ok && e.Panicked() {
		return Stop
	}
	if refusal.Is(err) {
		return p.ofRefusal(err)
	}
	marked, ok := errors.AsType[interface {
		error
		RetryableError() bool
	}](err)
	if ok && !marked.RetryableError() {
		return Stop
	}
	class := classOfAnswer(err)
	if ok && class == Stop {
		return Transient
	}
	return class
}

// ofRefusal is the class of a call that an inner policy did not make.
func (p *Policy) ofRefusal(err error) Class {
	if refusal.Within(err, min(patience, p.limit())) {
		return Transient
	}
	return Stop
}

// classOfAnswer is the class of what a server answered, if err tells.
func classOfAnswer(err error) Class {
	switch refusal.FaultOf(err) {
	case refusal.Load:
		return Throttle
	case refusal.Request:
		return Stop
	}
	return Transient
}
