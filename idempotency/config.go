package idempotency

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"
)

const (
	defaultTTL     = time.Hour              // as Powertools for AWS Lambda
	defaultLease   = time.Minute            // where no deadline is known
	defaultSkew    = 5 * time.Second        // between the clocks of callers
	defaultReserve = 500 * time.Millisecond // and at most a tenth of what is left

	overrun = time.Second     // Lambda kills a function up to 0.7 s after its deadline
	settle  = 5 * time.Second // to write how a run ended, where no deadline is known
	hurry   = time.Second / 2 // to do so where the store has failed already
)

// A Config says how the calls of one operation are made once. It is a plain value: copy it freely, change the copy, and
// use both from many goroutines at once. Fields that are zero mean what their comments say; only the Store is required,
// and the Scope outside AWS Lambda.
type Config struct {
	// Store keeps the records. Operations may share one.
	Store Store

	// Scope is the name of the operation, and every key is a key within it: operations with different scopes never
	// share a record, and operations with the same one do. Empty means the name of the Lambda function, which is enough
	// for a function that does one thing once.
	Scope string

	// TTL is how long a result is replayed, from the moment it is there. Zero means an hour.
	TTL time.Duration

	// Lease is how long a run is taken to be alive without a word from it, where the deadline of the call is not known.
	// A run that takes longer renews its lease. Zero means a minute. Where the deadline is known, a run is taken to be
	// alive until a second after it.
	Lease time.Duration

	// Skew is how much the clocks of callers may differ: a lease is over that much later for others. It matters with
	// stores that have no clock of their own. Zero means 5 s, negative means no difference.
	Skew time.Duration

	// Reserve is kept back before the deadline of the call, to write how the run ended: the handler's context ends that
	// much earlier. It is never more than half of what is left. Zero means a tenth of what is left, 500 ms at most;
	// negative means that the handler has all the time.
	Reserve time.Duration

	// Wait is how long a call waits for the result of one that is in progress, within its own deadline. It takes over if
	// the other fails or dies. Zero means that it is refused at once, with an [*InProgressError].
	Wait time.Duration

	// RequireKey refuses calls without a key, with a [*KeyError]. Otherwise they run unprotected.
	RequireKey bool

	// RawKey keeps records under scope#key and not under scope#SHA-256(key), to find records that Powertools for AWS
	// Lambda wrote. Keys must then not contain '#', and are readable in the store.
	RawKey bool

	// Fingerprint is computed from the handler's argument, and says whether two calls with one key mean the same. If
	// not, the second is refused with a [*MismatchError], even if the first is still in progress. Nil, or an empty
	// fingerprint on either side, means that the key says it all. [Payload] is a fingerprint of everything. Calls made
	// with [Do] have no argument, and no fingerprint. A new Fingerprint function is a new fingerprint: replays of what
	// was recorded with the old one are refused until the TTL is over.
	Fingerprint func(in any) (string, error)

	// RefuseAbandoned refuses calls, with an [*UncertainError], of which an earlier run neither ended nor lives: its
	// process was killed, or its end could not be written, or was Uncertain. Nobody knows whether it had its effect, and
	// this goes on
	// after the TTL, until a Config with Reconcile settles it. Otherwise the call runs again.
	RefuseAbandoned bool

	// Reconcile, if not nil, is asked about such a run, by one caller at a time, who has already taken over. If the run
	// did what it was to do, done is true and result, of the handler's result type, is replayed from then on. If it did
	// not, done is false and the call runs again. With an error nobody knows, and the call is refused with an
	// [*UncertainError], as is the next one until Reconcile knows.
	Reconcile func(ctx context.Context, run Abandoned) (result any, done bool, err error)

	// Keep says which errors of the handler are results: kept, and replayed, without what the handler returned besides.
	// Nil means none. Any other error gives the key back, and the next call runs; and so does, unasked, any error of a
	// handler whose context has ended.
	Keep func(err error) bool

	// Uncertain says which errors of the handler leave open whether it had its effect, such as a payment provider that did
	// not answer in time. They come out as they are, and the record stays that of a run that is abandoned, from this moment
	// on: the next call runs again, or is refused, or asks, as RefuseAbandoned and Reconcile say. Uncertain is asked before
	// Keep, also when the context of the handler has ended. Nil means none.
	Uncertain func(err error) bool

	// Rebuild makes of an error that is replayed one that is returned. Nil means that it is returned as it is. With
	//
	//	func(e *idempotency.ReplayedError) error {
	//		if declined, ok := errors.AsType[*DeclinedError](e); ok {
	//			return declined
	//		}
	//		return e
	//	}
	//
	// a replay is reported to callers of AWS Lambda under the same errorType as the first time.
	Rebuild func(e *ReplayedError) error

	// Codec turns results into bytes and back. Nil means JSON.
	Codec Codec

	// Blobs is where results go that are too large for the Store, even compressed. With nil they are not kept, and a
	// replay is a [*NotKeptError].
	Blobs Blobs

	// Cache keeps results in this process, where a replay asks no store. Nil means none. Operations that share a Store
	// may share a Cache.
	Cache *Cache

	// FailOpen runs calls unprotected when the store fails to say whether they may run, unless it is known that another
	// run is going on, or was abandoned and is for Reconcile to judge. Otherwise they are refused with a [*StoreError], as
	// they are in any case if the store rejects the request, with [ErrRejected].
	//
	// The store may have granted the claim all the same. So its lease is renewed while the handler runs, and half a second
	// is spent to write how the run ended: a second call meanwhile is refused, and a later one is a replay, if there is a
	// record after all.
	FailOpen bool

	// Owner names the run, for executions that are suspended and resumed and have to find their own record in progress.
	// Two runs that are not one must not have the same name. Nil, or an empty name, means 128 random bits, as does taking
	// over from an abandoned run until Reconcile has said what that did. A run that finds its own record goes on, and
	// Reconcile is not asked.
	Owner func(ctx context.Context) string
}

