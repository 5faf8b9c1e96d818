package idempotency_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness {
		m := new(idempotency.Memory)
		f := &storetest.Flaky{Store: m}
		return storetest.Harness{
			Store:     f,
			Sweep:     m.Forget,
			LoseReply: func() { f.Next(storetest.Any, storetest.Fault{Lost: true}) },
		}
	})
}

func claimOf(key string, lease, expires time.Duration) idempotency.Claim {
	now := time.Now()
	return idempotency.Claim{
		Key: key, Owner: "owner of " + key, Now: now, Lease: now.Add(lease), Expires: now.Add(expires),
	}
}

func TestMemoryForgetsWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(idempotency.Memory)
		claim := func(key string, lease, expires time.Duration) {
			if _, err := m.Claim(t.Context(), claimOf(key, lease, expires)); err != nil {
				t.Fatal(err)
			}
		}
		fill := func(round int) {
			for i := range 10_000 {
				key := fmt.Sprint(round, " ", i)
				claim(key, time.Minute, time.Minute)
				end := idempotency.Completion{Key: key, Owner: "owner of " + key, Expires: time.Now().Add(time.Minute)}
				if err := m.Complete(t.Context(), end); err != nil {
					t.Fatal(err)
				}
			}
		}
		claim("long run", 48*time.Hour, time.Second)
		claim("abandoned", 0, time.Second)
		for round := range 5 {
			fill(round)
			if got := m.Len(); got > 30_000 {
				t.Errorf("%d records are kept, of which 10000 have not expired", got)
			}
			time.Sleep(2 * time.Minute)
		}
		load := func(key string) idempotency.Status {
			r, err := m.Load(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			return r.Status
		}
		if load("long run") != idempotency.InProgress || load("abandoned") != idempotency.InProgress {
			t.Error("a record in progress is gone, though it is not judged by its expiry")
		}
		time.Sleep(2 * time.Hour)
		fill(6)
		fill(7)
		if load("long run") != idempotency.InProgress {
			t.Error("a record is gone before its lease is over")
		}
		if load("abandoned") != "" {
			t.Error("a record is kept long after it has expired")
		}
	})
}

// A frozen process's monotonic clock stands still, and times with a reading of it are compared by that alone.
func TestRegression_MemoryComparedMonotonicTimes(t *testing.T) {
	m := new(idempotency.Memory)
	a := claimOf("k", time.Minute, time.Hour) // with monotonic readings, of a clock that is about to freeze
	if _, err := m.Claim(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	b := a
	b.Owner, b.TakeOver = "B", &idempotency.Run{Owner: a.Owner, Attempt: 1}
	b.Now = a.Now.Round(0).Add(2 * time.Minute)
	r, err := m.Claim(t.Context(), b)
	if err != nil || r.Owner != "B" {
		t.Errorf("Claim = %+v, %v; want it to take over", r, err)
	}
	if r.Lease != r.Lease.Round(0) {
		t.Errorf("the lease %v has a monotonic reading", r.Lease)
	}
}

func ExampleMemory() {
	ctx := context.Background()
	var store idempotency.Memory
	now := time.Now()
	claim := idempotency.Claim{
		Key: "orders#1", Owner: "A", Now: now, Lease: now.Add(time.Minute), Expires: now.Add(time.Hour),
	}
	r, err := store.Claim(ctx, claim)
	fmt.Println(r.Owner, r.Status, err)

	claim.Owner = "B"
	r, err = store.Claim(ctx, claim)
	fmt.Println(r.Owner, r.Status, err)
	// Output:
	// A INPROGRESS <nil>
	// A INPROGRESS <nil>
}

func BenchmarkMemory(b *testing.B) {
	m := new(idempotency.Memory)
	ctx := b.Context()
	now := time.Now()
	data := make([]byte, 1024)
	b.Run("first call", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			key := fmt.Sprint(i)
			_, _ = m.Claim(ctx, idempotency.Claim{Key: key, Owner: "A", Now: now, Lease: now, Expires: now})
			_ = m.Complete(ctx, idempotency.Completion{Key: key, Owner: "A", Expires: now, Result: idempotency.Result{Data: data}})
		}
	})
	_, _ = m.Claim(ctx, idempotency.Claim{Key: "k", Owner: "A", Now: now, Lease: now, Expires: now})
	_ = m.Complete(ctx, idempotency.Completion{
		Key: "k", Owner: "A", Expires: now.Add(time.Hour), Result: idempotency.Result{Data: data},
	})
	b.Run("replay", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = m.Claim(ctx, idempotency.Claim{Key: "k", Owner: "B", Now: now, Lease: now, Expires: now})
		}
	})
}
