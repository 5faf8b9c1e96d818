package storetest

import (
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

func claimsFree(k *kit) {
	key := k.key()
	k.free(key)
	k.wins(k.ask(key, "A"), 1)

	bare := k.ask(k.key(), "B")
	bare.Fingerprint, bare.Skew = "", 0
	k.wins(bare, 1)

	short := k.ask(k.key(), "C")
	short.Expires = short.Now.Add(time.Minute) // before the lease ends: it has to be kept for that long
	k.wins(short, 1)
}

func refusesInProgress(k *kit) {
	a := k.ask(k.key(), "A")
	r := k.wins(a, 1)
	for _, owner := range []string{"B", "C"} {
		k.loses(k.ask(a.Key, owner), r)
	}
}

func refusesCompleted(k *kit) {
	a := k.ask(k.key(), "A")
	r := k.completes(k.end(a), k.wins(a, 1))
	for _, owner := range []string{"B", "C"} {
		k.loses(k.ask(a.Key, owner), r)
	}

	over := k.abandoned(k.key(), "A")
	r = k.completes(k.end(over), k.wins(over, 1))
	k.loses(k.ask(over.Key, "B"), r) // a lease that was over says nothing of a completed record
}

// At its end a lease is still live, and so it is at the end of the skew.
func judgesByLease(k *kit) {
	over := k.abandoned(k.key(), "A") // for an hour
	r := k.wins(over, 1)
	b := k.ask(over.Key, "B")
	b.Skew = 2 * time.Hour
	k.loses(b, r)
	b.Skew = 30 * time.Minute
	k.wins(b, 2)

	if k.vague() {
		return
	}
	for _, skew := range []time.Duration{0, time.Millisecond, 5 * time.Second, 30 * time.Minute} {
		a := k.ask(k.key(), "A")
		a.Lease = a.Now.Add(10*time.Second + 7*time.Millisecond)
		r := k.wins(a, 1)

		k.pass(a.Lease.Sub(a.Now) + skew)
		b := k.ask(a.Key, "B")
		b.Skew = skew
		k.loses(b, r)

		k.pass(time.Millisecond)
		b = k.ask(a.Key, "B")
		b.Skew = skew
		k.wins(b, 2)
	}
}

func judgesByNow(k *kit) {
	if k.OwnClock {
		a := k.ask(k.key(), "A")
		r := k.wins(a, 1)
		for _, wrong := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
			b := k.ask(a.Key, "B")
			b.Now, b.Lease, b.Expires = b.Now.Add(wrong), b.Lease.Add(wrong), b.Expires.Add(wrong)
			if got := k.claim(b); got.Owner != a.Owner { // instants may be told by the clock of who asks
				k.Fatalf("Claim by a clock that is wrong by %v:\n got %s\nwant %s", wrong, show(got), show(r))
			}
			k.holds(r)
		}
		return
	}
	a := k.ask(k.key(), "A")
	r := k.wins(a, 1)
	b := k.ask(a.Key, "B")
	b.Now = a.Lease.Add(b.Skew)
	k.loses(b, r)
	b.Now = b.Now.Add(time.Millisecond)
	b.Lease = b.Now.Add(time.Minute)
	k.wins(b, 2)
}

// That a record may be forgotten says nothing of the run, and the store keeps it while the run may be alive.
func judgesByNothingElse(k *kit) {
	a := k.ask(k.key(), "A")
	a.Expires = a.Now.Add(-time.Hour)
	r := k.wins(a, 1)
	k.loses(k.ask(a.Key, "B"), r)
	k.completes(k.end(a), r)

	if k.vague() {
		return
	}
	a = k.ask(k.key(), "A")
	a.Lease, a.Expires = a.Now.Add(10*time.Second), a.Now.Add(time.Second)
	r = k.wins(a, 1)
	for range 5 {
		k.pass(2 * time.Second)
		b := k.ask(a.Key, "B")
		b.Skew = 0
		k.loses(b, r)
	}
	k.completes(k.end(a), r)
}

func takesOverIfTold(k *kit) {
	a := k.abandoned(k.key(), "A")
	r := k.wins(a, 1)
	b := k.ask(a.Key, "B")
	dead := b.TakeOver
	b.TakeOver = nil
	k.loses(b, r)
	b.TakeOver = dead
	k.wins(b, 2)
}

// takesOverFromWhomItIsTold lets B look at A's run, which is another's when B claims.
func takesOverFromWhomItIsTold(k *kit) {
	a := k.abandoned(k.key(), "A")
	k.wins(a, 1)
	b := k.ask(a.Key, "B")
	k.ok("Release", k.Store.Release(k.Context(), a.Key, a.Owner))
	r := k.wins(k.abandoned(a.Key, "C"), 1) // the attempt is the same
	k.loses(b, r)
	for _, other := range []idempotency.Run{
		{Owner: r.Owner, Attempt: 2},
		{Owner: r.Owner},
		{Attempt: 1},
		{},
		{Owner: b.Owner, Attempt: 1}, // oneself
	} {
		b.TakeOver = &other
		k.loses(b, r)
	}
	b.TakeOver = new(r.Run())
	r = k.wins(b, 2)
	k.loses(b, r) // it was applied, and its reply lost: it is its own
	k.completes(k.end(b), r)

	gone := k.ask(k.key(), "A")
	gone.TakeOver = &idempotency.Run{Owner: "owner B", Attempt: 7}
	k.wins(gone, 1) // there is nobody to be followed
}

