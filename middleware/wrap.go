package middleware

import (
	"context"
	"reflect"

	"github.com/seawall-go/seawall/internal/scope"
)

// Wrap returns h with policies around it, the first outermost. The result is a plain function of h's type.
//
// The wrapped handler returns what h returned last, result and error, or the error of the policy that refused, with the
// zero Out if h did not run at all. It adds no allocation of its own, unless Out is an interface or a stream, a policy
// looks at events of Lambda as tracing.Span does, or a policy does not make the call and its error has no method
// Refused.
//
// If h returns a stream, an [io.Reader], the context of the call stays open after it: until the deadline that a
// [Timeout] set, or until the caller's own context ends, as Lambda's does when the response was sent. A stream that h
// returned and a policy made an error of is closed, if it is an [io.Closer], and not returned.
//
// A policy that returns nil though it made no call, or before its call has returned, does not keep its promise: the
// wrapped handler returns the zero Out and an error that says so.
func Wrap[In, Out any](h Handler[In, Out], policies ...Policy) Handler[In, Out] {
	if h == nil {
		panic("middleware: Wrap of a nil handler")
	}
	check("Wrap", policies)
	policies = bound(policies)
	var (
		in  In
		out Out
	)
	if looks := scope.Looking(policies, in, out); looks > 0 {
		return showing(h, policies, looks)
	}
	return wrap(h, policies)
}

func wrap[In, Out any](h Handler[In, Out], policies []Policy) Handler[In, Out] {
	streams := mayStream(reflect.TypeFor[Out]())
	var frames stock[frame[In, Out]]
	return func(ctx context.Context, in In) (Out, error) {
		f := frames.get()
		if f == nil {
			f = &frame[In, Out]{handler: h, policies: policies, streams: streams}
		}
		out, again, err := f.invoke(ctx, in)
		if again {
			frames.put(f)
		}
		return out, err
	}
}

// WrapErr is [Wrap] for a handler without a result.
func WrapErr[In any](h func(ctx context.Context, in In) error, policies ...Policy) func(ctx context.Context, in In) error {
	if h == nil {
		panic("middleware: WrapErr of a nil handler")
	}
	wrapped := Wrap(func(ctx context.Context, in In) (struct{}, error) { return struct{}{}, h(ctx, in) }, policies...)
	return func(ctx context.Context, in In) error {
		_, err := wrapped(ctx, in)
		return err
	}
}

// Call makes one call through policies, the first outermost, and returns its result as [Wrap] does. To make the same
// call often, Wrap it once.
func Call[Out any](ctx context.Context, call func(context.Context) (Out, error), policies ...Policy) (Out, error) {
	check("Call", policies)
	h := func(ctx context.Context, _ struct{}) (Out, error) { return call(ctx) }
	f := &frame[struct{}, Out]{handler: h, policies: policies, streams: mayStream(reflect.TypeFor[Out]())}
	out, _, err := f.invoke(ctx, struct{}{})
	return out, err
}
