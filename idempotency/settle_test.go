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
)

// outage is a store that is down, or hangs, from the first completion on for so long.
type outage struct {
	idempotency.Store

	lasts time.Duration
	hangs bool
	ends  time.Time
	tries int
}

func (s *outage) Complete(ctx context.Context, c idempotency.Completion) error {
	s.tries++
	if s.ends.IsZero() {
		s.ends = time.Now().Add(s.lasts)
	}
	if time.Now().Before(s.ends) {
		if s.hangs {
			<-ctx.Done()
			return ctx.Err()
		}
		return errors.New("throttled")
	}
	return s.Store.Complete(ctx, c)
}

// Completion gave up after 80 ms, whatever time there was, and the result was dropped or the run made again.
func TestRegression_CompletionOutlastsAnOutageWithinItsTime(t *testing.T) {
	for _, tt := range []struct {
		name     string
		deadline time.Duration // 0 is none
		outage   outage
	}{
		{"4 s without a deadline", 0, outage{lasts: 4 * time.Second}},
		{"4 s without an answer", 0, outage{lasts: 4 * time.Second, hangs: true}},
		{"1.5 s of 2 s in reserve", 20 * time.Second, outage{lasts: 1500 * time.Millisecond}},
		{"350 ms of the default reserve", 10 * time.Second, outage{lasts: 350 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
					if tt.outage.lasts > 500*time.Millisecond {
						s.config.Reserve = 2 * time.Second
					}
					s.then = func(ctx context.Context) error { <-ctx.Done(); return nil }
				}
				s.Store = &tt.outage
				tt.outage.Store = &s.memory
				if r, outcome, err := s.call(ctx, order{ID: "7"}); r != (receipt{"7", 1}) || outcome != idempotency.Ran || err != nil || s.told() != "" {
					t.Errorf("got %v, %v, %v", r, outcome, err)
				}
				if ctx.Err() != nil || tt.outage.tries > 20 {
					t.Errorf("%d tries, and the caller's context: %v", tt.outage.tries, ctx.Err())
				}
				s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
			})
		})
	}
}

// tight is a store that says that it takes everything, and takes no data.
type tight struct {
	idempotency.Store

	err error
}

func (s tight) Complete(ctx context.Context, c idempotency.Completion) error {
	if len(c.Result.Data) > 0 {
		return s.err
	}
	return s.Store.Complete(ctx, c)
}

// Better no result than a second run.
func TestResultThatTheStoreRefusesIsNotKept(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		after time.Duration // at most
		trips int
	}{
		{"and says so", fmt.Errorf("413: %w", idempotency.ErrTooLarge), 100 * time.Millisecond, 3},
		{"and does not say why", errors.New("ValidationException"), 5 * time.Second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.Store = tight{&s.memory, tt.err}
				start := time.Now()
				if r, outcome, err := s.call(t.Context(), order{ID: "7"}); r != (receipt{"7", 1}) || outcome != idempotency.Unsaved || err != nil {
					t.Errorf("got %v, %v, %v", r, outcome, err)
				}
				if len(s.events) != 1 || !errors.Is(s.events[0].Err, tt.err) {
					t.Errorf("told %+v", s.events)
				}
				if n := s.Calls(storetest.Any); time.Since(start) > tt.after || tt.trips > 0 && n != tt.trips {
					t.Errorf("%d round trips in %v", n, time.Since(start))
				}
				s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrNotKept)
			})
		})
	}
}

// An error that another idempotent call had lost its record was taken for the loss of this one's, and kept the key.
func TestRegression_ErrLostOfAnotherCallIsAnErrorLikeAnyOther(t *testing.T) {
	s := newStage()
	s.then = func(context.Context) error { return fmt.Errorf("charge: %w", idempotency.ErrLost) }
	if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Released || !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("got %v, %v", outcome, err)
	}
	if got := s.told(); got != "" {
		t.Errorf("told %q", got)
	}
	s.then = nil
	s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
}

