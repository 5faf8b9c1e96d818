// Package idempotency lets a call happen once, however often it is asked for.
//
// A message is delivered twice, a client retries because it did not see the answer, a function is killed after it charged
// the card: the call comes again. [Wrap] gives it a key and keeps a record of it, so that the second call gets the first
// one's result:
//
//	once := idempotency.Config{Store: store, Scope: "place order", TTL: 24 * time.Hour}
//	h := idempotency.Wrap(placeOrder, func(o Order) (string, error) { return o.ID, nil }, once)
//
// [Do] is the same for a single call. Records are in a [Store]: [Memory], or one of the packages below this one.
//
// # What is promised
//
// Of the calls with one key, within one scope, one runs at a time; and when one has succeeded no other runs until its
// TTL is over. A call that fails leaves nothing behind, and the next one runs. So does, after its lease is over, a run
// whose process died: what it did until then may be done twice, as nobody else can know how far it came. An error that
// says as little counts as such a death, if Uncertain says so. Where nothing may be done twice, set RefuseAbandoned or
// Reconcile, or fence the writes of the handler with its [Token].
//
// A run that another has taken over can no longer change the record. Its caller still gets its result, and is told:
// there is an event, and [Watch] says [Lost].
//
// A replay is equal to the first result, as long as JSON carries it; types with which it cannot are refused by Wrap. What
// is in an interface comes back as JSON has it: objects as map[string]any, and numbers as [json.Number], exact. An empty
// slice or map that omitempty leaves out comes back as nil.
//
// # When things fail
//
// If the store does not answer, calls are refused, or run unprotected with FailOpen. If it fails after the handler has
// succeeded, it is asked again until the time that is kept in reserve is over, and the caller gets the result all the
// same; the record stays in progress then, and when its lease is over the next call runs. If a result cannot be kept, for it is too large or cannot be encoded, the record says so, and later calls get
// a [*NotKeptError].
//
// The environment variable SEAWALL_IDEMPOTENCY_DISABLED, set to true, switches everything off.
//
// # What others are told
//
// Replays, refusals, takeovers and whatever went wrong are events, which observers in the context are told, under the
// policy "idempotency" and the name of the scope. A run that goes well is none.
package idempotency
