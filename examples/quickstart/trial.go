package main

import (
	"context"
	"io"
	"time"

	"github.com/seawall-go/seawall/examples/internal/surge"
)

// A trial is one scenario for both variants.
type trial struct {
	scenario      surge.Scenario
	start         time.Time
	without, with *variant
}

func begin(s surge.Scenario) *trial {
	start := time.Now()
	return &trial{s, start, open("checkout-bare", s, start), open("checkout", s, start)}
}

// end leaves nothing running.
func (t *trial) end() {
	t.without.close()
	t.with.close()
}

// run sends each order to both variants, and shows how they fare until the last one is through.
func (t *trial) run(ctx context.Context, out io.Writer) error {
	through := make(chan error, 1)
	go func() {
		err := t.scenario.Run(ctx, t.start, func(o surge.Order) {
			t.without.place(ctx, o)
			t.with.place(ctx, o)
		})
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
