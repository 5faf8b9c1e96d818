//go:build unix

package endtoend_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A gate is a place that, once it is armed, is passed when the test says so.
type gate struct {
	armed           atomic.Bool
	reach           sync.Once
	reached, opened chan struct{}
}

func newGate() *gate { return &gate{reached: make(chan struct{}), opened: make(chan struct{})} }

func (g *gate) arm() { g.armed.Store(true) }

func (g *gate) open() { close(g.opened) }

// pass returns when the gate is open, or nobody waits any more.
func (g *gate) pass(gone <-chan struct{}) {
	if !g.armed.Load() {
		return
	}
	g.reach.Do(func() { close(g.reached) })
	select {
	case <-g.opened:
	case <-gone:
	}
}

// await returns when somebody is at the gate.
func (g *gate) await(t *testing.T) {
	t.Helper()
	select {
	case <-g.reached:
	case <-time.After(time.Minute):
		t.Fatal("nobody came to the gate")
	}
}
