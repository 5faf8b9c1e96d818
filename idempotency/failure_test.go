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
	"github.com/seawall-go/seawall/internal/refusal"
)

func TestFailedRunGivesTheKeyBack(t *testing.T) {
	s := newStage()
	s.then = func(context.Context) error { return errBoom }
	for run := range int32(3) {
		r, outcome, err := s.call(t.Context(), order{ID: "7"})
		if err != errBoom || r != (receipt{"7", run + 1}) || outcome != idempotency.Released { //nolint:errorlint // the same value
			t.Errorf("got %v, %v, %v", r, outcome, err)
		}
		if got := s.record(t, "7"); got.Status != "" {
			t.Errorf("there is a record: %+v", got)
		}
	}
	if n := s.Calls(storetest.Any); n != 6 || s.told() != "" {
		t.Errorf("%d round trips, want a claim and a release each", n)
	}
	s.then = nil
	s.want(t, t.Context(), order{ID: "7"}, 4, idempotency.Ran, 2)
}

// The handler's error comes out as the same value, for its type is what Lambda reports; what is wrong with the record is
// seen in the outcome and told as an event.
func TestFailedRunThatCannotGiveTheKeyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.then = func(context.Context) error { return errBoom }
		s.Store = mute{&s.memory}
		_, outcome, err := s.call(t.Context(), order{ID: "7"})
		if err != errBoom || outcome != idempotency.Unsaved { //nolint:errorlint // the same value
			t.Errorf("got %v, %v", outcome, err)
		}
		var failed *idempotency.StoreError
		if len(s.events) != 1 || s.events[0].Kind != "unsaved" || !errors.As(s.events[0].Err, &failed) || failed.Op != "release" || !errors.Is(failed, errBoom) || failed.Refused() {
			t.Errorf("told %+v", s.events)
		}
		s.Store, s.then = &s.memory, nil
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
		time.Sleep(time.Minute + 6*time.Second)
		s.told()
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.TookOver, 3)
		if got := s.told(); got != "takeover" {
			t.Errorf("told %q", got)
		}
	})
}

func TestReleaseIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.then = func(context.Context) error { return errBoom }
		s.Next(storetest.Release, storetest.Fault{Err: errors.New("throttled")}, storetest.Fault{Lost: true})
		if _, outcome, err := s.call(t.Context(), order{ID: "7"}); !errors.Is(err, errBoom) || outcome != idempotency.Released {
			t.Errorf("got %v, %v", outcome, err)
		}
		if n := s.Calls(storetest.Release); n != 3 {
			t.Errorf("%d releases, want 3", n)
		}
	})
}

func TestPanicAndExitReleaseAndGoOn(t *testing.T) {
	for name, then := range map[string]func(context.Context) error{
		"panic":  func(context.Context) error { panic(errBoom) },
		"Goexit": func(context.Context) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.then = then
			var p any
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { p = recover() }()
				_, _, _ = s.call(t.Context(), order{ID: "7"})
				t.Error("the call returned")
			}()
			<-done
			if name == "panic" && p != errBoom || name == "Goexit" && p != nil { //nolint:errorlint // the same value
				t.Errorf("recovered %v", p)
			}
			s.then = nil
			s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
		})
	}
}

type declinedError struct {
	Code  int
	Cause string
}

func (e *declinedError) Error() string { return fmt.Sprintf("card declined: %d", e.Code) }

type refundError struct {
	Code  int
	Cause string
}

func (e *refundError) Error() string { return e.Cause }

type sayingError string

func (e sayingError) Error() string { return string(e) }

type lockedError struct{ what string } // not to be carried by JSON

func (e lockedError) Error() string { return e.what + " is locked" }

var errStock = errors.New("out of stock")

