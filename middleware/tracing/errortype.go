package tracing

import (
	"errors"
	"reflect"
	"unicode"
	"unicode/utf8"
)

const panicType = "panic"

// errorType is what the package comment says about error.type.
func errorType(err error) string {
	if t := asked(func() string { return typeOf(err) }); t != "" {
		return text(t)
	}
	return reflect.TypeOf(err).String()
}

// asked is what ask gets from an error, or zero if a method of it panics, as those of a nil pointer do.
func asked[T any](ask func() T) (answer T) {
	defer func() {
		if recover() != nil {
			answer = *new(T)
		}
	}()
	return ask()
}

func typeOf(err error) string {
	if says, ok := errors.AsType[interface {
		error
		ErrorType() string
	}](err); ok {
		if t := says.ErrorType(); t != "" {
			return t
		}
	}
	for {
		if p, ok := err.(interface{ Panicked() bool }); ok && p.Panicked() {
			return panicType
		}
		inner := unwrapped(err)
		if inner == nil || exported(reflect.TypeOf(err)) {
			return reflect.TypeOf(err).String()
		}
		err = inner
	}
}

// unwrapped is the next error in the chain, the first of several.
func unwrapped(err error) error {
	switch w := err.(type) { //nolint:errorlint // one link of the chain at a time
	case interface{ Unwrap() error }:
		return w.Unwrap()
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			if inner != nil {
				return inner
			}
		}
	}
	return nil
}

func exported(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	first, _ := utf8.DecodeRuneInString(t.Name())
	return unicode.IsUpper(first)
}
