package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
	"github.com/seawall-go/seawall/internal/wall"
)

// A raced store is one where something happens in the middle of a verb.
type raced struct {
	idempotency.Store

	takeOver func()                          // before the first claim that takes over
	claimed  func()                          // after the first claim
	extend   func(ctx context.Context) error // instead of a renewal, unless it is nil
}

func (s *raced) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	if then := s.takeOver; then != nil && c.TakeOver != nil {
		s.takeOver = nil
		then()
	}
	r, err := s.Store.Claim(ctx, c)
	if then := s.claimed; then != nil {
		s.claimed = nil
		then()
	}
	return r, err
}

func (s *raced) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	if s.extend != nil {
		return s.extend(ctx)
	}
	return s.Store.Extend(ctx, key, owner, lease)
}

// dies leaves the record of a run in m that died a minute ago, or longer, at the given attempt.
func dies(t *testing.T, m *idempotency.Memory, owner string, attempt int64) idempotency.Record {
	t.Helper()
	var r idempotency.Record
	for n := range attempt {
		now := time.Now().Add(-time.Hour)
		c := idempotency.Claim{Key: recordKey("orders", "7"), Owner: owner, Now: now, Lease: now.Add(-time.Minute), Expires: now.Add(24 * time.Hour)}
		if n > 0 {
			c.TakeOver = new(r.Run())
		}
		if n+1 < attempt {
			c.Owner += fmt.Sprint(n)
		}
		var err error
		if r, err = m.Claim(t.Context(), c); err != nil || r.Attempt != n+1 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	return r
}

// A dead run turned out to live and gave the key back, another had its effect and ended uncertain, and who had looked at the
// first took over from the second: the attempts agreed, and Reconcile was not asked, or about the first.
func TestRegression_TakeOverIsFromTheRunThatWasLookedAt(t *testing.T) {
	for _, attempt := range []int64{1, 2, 3} {
		t.Run(fmt.Sprint("attempt ", attempt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				charged := map[string]bool{} // by the owner of the run
				s.config.Uncertain = noAnswer
				var asked []idempotency.Abandoned
				s.config.Reconcile = func(_ context.Context, run idempotency.Abandoned) (any, bool, error) {
					asked = append(asked, run)
					return receipt{"7", 1}, charged[run.Owner], nil
				}
				s.then = func(ctx context.Context) error {
					token, _ := idempotency.Token(ctx)
					charged[token.Owner] = true
					return errNoAnswer
				}
				dead := dies(t, &s.memory, "D", attempt)
				s.Store = &raced{Store: &s.memory, takeOver: func() {
					_ = s.memory.Release(t.Context(), dead.Key, dead.Owner)
					_, _, _ = s.call(t.Context(), order{ID: "7"})
				}}
				s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 6) // three claims, and what the other one did
				if len(charged) != 1 || len(asked) != 1 || !charged[asked[0].Owner] || asked[0].Attempt != 1 {
					t.Errorf("charged by %v, asked about %+v", charged, asked)
				}
			})
		})
	}
}

// A run of another library has no owner, and can be followed all the same.
func TestRunOfAnotherLibraryIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		foreign := idempotency.Record{Status: idempotency.InProgress, Expires: time.Now().Add(-time.Hour)}
		noted := &noter{Store: &script{claims: []idempotency.Record{foreign}}}
		s.Store = noted
		asked := 0
		s.config.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) { asked++; return nil, false, nil }
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.TookOver, 3)
		if dead := noted.claims[1].TakeOver; dead == nil || *dead != (idempotency.Run{}) || asked != 1 {
			t.Errorf("it takes over from %v, asked %d times", dead, asked)
		}
	})
}

// Who asked what a dead run had done could not renew the lease, another took over, asked too and ran, and the first ran as
// well when the answer was there.
func TestRegression_ReconcileThatOutlivesItsLeaseIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		dies(t, &s.memory, "D", 1)
		s.Store = &raced{Store: &s.memory, extend: func(context.Context) error { return errBoom }}
		other := s.config
		other.Store = &s.memory
		other.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) { return nil, false, nil }
		s.config.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) {
			time.Sleep(2 * time.Minute)
			_, outcome, err := watched(t.Context(), idempotency.Wrap(s.place, byID, other), order{ID: "7"})
			if outcome != idempotency.TookOver || err != nil {
				t.Errorf("the other: %v, %v", outcome, err)
			}
			return nil, false, nil
		}
		if _, outcome, err := s.call(t.Context(), order{ID: "7"}); !errors.Is(err, idempotency.ErrInProgress) || outcome != idempotency.Refused || s.runs.Load() != 1 {
			t.Errorf("got %v, %v after %d runs", outcome, err, s.runs.Load())
		}
		s.Store = &s.memory
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
	})
}