func TestErrorThatIsAResultIsReplayed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		typ   string
		check func(error) bool
	}{
		{"a pointer to a struct", &declinedError{5, "funds"}, "*github.com/seawall-go/seawall/idempotency_test.declinedError", func(err error) bool {
			declined, ok := errors.AsType[*declinedError](err)
			return ok && *declined == declinedError{5, "funds"}
		}},
		{"a sentinel", errStock, "*errors.errorString", func(err error) bool { return errors.Is(err, errStock) }},
		{"wrapped", fmt.Errorf("order 7: %w", errors.Join(errBoom, &declinedError{6, ""}, errStock)), "*fmt.wrapError", func(err error) bool {
			declined, ok := errors.AsType[*declinedError](err)
			return ok && declined.Code == 6 && errors.Is(err, errBoom) && errors.Is(err, errStock)
		}},
		{"a struct with more than its fields", lockedError{"row"}, "github.com/seawall-go/seawall/idempotency_test.lockedError", func(err error) bool {
			_, ok := errors.AsType[lockedError](err)
			return !ok && errors.Is(err, lockedError{"row"}) && !errors.Is(err, lockedError{"table"})
		}},
		{"the deadline's", context.DeadlineExceeded, "context.deadlineExceededError", func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage()
			s.config.Keep = func(err error) bool { return errors.Is(err, tt.err) }
			s.then = func(context.Context) error { return tt.err }
			r, outcome, err := s.call(t.Context(), order{ID: "7"})
			if err != tt.err || r.Run != 1 || outcome != idempotency.Ran { //nolint:errorlint // the same value
				t.Errorf("got %v, %v, %v", r, outcome, err)
			}
			for range 2 {
				r, outcome, err := s.call(t.Context(), order{ID: "7"})
				var replayed *idempotency.ReplayedError
				if r != (receipt{}) || outcome != idempotency.Replayed || !errors.As(err, &replayed) {
					t.Fatalf("got %v, %v, %v", r, outcome, err)
				}
				if err.Error() != tt.err.Error() || replayed.Type != tt.typ || !tt.check(err) {
					t.Errorf("got %q of type %s", err, replayed.Type)
				}
				if errors.Is(err, context.Canceled) || errors.Is(err, errors.New("boo")) || errors.Is(err, sayingError(err.Error())) || replayed.Is(nil) {
					t.Error("it is any error")
				}
				if _, ok := errors.AsType[*refundError](err); ok {
					t.Error("it is any error with such fields")
				}
				if _, ok := errors.AsType[interface {
					error
					Timeout() bool
				}](err); ok {
					t.Error("it is of any type")
				}
				if refusal.Is(err) {
					t.Error("it is a refusal")
				}
			}
			if got := s.told(); got != "replay replay" {
				t.Errorf("told %q", got)
			}
		})
	}
}

// Lambda reports an error's type, and Step Functions match on it: so it must be the same the second time.
func TestReplayedErrorIsRebuilt(t *testing.T) {
	s := newStage()
	s.config.Keep = func(error) bool { return true }
	s.config.Rebuild = func(e *idempotency.ReplayedError) error {
		if declined, ok := errors.AsType[*declinedError](e); ok {
			return declined
		}
		return e
	}
	s.then = func(context.Context) error { return &declinedError{5, "funds"} }
	for range 3 {
		_, _, err := s.call(t.Context(), order{ID: "7"})
		if d, ok := err.(*declinedError); !ok || *d != (declinedError{5, "funds"}) { //nolint:errorlint // the outermost type
			t.Errorf("got %#v", err)
		}
	}
	if s.runs.Load() != 1 {
		t.Errorf("%d runs", s.runs.Load())
	}
}

// The end of its time, or a caller that hung up, says nothing of what was asked.
func TestEndOfTheContextIsNoResult(t *testing.T) {
	for name, limit := range map[string]time.Duration{"its time is over": time.Second, "its caller is gone": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.config.Keep = func(error) bool { return true }
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				time.AfterFunc(time.Minute, cancel)
				s.then = func(ctx context.Context) error {
					<-ctx.Done()
					return fmt.Errorf("charge: %w", ctx.Err())
				}
				if _, outcome, err := s.call(ctx, order{ID: "7"}); err == nil || outcome != idempotency.Released {
					t.Errorf("got %v, %v", outcome, err)
				}
				s.then = func(ctx context.Context) error {
					ctx, cancel := context.WithCancel(ctx)
					cancel()
					return ctx.Err() // not that of its own context
				}
				for _, want := range []idempotency.Outcome{idempotency.Ran, idempotency.Replayed} {
					if _, outcome, err := s.call(t.Context(), order{ID: "7"}); !errors.Is(err, context.Canceled) || outcome != want {
						t.Errorf("got %v, %v", outcome, err)
					}
				}
			})
		})
	}
}

