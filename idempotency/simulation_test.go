package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

// A link is one process's connection to the store: requests fail on it, before or after they are carried out, or hang;
// and it may break for good, which is what the death of the process is to everybody else.
type link struct {
	idempotency.Store

	mu     sync.Mutex
	random *rand.Rand
	broken bool
}

var errLink = errors.New("the link failed")

func (l *link) request(ctx context.Context, do func() error) error {
	l.mu.Lock()
	dice, delay, broken := l.random.IntN(20), time.Duration(l.random.IntN(100))*time.Millisecond, l.broken
	l.mu.Unlock()
	if dice == 0 {
		delay = time.Hour
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if broken || dice == 1 {
		return errLink
	}
	err := do()
	if dice == 2 {
		return errLink
	}
	return err
}

func (l *link) Claim(ctx context.Context, c idempotency.Claim) (r idempotency.Record, err error) {
	err = l.request(ctx, func() error { r, err = l.Store.Claim(ctx, c); return err })
	return r, err
}

func (l *link) Complete(ctx context.Context, c idempotency.Completion) error {
	return l.request(ctx, func() error { return l.Store.Complete(ctx, c) })
}

func (l *link) Release(ctx context.Context, key, owner string) error {
	return l.request(ctx, func() error { return l.Store.Release(ctx, key, owner) })
}

func (l *link) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	return l.request(ctx, func() error { return l.Store.Extend(ctx, key, owner, lease) })
}

func (l *link) Load(ctx context.Context, key string) (r idempotency.Record, err error) {
	err = l.request(ctx, func() error { r, err = l.Store.Load(ctx, key); return err })
	return r, err
}

// What happens to one key, whatever else happens: one run at a time, but for those that nobody can hear any more; and
// none after one of which the record says that it succeeded.
func TestOneRunAtATimeAndNoneAfterASuccess(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	t.Helper()
	store := new(idempotency.Memory)
	var mu sync.Mutex
	alive := make(map[int]bool) // runs that go on, on a link that works
	runs, settled := 0, 0       // the run that succeeded, on record

	process := func(n uint64) {
		random := rand.New(rand.NewPCG(seed, n))
		l := &link{Store: store, random: rand.New(rand.NewPCG(seed, ^n))}
		c := idempotency.Config{Store: l, Scope: "orders", TTL: 24 * time.Hour}
		if random.IntN(2) == 0 {
			c.Wait = time.Duration(random.IntN(120)) * time.Second
		}
		h := idempotency.Wrap(func(ctx context.Context, _ order) (int, error) {
			mu.Lock()
			runs++
			run := runs
			if settled > 0 {
				t.Errorf("run %d begins after run %d succeeded", run, settled)
			}
			for other := range alive {
				t.Errorf("run %d begins while run %d goes on", run, other)
			}
			alive[run] = true
			mu.Unlock()
			timer := time.NewTimer(time.Duration(random.IntN(100)) * time.Second)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			dies := random.IntN(4) == 0
			mu.Lock()
			delete(alive, run)
			mu.Unlock()
			if dies {
				l.mu.Lock()
				l.broken = true
				l.mu.Unlock()
			}
			switch random.IntN(3) {
			case 0:
				return 0, errBoom
			case 1:
				if dies {
					panic(errBoom)
				}
			}
			return run, ctx.Err()
		}, byID, c)
		for range 4 {
			time.Sleep(time.Duration(random.IntN(60)) * time.Second)
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if random.IntN(2) == 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(1+random.IntN(90))*time.Second)
			}
			func() {
				defer cancel()
				defer func() { _ = recover() }()
				got, outcome, err := watched(ctx, h, order{ID: "7"})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && (outcome == idempotency.Ran || outcome == idempotency.TookOver):
					settled = got
				case err == nil && outcome == idempotency.Replayed && settled > 0 && got != settled:
					t.Errorf("the replay is that of run %d, not of run %d", got, settled)
				case outcome == idempotency.Pending, outcome == idempotency.Unprotected:
					t.Errorf("outcome %v, %v", outcome, err)
				}
			}()
			if l.broken {
				return
			}
		}
	}
	var wg sync.WaitGroup
	for n := range uint64(6) {
		wg.Go(func() { process(n) })
	}
	wg.Wait()
}