// The store told the handler's transaction that its record is lost, and the handler hands that on.
func TestHandlerThatFindsItsRecordLost(t *testing.T) {
	s := newStage()
	s.then = func(ctx context.Context) error {
		token, _ := idempotency.Token(ctx)
		s.memory.Forget(token.Key)
		return fmt.Errorf("transaction: %w", idempotency.ErrLost)
	}
	if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Lost || !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("got %v, %v", outcome, err)
	}
	if s.told() != "lost" || s.Calls(storetest.Release) != 0 {
		t.Errorf("%d releases", s.Calls(storetest.Release))
	}
}

type panicky struct{}

func (panicky) Error() string { panic("Error") }

// An error that panics when it is looked at, and was a result, left the key in progress.
func TestRegression_ErrorThatPanicsIsNotKept(t *testing.T) {
	s := newStage()
	s.config.Keep = func(error) bool { return true }
	s.then = func(context.Context) error { return panicky{} }
	if _, outcome, err := s.call(t.Context(), order{ID: "7"}); err != (panicky{}) || outcome != idempotency.Unsaved { //nolint:errorlint // the same value
		t.Errorf("got %v", outcome)
	}
	s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrNotKept)
}

// bursts is a store with a verb that panics.
type bursts struct {
	idempotency.Store

	verb  storetest.Verb
	twice bool // and what is to follow it, too
}

func (s bursts) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	r, err := s.Store.Claim(ctx, c)
	if s.verb == storetest.Claim {
		panic("Claim")
	}
	return r, err
}

func (s bursts) Complete(ctx context.Context, c idempotency.Completion) error {
	if s.verb == storetest.Complete {
		panic("Complete")
	}
	return s.Store.Complete(ctx, c)
}

func (s bursts) Release(ctx context.Context, key, owner string) error {
	if s.verb == storetest.Release {
		panic("Release")
	}
	return s.Store.Release(ctx, key, owner)
}

func (s bursts) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	if s.twice {
		panic("Extend")
	}
	return s.Store.Extend(ctx, key, owner, lease)
}

// A store that panics left the key in progress. Its panic goes on, and the key is that of an abandoned run, or free if
// nothing ran.
func TestRegression_StoreThatPanicsLeavesNothingInProgress(t *testing.T) {
	for _, tt := range []struct {
		verb storetest.Verb
		end  error
		next idempotency.Outcome
	}{
		{storetest.Claim, nil, idempotency.Ran},
		{storetest.Complete, nil, idempotency.TookOver},
		{storetest.Release, errBoom, idempotency.TookOver},
	} {
		for _, twice := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.verb, twice), func(t *testing.T) {
				s := newStage()
				s.Store = bursts{&s.memory, tt.verb, twice}
				s.then = func(context.Context) error { return tt.end }
				ctx, outcome := idempotency.Watch(t.Context())
				if got := panics(func() { _, _ = idempotency.Wrap(s.place, byID, s.config)(ctx, order{ID: "7"}) }); got != string(tt.verb) {
					t.Errorf("panic %q, want %q", got, tt.verb)
				}
				if want := map[bool]idempotency.Outcome{true: idempotency.Refused, false: idempotency.Unsaved}[tt.verb == storetest.Claim]; outcome() != want {
					t.Errorf("outcome %v, want %v", outcome(), want)
				}
				if twice {
					return
				}
				s.Store, s.then = &s.memory, nil
				if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != tt.next || err != nil {
					t.Errorf("then %v, %v; want %v", outcome, err, tt.next)
				}
			})
		}
	}
}

// After a failure, a panic and Goexit, Watch said that the record told of the run, and there was none.
func TestRegression_OutcomeOfARunThatFailedIsThatItGaveTheKeyBack(t *testing.T) {
	for name, then := range map[string]func(context.Context) error{
		"an error": func(context.Context) error { return errBoom },
		"a panic":  func(context.Context) error { panic(errBoom) },
		"Goexit":   func(context.Context) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.then = then
			ctx, outcome := idempotency.Watch(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				_, _ = idempotency.Wrap(s.place, byID, s.config)(ctx, order{ID: "7"})
			}()
			<-done
			if got := outcome(); got != idempotency.Released {
				t.Errorf("outcome %v", got)
			}
		})
	}
}
