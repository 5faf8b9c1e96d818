package idempotency_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

func TestAbandonedRunIsNotFollowedIfThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.RefuseAbandoned = true
		s.config.Wait = time.Hour // there is nothing to wait for
		abandoned(t, s, t.Context())
		time.Sleep(66 * time.Second)
		for range 3 {
			before := s.Calls(storetest.Any)
			err := s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrUncertain)
			if e, ok := errors.AsType[*idempotency.UncertainError](err); !ok || e.Attempt != 1 {
				t.Errorf("got %v", err)
			}
			if n := s.Calls(storetest.Any) - before; n != 1 {
				t.Errorf("%d round trips, want 1", n)
			}
			time.Sleep(48 * time.Hour) // and its TTL changes nothing
		}
		if got := s.record(t, "7"); got.Attempt != 1 || got.Expires.Before(time.Now()) {
			t.Errorf("record %+v", got)
		}
		s.config.RefuseAbandoned = false
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.TookOver, 3)
	})
}

func TestReconcile(t *testing.T) {
	for _, tt := range []struct {
		name    string
		result  any
		done    bool
		err     error
		outcome idempotency.Outcome
		want    receipt
		told    string
	}{
		{"it was done", receipt{"7", 1}, true, nil, idempotency.Replayed, receipt{"7", 1}, "takeover refusal refusal replay"},
		{"it was done, with nothing to show", nil, true, nil, idempotency.Replayed, receipt{}, "takeover refusal refusal replay"},
		{"it was not done", nil, false, nil, idempotency.TookOver, receipt{"7", 2}, ""},
		{"nobody knows", nil, false, errBoom, idempotency.Refused, receipt{}, "takeover refusal refusal refusal"},
		{"it was done, but the result is of another type", "receipt", true, nil, idempotency.Refused, receipt{}, "takeover refusal refusal refusal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				abandoned(t, s, t.Context())
				dead := s.record(t, "7")
				time.Sleep(66 * time.Second)
				asked := 0
				s.config.RefuseAbandoned = true // unless it is known better
				s.config.Reconcile = func(ctx context.Context, run idempotency.Abandoned) (any, bool, error) {
					asked++
					want := idempotency.Abandoned{Key: "7", In: order{ID: "7"}, Lease: dead.Lease, Owner: dead.Owner, Attempt: 1}
					if run != want {
						t.Errorf("asked about %+v, want %+v", run, want)
					}
					if token, ok := idempotency.Token(ctx); !ok || token.Attempt != 2 {
						t.Errorf("asked with token %v", token)
					}
					s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress) // one asks at a time
					time.Sleep(5*time.Minute + time.Second)                              // and keeps its lease
					s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
					return tt.result, tt.done, tt.err
				}
				s.then = func(context.Context) error {
					time.Sleep(5*time.Minute + time.Second)
					s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
					s.told()
					return nil
				}
				r, outcome, err := s.call(t.Context(), order{ID: "7"})
				if r != tt.want || outcome != tt.outcome || asked != 1 || tt.err != nil && !errors.Is(err, tt.err) {
					t.Errorf("got %v, %v, %v after being asked %d times", r, outcome, err, asked)
				}
				if got := s.told(); got != tt.told {
					t.Errorf("told %q", got)
				}
				if tt.outcome != idempotency.Refused {
					if got, outcome, err := s.call(t.Context(), order{ID: "7"}); got != tt.want || outcome != idempotency.Replayed || err != nil {
						t.Errorf("then %v, %v, %v", got, outcome, err)
					}
					return
				}
				if !errors.Is(err, idempotency.ErrUncertain) {
					t.Errorf("got %v", err)
				}
				s.config.Reconcile = func(_ context.Context, run idempotency.Abandoned) (any, bool, error) {
					return receipt{"7", 1}, true, nil
				}
				s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 3)
			})
		})
	}
}

func TestReconcileThatPanicsSettlesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		abandoned(t, s, t.Context())
		time.Sleep(66 * time.Second)
		s.config.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) { panic("boom") }
		if got := panics(func() { _, _, _ = s.call(t.Context(), order{ID: "7"}) }); got != "boom" {
			t.Errorf("panic %q", got)
		}
		s.config.Reconcile, s.config.RefuseAbandoned = nil, true
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrUncertain)
	})
}

// The record stays that of the reconciler, until its lease is over.
func TestReconcileThatCannotGiveBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		abandoned(t, s, t.Context())
		time.Sleep(66 * time.Second)
		s.config.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) { return nil, false, errBoom }
		s.Store = mute{&s.memory}
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrUncertain)
		if got := s.told(); got != "takeover unsaved refusal" {
			t.Errorf("told %q", got)
		}
		s.Store = &s.memory
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
		time.Sleep(66 * time.Second)
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrUncertain)
	})
}

// What a reconciler found out too late counts for nothing.
func TestReconcileThatLosesTheRecordIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		abandoned(t, s, t.Context())
		time.Sleep(66 * time.Second)
		s.config.Reconcile = func(ctx context.Context, _ idempotency.Abandoned) (any, bool, error) {
			_ = s.memory.Release(ctx, recordKey("orders", "7"), s.record(t, "7").Owner)
			<-ctx.Done()
			return receipt{"7", 9}, true, nil
		}
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
		if got := s.record(t, "7"); got.Status != "" {
			t.Errorf("record %+v", got)
		}
	})
}

// A run that was released while another was about to take over is not there to be asked about.
func TestReconcileIsNotAskedAboutARunThatEnded(t *testing.T) {
	s := newStage()
	over := idempotency.Record{Status: idempotency.InProgress, Owner: "x", Attempt: 1, Lease: time.Now().Add(-time.Hour)}
	s.Store = &script{claims: []idempotency.Record{over}}
	s.config.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) { panic("asked") }
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 3)
}
