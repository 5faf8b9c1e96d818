package idempotency

import (
	"context"
	"reflect"
)

// Wrap returns h, made so that calls with the same key run once: the first runs h, later ones get its result, and one
// that comes in between is refused, or waits if c says so. The result is a plain function of h's type.
//
// The key of a call is what key makes of the argument, before h runs; two calls with one key are one call. Without a key,
// empty or with [ErrNoKey], the call runs unprotected, or is refused if c requires one; with any other error of key it is
// refused with a [*KeyError].
//
// An error of h comes out as it is. It gives the key back, so that the next call runs h again, unless c keeps such
// errors; a panic does so, and goes on. What keeps h from running is an error of this package.
//
// h's context ends a little before the caller's, to leave time to write what became of h. Where the caller's has no
// deadline it ends, with the cause [ErrLost], when the record is lost, or its lease is over and could not be renewed.
//
// Wrap panics if c makes no sense, or if values of type Out cannot be replayed.
func Wrap[In, Out any](h func(ctx context.Context, in In) (Out, error), key func(in In) (string, error), c Config) func(ctx context.Context, in In) (Out, error) {
	if h == nil || key == nil {
		panic("idempotency: Wrap: want a handler and a key")
	}
	op := newOperation("Wrap", c, reflect.TypeFor[Out]())
	disabled() // says now if it cannot be understood
	return func(ctx context.Context, in In) (Out, error) {
		return do(ctx, op, key, in, h)
	}
}

// WrapErr is [Wrap] for a handler without a result.
func WrapErr[In any](h func(ctx context.Context, in In) error, key func(in In) (string, error), c Config) func(ctx context.Context, in In) error {
	if h == nil || key == nil {
		panic("idempotency: WrapErr: want a handler and a key")
	}
	wrapped := Wrap(func(ctx context.Context, in In) (struct{}, error) { return struct{}{}, h(ctx, in) }, key, c)
	return func(ctx context.Context, in In) error {
		_, err := wrapped(ctx, in)
		return err
	}
}

// Do makes a call once for each key, as [Wrap] does. An empty key is none.
func Do[Out any](ctx context.Context, c Config, key string, call func(ctx context.Context) (Out, error)) (Out, error) {
	c.Fingerprint = nil
	op := newOperation("Do", c, reflect.TypeFor[Out]())
	return do(ctx, op, self, key, func(ctx context.Context, _ string) (Out, error) { return call(ctx) })
}

func self(key string) (string, error) { return key, nil }

func do[In, Out any](ctx context.Context, op *operation, key func(In) (string, error), in In, h func(context.Context, In) (Out, error)) (Out, error) {
	c := &call[In, Out]{handler: h, key: key, in: in}
	c.run.op, c.run.work = op, c
	err := c.run.do(ctx)
	return c.out, err
}

// A call is a run with its types.
type call[In, Out any] struct {
	run     run
	handler func(context.Context, In) (Out, error)
	key     func(In) (string, error)
	in      In
	out     Out
}

func (c *call[In, Out]) keyed() (string, error) { return c.key(c.in) }

func (c *call[In, Out]) arg() any { return c.in }

func (c *call[In, Out]) call(ctx context.Context) (err error) {
	c.out, err = c.handler(ctx, c.in)
	return err
}

func (c *call[In, Out]) result() any { return &c.out }