// An error that came of the end of the context, and did not say so, was kept and replayed.
func TestRegression_NoErrorAfterTheEndIsAResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Keep = func(error) bool { t.Error("Keep is asked"); return true }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.then = func(ctx context.Context) error { <-ctx.Done(); return errors.New("query cancelled") }
		if _, outcome, err := s.call(ctx, order{ID: "7"}); err == nil || outcome != idempotency.Released {
			t.Errorf("got %v, %v", outcome, err)
		}
		s.then = nil
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
	})
}

// The handler's context does not outlive the call.
func TestHandlersContextEndsWithTheCall(t *testing.T) {
	withDeadline, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for name, ctx := range map[string]context.Context{"no deadline": t.Context(), "a deadline": withDeadline} {
		s := newStage()
		var kept context.Context
		s.then = func(ctx context.Context) error { kept = ctx; return ctx.Err() }
		s.want(t, ctx, order{ID: "7"}, 1, idempotency.Ran, 2)
		if kept.Err() != context.Canceled || ctx.Err() != nil {
			t.Errorf("%s: it ended with %v", name, kept.Err())
		}
	}
}

func TestErrorThatIsNoResultIsNotKept(t *testing.T) {
	s := newStage()
	s.config.Keep = func(err error) bool { return errors.Is(err, errStock) }
	s.then = func(context.Context) error { return errBoom }
	if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Released || !errors.Is(err, errBoom) {
		t.Errorf("got %v, %v", outcome, err)
	}
	s.then = nil
	s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
}

// The owner was killed: nothing ended its record.
func abandoned(t *testing.T, s *stage, ctx context.Context) { //nolint:revive // t comes first in tests
	t.Helper()
	store := s.Store
	s.Store = mute{store}
	if _, outcome, err := s.call(ctx, order{ID: "7"}); err != nil || outcome != idempotency.Unsaved {
		t.Fatalf("got %v, %v", outcome, err)
	}
	s.Store = store
	s.told()
}

func TestRunOfADeadOwnerIsFollowedWhenItsLeaseIsOver(t *testing.T) {
	for _, tt := range []struct {
		name     string
		deadline time.Duration
		change   func(*idempotency.Config)
		blocked  time.Duration
	}{
		{"a minute without a deadline", 0, nil, time.Minute + 5*time.Second},
		{"a second more than the deadline", 10 * time.Second, nil, 11*time.Second + 5*time.Second},
		{"a lease of one's own", 0, func(c *idempotency.Config) { c.Lease, c.Skew = time.Hour, time.Minute }, 61 * time.Minute},
		{"no skew", 10 * time.Second, func(c *idempotency.Config) { c.Lease, c.Skew = time.Hour, -1 }, 11 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				if tt.change != nil {
					tt.change(&s.config)
				}
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				start := time.Now()
				abandoned(t, s, ctx)
				time.Sleep(tt.blocked - time.Since(start) + 500*time.Microsecond) // instants are precise to the millisecond
				before := s.Calls(storetest.Any)
				err := s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
				if after, _ := refusal.After(err); after != 50*time.Millisecond {
					t.Errorf("at the end of the lease, retry after %v", after)
				}
				if n := s.Calls(storetest.Any) - before; n != 1 {
					t.Errorf("%d round trips, want 1", n)
				}
				time.Sleep(500 * time.Microsecond)
				s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.TookOver, 3)
				if got := s.record(t, "7"); got.Attempt != 2 {
					t.Errorf("attempt %d", got.Attempt)
				}
			})
		})
	}
}

func TestInProgressSaysWhenTheLeaseIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s.then = func(context.Context) error {
			time.Sleep(4 * time.Second)
			err := s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
			if after, _ := refusal.After(err); after != 12*time.Second {
				t.Errorf("retry after %v, want 12s", after)
			}
			if want := "idempotency orders 7902699b: in progress, retry in 12s"; err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
			return nil
		}
		s.want(t, ctx, order{ID: "7"}, 1, idempotency.Ran, 3)
		if e := s.events[0]; e.Kind != "refusal" || e.Wait != 12*time.Second || e.Policy != "idempotency" || e.Name != "orders" {
			t.Errorf("told %+v", e)
		}
	})
}

// A context can say that its time is over before it has ended.
type late struct {
	context.Context //nolint:containedctx // it is a context

	deadline time.Time
}

func (l late) Deadline() (time.Time, bool) { return l.deadline, true }

