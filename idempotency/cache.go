package idempotency

import (
	"bytes"
	"container/list"
	"fmt"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/wall"
)

const (
	defaultCacheEntries = 256
	defaultCacheBytes   = 1 << 20
)

// A Cache keeps completed records in this process until they expire, or until there are too many, and the one that was
// used the longest time ago goes. What is deleted from the store is still replayed here. Its zero value is ready for use.
// A Cache must not be copied after its first use.
type Cache struct {
	Entries int // at most. Zero means 256.
	Bytes   int // of keys and data, at most. Zero means 1 MiB. A record that is larger alone is not cached.

	mu    sync.Mutex
	index map[string]*list.Element
	used  list.List // of cached, the last used first
	size  int
}

type cached struct {
	key    string
	record Record
	since  wall.Instant
	left   time.Duration // from then
}

func (e cached) size() int {
	return len(e.key) + len(e.record.Owner) + len(e.record.Fingerprint) + len(e.record.Result.Data)
}

func (c *Cache) check() {
	if c != nil && (c.Entries < 0 || c.Bytes < 0) {
		panic(fmt.Sprintf("idempotency: Cache of %d entries, %d bytes: want zero or more; for no cache, set none", c.Entries, c.Bytes))
	}
}

func (c *Cache) get(key string) (Record, bool) {
	if c == nil {
		return Record{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.index[key]
	if el == nil {
		return Record{}, false
	}
	e, _ := el.Value.(cached)
	if wall.Now().Since(e.since) > e.left {
		c.remove(el)
		return Record{}, false
	}
	c.used.MoveToFront(el)
	return e.record, true
}

// put keeps a copy of r, a completed record.
func (c *Cache) put(key string, r Record) {
	if c == nil {
		return
	}
	r.Result.Data = bytes.Clone(r.Result.Data)
	now := time.Now()
	e := cached{key: key, record: r, since: wall.At(now), left: r.Expires.Sub(now)}
	entries, bytes := c.Entries, c.Bytes
	if entries == 0 {
		entries = defaultCacheEntries
	}
	if bytes == 0 {
		bytes = defaultCacheBytes
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.index[key]; el != nil {
		c.remove(el)
	}
	if e.size() > bytes {
		return
	}
	if c.index == nil {
		c.index = make(map[string]*list.Element)
	}
	c.index[key] = c.used.PushFront(e)
	c.size += e.size()
	for c.used.Len() > entries || c.size > bytes {
		c.remove(c.used.Back())
	}
}

func (c *Cache) remove(el *list.Element) {
	e, _ := c.used.Remove(el).(cached)
	delete(c.index, e.key)
	c.size -= e.size()
}
