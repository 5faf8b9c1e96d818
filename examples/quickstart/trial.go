package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// A trial is one scenario for both variants.
type trial struct {
	scenario      scenario
	start         time.Time
	without, with *variant
}

func begin(s scenario) *trial {
	start := time.Now()
	return &trial{s, start, open("checkout-bare", s, start), open("checkout", s, start)}
}

// end leaves nothing running.
func (t *trial) end() {
	t.without.close()
	t.with.close()
}

// run sends the orders, and shows how they fare until the last one is through.
func (t *trial) run(ctx context.Context, out io.Writer) error {
	through := make(chan error, 1)
	go func() {
		err := t.surge(ctx)
		t.without.wg.Wait()
		t.with.wg.Wait()
		through <- err
	}()
	p := progress{trial: t, out: out}
	p.header()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.line()
		case err := <-through:
			if err == nil {
				p.line()
			}
			return err
		}
	}
}

// surge sends each order to both variants when its time has come, whatever became of those before.
func (t *trial) surge(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, at := range t.scenario.orders() {
		timer.Reset(time.Until(t.start.Add(at)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		o := order{ID: fmt.Sprintf("order-%d", i+1), Cents: 1000 + i, Pay: "card"}
		if i%4 == 3 {
			o.Pay = "invoice"
		}
		t.without.place(ctx, o)
		t.with.place(ctx, o)
	}
	return nil
}