// No time left is a time too: a lease of none was once taken for a lease that is not known, and the key was blocked for
// the whole TTL.
func TestRegression_LeaseWithNoTimeLeftIsAlreadyOver(t *testing.T) {
	for _, left := range []time.Duration{0, -time.Second, -time.Hour} {
		t.Run(left.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.then = func(context.Context) error {
					if r := s.record(t, "7"); r.Lease.IsZero() || !r.Lease.Before(time.Now()) {
						t.Errorf("lease %v, now %v", r.Lease, time.Now())
					}
					time.Sleep(790 * time.Millisecond) // until Lambda has killed it
					return nil
				}
				s.want(t, late{t.Context(), time.Now().Add(left)}, order{ID: "7"}, 1, idempotency.Ran, 2)
				s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
			})
		})
	}
}

// takenOver runs the call of A until its lease is over, then the one of B, whole, and then lets A end.
func takenOver(t *testing.T, s *stage, end error) (r receipt, outcome idempotency.Outcome, err error) {
	t.Helper()
	a := storetest.Fault{Err: errors.New("cut off")}
	for range 300 {
		s.Next(storetest.Extend, a)
	}
	resume := make(chan struct{})
	done := make(chan struct{})
	s.then = func(context.Context) error {
		<-resume
		return end
	}
	go func() {
		defer close(done)
		r, outcome, err = s.call(t.Context(), order{ID: "7"})
	}()
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	s.then = nil
	s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.TookOver, 3)
	close(resume)
	<-done
	return r, outcome, err
}

// Whoever resumes after its lease must neither overwrite nor delete what the next one wrote.
func TestRegression_LateOwnerChangesNothing(t *testing.T) {
	for name, end := range map[string]error{"it succeeds": nil, "it fails": errBoom} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				r, outcome, err := takenOver(t, s, end)
				if r != (receipt{"7", 1}) || err != end { //nolint:errorlint // the same value
					t.Errorf("the late owner's caller got %v, %v", r, err)
				}
				if end == nil && outcome != idempotency.Lost {
					t.Errorf("outcome %v, want lost", outcome)
				}
				if n := s.Calls(storetest.Complete); end == nil && n != 2 {
					t.Errorf("%d completions, want one each", n)
				}
				if got := s.told(); end == nil && got != "takeover lost" {
					t.Errorf("told %q", got)
				}
				s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Replayed, 1)
			})
		})
	}
}

// A fails late while B still runs: C is refused all the same.
func TestRegression_LateFailureDoesNotFreeTheKeyOfTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		cut := storetest.Fault{Err: errors.New("cut off")}
		for range 300 {
			s.Next(storetest.Extend, cut)
		}
		resume, done := make(chan struct{}), make(chan struct{})
		s.then = func(context.Context) error { <-resume; return errBoom }
		go func() {
			defer close(done)
			_, _, _ = s.call(t.Context(), order{ID: "7"})
		}()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.then = func(context.Context) error {
			close(resume)
			<-done
			s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
			return nil
		}
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.TookOver, 5)
	})
}

// A fence holds over whatever lies between two runs: a takeover, a failure that gave the key back, and the TTL.
func TestTokensFenceOffEarlierRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		var tokens []idempotency.FencingToken
		note := func(end error) func(context.Context) error {
			return func(ctx context.Context) error {
				token, ok := idempotency.Token(ctx)
				if !ok || !token.Claimed.Equal(time.Now().Truncate(time.Millisecond)) {
					t.Errorf("token %+v, %v", token, ok)
				}
				tokens = append(tokens, token)
				return end
			}
		}
		s.then = note(nil)
		abandoned(t, s, t.Context())
		time.Sleep(66 * time.Second)
		s.then = note(errBoom)
		if _, _, err := s.call(t.Context(), order{ID: "7"}); !errors.Is(err, errBoom) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Millisecond)
		s.then = note(nil)
		s.want(t, t.Context(), order{ID: "7"}, 3, idempotency.Ran, 2)
		time.Sleep(time.Hour + time.Second)
		s.want(t, t.Context(), order{ID: "7"}, 4, idempotency.Ran, 2)
		for i := range tokens[1:] {
			if earlier, later := tokens[i], tokens[i+1]; !earlier.Claimed.Before(later.Claimed) || earlier.Owner == later.Owner || earlier.Key != later.Key {
				t.Errorf("%+v does not fence off %+v", later, earlier)
			}
		}
	})
}

// Claim applied, reply lost, sent again by the store: what it finds is its own.
type repeats struct{ idempotency.Store }

