package ratelimit

import (
	"container/list"
	"fmt"
	"sync"
	"time"
)

// A Group has a [Limiter] for each key, such as a tenant or an address, in bounded memory. Use [NewGroup] to make one;
// it is safe for use by many goroutines at once.
//
// A limiter whose bucket is full again is as good as a new one. So when room is needed, such a one is forgotten, and
// those not asked for the longest are looked at first: a key that did not call for Burst/Rate seconds is one. As long as
// none is found, new keys share one limiter besides. So a flood of keys cannot make the group forget who has used up
// a limit, nor touch a key that it knows; but strangers in the flood are limited together.
type Group struct {
	limit  Limit
	max    int
	clock  *clock
	others *Limiter

	mu     sync.Mutex
	byKey  map[string]*list.Element
	recent list.List // of *Limiter, the one asked for last in front
}

// NewGroup returns a Group that keeps limiters for up to max keys, each with the same limit. It panics if limit makes no
// sense or max is not positive.
func NewGroup(limit Limit, max int) *Group {
	limit.check()
	if max < 1 {
		panic(fmt.Sprintf("ratelimit: NewGroup for at most %d keys: want at least 1", max))
	}
	c := newClock()
	return &Group{
		limit:  limit,
		max:    max,
		clock:  c,
		others: newLimiter(limit, "", c),
		byKey:  make(map[string]*list.Element),
	}
}

// Get returns the limiter for key. Get it anew for each call: the group may forget a limiter that a caller keeps. A key
// is kept with its limiter: one that strangers can make long is better hashed first.
func (g *Group) Get(key string) *Limiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e, ok := g.byKey[key]; ok {
		g.recent.MoveToFront(e)
		return e.Value.(*Limiter)
	}
	if len(g.byKey) >= g.max && !g.forget() {
		return g.others
	}
	l := newLimiter(g.limit, key, g.clock)
	g.byKey[key] = g.recent.PushFront(l)
	return l
}

// forget makes room for one key, if it finds a full bucket among the few not asked for the longest. The others get a
// second chance in front, so that the next search looks elsewhere.
func (g *Group) forget() bool {
	at := g.clock.at(time.Now())
	for range 8 {
		e := g.recent.Back()
		l := e.Value.(*Limiter)
		if l.bucket.TokensAt(at) >= float64(g.limit.Burst) {
			g.recent.Remove(e)
			delete(g.byKey, l.refused.Key)
			return true
		}
		g.recent.MoveToFront(e)
	}
	return false
}
