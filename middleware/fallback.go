package middleware

import (
	"context"

	"github.com/seawall-go/seawall/internal/event"
)

// Fallback returns h with a second way to answer: if h returns an error, what answer makes of it is returned instead,
// result and error. To let some errors pass, answer returns them as they are:
//
//	middleware.Fallback(quote, func(ctx context.Context, item Item, err error) (Quote, error) {
//		if errors.Is(err, breaker.ErrOpen) {
//			return cached(item)
//		}
//		return Quote{}, err
//	})
func Fallback[In, Out any](h Handler[In, Out], answer func(ctx context.Context, in In, err error) (Out, error)) Handler[In, Out] {
	if h == nil || answer == nil {
		panic("middleware: Fallback: want a handler and an answer")
	}
	return func(ctx context.Context, in In) (Out, error) {
		out, err := h(ctx, in)
		if err == nil {
			return out, nil
		}
		out, other := answer(ctx, in, err)
		if other == nil {
			event.Emit(ctx, event.Event{Kind: event.Fallback, Policy: "fallback", Err: err})
		}
		return out, other
	}
}
