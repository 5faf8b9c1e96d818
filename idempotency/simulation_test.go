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

// A link is one process's connection to the store: requests fail on it, before or after they are carried out, or hang, or
// take long; it is down for a while, and it may break for good, which is what the death of the process is to everybody else.
type link struct {
	idempotency.Store

	world   *world
	mu      sync.Mutex
	random  *rand.Rand
	broken  bool
	down    time.Time // until when
	run     int       // the handler's, of the last claim
	owner   string    // who claimed last
	granted bool      // whether that was granted, whatever was answered
	tries   int       // to write how that ended
	written bool      // whether one of them was carried out
}

var errLink = errors.New("the link failed")

func (l *link) request(ctx context.Context, do func() error) error {
	l.mu.Lock()
	dice, delay, broken := l.random.IntN(20), time.Duration(l.random.IntN(100))*time.Millisecond, l.broken || time.Now().Before(l.down)
	l.mu.Unlock()
	switch dice {
	case 0:
		delay = time.Hour
	case 3:
		delay *= 1000
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

// write is a request of which the link notes that it was tried.
func (l *link) write(ctx context.Context, do func() error) error {
	l.mu.Lock()
	l.tries++
	l.mu.Unlock()
	return l.request(ctx, func() error {
		err := do()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.written = l.written || err == nil
		return err
	})
}

func (l *link) Claim(ctx context.Context, c idempotency.Claim) (r idempotency.Record, err error) {
	l.mu.Lock()
	l.run, l.owner, l.granted, l.tries, l.written = 0, c.Owner, false, 0, false
	hesitates := c.TakeOver != nil && l.world.hesitates
	l.mu.Unlock()
	if hesitates {
		time.Sleep(time.Duration(l.random.IntN(90)) * time.Second)
	}
	err = l.request(ctx, func() error {
		r, err = l.Store.Claim(ctx, c)
		l.world.claimed(c, r)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.granted = r.Owner == c.Owner && r.Status == idempotency.InProgress
		return err
	})
	return r, err
}

func (l *link) Complete(ctx context.Context, c idempotency.Completion) error {
	return l.write(ctx, func() error { return l.Store.Complete(ctx, c) })
}

func (l *link) Release(ctx context.Context, key, owner string) error {
	return l.write(ctx, func() error { return l.Store.Release(ctx, key, owner) })
}

func (l *link) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	return l.write(ctx, func() error { return l.Store.Extend(ctx, key, owner, lease) })
}

func (l *link) Load(ctx context.Context, key string) (r idempotency.Record, err error) {
	err = l.request(ctx, func() error { r, err = l.Store.Load(ctx, key); return err })
	return r, err
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
}

func (l *link) fail(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = time.Now().Add(d)
}

// A world is all that happens to one key.
type world struct {
	*testing.T

	seed       uint64
	store      idempotency.Memory
	failsOpen  bool
	reconciles bool
	hesitates  bool // who looked at a dead run takes long to follow it, while others are quick, and the dead come back

	mu      sync.Mutex
	runs    int
	settled int          // the run that succeeded, on record
	alive   map[int]bool // runs that go on
	unknown map[int]bool // runs that had ended, or not, when they were last heard of: whether they had their effect
	ran     map[idempotency.Run]int
	follows map[idempotency.Run]idempotency.Run // from whom it took over
	effects int
}

// Whatever happens: one run at a time, none after one of which the record says that it succeeded, nothing in progress that
// never ran, and with Reconcile no run before it is known what the earlier ones did, so that there is one effect.
func TestOneRunAtATimeAndNoneAfterASuccess(t *testing.T) {
	for seed := range uint64(1000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{
					T: t, seed: seed, failsOpen: seed%4 == 1 && seed < 400, reconciles: seed%4 > 1 || seed >= 400, hesitates: seed%4 == 3 || seed >= 400, alive: make(map[int]bool),
					unknown: make(map[int]bool), ran: make(map[idempotency.Run]int), follows: make(map[idempotency.Run]idempotency.Run),
				}
				var wg sync.WaitGroup
				for n := range uint64(6) {
					wg.Go(func() { w.process(n) })
				}
				wg.Wait()
			})
		})
	}
}

func (w *world) process(n uint64) {
	random := rand.New(rand.NewPCG(w.seed, n))
	l := &link{Store: &w.store, world: w, random: rand.New(rand.NewPCG(w.seed, ^n))}
	c := idempotency.Config{Store: l, Scope: "orders", TTL: 24 * time.Hour, FailOpen: w.failsOpen, Uncertain: noAnswer}
	if random.IntN(2) == 0 {
		c.Wait = time.Duration(random.IntN(120)) * time.Second
	}
	if w.reconciles {
		c.Reconcile = func(_ context.Context, dead idempotency.Abandoned) (any, bool, error) {
			return w.reconcile(l, idempotency.Run{Owner: dead.Owner, Attempt: dead.Attempt}, random)
		}
	}
	h := idempotency.Wrap(func(ctx context.Context, _ order) (int, error) { return w.run(ctx, l, random) }, byID, c)
	calls := 4
	if w.hesitates {
		calls = 12
	}
	for range calls {
		time.Sleep(time.Duration(random.IntN(60)) * time.Second)
		ctx, cancel := context.WithCancel(w.Context())
		switch kind := random.IntN(4); {
		case w.hesitates && kind > 0:
		case kind < 2:
			ctx, cancel = context.WithTimeout(ctx, time.Duration(1+random.IntN(90))*time.Second)
		case kind == 2: // somebody hangs up, most often before the handler runs
			time.AfterFunc(time.Duration(random.IntN(300))*time.Millisecond, cancel)
		}
		w.call(ctx, l, h)
		cancel()
		if l.broken {
			time.Sleep(time.Duration(60+random.IntN(40)) * time.Second)
			w.wake(l)
			return
		}
	}
}

