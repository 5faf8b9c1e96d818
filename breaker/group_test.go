package breaker_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/seawall-go/seawall/breaker"
)

func trip(t *testing.T, b *breaker.Breaker) {
	t.Helper()
	for range 5 {
		_ = b.Do(t.Context(), fail)
	}
	want(t, b, breaker.Open)
}

func TestGroup(t *testing.T) {
	g := breaker.NewGroup(breaker.Config{Name: "shards", OpenFor: time.Hour}, 10)
	if a := g.Get("a"); g.Get("a") != a {
		t.Error("one key has two breakers")
	}
	trip(t, g.Get("a"))
	refusal := refused(t, g.Get("a"))
	if refusal.Name != "shards" || refusal.Key != "a" || strings.Contains(refusal.Error(), "/a") {
		t.Errorf("it is called %q, its key is %q, and it says %q", refusal.Name, refusal.Key, refusal)
	}
	want(t, g.Get("b"), breaker.Closed)
}

// A breaker whose long open time was over was forgotten before a healthy one, and its doubled time with it.
func TestRegression_WaitingForAProbeIsWorthMoreThanHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := breaker.NewGroup(breaker.Config{OpenFor: 5 * time.Minute, MaxOpenFor: -1}, 2)
		down := g.Get("down")
		trip(t, down)
		time.Sleep(8 * time.Minute)
		want(t, down, breaker.HalfOpen)
		g.Get("healthy")
		g.Get("new")
		if g.Get("down") != down {
			t.Error("it was forgotten")
		}
	})
}

func TestGroupForgets(t *testing.T) {
	const (
		healthy = iota
		failed
		open
	)
	for _, tt := range []struct {
		name    string
		before  []int // what becomes of the members, in the order in which they are asked for
		rest    time.Duration
		again   []int // who is asked for again
		newKeys int
		want    []int // who is still there
	}{
		{"the oldest", []int{healthy, healthy, healthy}, 0, nil, 1, []int{1, 2}},
		{"not who was asked for again", []int{healthy, healthy, healthy}, 0, []int{0}, 1, []int{0, 2}},
		{"not who failed", []int{failed, healthy, healthy}, 0, nil, 1, []int{0, 2}},
		{"not who failed, ever", []int{failed, healthy, failed}, 0, nil, 100, []int{0, 2}},
		{"not who is open", []int{open, open, healthy}, 0, nil, 100, []int{0, 1}},
		{"who failed before who is open", []int{open, failed, failed}, 0, nil, 1, []int{0, 2}},
		{"and the next", []int{open, failed, failed}, 0, nil, 100, []int{0}},
		{"open ones last", []int{open, open, open}, 0, nil, 1, []int{1, 2}},
		{"the oldest of those", []int{open, open, open}, 0, []int{0, 1}, 1, []int{0, 1}},
		{"who failed long ago", []int{failed, failed, healthy}, time.Minute, []int{1}, 1, []int{1, 2}},
		{"who was open long ago", []int{open, open, open}, time.Hour, nil, 2, []int{2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := breaker.NewGroup(breaker.Config{}, len(tt.before))
				key := func(i int) string { return fmt.Sprint("member ", i) }
				var members []*breaker.Breaker
				for i, state := range tt.before {
					b := g.Get(key(i))
					members = append(members, b)
					for range []int{healthy: 0, failed: 1, open: 5}[state] {
						_ = b.Do(t.Context(), fail)
					}
				}
				time.Sleep(tt.rest)
				for _, i := range tt.again {
					g.Get(key(i))
				}
				for i := range tt.newKeys {
					g.Get(fmt.Sprint("stranger ", i))
				}
				for _, i := range tt.want {
					if g.Get(key(i)) != members[i] {
						t.Errorf("member %d was forgotten, want %v kept", i, tt.want)
					}
				}
			})
		})
	}
}

func TestGroupIsBounded(t *testing.T) {
	g := breaker.NewGroup(breaker.Config{Failures: 1, OpenFor: time.Hour}, 8)
	var made []weak.Pointer[breaker.Breaker]
	for i := range 1000 {
		b := g.Get(fmt.Sprint(i))
		if i%3 > 0 {
			_ = b.Do(t.Context(), fail)
		}
		made = append(made, weak.Make(b))
	}
	runtime.GC()
	kept := 0
	for _, b := range made {
		if b.Value() != nil {
			kept++
		}
	}
	runtime.KeepAlive(g)
	if kept != 8 {
		t.Errorf("a group of 8 keeps %d breakers", kept)
	}
}

func TestGroupForgivesWhoIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := breaker.NewGroup(breaker.Config{}, 3)
		a := g.Get("a")
		_ = a.Do(t.Context(), fail)
		g.Get("b")
		c := g.Get("c")
		g.Get("d") // instead of b, since a has failed
		time.Sleep(time.Minute)
		g.Get("a")
		g.Get("e") // instead of c
		if g.Get("a") != a {
			t.Error("who was asked for last was forgotten")
		}
		if g.Get("c") == c {
			t.Error("who was not asked for the longest was kept")
		}
	})
}

// Hosts that died long ago filled the group, and the living had to share what was left.
func TestRegression_DeadHostsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := breaker.NewGroup(breaker.Config{}, 10)
		for i := range 20 {
			trip(t, g.Get(fmt.Sprint("dead ", i)))
		}
		time.Sleep(time.Hour)
		var living []*breaker.Breaker
		for range 2 {
			for i := range 10 {
				living = append(living, g.Get(fmt.Sprint("living ", i)))
			}
		}
		if !slices.Equal(living[:10], living[10:]) {
			t.Error("of ten living hosts in a group of ten, some were forgotten")
		}
	})
}

func TestGroupOfManyGoroutines(t *testing.T) {
	g := breaker.NewGroup(breaker.Config{Failures: 1, OpenFor: 1}, 4)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 500 {
				call := succeed
				if (i+j)%3 == 0 {
					call = fail
				}
				err := g.Get(fmt.Sprint((i*j)%7)).Do(t.Context(), call)
				if err != nil && !errors.Is(err, errDown) && !errors.Is(err, breaker.ErrOpen) {
					t.Errorf("Do = %v", err)
				}
			}
		})
	}
	all.Wait()
}

func TestForgottenBreakerWorksOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := breaker.NewGroup(breaker.Config{}, 1)
		b := g.Get("a")
		call := start(b)
		g.Get("b")
		_ = call.finish(errDown)
		for range 4 {
			_ = b.Do(t.Context(), fail)
		}
		want(t, b, breaker.Open)
		want(t, g.Get("a"), breaker.Closed)
		want(t, b, breaker.Open)
	})
}

func TestNewGroup(t *testing.T) {
	for want, f := range map[string]func(){
		"breaker: NewGroup for at most 0 keys": func() { breaker.NewGroup(breaker.Config{}, 0) },
		"breaker: Config.Probes":               func() { breaker.NewGroup(breaker.Config{Probes: -1}, 1) },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, want) {
					t.Errorf("panicked with %q, want %q", text, want)
				}
			}()
			f()
		}()
	}
}
