package idempotency

import (
	"context"
	"errors"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/refusal"
)

// replay answers the call with what an earlier run left.
func (r *run) replay(ctx context.Context, record Record, cached bool) error {
	if record.Result.Encoding == NotKept {
		return r.refuse(ctx, &NotKeptError{Subject: r.subject()})
	}
	data, err := r.unpack(ctx, record.Result)
	if errors.Is(err, ErrStore) || errors.Is(err, ErrNotKept) {
		return r.refuse(ctx, err)
	}
	var failure *ReplayedError
	if err == nil && record.Result.Failed {
		failure, err = decodeFailure(data)
	} else if err == nil {
		err = r.op.decode(data, record.Result.Encoding, r.work.result())
	}
	if err != nil {
		return r.refuse(ctx, &CorruptError{r.subject(), err})
	}
	if !cached {
		record.Result.Data = data
		record.Result.Encoding = r.op.unpacked(record.Result)
		r.op.Cache.put(r.key, record)
	}
	r.outcome = Replayed
	r.emit(ctx, event.Event{Kind: event.Replay})
	switch {
	case failure == nil:
		return nil
	case r.op.Rebuild != nil:
		return r.op.Rebuild(failure)
	}
	return failure
}

// leave refuses the call, of whose caller it is not known whether it is still there.
func (r *run) leave(ctx context.Context, err error) error {
	if gone := ctx.Err(); gone != nil {
		r.outcome = Refused
		return gone
	}
	return r.refuse(ctx, err)
}

// refuse answers the call with an error of this package.
func (r *run) refuse(ctx context.Context, err error) error {
	r.outcome = Refused
	_ = assign(r.work.result(), nil) // it may be half decoded
	kind := event.Refusal
	if errors.Is(err, ErrMismatch) {
		kind = event.Mismatch
	}
	wait, _ := refusal.After(err)
	r.emit(ctx, event.Event{Kind: kind, Wait: wait, Err: err})
	return err
}
