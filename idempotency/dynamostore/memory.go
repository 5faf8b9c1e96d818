package dynamostore

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

// A memory knows keys that are completed: their records are read, and not tried to be written over at the price of a
// refused write. It has so many places and no more. Keys that want one place follow each other, and those that are taken
// for one another, which is one pair in four thousand million, cost a read.
type memory struct {
	seed   maphash.Seed
	places *[1024]atomic.Uint64 // half of a key's hash, and the second in which it expires
}

func newMemory() memory {
	return memory{maphash.MakeSeed(), new([1024]atomic.Uint64)}
}

func (m memory) place(key string) (place *atomic.Uint64, tag uint64) {
	h := maphash.String(m.seed, key)
	return &m.places[h%uint64(len(m.places))], h >> 32 << 32
}

// add remembers that key is completed until expires.
func (m memory) add(key string, expires time.Time) {
	place, tag := m.place(key)
	place.Store(tag | uint64(uint32(expires.Unix())))
}

// has reports whether key is remembered as completed at now.
func (m memory) has(key string, now time.Time) bool {
	place, tag := m.place(key)
	is := place.Load()
	return is>>32<<32 == tag && now.Unix() <= int64(uint32(is))
}
