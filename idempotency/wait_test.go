package idempotency_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

// runFirst starts the call in another goroutine, and returns when its handler runs. The handler takes so long, and ends so.
func runFirst(t *testing.T, s *stage, takes time.Duration, end error) (wait func()) {
	t.Helper()
	running, done := make(chan struct{}), make(chan struct{})
	s.then = func(context.Context) error {
		close(running)
		time.Sleep(takes)
		return end
	}
	go func() {
		defer close(done)
		_, _, _ = s.call(t.Context(), order{ID: "7"})
	}()
	<-running
	s.then = nil
	return func() { <-done }
}

func TestSecondCallerWaitsForTheResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Wait = time.Minute
		wait := runFirst(t, s, 10*time.Second, nil)
		start := time.Now()
		r, outcome, err := s.call(t.Context(), order{ID: "7"})
		if r != (receipt{"7", 1}) || outcome != idempotency.Replayed || err != nil {
			t.Errorf("got %v, %v, %v", r, outcome, err)
		}
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("after %v", took)
		}
		if n := s.Calls(storetest.Load); n < 10 || n > 30 {
			t.Errorf("%d looks at the record in 10 s", n)
		}
		wait()
	})
}

func TestSecondCallerRunsWhenTheFirstFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Wait = time.Minute
		wait := runFirst(t, s, 10*time.Second, errBoom)
		r, outcome, err := s.call(t.Context(), order{ID: "7"})
		if r != (receipt{"7", 2}) || outcome != idempotency.Ran || err != nil {
			t.Errorf("got %v, %v, %v", r, outcome, err)
		}
		wait()
	})
}

func TestSecondCallerTakesOverWhenTheFirstDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Wait = 2 * time.Minute
		start := time.Now()
		abandoned(t, s, t.Context())
		r, outcome, err := s.call(t.Context(), order{ID: "7"})
		if r != (receipt{"7", 2}) || outcome != idempotency.TookOver || err != nil {
			t.Errorf("got %v, %v, %v", r, outcome, err)
		}
		if took := time.Since(start); took < 64*time.Second || took > 67*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

func TestSecondCallerWaitsNoLongerThanItMay(t *testing.T) {
	for _, tt := range []struct {
		name   string
		wait   time.Duration
		limit  time.Duration // of its context
		cancel time.Duration
		want   error
		after  time.Duration
	}{
		{"as configured", 3 * time.Second, time.Hour, time.Hour, idempotency.ErrInProgress, 3 * time.Second},
		{"less the reserve, with a deadline", time.Minute, 5 * time.Second, time.Hour, idempotency.ErrInProgress, 4500 * time.Millisecond},
		{"until it is cancelled", time.Minute, time.Hour, 2 * time.Second, context.Canceled, 2 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				wait := runFirst(t, s, 10*time.Minute, nil)
				s.config.Wait = tt.wait
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				time.AfterFunc(tt.cancel, cancel)
				start := time.Now()
				s.refused(t, ctx, order{ID: "7"}, tt.want)
				if took := time.Since(start); took != tt.after {
					t.Errorf("after %v, want %v", took, tt.after)
				}
				wait()
			})
		})
	}
}

// One look that failed ended a call that had a minute to look again.
func TestRegression_LookThatFailsIsTakenAgain(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{"an error": {Err: errBoom}, "no answer": {Delay: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.config.Wait = time.Minute
				wait := runFirst(t, s, 30*time.Second, nil)
				s.Next(storetest.Load, fault, storetest.Fault{}, fault, fault)
				start := time.Now()
				r, outcome, err := s.call(t.Context(), order{ID: "7"})
				if r != (receipt{"7", 1}) || outcome != idempotency.Replayed || err != nil || time.Since(start) > 31*time.Second {
					t.Errorf("got %v, %v, %v after %v", r, outcome, err, time.Since(start))
				}
				wait()
			})
		})
	}
}

func TestRecordThatCannotBeReadIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Wait = time.Minute
		wait := runFirst(t, s, 30*time.Second, nil)
		s.Next(storetest.Load, storetest.Fault{Err: idempotency.ErrCorrupt})
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrCorrupt)
		if n := s.Calls(storetest.Load); n != 1 {
			t.Errorf("%d looks", n)
		}
		wait()
	})
}

func TestStoreThatIsDownDuringTheWaitRefuses(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{"an error": {Err: errBoom}, "no answer": {Delay: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.config.Wait, s.config.FailOpen = 30*time.Second, true // another run is known to go on
				wait := runFirst(t, s, time.Minute, nil)
				for range 99 {
					s.Next(storetest.Load, fault)
				}
				start := time.Now()
				err := s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrStore)
				if failed, ok := errors.AsType[*idempotency.StoreError](err); !ok || failed.Op != "load" {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); took < 30*time.Second || took > 31*time.Second {
					t.Errorf("after %v", took)
				}
				if s.Calls(storetest.Release) != 0 {
					t.Error("it was released, and never claimed")
				}
				wait()
			})
		})
	}
}

// The store's clock says that a lease is still good of which the caller's says that it is over.
func TestStoreJudgesTheLeaseInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := idempotency.Record{Status: idempotency.InProgress, Owner: "x", Attempt: 1, Lease: time.Now().Add(-time.Minute), Expires: time.Now().Add(time.Hour)}
		s := newStage()
		stubborn := &script{claims: []idempotency.Record{over, over, over, over, over, over}}
		s.Store = stubborn
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
		if n := stubborn.made.Load(); n != 3 {
			t.Errorf("%d claims, want 3", n)
		}
		s.config.Wait = time.Second
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 5)
	})
}

// Between the look at a dead run and the claim another came, and died too: it is looked at in its turn.
func TestRunIsLookedAtBeforeItIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := idempotency.Record{Status: idempotency.InProgress, Owner: "x", Attempt: 1, Lease: time.Now().Add(-time.Hour)}
		live := idempotency.Record{Status: idempotency.InProgress, Owner: "y", Attempt: 2, Lease: time.Now().Add(time.Hour)}
		s := newStage()
		s.config.Wait = time.Minute
		noted := &noter{Store: &script{claims: []idempotency.Record{dead, live}}}
		s.Store = noted
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 5)
		var takeOver []bool
		for _, c := range noted.claims {
			takeOver = append(takeOver, c.TakeOver != nil)
		}
		if want := []bool{false, true, false}; !slices.Equal(takeOver, want) {
			t.Errorf("claims that take over: %v, want %v", takeOver, want)
		}
	})
}
