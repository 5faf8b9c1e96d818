package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
	"github.com/seawall-go/seawall/internal/wall"
)

func TestLeaseIsRenewedWhileTheHandlerRuns(t *testing.T) {
	for _, tt := range []struct {
		name     string
		deadline time.Duration
		takes    time.Duration
		renewals int
	}{
		{"no deadline, short", 0, 19 * time.Second, 0},
		{"no deadline, long", 0, time.Hour - time.Second, 179},
		{"within the deadline", 15 * time.Minute, 14 * time.Minute, 0},
		{"killed soon after the deadline", time.Minute, time.Minute + 790*time.Millisecond, 0},
		{"not killed after the deadline", time.Minute, time.Minute + 810*time.Millisecond, 1}, // before the lease is over
		{"past the deadline, where nobody kills", time.Minute, 2 * time.Minute, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				s.then = func(context.Context) error {
					for end := time.Now().Add(tt.takes); time.Now().Before(end); time.Sleep(time.Until(end)/3 + time.Nanosecond) {
						s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
					}
					return nil
				}
				if _, outcome, err := s.call(ctx, order{ID: "7"}); err != nil || outcome != idempotency.Ran {
					t.Errorf("got %v, %v", outcome, err)
				}
				if n := s.Calls(storetest.Extend); n != tt.renewals {
					t.Errorf("%d renewals, want %d", n, tt.renewals)
				}
				time.Sleep(time.Hour)
				if n := s.Calls(storetest.Extend); n != tt.renewals {
					t.Errorf("%d renewals after the end", n-tt.renewals)
				}
			})
		})
	}
}

func TestRenewalThatFailsIsTriedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.Next(storetest.Extend, storetest.Fault{Err: errors.New("throttled")}, storetest.Fault{Delay: time.Hour}, storetest.Fault{Lost: true})
		s.then = func(ctx context.Context) error {
			time.Sleep(64 * time.Second) // at 20 s throttled, at 21 s hanging until 41 s, at 42 s lost, at 43 s renewed
			s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
			return ctx.Err()
		}
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2+5+1)
	})
}

func TestHandlerWhoseRecordIsLostIsToldSo(t *testing.T) {
	for name, end := range map[string]error{"and it fails": errBoom, "and it succeeds all the same": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				start := time.Now()
				s.then = func(ctx context.Context) error {
					if err := s.memory.Release(ctx, recordKey("orders", "7"), s.record(t, "7").Owner); err != nil {
						t.Error(err)
					}
					<-ctx.Done()
					if cause := context.Cause(ctx); cause != idempotency.ErrLost || time.Since(start) != 20*time.Second { //nolint:errorlint // the same value
						t.Errorf("after %v the cause is %v", time.Since(start), cause)
					}
					return end
				}
				r, outcome, err := s.call(t.Context(), order{ID: "7"})
				if r != (receipt{"7", 1}) || outcome != idempotency.Lost || err != end { //nolint:errorlint // the same value
					t.Errorf("got %v, %v, %v", r, outcome, err)
				}
				if got := s.told(); got != "lost" || s.Calls(storetest.Load) != 0 {
					t.Errorf("told %q after %d looks", got, s.Calls(storetest.Load))
				}
				if got := s.record(t, "7"); got.Status != "" {
					t.Errorf("a record came back: %+v", got)
				}
			})
		})
	}
}

// A run that could not reach the store went on, and was not told, while the next one began.
func TestRegression_HandlerIsToldThatItsLeaseIsOver(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{"the store fails": {Err: errBoom}, "the store hangs": {Delay: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				const lease = 61 * time.Second
				s.config.Lease, s.config.Skew = lease, -1
				s.Next(storetest.Extend, storetest.Fault{}) // after a third of the lease
				for range 99 {
					s.Next(storetest.Extend, fault)
				}
				start := time.Now()
				s.then = func(ctx context.Context) error {
					<-ctx.Done()
					if cause := context.Cause(ctx); cause != idempotency.ErrLost || time.Since(start).Round(time.Millisecond) != (lease+lease/3).Round(time.Millisecond) { //nolint:errorlint // the same value
						t.Errorf("after %v the cause is %v", time.Since(start), cause)
					}
					return nil
				}
				if r, outcome, err := s.call(t.Context(), order{ID: "7"}); r != (receipt{"7", 1}) || outcome != idempotency.Ran || err != nil {
					t.Errorf("got %v, %v, %v", r, outcome, err)
				}
				s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1) // nobody had taken over
			})
		})
	}
}

