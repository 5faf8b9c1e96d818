package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

// endsWithContext calls every verb with a context that has ended. The store may carry it out all the same, as happens
// to a request already sent, or not; but if not, it says so, and says nothing else.
func endsWithContext(k *kit) {
	gone, cancel := context.WithCancel(k.Context())
	cancel()
	past, cancel := context.WithDeadline(k.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, ended := range []context.Context{gone, past} {
		a := k.ask(k.key(), "A")
		either := func(verb string, err error, was, is idempotency.Record) {
			k.Helper()
			if errors.Is(err, idempotency.ErrLost) {
				k.Fatalf("%s with an ended context: %v, which is not so", verb, err)
			}
			got, problem := k.Store.Load(k.Context(), a.Key)
			k.ok("Load", problem)
			if !k.same(got, is) && (err == nil || !k.same(got, was)) {
				k.Fatalf("%s with an ended context: error %v\n got %s\nwant %s", verb, err, show(got), show(is))
			}
		}
		none, r := idempotency.Record{}, claimed(a, 1)
		_, err := k.Store.Claim(ended, a)
		either("Claim", err, none, r)
		k.wins(a, 1)

		long := r
		long.Lease = k.now().Add(2 * time.Hour)
		either("Extend", k.Store.Extend(ended, a.Key, a.Owner, long.Lease), r, long)
		k.ok("Extend", k.Store.Extend(k.Context(), a.Key, a.Owner, long.Lease))

		end := k.end(a)
		either("Complete", k.Store.Complete(ended, end), long, completed(long, end))
		k.completes(end, long)

		got, err := k.Store.Load(ended, a.Key)
		if err == nil && !k.same(got, completed(long, end)) {
			k.Fatalf("Load with an ended context:\n got %s\nwant %s", show(got), show(completed(long, end)))
		}

		a = k.ask(k.key(), "A")
		r = k.wins(a, 1)
		either("Release", k.Store.Release(ended, a.Key, a.Owner), r, none)
		k.ok("Release", k.Store.Release(k.Context(), a.Key, a.Owner))
		k.free(a.Key)
	}
}