// wake lets a run that was taken for dead end as one that failed and had no effect.
func (w *world) wake(l *link) {
	w.mu.Lock()
	_, affected := w.unknown[l.run]
	failed := l.run > 0 && l.run != w.settled && !affected
	w.mu.Unlock()
	if failed {
		_ = w.store.Release(w.Context(), recordKey("orders", "7"), l.owner)
	}
}

// claimed notes from whom a claim took over.
func (w *world) claimed(c idempotency.Claim, r idempotency.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.TakeOver != nil && r.Owner == c.Owner && r.Attempt == c.TakeOver.Attempt+1 {
		w.follows[r.Run()] = *c.TakeOver
	}
}

// call checks what is left of a call that has ended.
func (w *world) call(ctx context.Context, l *link, h func(context.Context, order) (int, error)) {
	defer func() { _ = recover() }()
	got, outcome, err := watched(ctx, h, order{ID: "7"})
	w.mu.Lock()
	defer w.mu.Unlock()
	record, _ := w.store.Load(context.Background(), recordKey("orders", "7"))
	mine := record.Owner == l.owner
	switch {
	case outcome == idempotency.Pending, outcome == idempotency.Unprotected && !w.failsOpen,
		err == nil && (outcome == idempotency.Refused || outcome == idempotency.Released):
		w.Errorf("outcome %v, %v", outcome, err)
	case err == nil && (outcome == idempotency.Ran || outcome == idempotency.TookOver),
		err == nil && outcome == idempotency.Unprotected && mine && record.Status == idempotency.Completed:
		w.settled = got
		delete(w.unknown, got)
	case err == nil && outcome == idempotency.Replayed:
		if w.settled == 0 {
			w.settled = got // by a run whose process never heard that it did
		}
		if got != w.settled {
			w.Errorf("the replay is that of run %d, not of run %d", got, w.settled)
		}
	}
	if err == nil && outcome == idempotency.Unprotected && l.granted && w.settled != got && !l.broken && l.tries < 3 {
		w.Errorf("run %d was granted its claim, and the record does not say that it succeeded", got)
	}
	if mine && record.Status == idempotency.InProgress && record.Lease.After(time.Now()) && !l.broken && l.tries < 3 {
		w.Errorf("%v, %v, and the record is in progress after %d tries to say how that ended", outcome, err, l.tries)
	}
}

// run is the handler.
func (w *world) run(ctx context.Context, l *link, random *rand.Rand) (int, error) {
	takes := time.Duration(random.IntN(100)) * time.Second
	chance := 4
	if w.hesitates {
		takes, chance = takes/100, 2
	}
	token, held := idempotency.Token(ctx)
	if !held {
		held = l.granted
		takes /= 10 // it is not told when its lease is over
	}
	run := w.begin(held)
	l.run = run
	w.note(token, run)
	cutOff, dies := random.IntN(2*chance) == 0, random.IntN(chance) == 0
	if cutOff {
		l.cut()
	}
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if dies {
		l.cut()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.alive, run)
	if !held && dies {
		return 0, errBoom
	}
	switch end := random.IntN(5); {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case end == 0:
		return 0, errBoom
	case end == 1:
		panic(errBoom)
	case end == 2 || end > 2 && w.hesitates && run < 12:
		w.affect(run, random.IntN(2) == 0, held)
		return 0, errNoAnswer
	default:
		w.affect(run, true, held)
		return run, nil
	}
}

func (w *world) begin(held bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs++
	run := w.runs
	if !held {
		return run // it had no record, and may run at any time
	}
	if w.settled > 0 {
		w.Errorf("run %d begins after run %d succeeded", run, w.settled)
	}
	for other := range w.alive {
		w.Errorf("run %d begins while run %d goes on", run, other)
	}
	if w.reconciles {
		for other := range w.unknown {
			w.Errorf("run %d begins, and nobody asked what run %d did", run, other)
		}
	}
	w.alive[run] = true
	return run
}

func (w *world) note(token idempotency.FencingToken, run int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ran[idempotency.Run{Owner: token.Owner, Attempt: token.Attempt}] = run
}

// affect is the end of a run of which others have to find out whether it had its effect.
func (w *world) affect(run int, did, held bool) {
	if held {
		w.unknown[run] = did
	}
	if did {
		w.effects++
	}
	if w.reconciles && w.effects > 1 {
		w.Errorf("run %d has effect number %d", run, w.effects)
	}
}

// reconcile is asked about one run. It knows who took over from whom, and nothing of others; the answer may take long, and
// the store be down meanwhile.
func (w *world) reconcile(l *link, dead idempotency.Run, random *rand.Rand) (any, bool, error) {
	time.Sleep(time.Duration(random.IntN(5000)) * time.Millisecond)
	run, done := w.judge(dead)
	if random.IntN(3) == 0 {
		takes := time.Duration(random.IntN(150)) * time.Second
		l.fail(time.Duration(random.Int64N(int64(takes) + 1)))
		time.Sleep(takes)
	}
	if random.IntN(4) == 0 {
		return nil, false, errBoom
	}
	return run, done, nil
}

// judge says which run had its effect, that of an owner or one from which it took over.
func (w *world) judge(dead idempotency.Run) (run int, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for run := range w.alive {
		w.Errorf("asked about a run while run %d goes on", run)
	}
	for ; dead.Owner != ""; dead = w.follows[dead] {
		run := w.ran[dead]
		if w.unknown[run] {
			return run, true
		}
		delete(w.unknown, run)
	}
	return 0, false
}
