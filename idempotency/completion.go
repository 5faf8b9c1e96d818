package idempotency

import (
	"context"
	"errors"
	"reflect"
	"time"
)

// CompletionOf returns what makes the record of the innermost call that ctx is in completed with result, which its handler
// is about to return. It is for stores that write it in one transaction with the handler's own writes; the handler
// returns the same result then, or [ErrLost] if the store says so, which rolled its writes back.
//
// There is an error, before anything is written, if ctx is in no call with a record, or if the result cannot be kept.
func CompletionOf(ctx context.Context, result any) (Completion, error) {
	r := running(ctx)
	if r == nil {
		return Completion{}, errors.New("idempotency: there is no record to complete: the call runs unprotected, or is none")
	}
	v := reflect.New(r.op.out).Interface()
	if err := assign(v, result); err != nil {
		return Completion{}, err
	}
	left, err := r.op.encode(v)
	if err != nil {
		return r.completion(Result{Encoding: NotKept}), r.notKept(err)
	}
	r.handed.Store(true)
	left, err = r.fit(ctx, left)
	return r.completion(left), err
}

func (r *run) completion(left Result) Completion {
	expires := time.Now().Round(0).Add(r.op.TTL)
	return Completion{Key: r.key, Owner: r.owner, Fingerprint: r.fingerprint, Expires: expires, Result: left}
}