// An Abandoned is a run that neither ended nor lives.
type Abandoned struct {
	Key     string // the caller's, not that of the record
	In      any    // the handler's argument; the key in Do
	Owner   string // what its token said; or the last one to be asked
	Attempt int64
	Lease   time.Time // when it was over
}

// An operation is a Config made ready for use: what the calls of one function have in common.
type operation struct {
	Config

	out   reflect.Type // of the result
	shape shape        // of its JSON
}

func newOperation(caller string, c Config, out reflect.Type) *operation {
	if c.Store == nil {
		panic("idempotency: " + caller + ": the Config has no Store: set one, &idempotency.Memory{} for a start")
	}
	if c.TTL < 0 || c.Wait < 0 {
		panic(fmt.Sprintf("idempotency: %s: TTL %v, Wait %v: want zero or more", caller, c.TTL, c.Wait))
	}
	if c.Lease < 0 || 0 < c.Lease && c.Lease < time.Millisecond {
		panic(fmt.Sprintf("idempotency: %s: Lease %v: want zero, or a millisecond and more", caller, c.Lease))
	}
	c.Cache.check()
	if c.Scope == "" {
		c.Scope = os.Getenv("AWS_LAMBDA_FUNCTION_NAME")
	}
	if c.Scope == "" {
		panic("idempotency: " + caller + ": the Config has no Scope, and this is no Lambda function: set it to the name of the operation")
	}
	op := &operation{Config: c, out: out}
	if c.Codec == nil {
		op.shape = shapeOf(out)
		if op.shape.err != nil {
			panic(fmt.Sprintf("idempotency: %s: a replay would not be the first result, because %v: return what JSON can carry, or set a Codec", caller, op.shape.err))
		}
	}
	op.TTL = or(c.TTL, defaultTTL)
	op.Lease = or(c.Lease, defaultLease)
	op.Skew = max(or(c.Skew, defaultSkew), 0)
	return op
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// reserve is what is kept back of the time that is left.
func (op *operation) reserve(left time.Duration) time.Duration {
	switch {
	case op.Reserve < 0 || left <= 0:
		return 0
	case op.Reserve == 0:
		return min(defaultReserve, left/10)
	}
	return min(op.Reserve, left/2)
}

// record is the key of the record of a call with this key.
func (op *operation) record(key string) (string, error) {
	if !op.RawKey {
		return scoped(op.Scope, key), nil
	}
	if strings.Contains(key, "#") {
		return "", errors.New("a raw key must not contain '#', which ends the scope")
	}
	return op.Scope + "#" + key, nil
}

// subject is what errors say of the call with this key.
func (op *operation) subject(key string) Subject {
	s := Subject{Scope: op.Scope}
	if key != "" {
		s.Digest = digest(key)[:8]
	}
	return s
}
