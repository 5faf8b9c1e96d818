package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

// A worker handles deliveries, and has its own line to the store that all workers share.
type worker struct {
	idempotency.Store

	placeOrder handler
	running    sync.WaitGroup
	silent     chan string // why its client hears nothing
	dead       atomic.Bool
	buried     chan struct{}
}

// deliver returns what the client got to hear of the order.
func (w *worker) deliver(o Order) string {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // as a server does when its client hangs up
	heard := make(chan string, 1)
	w.running.Go(func() { heard <- w.handle(ctx, o) })
	select {
	case answer := <-heard:
		return answer
	case why := <-w.silent:
		return why
	}
}

// handle is what a server does with a request: it calls the handler, and makes an answer of what comes back.
func (w *worker) handle(ctx context.Context, o Order) string {
	ctx, outcome := idempotency.Watch(ctx)
	receipt, err := w.placeOrder(ctx, o)
	switch {
	case err != nil:
		return err.Error()
	case outcome() == idempotency.Replayed:
		return fmt.Sprintf("receipt %d again, not charged", receipt.Number)
	}
	return fmt.Sprintf("receipt %d, charged", receipt.Number)
}

// hangUp is what the client does who waits too long.
func (w *worker) hangUp(why string) { w.silent <- why }

// die stops the worker where it is. To all others it looks like a process that was killed: it says nothing any more, neither
// to its client nor to the store.
func (w *worker) die() {
	w.dead.Store(true)
	w.silent <- "no answer: the worker died"
	<-w.buried
	runtime.Goexit()
}

// retire ends the worker when the scene is over. What a dead one would write then comes too late: the store refuses it.
func (w *worker) retire() {
	close(w.buried)
	w.running.Wait()
}

// Extend renews the lease of a run, as long as there is somebody who runs.
func (w *worker) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	if w.dead.Load() {
		return errors.New("the worker is dead")
	}
	return w.Store.Extend(ctx, key, owner, lease)
}
