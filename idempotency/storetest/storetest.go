// Package storetest proves that an [idempotency.Store] keeps its promises, and makes stores fail for tests of what uses
// them. It is for tests only.
package storetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/idempotency"
)

// A Harness is a store to be tested, and what the checks cannot know about it. Only Store is required. What the others
// make possible is checked if they are there, and skipped by name if not.
type Harness struct {
	// Store is the store. What it holds already does not matter. It is left with records under keys that begin with
	// "storetest/", most of which expire within a day.
	Store idempotency.Store

	// OwnClock says that the store judges by its own clock and not by Claim.Now.
	OwnClock bool

	// WholeSeconds says that the store keeps Expires to the second, rounded up, as the TTL of DynamoDB has it.
	WholeSeconds bool

	// Sweep removes the record of key behind the store's back, as an operator does.
	Sweep func(key string)

	// Foreign writes r as another library does, which knows neither Owner, Attempt nor Lease.
	Foreign func(r idempotency.Record)

	// LoseReply lets the reply to the next request be lost on its way, after it was carried out.
	LoseReply func()
}

// Run proves that the stores which open makes keep the contract of [idempotency.Store]. Each check is a subtest with a
// store of its own, in a [synctest] bubble, so that time takes no time; open is called inside it and must bring in
// nothing from outside, such as a network connection.
//
// Besides what each verb promises of one caller, with every instant exact to the millisecond, it is proved that
//
//   - of 64 callers who claim a key at once, one gets it, 50 times over, and so with keys that were abandoned or have
//     expired;
//   - a stale owner changes nothing, whether its successor is running or done;
//   - a run is followed only by who names it: not by who has looked at another;
//   - any verb can be sent again;
//   - a record that was swept is not brought back by its owner;
//   - results and keys of all kinds and sizes are kept as they are, and are nobody's but the caller's;
//   - whatever several owners do in whatever order, with crashes, requests sent twice or late, clocks that differ,
//     sweeps and time in between, each reply and each record is what a model of the contract foresees, a live owner
//     is not displaced, a completed record does not change, and attempts are counted upwards.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.check(newKit(t, open(t), true)) })
		})
	}
	t.Run(model, func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			inBubble(t, func(t *testing.T) { followsModel(newKit(t, open(t), true), rt) })
		})
	})
}

// inBubble lets a panic, which is how rapid ends a case, out of the bubble.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	var thrown any
	synctest.Test(t, func(t *testing.T) {
		defer func() { thrown = recover() }()
		f(t)
	})
	if thrown != nil {
		panic(thrown)
	}
}

// RunServer is [Run] for stores that live outside of this process, and so outside of any bubble. Time passes in
// Claim.Now alone. For a store with OwnClock, which nobody can move, instants lie an hour off or in the past, and one
// check waits for a short lease and a short expiry to end.
func RunServer(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.check(newKit(t, open(t), false)) })
	}
	t.Run(model, func(t *testing.T) {
		k := newKit(t, open(t), false)
		rapid.Check(t, func(rt *rapid.T) { followsModel(k, rt) })
	})
}

var checks = []struct { //nolint:gochecknoglobals // a list in a reader's order
	name  string
	check func(k *kit)
}{
	{"claims a free key", claimsFree},
	{"refuses a key in progress", refusesInProgress},
	{"refuses a completed key", refusesCompleted},
	{"judges a run by its lease and the skew", judgesByLease},
	{"judges by the claimer's time", judgesByNow},
	{"judges a run by nothing else", judgesByNothingElse},
	{"takes over only if told", takesOverIfTold},
	{"takes over from whom it is told only", takesOverFromWhomItIsTold},
	{"gives out leases that are over", givesOutOver},
	{"forgets results that have expired", forgetsExpired},
	{"counts attempts", countsAttempts},
	{"recognises its owner", recognisesOwner},
	{"completes", completes},
	{"completes for the owner only", completesForOwner},
	{"releases", releases},
	{"releases for the owner only", releasesForOwner},
	{"extends", extends},
	{"extends for the owner only", extendsForOwner},
	{"refuses stale owners", refusesStale},
	{"takes every request twice", takesTwice},
	{"survives lost replies", survivesLostReplies},
	{"brings nothing back after a sweep", bringsNothingBack},
	{"reads records of others", readsForeign},
	{"keeps results as they are", keepsResults},
	{"keeps as much as it says", keepsMaxData},
	{"keeps keys apart", keepsKeysApart},
	{"shares no memory", sharesNothing},
	{"ends with its context", endsWithContext},
	{"gives a key to one of many", racesClaims},
	{"lets one of many end a run", racesEnds},
	{"follows its own clock", followsOwnClock},
}

// A kit is what checks check with.
type kit struct {
	*testing.T
	Harness

	bubble bool
	at     time.Time // outside of a bubble
	prefix string
	keys   int
}

func newKit(t *testing.T, h Harness, bubble bool) *kit {
	t.Helper()
	if h.Store == nil {
		t.Fatal("storetest: the Harness needs a Store")
	}
	return &kit{T: t, Harness: h, bubble: bubble, at: time.Now().Truncate(time.Second), prefix: "storetest/" + rand.Text()}
}