// The process was frozen while Reconcile was asked, and another took over meanwhile.
func TestRegression_ReconcileThatIsFrozenIsNotBelieved(t *testing.T) {
	for name, d := range map[string]time.Duration{"no deadline": 0, "a deadline": time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			ctx := t.Context()
			if d > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, d)
				defer cancel()
			}
			dies(t, &s.memory, "D", 1)
			s.config.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) {
				t.Cleanup(wall.Freeze(10 * time.Minute))
				taken(t, s, 10*time.Minute)
				return nil, false, nil
			}
			s.refused(t, ctx, order{ID: "7"}, idempotency.ErrInProgress)
			if got := s.record(t, "7"); got.Owner != "B" || !got.Lease.After(time.Now()) {
				t.Errorf("record %+v", got)
			}
		})
	}
}

// taken lets B take the record over at some time to come.
func taken(t *testing.T, s *stage, in time.Duration) {
	t.Helper()
	now := time.Now().Add(in)
	r, err := s.memory.Claim(t.Context(), idempotency.Claim{
		Key: recordKey("orders", "7"), Owner: "B", Now: now, Lease: now.Add(time.Hour), Expires: now.Add(time.Hour),
		TakeOver: new(s.record(t, "7").Run()),
	})
	if err != nil || r.Owner != "B" {
		t.Errorf("B got %+v, %v", r, err)
	}
}

// Reconcile took all the time there was, and the handler began after that.
func TestRegression_HandlerDoesNotBeginAfterItsTime(t *testing.T) {
	for name, tt := range map[string]struct {
		deaf time.Duration // for how long after its time Reconcile goes on
		want error
	}{
		"in the time to write how it ended": {0, idempotency.ErrInProgress},
		"after the deadline":                {time.Second, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				dies(t, &s.memory, "D", 1)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				s.config.Reconcile = func(ctx context.Context, _ idempotency.Abandoned) (any, bool, error) {
					<-ctx.Done()
					time.Sleep(tt.deaf)
					return nil, false, nil
				}
				s.refused(t, ctx, order{ID: "7"}, tt.want)
				s.config.Reconcile, s.config.RefuseAbandoned = nil, true
				s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrUncertain)
			})
		})
	}
}

// The process was frozen between the claim and its answer, longer than the lease: with a deadline the answer was believed.
func TestRegression_ClaimIsNotBelievedAfterAFreeze(t *testing.T) {
	for name, d := range map[string]time.Duration{"no deadline": 0, "a deadline": time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			ctx := t.Context()
			if d > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, d)
				defer cancel()
			}
			s.Store = &raced{Store: &s.memory, claimed: func() {
				t.Cleanup(wall.Freeze(10 * time.Minute))
				taken(t, s, 10*time.Minute)
			}}
			s.refused(t, ctx, order{ID: "7"}, idempotency.ErrInProgress)
		})
	}
}

// A store that takes longer to grant a lease than that is good for, every time, was believed the second time.
func TestRegression_ClaimThatIsAlwaysSlowIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.Store = always{&s.memory, 70 * time.Second}
		err := s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrStore)
		if !contains(err.Error(), "the lease was over when it was granted") {
			t.Errorf("got %v", err)
		}
		s.Store = &s.memory
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	})
}

// always is a store whose answers to claims take so long.
type always struct {
	idempotency.Store

	by time.Duration
}

func (s always) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	r, err := s.Store.Claim(ctx, c)
	time.Sleep(s.by)
	return r, err
}

