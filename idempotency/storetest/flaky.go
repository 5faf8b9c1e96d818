package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

// A Verb is a method of an [idempotency.Store].
type Verb string

// The verbs of a store. Any stands for all of them.
const (
	Any      Verb = ""
	Claim    Verb = "Claim"
	Complete Verb = "Complete"
	Release  Verb = "Release"
	Extend   Verb = "Extend"
	Load     Verb = "Load"
)

// A Fault is what happens to one request. The zero Fault is that nothing does.
type Fault struct {
	Delay time.Duration // it takes this long, unless its context ends first, and is carried out then
	Err   error         // it returns this and is not carried out
	Lost  bool          // it is carried out, but its reply is lost: it returns Err, or ErrReply if that is nil
}

// ErrReply is the error of a request whose reply was lost.
var ErrReply = errors.New("storetest: the reply was lost")

// A Flaky is a store that fails on command, for tests of what uses one. The faults to come are told by [Flaky.Next],
// and without any it does what its Store does.
type Flaky struct {
	Store idempotency.Store // required

	mu     sync.Mutex
	faults map[Verb][]Fault
	calls  map[Verb]int
}

// Next lets the next requests of a verb meet these faults, one each, after those that are still to come. A fault for
// [Any] meets a request for which its own verb has none.
func (f *Flaky) Next(verb Verb, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults == nil {
		f.faults = make(map[Verb][]Fault)
	}
	f.faults[verb] = append(f.faults[verb], faults...)
}

// Calls returns how many requests of a verb there were, whatever came of them.
func (f *Flaky) Calls(verb Verb) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if verb != Any {
		return f.calls[verb]
	}
	all := 0
	for _, n := range f.calls {
		all += n
	}
	return all
}

// Claim implements [idempotency.Store].
func (f *Flaky) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	return f.do(ctx, Claim, func() (idempotency.Record, error) { return f.Store.Claim(ctx, c) })
}

// Complete implements [idempotency.Store].
func (f *Flaky) Complete(ctx context.Context, c idempotency.Completion) error {
	_, err := f.do(ctx, Complete, func() (r idempotency.Record, err error) { return r, f.Store.Complete(ctx, c) })
	return err
}

// Release implements [idempotency.Store].
func (f *Flaky) Release(ctx context.Context, key, owner string) error {
	_, err := f.do(ctx, Release, func() (r idempotency.Record, err error) { return r, f.Store.Release(ctx, key, owner) })
	return err
}

// Extend implements [idempotency.Store].
func (f *Flaky) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	_, err := f.do(ctx, Extend, func() (r idempotency.Record, err error) {
		return r, f.Store.Extend(ctx, key, owner, lease)
	})
	return err
}

// Load implements [idempotency.Store].
func (f *Flaky) Load(ctx context.Context, key string) (idempotency.Record, error) {
	return f.do(ctx, Load, func() (idempotency.Record, error) { return f.Store.Load(ctx, key) })
}

// MaxData implements [idempotency.Store].
func (f *Flaky) MaxData(key string) int { return f.Store.MaxData(key) }

func (f *Flaky) do(
	ctx context.Context, verb Verb, request func() (idempotency.Record, error),
) (idempotency.Record, error) {
	fault := f.next(verb)
	if fault.Delay > 0 {
		t := time.NewTimer(fault.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return idempotency.Record{}, ctx.Err()
		}
	}
	if fault.Err != nil && !fault.Lost {
		return idempotency.Record{}, fault.Err
	}
	r, err := request()
	if fault.Lost {
		if fault.Err == nil {
			fault.Err = ErrReply
		}
		return idempotency.Record{}, fault.Err
	}
	return r, err
}

func (f *Flaky) next(verb Verb) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = make(map[Verb]int)
	}
	f.calls[verb]++
	for _, v := range []Verb{verb, Any} {
		if faults := f.faults[v]; len(faults) > 0 {
			f.faults[v] = faults[1:]
			return faults[0]
		}
	}
	return Fault{}
}
