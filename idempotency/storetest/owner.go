package storetest

import (
	"errors"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

func completes(k *kit) {
	a := k.ask(k.key(), "A")
	r := k.completes(k.end(a), k.wins(a, 1))

	again := k.end(a)
	again.Fingerprint, again.Expires = "another", again.Expires.Add(time.Hour)
	again.Result = idempotency.Result{Encoding: idempotency.None, Failed: true}
	k.ok("Complete, again", k.Store.Complete(k.Context(), again))
	k.holds(r) // the first result stays

	late := k.abandoned(k.key(), "A")
	k.completes(k.end(late), k.wins(late, 1)) // nobody came meanwhile

	short := k.ask(k.key(), "A")
	r = k.wins(short, 1)
	end := k.end(short)
	end.Expires = k.now().Add(20 * time.Minute).Truncate(time.Second) // before the lease would have ended
	k.completes(end, r)
}

func completesForOwner(k *kit) {
	a := k.ask(k.key(), "A")
	k.lost("Complete of no record", k.Store.Complete(k.Context(), k.end(a)))
	k.free(a.Key)

	b := k.ask(a.Key, "B")
	r := k.wins(a, 1)
	k.lost("Complete of another's run", k.Store.Complete(k.Context(), k.end(b)))
	k.holds(r)

	r = k.completes(k.end(a), r)
	k.lost("Complete of another's result", k.Store.Complete(k.Context(), k.end(b)))
	k.holds(r)

	over := k.abandoned(k.key(), "A")
	r = k.wins(over, 1)
	k.lost("Complete of an abandoned run by who has not claimed it", k.Store.Complete(k.Context(), k.end(k.ask(over.Key, "B"))))
	k.holds(r)
}

func releases(k *kit) {
	for _, a := range []idempotency.Claim{k.ask(k.key(), "A"), k.abandoned(k.key(), "A")} {
		k.wins(a, 1)
		k.ok("Release", k.Store.Release(k.Context(), a.Key, a.Owner))
		k.free(a.Key)
		k.lost("Complete after Release", k.Store.Complete(k.Context(), k.end(a)))
		k.lost("Extend after Release", k.Store.Extend(k.Context(), a.Key, a.Owner, a.Lease))
		k.free(a.Key)
		k.wins(k.ask(a.Key, "B"), 1)
	}
}

func releasesForOwner(k *kit) {
	a := k.ask(k.key(), "A")
	b := k.ask(a.Key, "B")
	k.ok("Release of no record", k.Store.Release(k.Context(), a.Key, a.Owner))
	k.free(a.Key)

	r := k.wins(a, 1)
	k.ok("Release of another's run", k.Store.Release(k.Context(), b.Key, b.Owner))
	k.holds(r)

	r = k.completes(k.end(a), r)
	k.ok("Release of another's result", k.Store.Release(k.Context(), b.Key, b.Owner))
	k.ok("Release of one's own result", k.Store.Release(k.Context(), a.Key, a.Owner))
	k.holds(r)
}

func extends(k *kit) {
	for _, a := range []idempotency.Claim{k.ask(k.key(), "A"), k.abandoned(k.key(), "A")} {
		r := k.wins(a, 1)
		for _, lease := range []time.Duration{2 * time.Hour, 3 * time.Hour, time.Hour, 72 * time.Hour, 4 * time.Hour} {
			r.Lease = k.now().Add(lease)
			r.Expires = later(r.Expires, r.Lease)
			k.ok("Extend", k.Store.Extend(k.Context(), a.Key, a.Owner, r.Lease))
			k.holds(r)
			k.loses(k.ask(a.Key, "B"), r)
		}
		over := k.now().Add(-time.Hour) // an owner can give up its lease and go on
		k.ok("Extend into the past", k.Store.Extend(k.Context(), a.Key, a.Owner, over))
		k.wins(k.ask(a.Key, "B"), 2)
	}
	if k.vague() {
		return
	}
	a := k.ask(k.key(), "A")
	a.Lease = a.Now.Add(10 * time.Second)
	r := k.wins(a, 1)
	r.Lease = a.Now.Add(20*time.Second + time.Millisecond)
	k.ok("Extend", k.Store.Extend(k.Context(), a.Key, a.Owner, r.Lease))
	k.pass(r.Lease.Sub(a.Now))
	b := k.ask(a.Key, "B")
	b.Skew = 0
	k.loses(b, r)
	k.pass(time.Millisecond)
	b = k.ask(a.Key, "B")
	b.Skew = 0
	k.wins(b, 2)
}

func extendsForOwner(k *kit) {
	a := k.ask(k.key(), "A")
	b := k.ask(a.Key, "B")
	lease := k.now().Add(3 * time.Hour)
	k.lost("Extend of no record", k.Store.Extend(k.Context(), a.Key, a.Owner, lease))
	k.free(a.Key)

	r := k.wins(a, 1)
	k.lost("Extend of another's run", k.Store.Extend(k.Context(), b.Key, b.Owner, lease))
	k.holds(r)

	r = k.completes(k.end(a), r)
	k.lost("Extend of another's result", k.Store.Extend(k.Context(), b.Key, b.Owner, lease))
	k.lost("Extend of one's own result", k.Store.Extend(k.Context(), a.Key, a.Owner, lease))
	k.holds(r)
}

// refusesStale lets A come back after B has taken its run over: paused past its lease, and resumed.
func refusesStale(k *kit) {
	stale := func(a idempotency.Claim, now idempotency.Record) {
		k.Helper()
		k.lost("late Complete", k.Store.Complete(k.Context(), k.end(a)))
		k.holds(now)
		k.lost("late Extend", k.Store.Extend(k.Context(), a.Key, a.Owner, k.now().Add(3*time.Hour)))
		k.holds(now)
		k.ok("late Release", k.Store.Release(k.Context(), a.Key, a.Owner))
		k.holds(now)
		k.loses(a, now) // a late copy of its claim
		k.loses(k.ask(a.Key, "C"), now)
	}
	a := k.abandoned(k.key(), "A")
	k.wins(a, 1)
	b := k.ask(a.Key, "B")
	r := k.wins(b, 2)
	stale(a, r)
	r = k.completes(k.end(b), r)
	stale(a, r)

	// A took over from B, which is back after A has released the key.
	b = k.abandoned(k.key(), "B")
	k.wins(b, 1)
	a = k.ask(b.Key, "A")
	k.wins(a, 2)
	k.ok("Release", k.Store.Release(k.Context(), a.Key, a.Owner))
	k.lost("late Complete", k.Store.Complete(k.Context(), k.end(b)))
	k.lost("late Extend", k.Store.Extend(k.Context(), b.Key, b.Owner, b.Now.Add(time.Hour)))
	k.ok("late Release", k.Store.Release(k.Context(), b.Key, b.Owner))
	k.free(b.Key)
}

// takesTwice sends every request twice, as is done when its reply was lost.
func takesTwice(k *kit) {
	a := k.ask(k.key(), "A")
	r := k.wins(a, 1)
	k.loses(a, r)
	r.Lease = k.now().Add(2 * time.Hour)
	for range 2 {
		k.ok("Extend", k.Store.Extend(k.Context(), a.Key, a.Owner, r.Lease))
		k.holds(r)
	}
	end := k.end(a)
	r = completed(r, end)
	for range 2 {
		k.ok("Complete", k.Store.Complete(k.Context(), end))
		k.holds(r)
	}
	k.loses(a, r)

	a = k.ask(k.key(), "A")
	k.wins(a, 1)
	for range 2 {
		k.ok("Release", k.Store.Release(k.Context(), a.Key, a.Owner))
		k.free(a.Key)
	}
	r = k.wins(k.ask(a.Key, "B"), 1)
	k.ok("Release, late", k.Store.Release(k.Context(), a.Key, a.Owner))
	k.holds(r)
}

// survivesLostReplies is takesTwice over a connection that breaks. The store may send the request again by itself, or
// report an error that is not ErrLost and leave it to the caller.
func survivesLostReplies(k *kit) {
	if k.LoseReply == nil {
		k.Skip("the Harness has no LoseReply")
	}
	insist := func(verb string, send func() error) {
		k.Helper()
		k.LoseReply()
		err := send()
		if errors.Is(err, idempotency.ErrLost) {
			k.Fatalf("%s, whose reply was lost: %v, which is not so", verb, err)
		}
		for range 3 {
			if err != nil {
				err = send()
			}
		}
		k.ok(verb+", sent until a reply came", err)
	}
	a := k.ask(k.key(), "A")
	var r idempotency.Record
	insist("Claim", func() (err error) { r, err = k.Store.Claim(k.Context(), a); return err })
	if !k.same(r, claimed(a, 1)) {
		k.Fatalf("Claim, sent until a reply came:\n got %s\nwant %s", show(r), show(claimed(a, 1)))
	}
	r.Lease = k.now().Add(2 * time.Hour)
	insist("Extend", func() error { return k.Store.Extend(k.Context(), a.Key, a.Owner, r.Lease) })
	k.holds(r)
	end := k.end(a)
	insist("Complete", func() error { return k.Store.Complete(k.Context(), end) })
	k.holds(completed(r, end))
	insist("Load", func() (err error) { r, err = k.Store.Load(k.Context(), a.Key); return err })

	a = k.ask(k.key(), "A")
	k.wins(a, 1)
	insist("Release", func() error { return k.Store.Release(k.Context(), a.Key, a.Owner) })
	k.free(a.Key)
}

func bringsNothingBack(k *kit) {
	if k.Sweep == nil {
		k.Skip("the Harness has no Sweep")
	}
	for _, a := range []idempotency.Claim{k.ask(k.key(), "A"), k.abandoned(k.key(), "A")} {
		k.wins(a, 1)
		k.Sweep(a.Key)
		k.lost("Complete of a record that was swept", k.Store.Complete(k.Context(), k.end(a)))
		k.free(a.Key)
		k.lost("Extend of a record that was swept", k.Store.Extend(k.Context(), a.Key, a.Owner, k.now().Add(3*time.Hour)))
		k.free(a.Key)
		k.ok("Release of a record that was swept", k.Store.Release(k.Context(), a.Key, a.Owner))
		k.free(a.Key)
		r := k.wins(k.ask(a.Key, "B"), 1)
		k.lost("Complete by an owner from before the sweep", k.Store.Complete(k.Context(), k.end(a)))
		k.holds(r)
	}
	a := k.ask(k.key(), "A")
	k.completes(k.end(a), k.wins(a, 1))
	k.Sweep(a.Key)
	k.lost("Complete, again, of a result that was swept", k.Store.Complete(k.Context(), k.end(a)))
	k.free(a.Key)
}
