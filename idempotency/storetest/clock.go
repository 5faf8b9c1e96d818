package storetest

import (
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

// followsOwnClock is the one check that waits, for a lease and for an expiry that nothing but time can end.
func followsOwnClock(k *kit) {
	if !k.vague() {
		k.Skip("it goes by a clock that the other checks move")
	}
	const short, long = 300 * time.Millisecond, 30 * time.Second

	// won claims until that succeeds, and fails the check unless that takes about short.
	won := func(what, key string, since time.Time) idempotency.Record {
		k.Helper()
		for {
			b := k.ask(key, "B")
			b.Skew = 0
			r := k.claim(b)
			took := time.Since(since)
			switch {
			case r.Owner == b.Owner && took < short/2:
				k.Fatalf("%s ended after %v, and was to last %v", what, took, short)
			case r.Owner == b.Owner:
				return r
			case took > long:
				k.Fatalf("%s has not ended after %v, and was to last %v", what, took, short)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}

	a := k.ask(k.key(), "A")
	since := time.Now()
	a.Lease = a.Now.Add(short)
	k.claim(a)
	if r := won("a lease", a.Key, since); r.Attempt != 2 {
		k.Errorf("after the lease: attempt %d, want 2", r.Attempt)
	}

	a = k.ask(k.key(), "A")
	k.claim(a)
	since = time.Now()
	k.ok("Extend", k.Store.Extend(k.Context(), a.Key, a.Owner, since.Add(short)))
	if r := won("a lease that was moved", a.Key, since); r.Attempt != 2 {
		k.Errorf("after the lease: attempt %d, want 2", r.Attempt)
	}

	a = k.ask(k.key(), "A")
	k.claim(a)
	since = time.Now()
	end := k.end(a)
	end.Expires = since.Add(short)
	if k.WholeSeconds {
		end.Expires = wholeSecond(end.Expires)
	}
	k.ok("Complete", k.Store.Complete(k.Context(), end))
	won("a result", a.Key, since)
}
