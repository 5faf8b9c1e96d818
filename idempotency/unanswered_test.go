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

// unanswered is a store that carries claims out, and answers none of those that on picks.
type unanswered struct {
	idempotency.Store

	on   func(idempotency.Claim) bool
	then func() // meanwhile
}

func (s *unanswered) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	r, err := s.Store.Claim(ctx, c)
	if !s.on(c) {
		return r, err
	}
	if s.then != nil {
		s.then()
	}
	return idempotency.Record{}, errBoom
}

func takesOver(c idempotency.Claim) bool { return c.TakeOver != nil }

func named(name string) func(context.Context) string {
	return func(context.Context) string { return name }
}

// A take-over was carried out and not answered: the key was released, or stayed with a run of the caller's name, and the
// next call ran without asking what the dead run had done.
func TestRegression_TakeOverWithoutAnAnswerForgetsNoDeadRun(t *testing.T) {
	for name, change := range map[string]func(*idempotency.Config){
		"by an owner at random": func(*idempotency.Config) {},
		"by a run with a name":  func(c *idempotency.Config) { c.Owner = named("execution 1") },
	} {
		for how, hangUp := range map[string]bool{"the caller hangs up": true, "the store fails": false} {
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStage()
					abandoned(t, s, t.Context())
					time.Sleep(66 * time.Second)
					change(&s.config)
					asked := 0
					s.config.Reconcile = func(_ context.Context, run idempotency.Abandoned) (any, bool, error) {
						asked++
						if run.Owner == "execution 1" {
							t.Errorf("asked about %+v, which never ran", run)
						}
						return receipt{"7", 1}, true, nil
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					lost := &unanswered{Store: &s.memory, on: takesOver}
					want := idempotency.ErrStore
					if hangUp {
						lost.then, want = cancel, context.Canceled
					}
					s.Store = lost
					s.refused(t, ctx, order{ID: "7"}, want)
					s.Store = &s.memory
					s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 3)
					if asked != 1 {
						t.Errorf("asked %d times", asked)
					}
				})
			})
		}
	}
}

// What another run did is found out under a name used once. If it did nothing, the run goes on under its own.
func TestRunWithANameTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		abandoned(t, s, t.Context())
		time.Sleep(66 * time.Second)
		s.config.Owner = named("execution 1")
		s.config.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) { return nil, false, nil }
		s.then = func(ctx context.Context) error {
			if token, _ := idempotency.Token(ctx); token.Owner != "execution 1" || s.record(t, "7").Owner != token.Owner {
				t.Errorf("the handler's token is %+v", token)
			}
			return nil
		}
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 5) // two claims, a release, a claim, a completion
	})
}

// A claim was carried out and its answer lost for good, with the caller still there: the key was in progress, for a run
// that never was, and with RefuseAbandoned for ever uncertain after that.
func TestRegression_ClaimWithoutAnAnswerBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.RefuseAbandoned = true
		s.Next(storetest.Claim, storetest.Fault{Lost: true})
		s.Next(storetest.Release, storetest.Fault{Err: errBoom}, storetest.Fault{Lost: true})
		err := s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrStore)
		if !errors.Is(err, storetest.ErrReply) {
			t.Errorf("got %v", err)
		}
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	})
}

// Whoever gives a claim back does so soon, or not at all: a store that is down is not to be waited for.
func TestClaimThatFailsIsGivenBackSoonOrNotAtAll(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{"down": {Err: errBoom}, "hanging": {Delay: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.Next(storetest.Claim, storetest.Fault{Err: errBoom})
				for range 100 {
					s.Next(storetest.Release, fault)
				}
				start := time.Now()
				s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrStore)
				if took := time.Since(start); took > 500*time.Millisecond {
					t.Errorf("refused after %v", took)
				}
				if n := s.Calls(storetest.Release); n < 3 || n > 15 {
					t.Errorf("%d releases", n)
				}
			})
		})
	}
}

// Another's key is never given back, whatever becomes of a claim.
func TestClaimThatFailsTouchesNobodyElsesRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.then = func(context.Context) error {
			before := s.record(t, "7")
			s.Next(storetest.Claim, storetest.Fault{Lost: true})
			s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrStore)
			if after := s.record(t, "7"); after.Owner != before.Owner || !after.Lease.Equal(before.Lease) {
				t.Errorf("the record was %+v, is %+v", before, after)
			}
			return nil
		}
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 4)
	})
}

// A claim was carried out and reported as failed, the call ran all the same, nothing was written, and a second one ran
// when the lease was over.
func TestRegression_FailOpenSettlesAClaimThatWasGranted(t *testing.T) {
	for name, tt := range map[string]struct {
		end  error
		next idempotency.Outcome
		run  int32
	}{
		"it succeeds": {nil, idempotency.Replayed, 1},
		"it fails":    {errBoom, idempotency.Ran, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.config.FailOpen = true
				s.Next(storetest.Claim, storetest.Fault{Lost: true})
				s.then = func(ctx context.Context) error {
					if token, ok := idempotency.Token(ctx); ok {
						t.Errorf("there is a token: %v", token)
					}
					for range 10 { // longer than the lease
						time.Sleep(10*time.Second + time.Millisecond)
						s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
					}
					s.told()
					return tt.end
				}
				if _, outcome, err := s.call(t.Context(), order{ID: "7"}); err != tt.end || outcome != idempotency.Unprotected { //nolint:errorlint // the same value
					t.Errorf("got %v, %v", outcome, err)
				}
				if got := s.told(); got != "" {
					t.Errorf("after the run told %q", got)
				}
				s.then = nil
				trips := map[idempotency.Outcome]int{idempotency.Replayed: 1, idempotency.Ran: 2}[tt.next]
				s.want(t, t.Context(), order{ID: "7"}, tt.run, tt.next, trips)
			})
		})
	}
}

