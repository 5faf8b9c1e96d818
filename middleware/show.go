package middleware

import (
	"context"

	"github.com/seawall-go/seawall/internal/scope"
)

// showing is h as [Wrap] makes it, with policies of which some look at such calls.
func showing[In, Out any](h Handler[In, Out], policies []Policy, looks int) Handler[In, Out] {
	wrapped := wrap(func(ctx context.Context, in In) (Out, error) {
		out, err := h(ctx, in)
		scope.Shown(ctx).Return(scope.Result{Out: out})
		return out, err
	}, policies)
	var none Out
	return func(ctx context.Context, in In) (Out, error) {
		c := &scope.Call{In: in, Looks: looks}
		c.Return(scope.Result{Out: none}) // its type says something already
		return wrapped(scope.Show(ctx, c), in)
	}
}
