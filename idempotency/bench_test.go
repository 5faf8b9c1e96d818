package idempotency_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

type line struct {
	SKU   string
	Count int64
	Note  string
}

type basket struct {
	ID    string
	Lines []line
}

// kilobyte is an event of 1 KiB in JSON.
func kilobyte() basket {
	b := basket{ID: "order 7"}
	for i := range 10 {
		b.Lines = append(b.Lines, line{"sku-" + strconv.Itoa(i), 1 << 40, strings.Repeat("n", 50)})
	}
	return b
}

// bare does what the store has to do for a first call, and nothing else.
func bare(ctx context.Context, store idempotency.Store, key string) error {
	now := time.Now()
	c := idempotency.Claim{Key: key, Owner: "x", Now: now, Lease: now.Add(time.Minute), Expires: now.Add(time.Hour)}
	if _, err := store.Claim(ctx, c); err != nil {
		return err
	}
	return store.Complete(ctx, idempotency.Completion{Key: key, Owner: "x", Expires: now.Add(time.Hour), Result: result})
}

var result = idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`{"Order":"order 7","Run":1}`)}

type keys struct {
	next int
	all  []string
}

func newKeys(n int) *keys {
	k := new(keys)
	for i := range n {
		k.all = append(k.all, strconv.Itoa(i))
	}
	return k
}

func (k *keys) take() string {
	k.next++
	return k.all[k.next%len(k.all)]
}

// first is a call with a key of its own, under a deadline, as on Lambda.
func first(ctx context.Context, store idempotency.Store, k *keys) func() error {
	c := idempotency.Config{Store: store, Scope: "orders"}
	e := kilobyte()
	h := idempotency.Wrap(
		func(_ context.Context, b basket) (receipt, error) { return receipt{b.ID, 1}, nil },
		func(basket) (string, error) { return k.take(), nil }, c)
	return func() error {
		_, err := h(ctx, e)
		return err
	}
}

// What the engine adds to its store, for an event of 1 KiB.
func TestEngineAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	const runs = 1000
	measure := func(f func() error) float64 {
		return testing.AllocsPerRun(runs, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		})
	}
	k := newKeys(runs + 1)
	store := new(idempotency.Memory)
	alone := measure(func() error { return bare(ctx, store, k.take()) })
	whole := measure(first(ctx, new(idempotency.Memory), newKeys(runs+1)))
	t.Logf("%v allocations, of which the store's are %v", whole, alone)
	if got := whole - alone; got > 25 {
		t.Errorf("%v allocations, want 25 at most", got)
	}
}

func TestCachedReplayAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newStage()
	s.config.Cache = new(idempotency.Cache)
	h := idempotency.Wrap(s.place, byID, s.config)
	got := testing.AllocsPerRun(100, func() {
		if _, err := h(t.Context(), order{ID: "7"}); err != nil {
			t.Fatal(err)
		}
	})
	if got > 6 { // three of them are what JSON needs
		t.Errorf("%v allocations, want 6 at most", got)
	}
}

func BenchmarkStoreAlone(b *testing.B) {
	k, store := newKeys(1000), new(idempotency.Memory)
	b.ReportAllocs()
	for b.Loop() {
		if k.next%len(k.all) == 0 {
			store = new(idempotency.Memory)
		}
		_ = bare(b.Context(), store, k.take())
	}
}

func BenchmarkFirst(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	k := newKeys(1000)
	var call func() error
	b.ReportAllocs()
	for b.Loop() {
		if k.next%len(k.all) == 0 {
			call = first(ctx, new(idempotency.Memory), k)
		}
		_ = call()
	}
}

func BenchmarkReplay(b *testing.B) {
	for name, cache := range map[string]*idempotency.Cache{"store": nil, "cache": {}} {
		b.Run(name, func(b *testing.B) {
			s := newStage()
			s.config.Cache = cache
			h := idempotency.Wrap(s.place, byID, s.config)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h(b.Context(), order{ID: "7"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPayload(b *testing.B) {
	e := kilobyte()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := idempotency.Payload(e); err != nil {
			b.Fatal(err)
		}
	}
}