// A lease can be over when it is given: for a run whose time was up before it began.
func givesOutOver(k *kit) {
	a := k.abandoned(k.key(), "A")
	r := k.completes(k.end(a), k.wins(a, 1))
	k.loses(k.ask(a.Key, "B"), r)

	a = k.abandoned(k.key(), "A")
	k.wins(a, 1)
	k.wins(k.ask(a.Key, "B"), 2)
}

func forgetsExpired(k *kit) {
	// Long ago, for any clock.
	a := k.ask(k.key(), "A")
	k.wins(a, 1)
	end := k.end(a)
	end.Expires = k.now().Add(-time.Hour).Truncate(time.Second)
	k.ok("Complete", k.Store.Complete(k.Context(), end))
	k.free(a.Key)
	b := k.ask(a.Key, "B")
	b.TakeOver = nil // there is nothing to be taken over
	k.replaces(b)

	if k.vague() {
		return
	}
	a = k.ask(k.key(), "A")
	r := k.wins(a, 1)
	end = k.end(a)
	end.Expires = k.now().Add(10*time.Second + 7*time.Millisecond)
	if k.WholeSeconds {
		end.Expires = wholeSecond(end.Expires)
	}
	r = k.completes(end, r)

	k.pass(end.Expires.Sub(k.now())) // when it expires, it is still live
	b = k.ask(a.Key, "B")
	b.TakeOver = nil
	b.Skew = 0
	k.loses(b, r)

	if k.WholeSeconds {
		k.pass(time.Second)
	} else {
		k.pass(time.Millisecond)
	}
	if k.bubble {
		k.free(a.Key)
	}
	b = k.ask(a.Key, "B")
	b.TakeOver = nil
	b.Skew = 0
	k.replaces(b)
}

// replaces fails the check unless c is granted in place of a first attempt, which the store may have forgotten.
func (k *kit) replaces(c idempotency.Claim) {
	k.Helper()
	r := k.claim(c)
	if !k.same(r, claimed(c, 2)) && !k.same(r, claimed(c, 1)) {
		k.Fatalf("Claim for %s:\n got %s\nwant %s", c.Owner, show(r), show(claimed(c, 2)))
	}
	k.holds(r)
}

func countsAttempts(k *kit) {
	key := k.key()
	for i, owner := range []string{"A", "B", "C", "D"} {
		k.wins(k.abandoned(key, owner), int64(i+1))
	}
	d := k.ask(key, "D")
	k.completes(k.end(d), claimed(k.abandoned(key, "D"), 4))
}

// recognisesOwner claims again, as happens when the reply to the first claim was lost.
func recognisesOwner(k *kit) {
	a := k.ask(k.key(), "A")
	r := k.wins(a, 1)
	k.loses(a, r) // a claim sent twice gets what is there, and that is the owner's own

	longer := a
	longer.Lease = a.Lease.Add(2 * time.Hour)
	r.Lease = longer.Lease
	k.loses(longer, r)
	k.loses(a, r) // a claim that comes late does not cut the lease

	much := a
	much.Lease = a.Expires.Add(48 * time.Hour)
	r.Lease, r.Expires = much.Lease, much.Lease
	k.loses(much, r)

	other := k.ask(a.Key, "A")
	other.TakeOver, other.Fingerprint = nil, "another"
	k.loses(other, r)

	over := k.abandoned(k.key(), "A")
	r = k.wins(over, 1)
	for _, takeOver := range []*idempotency.Run{new(r.Run()), nil} {
		over.TakeOver = takeOver
		k.loses(over, r) // nor does anyone take over from oneself
	}

	done := k.ask(k.key(), "A")
	r = k.completes(k.end(done), k.wins(done, 1))
	k.loses(done, r)
}

// reads of records that another library wrote.
func readsForeign(k *kit) {
	if k.Foreign == nil {
		k.Skip("the Harness has no Foreign")
	}
	foreign := func(status idempotency.Status, expires time.Duration) idempotency.Record {
		r := idempotency.Record{
			Key:     k.key(),
			Status:  status,
			Expires: k.now().Add(expires).Truncate(time.Second),
		}
		if status == idempotency.Completed {
			r.Result = idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`{"charged":1}`)}
		}
		k.Foreign(r)
		return r
	}
	for _, status := range []idempotency.Status{idempotency.InProgress, idempotency.Completed} {
		r := foreign(status, time.Hour)
		a := k.ask(r.Key, "A")
		k.loses(a, r)
		k.lost("Complete", k.Store.Complete(k.Context(), k.end(a)))
		k.lost("Extend", k.Store.Extend(k.Context(), a.Key, a.Owner, a.Lease))
		k.ok("Release", k.Store.Release(k.Context(), a.Key, a.Owner))
		k.holds(r)

		over := foreign(status, -time.Hour)
		a = k.ask(over.Key, "A")
		a.TakeOver = &idempotency.Run{}
		if status == idempotency.InProgress {
			for _, other := range []*idempotency.Run{nil, {Owner: "owner B"}, {Attempt: 1}} {
				b := a
				b.TakeOver = other
				k.loses(b, over)
			}
		}
		k.wins(a, 1)
	}
}
