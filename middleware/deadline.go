package middleware

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/scope"
)

// A deadlineCtx is what [context.WithDeadline] returns at a lower price: the timer and the channel are made when somebody
// first asks for Done, and much code never does. What is asked for then is a real context of package context, so
// children of it propagate as they always do, without a goroutine. The one difference is that what ended it first, the
// deadline or the caller, is judged by who looks first.
type deadlineCtx struct {
	parent   context.Context //nolint:containedctx // it is a context
	deadline time.Time
	ended    atomic.Bool
	armed    atomic.Pointer[armedCtx]
	seat     scope.Seat
}

type armedCtx struct {
	context.Context //nolint:containedctx // it is a context

	cancel context.CancelFunc
}

func (c *deadlineCtx) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *deadlineCtx) Done() <-chan struct{} { return c.arm().Done() }

func (c *deadlineCtx) Err() error {
	if a := c.armed.Load(); a != nil {
		return a.Err()
	}
	if !c.ended.Load() && c.parent.Err() == nil && time.Now().Before(c.deadline) {
		return nil
	}
	return c.arm().Err()
}

func (c *deadlineCtx) Value(key any) any {
	if scope.IsSeat(key) {
		return &c.seat
	}
	// Package context looks for its own kind with a key of this type; it has to find the armed one.
	if _, ok := key.(*int); ok {
		return c.arm().Value(key)
	}
	return c.parent.Value(key)
}

func (c *deadlineCtx) String() string { return "middleware.Timeout" }

func (c *deadlineCtx) arm() *armedCtx {
	if a := c.armed.Load(); a != nil {
		return a
	}
	ctx, cancel := context.WithDeadline(c.parent, c.deadline)
	a := &armedCtx{ctx, cancel}
	if !c.armed.CompareAndSwap(nil, a) {
		cancel()
		return c.armed.Load()
	}
	if c.ended.Load() {
		cancel()
	}
	return a
}

// end cancels c, as a context is cancelled when the call it was made for has returned.
func (c *deadlineCtx) end() {
	c.ended.Store(true)
	if a := c.armed.Load(); a != nil {
		a.cancel()
	}
}
