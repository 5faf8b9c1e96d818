package storetest

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

const (
	callers = 64
	rounds  = 50
)

// atOnce calls call for 0 to n-1, each in a goroutine of its own.
func atOnce(n int, call func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			call(i)
		})
	}
	close(start)
	all.Wait()
}

func racesClaims(k *kit) {
	for range rounds {
		race(k, "free", k.key(), 1)
	}
	for range rounds / 5 {
		a := k.abandoned(k.key(), "before")
		k.wins(a, 1)
		race(k, "abandoned", a.Key, 2)

		a = k.ask(k.key(), "before")
		k.wins(a, 1)
		end := k.end(a)
		end.Expires = k.now().Add(-time.Hour).Truncate(time.Second)
		k.ok("Complete", k.Store.Complete(k.Context(), end))
		race(k, "expired", a.Key, 2)
	}
}

// race lets everybody claim key, and then complete it.
func race(k *kit, name, key string, attempt int64) {
	claims, got, ends := make([]idempotency.Claim, callers), make([]idempotency.Record, callers), make([]error, callers)
	for i := range claims {
		claims[i] = k.ask(key, strconv.Itoa(i))
	}
	atOnce(callers, func(i int) {
		r, err := k.Store.Claim(k.Context(), claims[i])
		if err != nil {
			k.Errorf("Claim for %s: %v", claims[i].Owner, err)
		}
		got[i] = r
	})
	winner := -1
	for i, r := range got {
		if r.Owner != claims[i].Owner {
			continue
		}
		if winner >= 0 {
			k.Fatalf("the key was %s, and both %s and %s got it", name, got[winner].Owner, r.Owner)
		}
		winner = i
	}
	if winner < 0 {
		k.Fatalf("the key was %s, and nobody got it", name)
	}
	want := claimed(claims[winner], attempt)
	if name == "expired" && got[winner].Attempt == 1 {
		want.Attempt = 1 // it was forgotten
	}
	for i, r := range got {
		if !k.same(r, want) {
			k.Fatalf("Claim for %s:\n got %s\nwant %s", claims[i].Owner, show(r), show(want))
		}
	}
	k.holds(want)

	end := k.end(claims[winner])
	atOnce(callers, func(i int) { ends[i] = k.Store.Complete(k.Context(), k.end(claims[i])) })
	for i, err := range ends {
		if i == winner {
			k.ok("Complete by the owner", err)
		} else {
			k.lost("Complete by another", err)
		}
	}
	k.holds(completed(want, end))
}

// racesEnds lets the owner of an abandoned run come back just when others take it over.
func racesEnds(k *kit) {
	const others = 8
	for round := range 3 * rounds {
		a := k.abandoned(k.key(), "A")
		was := k.wins(a, 1)
		end, lease := k.end(a), k.now().Add(3*time.Hour)
		claims, got := make([]idempotency.Claim, others+1), make([]idempotency.Record, others+1)
		for i := range claims {
			claims[i] = k.ask(a.Key, strconv.Itoa(i))
		}
		var late error
		atOnce(others+1, func(i int) {
			var err error
			switch {
			case i != round/3%(others+1):
				got[i], err = k.Store.Claim(k.Context(), claims[i])
			case round%3 == 0:
				late = k.Store.Complete(k.Context(), end)
			case round%3 == 1:
				late = k.Store.Extend(k.Context(), a.Key, a.Owner, lease)
			default:
				err = k.Store.Release(k.Context(), a.Key, a.Owner)
			}
			if err != nil {
				k.Errorf("a caller of %d: %v", others+1, err)
			}
		})
		is, err := k.Store.Load(k.Context(), a.Key)
		k.ok("Load", err)
		for i, r := range got {
			if i != round/3%(others+1) && !k.same(r, is) {
				k.Errorf("Claim for %d of %d at once:\n got %s\nwant %s", i, others, show(r), show(is))
			}
		}
		inTime := is.Owner == a.Owner
		switch want := completed(was, end); {
		case round%3 == 2:
			if inTime {
				k.Fatalf("after Release, the record is %s", show(is))
			}
		case inTime != (late == nil) || late != nil && !errors.Is(late, idempotency.ErrLost):
			k.Fatalf("the late owner was told %v, and the record is %s", late, show(is))
		case round%3 == 0 && inTime && !k.same(is, want):
			k.Fatalf("after the late Complete:\n got %s\nwant %s", show(is), show(want))
		}
	}

	// The same claim, eight times at once: all of them are its owner's.
	for range rounds {
		a := k.ask(k.key(), "A")
		want := claimed(a, 1)
		atOnce(others, func(int) {
			if r, err := k.Store.Claim(k.Context(), a); err != nil || !k.same(r, want) {
				k.Errorf("Claim, sent several times at once: %v\n got %s\nwant %s", err, show(r), show(want))
			}
		})
	}
}
