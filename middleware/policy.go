package middleware

import (
	"context"
	"fmt"
	"slices"

	"github.com/seawall-go/seawall/internal/scope"
)

// A Policy decides whether, when and how often a call is made. The package comment says what it promises. A Policy is
// safe for concurrent use.
type Policy interface {
	// Do makes the call and returns its error, or returns an error of its own without making it.
	Do(ctx context.Context, call func(context.Context) error) error
}

// PolicyFunc is a function that is a [Policy].
//
// If it refuses a call, give its error a method Refused() bool that returns true. Policies around it then know that
// nobody was asked: a breaker does not count the error, a retry does not repeat what was refused, and [Wrap], which has
// to assume the call to be yet to begin otherwise, allocates nothing.
type PolicyFunc func(ctx context.Context, call func(context.Context) error) error

// Do calls f.
func (f PolicyFunc) Do(ctx context.Context, call func(context.Context) error) error {
	return f(ctx, call)
}

// Join makes one policy of several, the first outermost. With none it only makes the call.
func Join(policies ...Policy) Policy {
	check("Join", policies)
	return joined{
		do:       WrapErr(func(ctx context.Context, call func(context.Context) error) error { return call(ctx) }, policies...),
		repeats:  slices.ContainsFunc(policies, repeats),
		policies: slices.Clone(policies),
	}
}

type joined struct {
	do       func(context.Context, func(context.Context) error) error
	repeats  bool
	policies []Policy
}

func (j joined) Do(ctx context.Context, call func(context.Context) error) error {
	return j.do(ctx, call)
}

// Repeats tells adapters whose call can be made only once that one of the policies makes it again.
func (j joined) Repeats() bool { return j.repeats }

// Looks tells adapters how many of the policies look at calls with such an argument or result.
func (j joined) Looks(at any) int { return scope.Looking(j.policies, at) }

// Repeated tells adapters whether the innermost of those looks at calls that are repeated inside it.
func (j joined) Repeated(at any) bool { return scope.Repeated(j.policies, at) }

func repeats(p Policy) bool {
	r, ok := p.(interface{ Repeats() bool })
	return ok && r.Repeats()
}

// bound returns policies as they are used again and again: one that would look something up at each call has a method Bind,
// which returns the policy that has looked it up.
func bound(policies []Policy) []Policy {
	policies = slices.Clone(policies)
	for i, p := range policies {
		if b, ok := p.(interface{ Bind() Policy }); ok {
			policies[i] = b.Bind()
		}
	}
	return policies
}

// bind returns the function that makes call through policies.
func bind(policies []Policy, call func(context.Context) error) func(context.Context) error {
	for _, p := range slices.Backward(policies) {
		inner := call
		call = func(ctx context.Context) error { return p.Do(ctx, inner) }
	}
	return call
}

func check(caller string, policies []Policy) {
	for i, p := range policies {
		if p == nil {
			panic(fmt.Sprintf("middleware: %s: policy %d of %d is nil; leave it out", caller, i+1, len(policies)))
		}
	}
}
