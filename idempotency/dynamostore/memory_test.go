package dynamostore

import (
	"strconv"
	"testing"
	"time"
)

func TestMemory(t *testing.T) {
	m := newMemory()
	now := time.Unix(1_700_000_000, 0)
	if m.has("key", now) {
		t.Error("knows a key before it is told")
	}
	m.add("key", now.Add(time.Hour))
	for _, tt := range []struct {
		key  string
		at   time.Time
		want bool
	}{
		{"key", now, true},
		{"other", now, false},
		{"key", now.Add(time.Hour), true},
		{"key", now.Add(time.Hour + time.Second), false},
	} {
		if got := m.has(tt.key, tt.at); got != tt.want {
			t.Errorf("has(%q, %v) = %v, want %v", tt.key, tt.at, got, tt.want)
		}
	}
	if newMemory().has("key", now) {
		t.Error("stores share what they know")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	now := time.Unix(1_700_000_000, 0)
	n := 100 * len(m.places)
	for i := range n {
		m.add(strconv.Itoa(i), now)
	}
	known := 0
	for i := range n {
		if m.has(strconv.Itoa(i), now) {
			known++
		}
	}
	if known > len(m.places)+10 || known < len(m.places)/2 {
		t.Errorf("knows %d keys in %d places", known, len(m.places))
	}
}

func TestMemoryAllocatesNothing(t *testing.T) {
	m, now := newMemory(), time.Unix(1_700_000_000, 0)
	if got := testing.AllocsPerRun(100, func() { m.add("key", now); m.has("key", now) }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
