package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// Budgets that count repeats in flight never limit one caller at a time: a hundred failing calls became four hundred.
func TestRegression_BudgetLimitsASingleCaller(t *testing.T) {
	p := retry.Policy{Budget: &retry.Budget{}}
	total := 0
	for range 100 {
		total += calls(t.Context(), p, errDown)
	}
	if total != 100+10 {
		t.Errorf("100 failing calls became %d, want the 10 repeats of the opening balance on top", total)
	}
}

// A bucket of 500 in each of a thousand fresh processes is no limit: a cold fleet brought half a million repeats.
func TestRegression_ColdFleetIsLimited(t *testing.T) {
	total := 0
	for range 1000 {
		total += repeats(&retry.Budget{})
	}
	if total > 10_000 {
		t.Errorf("a cold fleet of 1000 repeats %d calls", total)
	}
}

// Three layers of three attempts were 27 calls.
func TestRegression_LayersDoNotMultiply(t *testing.T) {
	p, s := retry.Policy{Base: -1}, failing(errDown)
	_ = p.Do(t.Context(), func(ctx context.Context) error {
		return p.Do(ctx, func(ctx context.Context) error { return p.Do(ctx, s.call) })
	})
	if s.calls != 3 {
		t.Errorf("three layers of three attempts made %d calls, want 3", s.calls)
	}
}

// A wait that could not end before the deadline was slept until the deadline, and the error was then the context's.
func TestRegression_NoSleepIntoTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := retry.Policy{}.Do(ctx, failing(hinted{5 * time.Second}).call)
		if err != (hinted{5 * time.Second}) || time.Since(began) != 0 { //nolint:errorlint // the same value
			t.Errorf("Do = %v after %v, want the call's error at once", err, time.Since(began))
		}
	})
}

// A context that ended during the wait replaced the last real error by its own.
func TestRegression_LastErrorSurvivesCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := (retry.Policy{}).Do(ctx, failing(hinted{time.Minute}).call); errors.Is(err, context.Canceled) {
			t.Errorf("Do = %v, want the call's error", err)
		}
	})
}

// Retry-After of a day stalled the caller for a day.
func TestRegression_HintOfADayIsClamped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := &script{errs: []error{hinted{24 * time.Hour}}}
		_ = retry.Policy{}.Do(t.Context(), s.call)
		if waited := time.Since(began); waited > 21*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

// An open breaker, a full bulkhead or an empty limiter was asked again and again, with waits in between.
func TestRegression_RefusalsAreNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, s := time.Now(), failing(refused{})
		_ = retry.Policy{}.Do(t.Context(), s.call)
		if s.calls != 1 || time.Since(began) != 0 {
			t.Errorf("made %d calls in %v, want 1 at once", s.calls, time.Since(began))
		}
	})
}

// A permanent error lost the text that its user had wrapped around it.
func TestRegression_WrappedPermanentKeepsItsText(t *testing.T) {
	err := retry.Policy{}.Do(t.Context(), failing(wrapped(retry.Permanent(errDown))).call)
	if got, want := err.Error(), "charge: down"; got != want {
		t.Errorf("Do = %q, want %q", got, want)
	}
}

// With a single attempt allowed, the mark itself came out instead of the error in it.
func TestRegression_MarkDoesNotLeakFromASingleAttempt(t *testing.T) {
	err := retry.Policy{Attempts: 1}.Do(t.Context(), failing(retry.Permanent(errDown)).call)
	if err != errDown { //nolint:errorlint // the same value
		t.Errorf("Do = %#v, want the error in the mark", err)
	}
}

// Fifteen minutes of elapsed time, a default of the backoff underneath, ended a retry that had no such limit.
func TestRegression_NoHiddenTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []event.Event
		s := failing(errDown)
		_ = retry.Policy{Attempts: 500, Base: 20 * time.Second}.Do(observe(&log), s.call)
		if s.calls != 500 {
			t.Errorf("made %d calls of 500", s.calls)
		}
		for _, e := range log {
			if e.Wait < 0 {
				t.Fatalf("wait %d is %v", e.Attempt, e.Wait)
			}
		}
	})
}

// A delay was capped before its jitter and not after it, so that it came out longer than the cap.
func TestRegression_JitterStaysBelowTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []event.Event
		_ = retry.Policy{Attempts: 500, Cap: time.Second}.Do(observe(&log), failing(errDown).call)
		for _, e := range log {
			if e.Wait > time.Second {
				t.Fatalf("wait of %v", e.Wait)
			}
		}
	})
}

// A refusal counts down. One whose time was over in the moment when retry asked was not repeated, and its answer had no
// Retry-After.
func TestRegression_RefusalWhoseTimeIsOverIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.New(ratelimit.PerSecond(1, 1))
		pay := middleware.Join(retry.Policy{}, middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
			err := limiter.Do(ctx, call)
			time.Sleep(time.Second)
			return err
		}))
		ok := func(context.Context) error { return nil }
		_ = limiter.Do(t.Context(), ok)
		if err := pay.Do(t.Context(), ok); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// A repeat that was paid for and not made was not given back while the balance was above Max.
func TestRegression_RefundAboveMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &retry.Budget{Opening: 20, Max: 5}
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(1, cancel)
			_ = retry.Policy{Budget: b, Base: time.Hour}.Do(ctx, func(context.Context) error { return errDown })
		}
		if got := repeats(b); got != 20 {
			t.Errorf("paid for %d repeats, want 20", got)
		}
	})
}

// A refusal that wraps what steers the retry hid it.
func TestRegression_RefusalAroundAMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := policytest.NewScript(policytest.Step{Err: refusing{retry.After(errDown, time.Minute)}})
		_ = retry.Policy{}.Do(t.Context(), s.Call)
		if s.Calls() != 3 {
			t.Errorf("made %d calls, want 3", s.Calls())
		}
	})
}

type refusing struct{ error }

func (refusing) Refused() bool   { return true }
func (r refusing) Unwrap() error { return r.error }

// The mark of an adapter, around that of Permanent, kept both from coming off.
func TestRegression_MarkInsideAnAdaptersComesOff(t *testing.T) {
	boom := errors.New("boom")
	for _, marked := range []error{refusal.Last(boom), refusal.Last(retry.Permanent(boom)), refusal.Last(retry.After(boom, 0))} {
		calls := 0
		err := retry.Policy{Base: -1}.Do(t.Context(), func(context.Context) error { calls++; return marked })
		if err != boom || calls != 1 { //nolint:errorlint // the same value
			t.Errorf("%T after %d calls, want the error itself after 1", err, calls)
		}
	}
}
