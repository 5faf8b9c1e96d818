// Package middleware joins policies to handlers.
//
// A [Policy] is anything with the method
//
//	Do(ctx context.Context, call func(context.Context) error) error
//
// which makes the call, or refuses it, or makes it again: a breaker, a retry, a limiter, a timeout. [Wrap] puts policies
// around a typed function and returns a function of the same type, so what it returns goes wherever the bare one went:
// into lambda.Start, behind an HTTP route, into another vendor's wrapper. [Call] does so for a single call, and [Join]
// makes one policy of several.
//
// The policy listed first is the outermost, everywhere: in
//
//	middleware.Wrap(h, middleware.Timeout(time.Second), retry.Policy{}, payments)
//
// the timeout bounds all attempts together, and the breaker payments sees each attempt.
//
// # What a policy promises
//
// Do makes calls one at a time, and returns only after the last one has returned: they run in the caller's goroutine or
// are awaited. It hands on the context it got or a child of it. The call's own error comes out as the same value, because callers
// match on it and Lambda reports its type; a policy that did not make the call says so with an error of its own type.
// A panic or [runtime.Goexit] in the call passes through and leaves nothing held. No lock is held while the call runs.
// Package policytest puts any Policy to that test.
//
// What has to leave a running call behind, or needs its result, is not a Policy but a function from Handler to
// Handler: [Abandon], [Fallback].
package middleware

import (
	"context"
	"fmt"
	"slices"
)

// A Handler is a typed function that can be wrapped: a Lambda handler of any event type, or any other function of one
// argument. It is an alias, for lambda.StartHandlerFunc takes plain functions only.
type Handler[In, Out any] = func(ctx context.Context, in In) (Out, error)

// A Middleware makes a Handler of a Handler. Policies need none of it: it is for layers that look at the argument or
// the result.
type Middleware[In, Out any] = func(Handler[In, Out]) Handler[In, Out]

// Chain wraps h in layers. The layer listed first is the outermost.
func Chain[In, Out any](h Handler[In, Out], layers ...Middleware[In, Out]) Handler[In, Out] {
	if h == nil {
		panic("middleware: Chain of a nil handler")
	}
	for i, layer := range slices.Backward(layers) {
		if layer == nil {
			panic(fmt.Sprintf("middleware: Chain: layer %d of %d is nil; leave it out", i+1, len(layers)))
		}
		h = layer(h)
	}
	return h
}
