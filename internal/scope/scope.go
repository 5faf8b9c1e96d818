// Package scope is what is told through the context: by a policy to the ones inside it, that a retry is already under
// way; by an adapter to the policies around its call, what that call is, and that its result outlives it.
package scope

import (
	"context"
	"sync"
	"sync/atomic"
)

type (
	seatKey  struct{}
	retryKey struct{}
	holdKey  struct{}
)

// Retrying reports whether ctx comes from a retry, whose attempts are already repeated.
func Retrying(ctx context.Context) bool { return ctx.Value(retryKey{}) != nil }

// WithRetry returns a child of ctx for which [Retrying] is true. It sits in the [Seat] of an outer context if there is
// a free one, and allocates otherwise.
func WithRetry(ctx context.Context) context.Context {
	if s, _ := ctx.Value(seatKey{}).(*Seat); s != nil && s.taken.CompareAndSwap(false, true) {
		s.mark.Context = ctx
		return &s.mark
	}
	return &mark{ctx}
}

// WithoutRetry returns a context for a call that policies around it may not repeat, whatever they want. If the retry of
// ctx is one of them, and so not known to outer, the context around them, then those inside the call are the ones to
// repeat, and [Retrying] is false in a child of ctx. Otherwise it is ctx.
func WithoutRetry(ctx, outer context.Context) context.Context {
	if !Retrying(ctx) || Retrying(outer) {
		return ctx
	}
	return &unmarked{ctx}
}

type unmarked struct{ context.Context } //nolint:containedctx // it is a context

func (u *unmarked) Value(key any) any {
	if key == (retryKey{}) {
		return nil
	}
	return u.Context.Value(key)
}

type mark struct{ context.Context } //nolint:containedctx // it is a context

func (m *mark) Value(key any) any {
	if key == (retryKey{}) {
		return m
	}
	return m.Context.Value(key)
}

// A Seat is room for one retry's mark. A context type embeds one, and answers [IsSeat] keys with it, so that a retry
// inside it costs no allocation. A seat is taken once and never given back: whoever kept the marked context can go on
// using it.
type Seat struct {
	taken atomic.Bool
	mark  mark
}

// IsSeat reports whether key asks for a *Seat.
func IsSeat(key any) bool { return key == (seatKey{}) }

// A Hold is put into the context by an adapter whose call may return a result that lives longer than the call: a body,
// a stream. A policy that would end the call's context asks the hold to keep it open.
type Hold struct {
	// Client says that the call goes out. A [Call] says so too, but is there only if a policy looks.
	Client bool

	mu       sync.Mutex
	open     bool
	sealed   bool
	releases []func()
}

// WithHold returns a child of ctx with h in it.
func WithHold(ctx context.Context, h *Hold) context.Context {
	return context.WithValue(ctx, holdKey{}, h)
}

// Held is the innermost hold in ctx, or nil.
func Held(ctx context.Context) *Hold {
	h, _ := ctx.Value(holdKey{}).(*Hold)
	return h
}

// Open says that the call left a result which is still to be read. The methods of a nil hold, that of a call whose
// context is not a child of the adapter's, do nothing.
func (h *Hold) Open() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = true
}

// Keep takes over release if the call that just returned left an open result. Otherwise it returns false and the caller
// releases.
func (h *Hold) Keep(release func()) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open || h.sealed {
		return false
	}
	h.releases = append(h.releases, release)
	return true
}

// Seal says that the policies are done. Whoever comes later, while the result is read, keeps nothing for it.
func (h *Hold) Seal() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sealed = true
}

// End says that the result was read or thrown away, and releases what was kept for it. Ending twice is ending once.
func (h *Hold) End() {
	if h == nil {
		return
	}
	h.mu.Lock()
	releases := h.releases
	h.open, h.releases = false, nil
	h.mu.Unlock()
	for _, release := range releases {
		release()
	}
}
