package breaker

import (
	"container/list"
	"fmt"
	"sync"

	"github.com/seawall-go/seawall/internal/wall"
)

// A Group has a [Breaker] for each key, such as a host or a tenant, in bounded memory. Use [NewGroup] to make one; it
// is safe for use by many goroutines at once.
//
// When room is needed, the group forgets a breaker that nobody asked for in a long time: one without a failure within
// Config.Window, or within three times the time for which it opened last; or if there is none, one that is not open; or if
// all are, an open one. So a flood of new keys does not make it forget which dependencies are down.
type Group struct {
	config Config
	max    int

	mu     sync.Mutex
	byKey  map[string]*list.Element
	recent [3]list.List // of *member, by worth when last looked at, the one asked for last in front
}

type member struct {
	key     string
	breaker *Breaker
	list    int // in Group.recent
}

// NewGroup returns a Group that keeps breakers for up to max keys, each with the same config. Their refusals have the
// key. It panics if config makes no sense or max is not positive.
func NewGroup(config Config, max int) *Group {
	config = config.resolved()
	if max < 1 {
		panic(fmt.Sprintf("breaker: NewGroup for at most %d keys: want at least 1", max))
	}
	return &Group{config: config, max: max, byKey: make(map[string]*list.Element)}
}

// Get returns the breaker for key. Get it anew for each call: the group may forget a breaker that a caller keeps, which
// then works on, for that caller alone.
func (g *Group) Get(key string) *Breaker {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e, ok := g.byKey[key]; ok {
		m := e.Value.(*member)
		if m.list == 0 {
			g.recent[0].MoveToFront(e)
		} else {
			g.drop(e)
			g.put(m, 0)
		}
		return m.breaker
	}
	if len(g.byKey) >= g.max {
		g.forget()
	}
	m := &member{key: key, breaker: newBreaker(g.config, key)}
	g.put(m, 0)
	return m.breaker
}

// forget makes room for one key.
func (g *Group) forget() {
	// Whoever is on a list of worth was not asked for longer than all on the lists below, and may have lost its worth.
	for worth := len(g.recent) - 1; worth >= 0; worth-- {
		if e := g.recent[worth].Back(); e != nil && e.Value.(*member).breaker.worth() == 0 {
			g.drop(e)
			return
		}
	}
	// Whoever gained worth moves up now, and is in nobody's way the next time.
	for worth := range g.recent {
		for e := g.recent[worth].Back(); e != nil; e = g.recent[worth].Back() {
			m := g.drop(e)
			now := m.breaker.worth()
			if now <= worth {
				return
			}
			g.put(m, now)
		}
	}
}

func (g *Group) put(m *member, worth int) {
	m.list = worth
	g.byKey[m.key] = g.recent[worth].PushFront(m)
}

func (g *Group) drop(e *list.Element) *member {
	m := e.Value.(*member)
	g.recent[m.list].Remove(e)
	delete(g.byKey, m.key)
	return m
}

// worth is what would be lost with b: 2 if it refuses calls, 1 if it had a failure lately, otherwise 0.
func (b *Breaker) worth() int {
	if b.State() == Open {
		return 2
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if wall.Now().Since(b.failed) < max(b.config.Window, 3*b.openFor) { // open for half of that, and then waiting for a probe
		return 1
	}
	return 0
}