// What the answer to the claim took is gone from the lease.
func TestLeaseIsRenewedAsOfTheClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.Store = &slow{&s.memory, 10 * time.Second}
		s.then = func(context.Context) error { time.Sleep(11 * time.Second); return nil }
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 3)
	})
}

// It is not the clock that stood still while the machine slept that says so.
func TestRegression_HandlerIsToldThatItsLeaseIsOverAfterAFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		start := time.Now()
		s.then = func(ctx context.Context) error {
			defer wall.Freeze(2 * time.Minute)()
			<-ctx.Done()
			if cause := context.Cause(ctx); cause != idempotency.ErrLost || time.Since(start) != 20*time.Second { //nolint:errorlint // the same value
				t.Errorf("after %v the cause is %v", time.Since(start), cause)
			}
			return errBoom
		}
		if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Released || err != errBoom { //nolint:errorlint // the same value
			t.Errorf("got %v, %v", outcome, err)
		}
	})
}

// The call ends while a renewal hangs: the renewal ends too, and before the call does.
func TestCallThatEndsEndsItsRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.Next(storetest.Extend, storetest.Fault{Delay: time.Hour})
		s.then = func(context.Context) error { time.Sleep(25 * time.Second); return nil }
		start := time.Now()
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 3)
		if time.Since(start) != 25*time.Second {
			t.Errorf("the call took %v", time.Since(start))
		}
		time.Sleep(time.Hour)
		if n := s.Calls(storetest.Extend); n != 1 {
			t.Errorf("%d renewals after the end", n-1)
		}
	})
}

// slowly is a store that takes a second to notice that nobody waits for a renewal any more.
type slowly struct {
	idempotency.Store

	ended bool
}

func (s *slowly) Extend(ctx context.Context, _, _ string, _ time.Time) error {
	<-ctx.Done()
	time.Sleep(time.Second)
	s.ended = true
	return ctx.Err()
}

func TestCallWaitsForTheEndOfItsRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		store := &slowly{Store: &s.memory}
		s.config.Store = store
		s.then = func(context.Context) error { time.Sleep(25 * time.Second); return nil }
		if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Ran || err != nil || !store.ended {
			t.Errorf("got %v, %v; the renewal has ended: %v", outcome, err, store.ended)
		}
	})
}

// The handler ends at the very moment at which the lease is to be renewed.
func TestNothingIsRenewedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.then = func(context.Context) error { time.Sleep(20 * time.Second); return nil }
		for i := range 200 {
			if _, _, err := s.call(t.Context(), order{ID: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			before := s.Calls(storetest.Extend)
			synctest.Wait()
			if n := s.Calls(storetest.Extend); n != before {
				t.Fatalf("%d renewals after the end", n-before)
			}
		}
	})
}

// Reconcile ended at the very moment at which the lease was to be renewed, and that renewal went on beside those of the
// handler.
func TestRegression_RenewalThatComesLateIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Uncertain = noAnswer
		s.config.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) {
			time.Sleep(20 * time.Second)
			return nil, false, nil
		}
		for i := range 200 {
			id := fmt.Sprint(i)
			s.then = func(context.Context) error { return errNoAnswer }
			_, _, _ = s.call(t.Context(), order{ID: id})
			s.then = func(context.Context) error { time.Sleep(10 * time.Second); return nil }
			before := s.Calls(storetest.Extend)
			if _, outcome, err := s.call(t.Context(), order{ID: id}); outcome != idempotency.TookOver || err != nil {
				t.Fatalf("got %v, %v", outcome, err)
			}
			if n := s.Calls(storetest.Extend) - before; n > 2 {
				t.Fatalf("%d renewals in 30 s", n)
			}
		}
	})
}

// A handler deaf to its context goes on after its caller has gone, and keeps its lease.
func TestLeaseIsRenewedAfterTheCallerIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		ctx, cancel := context.WithCancel(t.Context())
		s.then = func(context.Context) error {
			cancel()
			time.Sleep(5*time.Minute + time.Second)
			return nil
		}
		s.want(t, ctx, order{ID: "7"}, 1, idempotency.Ran, 2+15)
	})
}

