package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/internal/wall"
	"github.com/seawall-go/seawall/ratelimit"
)

func TestGroupKeepsKeysApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := ratelimit.NewGroup(ratelimit.Limit{Name: "tenants", Rate: 1, Burst: 3}, 10)
		for _, key := range []string{"a", "b", ""} {
			if got := drain(t, g.Get(key)); got != 3 {
				t.Errorf("%d calls for key %q, want 3", got, key)
			}
			if g.Get(key) != g.Get(key) {
				t.Errorf("two limiters for key %q", key)
			}
			var limited *ratelimit.LimitedError
			err := g.Get(key).Do(t.Context(), succeed)
			if !errors.As(err, &limited) || limited.Name != "tenants" || limited.Key != key {
				t.Errorf("key %q is refused with %+v", key, limited)
			}
			if key != "" && strings.Contains(err.Error(), "tenants "+key) {
				t.Errorf("%q tells the key", err)
			}
		}
	})
}

func TestGroupForgetsFullBucketsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := ratelimit.NewGroup(ratelimit.PerSecond(1, 2), 3)
		spent, used, full := g.Get("spent"), g.Get("used"), g.Get("full")
		drain(t, spent)
		_ = used.Do(t.Context(), succeed)
		if g.Get("new") == g.Get("newer") {
			t.Error("the full bucket was not forgotten for the new key's")
		}
		if g.Get("spent") != spent || g.Get("used") != used {
			t.Error("a bucket that was not full was forgotten")
		}
		if g.Get("full") == full {
			t.Error("the full bucket was kept")
		}
	})
}

// As long as nothing can be forgotten, new keys share one limiter, and all is as before when the buckets are full again.
func TestGroupOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := ratelimit.NewGroup(ratelimit.PerSecond(1, 2), 20)
		for i := range 20 {
			drain(t, g.Get(fmt.Sprint(i)))
		}
		others := g.Get("new")
		made := 0
		for i := range 1000 {
			l := g.Get(fmt.Sprint("new ", i))
			if l != others {
				t.Fatal("a new key has a limiter of its own")
			}
			made += drain(t, l)
		}
		if made != 2 {
			t.Errorf("%d calls for 1000 new keys, want 2", made)
		}
		for i := range 20 {
			if drain(t, g.Get(fmt.Sprint(i))) != 0 {
				t.Errorf("key %d has tokens again", i)
			}
		}
		time.Sleep(2 * time.Second)
		if g.Get("new") == others {
			t.Error("a new key has no limiter of its own though all buckets are full")
		}
	})
}

// Exhausted buckets that nobody asks for do not stand in the way of those behind them.
func TestGroupLooksBehindExhaustedBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := ratelimit.NewGroup(ratelimit.PerSecond(1, 100), 1000)
		for i := range 500 {
			drain(t, g.Get(fmt.Sprint("spent ", i)))
		}
		for i := range 500 {
			g.Get(fmt.Sprint("full ", i))
		}
		others, own := g.Get("probe"), 0
		for i := range 1000 {
			if g.Get(fmt.Sprint("new ", i)) != others {
				own++
			}
		}
		if own < 850 {
			t.Errorf("%d of 1000 new keys have limiters of their own, want nearly all", own)
		}
	})
}

func TestGroupFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := ratelimit.NewGroup(ratelimit.Every(time.Minute, 1), 1)
		first := g.Get("first")
		drain(t, first)
		others := g.Get("second")
		defer wall.Freeze(time.Minute)()
		if second := g.Get("second"); second == others || second == first {
			t.Error("the first bucket is full after the freeze, and was not forgotten")
		}
	})
}

// Whatever the keys and times, no key gets more from limiters of its own than one such would give it, all others
// together get no more than one key, and the group keeps no more limiters than it may.
func TestGroupBoundsEachKey(t *testing.T) {
	check(t, func(rt *rapid.T) {
		limit := ratelimit.PerSecond(1, rapid.IntRange(1, 4).Draw(rt, "burst"))
		size := rapid.IntRange(1, 10).Draw(rt, "max")
		g := ratelimit.NewGroup(limit, size)
		own, others := make(map[string][]time.Time), []time.Time(nil)
		for range rapid.IntRange(1, 100).Draw(rt, "steps") {
			time.Sleep(time.Duration(rapid.IntRange(0, 2).Draw(rt, "pause")) * 250 * time.Millisecond)
			key := fmt.Sprint(rapid.IntRange(1, 12).Draw(rt, "key"))
			for range rapid.IntRange(1, 4).Draw(rt, "calls") {
				l := g.Get(key)
				if g.Len() > size {
					rt.Fatalf("%d limiters, want at most %d", g.Len(), size)
				}
				if l.Do(t.Context(), succeed) != nil {
					continue
				}
				if l == g.Others() {
					others = append(others, time.Now())
				} else {
					own[key] = append(own[key], time.Now())
				}
			}
		}
		checkBound(rt, limit, others)
		for _, made := range own {
			checkBound(rt, limit, made)
		}
	})
}

func TestGroupIsSafeForConcurrentUse(t *testing.T) {
	g := ratelimit.NewGroup(ratelimit.PerSecond(1e6, 1), 8)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 2000 {
				_ = g.Get(fmt.Sprint((i*j)%20)).Do(context.Background(), succeed)
			}
		})
	}
	wg.Wait()
}