// With the store down, a call that runs open is not held up for long, and one that is not granted is not told of it.
func TestFailOpenWithoutAStoreEndsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.FailOpen = true
		s.Store = mute{down{}}
		s.then = func(ctx context.Context) error {
			time.Sleep(5 * time.Minute)
			return ctx.Err()
		}
		start := time.Now()
		_, outcome, err := s.call(t.Context(), order{ID: "7"})
		if took := time.Since(start) - 5*time.Minute; err != nil || outcome != idempotency.Unprotected || took > 500*time.Millisecond {
			t.Errorf("got %v, %v, %v after the run", outcome, err, took)
		}
		if got := s.told(); got != "unprotected" {
			t.Errorf("told %q", got)
		}
	})
}

// Of a dead run it is known that it was there: what it did is for Reconcile to say, and not to be passed over.
func TestFailOpenDoesNotPassOverADeadRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		abandoned(t, s, t.Context())
		time.Sleep(66 * time.Second)
		s.config.FailOpen = true
		s.config.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) { return receipt{"7", 1}, true, nil }
		s.Next(storetest.Claim, storetest.Fault{}, storetest.Fault{Err: errBoom})
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrStore)
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 3)
	})
}

// mute is a store that takes claims, and nothing after that: to it, the run died.
type mute struct{ idempotency.Store }

func (mute) Complete(context.Context, idempotency.Completion) error  { return errBoom }
func (mute) Release(context.Context, string, string) error           { return errBoom }
func (mute) Extend(context.Context, string, string, time.Time) error { return errBoom }

// down is a store that is not there.
type down struct{ idempotency.Store }

func (down) Claim(context.Context, idempotency.Claim) (idempotency.Record, error) {
	return idempotency.Record{}, errBoom
}

func (down) MaxData(string) int { return 0 }

// slow is a store whose answer to the first claim takes so long.
type slow struct {
	idempotency.Store

	by time.Duration
}

func (s *slow) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	r, err := s.Store.Claim(ctx, c)
	time.Sleep(s.by)
	s.by = 0
	return r, err
}

// The answer came when the lease was over, another had taken over, and two ran.
func TestRegression_ClaimIsNotBelievedWhenItsLeaseIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.Store = &slow{&s.memory, 70 * time.Second}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, outcome, err := s.call(t.Context(), order{ID: "7"}); !errors.Is(err, idempotency.ErrInProgress) || outcome != idempotency.Refused {
				t.Errorf("got %v, %v", outcome, err)
			}
		}()
		time.Sleep(66 * time.Second)
		s.then = func(context.Context) error { <-done; return nil }
		other := idempotency.Config{Store: &s.memory, Scope: "orders"}
		_, outcome, err := watched(t.Context(), idempotency.Wrap(s.place, byID, other), order{ID: "7"})
		if outcome != idempotency.TookOver || err != nil || s.runs.Load() != 1 {
			t.Errorf("got %v, %v after %d runs", outcome, err, s.runs.Load())
		}
	})
}

func TestClaimThatWasSlowIsClaimedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.Store = &slow{&s.memory, 70 * time.Second}
		s.then = func(context.Context) error {
			if left := time.Until(s.record(t, "7").Lease); left != time.Minute {
				t.Errorf("the lease is good for %v", left)
			}
			return nil
		}
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 3)
	})
}

// Who hangs up while the claim is granted has nobody to run for.
func TestCallerThatIsGoneWhenTheClaimIsGrantedDoesNotRun(t *testing.T) {
	s := newStage()
	ctx, cancel := context.WithCancel(t.Context())
	s.Store = granted{&s.memory, cancel}
	s.refused(t, ctx, order{ID: "7"}, context.Canceled)
	s.Store = &s.memory
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
}

type granted struct {
	idempotency.Store

	cancel context.CancelFunc
}

func (s granted) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	defer s.cancel()
	return s.Store.Claim(ctx, c)
}

// A record that a store finds and cannot read is no outage: nobody runs over it.
func TestRecordThatTheStoreCannotReadIsCorrupt(t *testing.T) {
	s := newStage()
	s.config.FailOpen = true
	corrupt := storetest.Fault{Err: errors.Join(idempotency.ErrCorrupt, errBoom)}
	s.Next(storetest.Claim, corrupt)
	s.Next(storetest.Release, corrupt, corrupt, corrupt)
	err := s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrCorrupt)
	if errors.Is(err, idempotency.ErrStore) || !errors.Is(err, errBoom) {
		t.Errorf("got %v", err)
	}
	if n := s.Calls(storetest.Release); n != 1 {
		t.Errorf("%d releases: trying again does not help", n)
	}
}

// A store that will never do it is no outage either: it would go on unnoticed.
func TestRequestThatTheStoreRejectsIsNoOutage(t *testing.T) {
	s := newStage()
	s.config.FailOpen = true
	rejected := storetest.Fault{Err: errors.Join(idempotency.ErrRejected, errBoom)}
	s.Next(storetest.Claim, rejected)
	s.Next(storetest.Release, rejected, rejected, rejected)
	err := s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrRejected)
	if failed, ok := errors.AsType[*idempotency.StoreError](err); !ok || failed.Op != "claim" || !errors.Is(err, errBoom) {
		t.Errorf("got %v", err)
	}
	if n := s.Calls(storetest.Release); n != 1 {
		t.Errorf("%d tries to take the claim back", n)
	}
}