func TestShortCallStartsNoGoroutine(t *testing.T) {
	s := newStage()
	before := runtime.NumGoroutine()
	s.then = func(context.Context) error {
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("%d goroutines, %d before", n, before)
		}
		return nil
	}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
}

// A record that nobody may take over yet for the difference of clocks is not taken over, whichever clock is ahead.
func TestRegression_LiveLeaseIsNotStolenByAClockThatIsAhead(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ahead time.Duration // the clock of the second caller
		skew  time.Duration
		steal bool
	}{
		{"4 s ahead", 4 * time.Second, 0, false},
		{"6 s ahead, more than the default", 6*time.Second + 2*time.Millisecond, 0, true},
		{"30 s ahead, a skew of 45 s", 30 * time.Second, 45 * time.Second, false},
		{"30 s behind", -30 * time.Second, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.config.Skew = tt.skew
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s.then = func(context.Context) error {
					time.Sleep(time.Minute) // the lease is good for a second more
					s.then = nil
					s.Store = ahead{&s.memory, tt.ahead}
					if tt.steal {
						s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.TookOver, 3)
					} else {
						s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
					}
					s.Store = &s.memory
					return nil
				}
				_, outcome, err := s.call(ctx, order{ID: "7"})
				if want := map[bool]idempotency.Outcome{false: idempotency.Ran, true: idempotency.Lost}[tt.steal]; outcome != want || err != nil {
					t.Errorf("got %v, %v; want %v", outcome, err, want)
				}
			})
		})
	}
}

// ahead is a store whose records are seen by a caller with a clock that is ahead: for it they are that much older.
type ahead struct {
	idempotency.Store

	by time.Duration
}

func (a ahead) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	c.Now, c.Lease, c.Expires = c.Now.Add(a.by), c.Lease.Add(a.by), c.Expires.Add(a.by)
	r, err := a.Store.Claim(ctx, c)
	r.Lease = r.Lease.Add(-a.by)
	return r, err
}

// Other libraries write records without a lease, and without an owner: they are judged by when they expire.
func TestRecordWithoutALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		foreign := idempotency.Record{Status: idempotency.InProgress, Expires: time.Now().Add(time.Hour)}
		s.Store = &script{claims: []idempotency.Record{foreign, foreign}}
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
		time.Sleep(time.Hour + 6*time.Second)
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.TookOver, 3)
	})
}

// What Powertools for AWS Lambda has completed is replayed.
func TestRecordOfAnotherLibraryIsReplayed(t *testing.T) {
	s := newStage()
	s.config.RawKey = true
	s.Store = &script{claims: []idempotency.Record{{
		Key: "orders#7", Status: idempotency.Completed, Expires: time.Now().Add(time.Hour),
		Result: idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`{"Order": "7", "Run": 1}`)},
	}}}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
}

// An execution that was suspended comes back to its own record.
func TestResumedExecutionEntersItsOwnRecord(t *testing.T) {
	type execution struct{}
	s := newStage()
	s.config.Owner = func(ctx context.Context) string {
		id, _ := ctx.Value(execution{}).(string)
		return id
	}
	ctx := context.WithValue(t.Context(), execution{}, "execution 1")
	s.then = func(context.Context) error {
		s.then = nil
		s.want(t, ctx, order{ID: "7"}, 2, idempotency.Ran, 2)
		s.refused(t, context.WithValue(t.Context(), execution{}, "execution 2"), order{ID: "8"}, idempotency.ErrStore)
		return nil
	}
	s.Next(storetest.Claim, storetest.Fault{}, storetest.Fault{}, storetest.Fault{Err: errBoom})
	s.want(t, ctx, order{ID: "7"}, 1, idempotency.Ran, 5)
	s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Replayed, 1)
	s.want(t, ctx, order{ID: "7"}, 2, idempotency.Replayed, 1)
	s.want(t, t.Context(), order{ID: "9"}, 3, idempotency.Ran, 2)
	if got := s.record(t, "9").Owner; len(got) != 32 {
		t.Errorf("owner %q", got)
	}
}
