package idempotency

import (
	"bytes"
	"context"
	"maps"
	"sync"
	"time"
)

// A Memory is a [Store] in this process, for tests and for programs that are one process. The zero Memory is empty and
// ready for use.
//
// It judges by the claimer's time, and forgets by its own: records that have expired go when there are twice as many as
// were left the last time. Nothing runs in between.
type Memory struct {
	mu      sync.Mutex
	records map[string]Record
	full    int // how many records there may be before the expired ones go
}

// How long a record in progress is kept after it has expired, for it is not judged by that: more than any Skew.
const keepAbandoned = time.Hour

// Claim implements [Store].
func (m *Memory) Claim(ctx context.Context, c Claim) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	r := m.claim(c)
	r.Result.Data = bytes.Clone(r.Result.Data)
	return r, nil
}

func (m *Memory) claim(c Claim) Record {
	lease, expires := milli(c.Lease), milli(c.Expires)
	m.mu.Lock()
	defer m.mu.Unlock()
	r, found := m.records[c.Key]
	switch {
	case found && r.Owner == c.Owner && r.Status == InProgress:
		if r.Lease.Before(lease) {
			r.Lease = lease
			r.Expires = later(r.Expires, lease)
		}
	case found && r.Owner == c.Owner, found && !r.free(c):
		return r
	default:
		r = Record{
			Key:         c.Key,
			Status:      InProgress,
			Owner:       c.Owner,
			Attempt:     r.Attempt + 1,
			Fingerprint: c.Fingerprint,
			Lease:       lease,
			Expires:     later(expires, lease),
		}
		m.sweep()
	}
	if m.records == nil {
		m.records = make(map[string]Record)
	}
	m.records[c.Key] = r
	return r
}

// free reports whether r, a record of somebody else, makes way for c.
func (r Record) free(c Claim) bool {
	now := milli(c.Now)
	if r.Status == Completed {
		return r.Expires.Before(now)
	}
	return c.TakeOver != nil && *c.TakeOver == r.Run() && r.Lease.Before(now.Add(-c.Skew))
}

// Complete implements [Store].
func (m *Memory) Complete(ctx context.Context, c Completion) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.Result.Data = bytes.Clone(c.Result.Data)
	m.mu.Lock()
	defer m.mu.Unlock()
	r, found := m.records[c.Key]
	switch {
	case !found || r.Owner != c.Owner:
		return ErrLost
	case r.Status == Completed:
		return nil
	}
	r.Status, r.Fingerprint, r.Lease, r.Expires, r.Result = Completed, c.Fingerprint, time.Time{}, milli(c.Expires), c.Result
	m.records[c.Key] = r
	return nil
}

// Release implements [Store].
func (m *Memory) Release(ctx context.Context, key, owner string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, found := m.records[key]; found && r.Owner == owner && r.Status == InProgress {
		delete(m.records, key)
	}
	return nil
}

// Extend implements [Store].
func (m *Memory) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, found := m.records[key]
	if !found || r.Owner != owner || r.Status != InProgress {
		return ErrLost
	}
	r.Lease = milli(lease)
	r.Expires = later(r.Expires, r.Lease)
	m.records[key] = r
	return nil
}

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	r := m.records[key]
	m.mu.Unlock()
	if r.Status == Completed && r.Expires.Before(milli(time.Now())) {
		return Record{}, nil
	}
	r.Result.Data = bytes.Clone(r.Result.Data)
	return r, nil
}

// MaxData implements [Store]. There is no limit.
func (*Memory) MaxData(string) int { return 0 }

// sweep makes room for one more record.
func (m *Memory) sweep() {
	if len(m.records) < m.full {
		return
	}
	now := milli(time.Now())
	maps.DeleteFunc(m.records, func(_ string, r Record) bool {
		if r.Status == InProgress {
			r.Expires = r.Expires.Add(keepAbandoned)
		}
		return r.Expires.Before(now)
	})
	m.full = max(2*len(m.records), 64)
}

// milli is t as stores keep it: to the millisecond, and without a reading of the monotonic clock, which may have stood
// still while the process was frozen.
func milli(t time.Time) time.Time { return t.Truncate(time.Millisecond) }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
