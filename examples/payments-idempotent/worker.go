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
	impatient  chan bool // its client
	dead       atomic.Bool
}

// deliver returns what the client got to hear of the order.
func (w *worker) deliver(o Order) string {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // as a server does when its client hangs up
	ctx, outcome := idempotency.Watch(ctx)
	heard := make(chan string, 1)
	w.running.Go(func() {
		defer close(heard)
		receipt, err := w.placeOrder(ctx, o)
		switch {
		case err != nil:
			heard <- err.Error()
		case outcome() == idempotency.Replayed:
			heard <- fmt.Sprintf("receipt %d, again", receipt.Number)
		default:
			heard <- fmt.Sprintf("receipt %d, charged", receipt.Number)
		}
	})
	select {
	case answer, ok := <-heard:
		if !ok {
			return "no answer: the worker died"
		}
		return answer
	case <-w.impatient:
		return "no answer in time"
	}
}

// hangUp is what the client does who waits too long.
func (w *worker) hangUp() { w.impatient <- true }

// die ends the worker as a kill does: at once, and nothing that it does any more reaches the store.
func (w *worker) die() {
	w.dead.Store(true)
	runtime.Goexit()
}

var errDead = errors.New("the worker is dead")

func (w *worker) Complete(ctx context.Context, c idempotency.Completion) error {
	if w.dead.Load() {
		return errDead
	}
	return w.Store.Complete(ctx, c)
}

func (w *worker) Release(ctx context.Context, key, owner string) error {
	if w.dead.Load() {
		return errDead
	}
	return w.Store.Release(ctx, key, owner)
}

func (w *worker) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	if w.dead.Load() {
		return errDead
	}
	return w.Store.Extend(ctx, key, owner, lease)
}