func (s repeats) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	if _, err := s.Store.Claim(ctx, c); err != nil {
		return idempotency.Record{}, err
	}
	return s.Store.Claim(ctx, c)
}

func TestRegression_ClaimThatIsSentTwiceIsOneClaim(t *testing.T) {
	s := newStage()
	s.Store = repeats{&s.memory}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
}

func TestRegression_CompletionWhoseReplyWasLostIsNoLostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.Next(storetest.Complete, storetest.Fault{Lost: true}, storetest.Fault{Lost: true})
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 4)
		if s.told() != "" {
			t.Error("something was told")
		}
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
	})
}

// A reply that never comes: each try has its share of the time, and the last one of them is in time.
func TestCompletionThatHangsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		hang := storetest.Fault{Delay: time.Hour}
		s.Next(storetest.Complete, hang, hang)
		s.then = func(ctx context.Context) error { <-ctx.Done(); return nil }
		s.want(t, ctx, order{ID: "7"}, 1, idempotency.Ran, 4)
		if ctx.Err() != nil {
			t.Error("the caller's time is over")
		}
	})
}

func TestCompletionThatFailsStillReturnsTheResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		start := time.Now()
		s.Store = mute{&s.memory}
		if r, outcome, err := s.call(t.Context(), order{ID: "7"}); r != (receipt{"7", 1}) || outcome != idempotency.Unsaved || err != nil {
			t.Errorf("got %v, %v, %v", r, outcome, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("after %v", took)
		}
		s.Store = &s.memory
		var failed *idempotency.StoreError
		if len(s.events) != 1 || !errors.As(s.events[0].Err, &failed) || failed.Op != "complete" {
			t.Errorf("told %+v", s.events)
		}
		for time.Since(start) < 65*time.Second { // a minute and the skew
			s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
			time.Sleep(10 * time.Second)
		}
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.TookOver, 3)
	})
}

func TestRecordIsCompletedThoughTheCallerIsGone(t *testing.T) {
	for name, end := range map[string]error{"success": nil, "failure": errBoom} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			want := map[bool]idempotency.Outcome{true: idempotency.Ran, false: idempotency.Released}[end == nil]
			ctx, cancel := context.WithCancel(t.Context())
			s.then = func(context.Context) error { cancel(); return end }
			if _, outcome, err := s.call(ctx, order{ID: "7"}); err != end || outcome != want { //nolint:errorlint // the same value
				t.Errorf("got %v, %v", outcome, err)
			}
			s.then = nil
			if end == nil {
				s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
			} else {
				s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
			}
		})
	}
}

func TestReserveIsKeptBack(t *testing.T) {
	for _, tt := range []struct {
		name    string
		reserve time.Duration
		limit   time.Duration
		left    time.Duration // to the handler
	}{
		{"a tenth", 0, 3 * time.Second, 2700 * time.Millisecond},
		{"500 ms at most", 0, time.Minute, 59500 * time.Millisecond},
		{"as configured", time.Second, 3 * time.Second, 2 * time.Second},
		{"half at most", time.Minute, 3 * time.Second, 1500 * time.Millisecond},
		{"none", -1, 3 * time.Second, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.config.Reserve = tt.reserve
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				start := time.Now()
				s.then = func(ctx context.Context) error {
					if d, ok := ctx.Deadline(); !ok || time.Until(d) != tt.left {
						t.Errorf("%v left, want %v", time.Until(d), tt.left)
					}
					<-ctx.Done()
					return ctx.Err()
				}
				if _, _, err := s.call(ctx, order{ID: "7"}); err != context.DeadlineExceeded || time.Since(start) != tt.left { //nolint:errorlint // the same value
					t.Errorf("got %v after %v", err, time.Since(start))
				}
				if r := s.record(t, "7"); r.Status != "" {
					t.Errorf("the record is still there: %+v", r)
				}
			})
		})
	}
}

func TestNothingIsWrittenAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		for range 99 {
			s.Next(storetest.Complete, storetest.Fault{Delay: time.Hour})
		}
		s.then = func(ctx context.Context) error { <-ctx.Done(); return nil }
		if _, outcome, err := s.call(ctx, order{ID: "7"}); err != nil || outcome != idempotency.Unsaved || ctx.Err() != nil {
			t.Errorf("got %v, %v, and the caller's time is %v", outcome, err, ctx.Err())
		}
		n := s.Calls(storetest.Any)
		time.Sleep(time.Hour)
		if got := s.Calls(storetest.Any); got != n {
			t.Errorf("%d more requests", got-n)
		}
	})
}

