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

var errNoAnswer = errors.New("the payment provider did not answer")

func noAnswer(err error) bool { return errors.Is(err, errNoAnswer) }

// uncertain is a stage on which one run ended, and nobody knows how.
func uncertain(t *testing.T) *stage {
	t.Helper()
	s := newStage()
	s.config.Uncertain = noAnswer
	s.then = func(context.Context) error { return errNoAnswer }
	r, outcome, err := s.call(t.Context(), order{ID: "7"})
	if err != errNoAnswer || r != (receipt{"7", 1}) || outcome != idempotency.Released { //nolint:errorlint // the same value
		t.Errorf("got %v, %v, %v", r, outcome, err)
	}
	if n := s.Calls(storetest.Any); n != 2 || s.told() != "" {
		t.Errorf("%d round trips, want 2", n)
	}
	s.then = nil
	return s
}

func TestRunThatEndedUncertainIsFollowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := uncertain(t)
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.TookOver, 3)
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Replayed, 1)
	})
}

func TestRunThatEndedUncertainIsRefusedIfThatIsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := uncertain(t)
		s.config.RefuseAbandoned = true
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrUncertain)
	})
}

func TestRunThatEndedUncertainIsAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := uncertain(t)
		s.config.Reconcile = func(_ context.Context, run idempotency.Abandoned) (any, bool, error) {
			if run.Attempt != 1 || run.Key != "7" {
				t.Errorf("asked about %+v", run)
			}
			return receipt{"7", 1}, true, nil
		}
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 3)
	})
}

func TestOtherErrorsAreCertain(t *testing.T) {
	s := newStage()
	s.config.Uncertain, s.config.RefuseAbandoned = noAnswer, true
	s.then = func(context.Context) error { return errBoom }
	if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Released || !errors.Is(err, errBoom) {
		t.Errorf("got %v, %v", outcome, err)
	}
	s.then = nil
	s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
}

// The end of the handler's time is where most is uncertain, and what is uncertain is no result.
func TestUncertainIsAskedAfterTheEndAndBeforeKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Uncertain = func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
		s.config.Keep = func(error) bool { t.Error("Keep is asked"); return true }
		s.config.RefuseAbandoned = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.then = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if _, outcome, err := s.call(ctx, order{ID: "7"}); outcome != idempotency.Released || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, %v", outcome, err)
		}
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrUncertain)
	})
}

func TestUncertainThatPanicsIsUncertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.RefuseAbandoned = true
		s.config.Uncertain = func(error) bool { panic("boom") }
		s.then = func(context.Context) error { return errBoom }
		if got := panics(func() { _, _, _ = s.call(t.Context(), order{ID: "7"}) }); got != "boom" {
			t.Errorf("panic %q", got)
		}
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrUncertain)
	})
}

func TestRunThatEndedUncertainAndCannotSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Uncertain = noAnswer
		s.Store = mute{&s.memory}
		s.then = func(context.Context) error { return errNoAnswer }
		if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Unsaved || !errors.Is(err, errNoAnswer) {
			t.Errorf("got %v, %v", outcome, err)
		}
		if got := s.told(); got != "unsaved" {
			t.Errorf("told %q", got)
		}
		s.Store = &s.memory
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
	})
}

// With nobody to say whether the run that failed open was granted its claim, uncertain is uncertain all the same.
func TestUncertainRunThatFailedOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Uncertain, s.config.FailOpen, s.config.RefuseAbandoned = noAnswer, true, true
		s.Next(storetest.Claim, storetest.Fault{Lost: true})
		s.then = func(context.Context) error { return errNoAnswer }
		if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Unprotected || !errors.Is(err, errNoAnswer) {
			t.Errorf("got %v, %v", outcome, err)
		}
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrUncertain)
	})
}