// The handler completed the record in a transaction of its own and went on: it was told that its record was lost when that
// could not be renewed.
func TestRegression_RunThatItsTransactionCompletedIsNotLost(t *testing.T) {
	for name, faults := range map[string][]storetest.Fault{"at once": nil, "when the store answers": {{Err: errBoom}, {Delay: time.Hour}}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.Next(storetest.Load, faults...)
				s.then = func(ctx context.Context) error {
					c, err := idempotency.CompletionOf(ctx, receipt{"7", 1})
					if err == nil {
						err = s.memory.Complete(ctx, c)
					}
					if err != nil {
						t.Error(err)
					}
					time.Sleep(10 * time.Minute)
					return ctx.Err()
				}
				s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2+2*(1+len(faults)))
				s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
			})
		})
	}
}

// What might have been completed, and was taken over by another, is lost.
func TestRunThatHandedOutItsCompletionCanBeLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		start := time.Now()
		s.then = func(ctx context.Context) error {
			if _, err := idempotency.CompletionOf(ctx, receipt{"7", 1}); err != nil {
				t.Error(err)
			}
			taken(t, s, 2*time.Minute)
			if err := s.memory.Complete(ctx, idempotency.Completion{Key: recordKey("orders", "7"), Owner: "B", Expires: start.Add(time.Hour)}); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			if cause := context.Cause(ctx); cause != idempotency.ErrLost || time.Since(start) != 20*time.Second { //nolint:errorlint // the same value
				t.Errorf("after %v the cause is %v", time.Since(start), cause)
			}
			return errBoom
		}
		if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Lost || err != errBoom { //nolint:errorlint // the same value
			t.Errorf("got %v, %v", outcome, err)
		}
	})
}

// Whatever it has to ask for, a run asks under one name.
func TestRunHasOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		dies(t, &s.memory, "D", 1)
		noted := &noter{Store: &slow{&s.memory, 70 * time.Second}}
		s.Store = noted
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.TookOver, 3)
		owners := make([]string, 0, len(noted.claims))
		for _, c := range noted.claims {
			owners = append(owners, c.Owner)
		}
		if len(slices.Compact(owners)) != 1 {
			t.Errorf("claims by %v", owners)
		}
	})
}

// With Reconcile alone, too, what is abandoned outlives the TTL: somebody has to be asked about it.
func TestAbandonedRunOutlivesItsTTLIfSomebodyIsAskedAboutIt(t *testing.T) {
	for name, change := range map[string]func(*idempotency.Config){
		"Reconcile":       func(c *idempotency.Config) { c.Reconcile = nobodyKnows },
		"RefuseAbandoned": func(c *idempotency.Config) { c.RefuseAbandoned = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				change(&s.config)
				abandoned(t, s, t.Context())
				if left := time.Until(s.record(t, "7").Expires); left < 9*365*24*time.Hour {
					t.Errorf("it is forgotten in %v", left)
				}
			})
		})
	}
}

func nobodyKnows(context.Context, idempotency.Abandoned) (any, bool, error) {
	return nil, false, errBoom
}

// Of a first claim nothing is known that Reconcile could be asked about.
func TestFailOpenRunsWithReconcileToo(t *testing.T) {
	s := newStage()
	s.config.FailOpen, s.config.Reconcile = true, nobodyKnows
	s.Next(storetest.Claim, storetest.Fault{Err: errBoom})
	if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Unprotected || err != nil {
		t.Errorf("got %v, %v", outcome, err)
	}
}

// With nobody to be asked first, a run that has a name takes over under it.
func TestRunWithANameTakesOverUnderIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		dies(t, &s.memory, "D", 1)
		s.config.Owner = named("execution 1")
		s.then = func(ctx context.Context) error {
			if token, _ := idempotency.Token(ctx); token.Owner != "execution 1" || s.record(t, "7").Owner != token.Owner {
				t.Errorf("the handler's token is %+v", token)
			}
			return nil
		}
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.TookOver, 3)
	})
}

// Another has followed already a run that ends uncertain: there is nothing to be written, and nothing failed.
func TestRunThatEndedUncertainAndHasNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Uncertain = noAnswer
		s.then = func(context.Context) error { taken(t, s, 2*time.Minute); return errNoAnswer }
		if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Released || err != errNoAnswer { //nolint:errorlint // the same value
			t.Errorf("got %v, %v", outcome, err)
		}
		if got := s.told(); got != "" {
			t.Errorf("told %q", got)
		}
	})
}