// now is the time of everybody whose clock is right.
func (k *kit) now() time.Time {
	if k.bubble || k.OwnClock {
		return time.Now().Truncate(time.Millisecond)
	}
	return k.at
}

// vague reports whether instants are exact to the minute at best.
func (k *kit) vague() bool { return k.OwnClock && !k.bubble }

func (k *kit) pass(d time.Duration) {
	if k.bubble {
		time.Sleep(d)
	}
	k.at = k.at.Add(d)
}

// key is a key that nobody has used.
func (k *kit) key() string {
	k.keys++
	return fmt.Sprint(k.prefix, "/", k.keys)
}

// ask is a claim of key by owner, that takes over from whoever has it now, if it may. The lease is an hour long.
func (k *kit) ask(key, owner string) idempotency.Claim {
	k.Helper()
	now := k.now()
	c := idempotency.Claim{
		Key:         key,
		Owner:       "owner " + owner,
		Fingerprint: "fingerprint " + owner,
		Now:         now,
		Lease:       now.Add(time.Hour),
		Expires:     now.Add(24 * time.Hour).Truncate(time.Second),
		Skew:        5 * time.Second,
	}
	is, err := k.Store.Load(k.Context(), key)
	k.ok("Load", err)
	if is.Status != "" {
		c.TakeOver = new(is.Run())
	}
	return c
}

// abandoned is ask, with a lease that has been over for an hour.
func (k *kit) abandoned(key, owner string) idempotency.Claim {
	c := k.ask(key, owner)
	c.Lease = c.Now.Add(-time.Hour)
	return c
}

// end is how the run of c ends well.
func (k *kit) end(c idempotency.Claim) idempotency.Completion {
	return idempotency.Completion{
		Key:         c.Key,
		Owner:       c.Owner,
		Fingerprint: c.Fingerprint,
		Expires:     k.now().Add(24 * time.Hour).Truncate(time.Second),
		Result:      idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`"by ` + c.Owner + `"`)},
	}
}

// claimed is the record of a claim that was granted.
func claimed(c idempotency.Claim, attempt int64) idempotency.Record {
	return idempotency.Record{
		Key:         c.Key,
		Status:      idempotency.InProgress,
		Owner:       c.Owner,
		Attempt:     attempt,
		Fingerprint: c.Fingerprint,
		Lease:       c.Lease,
		Expires:     later(c.Expires, c.Lease),
	}
}

// completed is r after c.
func completed(r idempotency.Record, c idempotency.Completion) idempotency.Record {
	r.Status, r.Fingerprint, r.Lease, r.Expires, r.Result = idempotency.Completed, c.Fingerprint, time.Time{}, c.Expires, c.Result
	return r
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// claim claims, and fails the check if that is an error.
func (k *kit) claim(c idempotency.Claim) idempotency.Record {
	k.Helper()
	r, err := k.Store.Claim(k.Context(), c)
	if err != nil {
		k.Fatalf("Claim for %s: %v", c.Owner, err)
	}
	return r
}

// wins fails the check unless c is granted as the given attempt. It returns the record.
func (k *kit) wins(c idempotency.Claim, attempt int64) idempotency.Record {
	k.Helper()
	want := claimed(c, attempt)
	if got := k.claim(c); !k.same(got, want) {
		k.Fatalf("Claim for %s:\n got %s\nwant %s", c.Owner, show(got), show(want))
	}
	k.holds(want)
	return want
}

// loses fails the check unless c is refused because of r, which stays as it is.
func (k *kit) loses(c idempotency.Claim, r idempotency.Record) {
	k.Helper()
	if got := k.claim(c); !k.same(got, r) {
		k.Fatalf("Claim for %s, which nothing should come of:\n got %s\nwant %s", c.Owner, show(got), show(r))
	}
	k.holds(r)
}

// completes fails the check unless c completes r. It returns the record.
func (k *kit) completes(c idempotency.Completion, r idempotency.Record) idempotency.Record {
	k.Helper()
	k.ok("Complete for "+c.Owner, k.Store.Complete(k.Context(), c))
	r = completed(r, c)
	k.holds(r)
	return r
}

// holds fails the check unless the store holds r.
func (k *kit) holds(r idempotency.Record) {
	k.Helper()
	got, err := k.Store.Load(k.Context(), r.Key)
	if err != nil || !k.same(got, r) {
		k.Fatalf("Load: %v\n got %s\nwant %s", err, show(got), show(r))
	}
}

// free fails the check unless the store holds no record of key.
func (k *kit) free(key string) {
	k.Helper()
	got, err := k.Store.Load(k.Context(), key)
	if err != nil || !k.same(got, idempotency.Record{}) {
		k.Fatalf("Load: %v\n got %s\nwant none", err, show(got))
	}
}

func (k *kit) ok(what string, err error) {
	k.Helper()
	if err != nil {
		k.Fatalf("%s: %v", what, err)
	}
}

func (k *kit) lost(what string, err error) {
	k.Helper()
	if !errors.Is(err, idempotency.ErrLost) {
		k.Fatalf("%s: got error %v, want ErrLost", what, err)
	}
}