func TestStoreThatFailsToClaimRefuses(t *testing.T) {
	for name, err := range map[string]error{
		"throttled":     errors.New("ThrottlingException"),
		"conflict":      errors.New("TransactionConflictException"),
		"access denied": errors.New("AccessDeniedException"),
		"no such table": errors.New("ResourceNotFoundException"),
		"ErrLost":       idempotency.ErrLost,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.Next(storetest.Claim, storetest.Fault{Err: err})
			got := s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrStore)
			if !errors.Is(got, err) || errors.Is(got, idempotency.ErrInProgress) || !refusal.Is(got) || refusal.Status(got) != 503 {
				t.Errorf("got %v", got)
			}
			if n := s.Calls(storetest.Any); n != 2 || s.Calls(storetest.Release) != 1 || s.told() != "refusal" {
				t.Errorf("%d round trips, want a claim, and a release in case it was granted", n)
			}
			s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
		})
	}
}

func TestFailOpenRunsOnceAndSaysSo(t *testing.T) {
	s := newStage()
	s.config.FailOpen = true
	s.Next(storetest.Claim, storetest.Fault{Err: errBoom})
	s.then = func(ctx context.Context) error {
		if token, ok := idempotency.Token(ctx); ok {
			t.Errorf("there is a token: %v", token)
		}
		return nil
	}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Unprotected, 2) // a claim, and a completion in case it was granted
	if len(s.events) != 1 || s.events[0].Kind != "unprotected" || !errors.Is(s.events[0].Err, errBoom) {
		t.Errorf("told %+v", s.events)
	}
}

// The token of the call around it is not its own.
func TestUnprotectedCallInsideAnotherHasNoToken(t *testing.T) {
	s := newStage()
	s.then = func(ctx context.Context) error {
		_, err := idempotency.Do(ctx, s.config, "", func(ctx context.Context) (int, error) {
			if token, ok := idempotency.Token(ctx); ok {
				t.Errorf("there is a token: %v", token)
			}
			return 0, nil
		})
		return err
	}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	if _, ok := idempotency.Token(t.Context()); ok {
		t.Error("there is a token outside of all calls")
	}
}

// Who hangs up on the store does not know whether the claim was granted, and gives it back in case it was.
func TestCallerThatHangsUpDuringTheClaimBlocksNobody(t *testing.T) {
	for name, lost := range map[string]bool{"granted": true, "not granted": false} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.config.FailOpen = true
			ctx, cancel := context.WithCancel(t.Context())
			s.Store = hangsUp{&s.memory, cancel, lost}
			err := s.refused(t, ctx, order{ID: "7"}, context.Canceled)
			if err != context.Canceled { //nolint:errorlint // the same value
				t.Errorf("got %v", err)
			}
			s.Store = &s.memory
			s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
		})
	}
}

// Whoever comes back under the same name may have a run that goes on.
func TestResumedCallerThatHangsUpGivesNothingBack(t *testing.T) {
	s := newStage()
	s.config.Owner = func(context.Context) string { return "execution 1" }
	s.then = func(context.Context) error {
		ctx, cancel := context.WithCancel(t.Context())
		s.Store = hangsUp{&s.memory, cancel, true}
		s.refused(t, ctx, order{ID: "7"}, context.Canceled)
		s.Store = &s.memory
		if r := s.record(t, "7"); r.Status != idempotency.InProgress {
			t.Errorf("record %+v", r)
		}
		return nil
	}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 3)
}

type hangsUp struct {
	idempotency.Store

	cancel context.CancelFunc
	lost   bool
}

func (s hangsUp) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	if s.lost {
		if _, err := s.Store.Claim(ctx, c); err != nil {
			return idempotency.Record{}, err
		}
	}
	s.cancel()
	return idempotency.Record{}, ctx.Err()
}

func TestClaimThatTakesTooLongIsAnsweredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.FailOpen = true // but there is no time left to run
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		s.Next(storetest.Claim, storetest.Fault{Delay: time.Hour})
		s.refused(t, ctx, order{ID: "7"}, idempotency.ErrStore)
		if ctx.Err() != nil {
			t.Error("the caller's time is over")
		}
	})
}
