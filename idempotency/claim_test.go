package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/middleware"
)

// What a call costs is counted in round trips: two for the first, one for a replay or a refusal, none without a key.
func TestFirstCallRunsAndLaterOnesAreReplayed(t *testing.T) {
	s := newStage()
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	if got := s.record(t, "7"); got.Status != idempotency.Completed || got.Attempt != 1 || len(got.Owner) != 32 || !got.Lease.IsZero() {
		t.Errorf("record %+v", got)
	}
	if got := s.told(); got != "" {
		t.Errorf("a run that went well told %q", got)
	}
	for range 3 {
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
	}
	if got := s.told(); got != "replay replay replay" {
		t.Errorf("replays told %q", got)
	}
	s.want(t, t.Context(), order{ID: "8"}, 2, idempotency.Ran, 2)
}

func TestRefusedCallCostsOneRoundTrip(t *testing.T) {
	s := newStage()
	s.then = func(ctx context.Context) error {
		before := s.Calls(storetest.Any)
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
		if n := s.Calls(storetest.Any) - before; n != 1 {
			t.Errorf("%d round trips, want 1", n)
		}
		return nil
	}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 3)
}

func TestRecordLivesForItsTTLAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.then = func(context.Context) error { time.Sleep(30*time.Minute - time.Second); return nil }
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2+89) // and a renewal every 20 s
		s.then = nil
		time.Sleep(time.Hour) // since the end of the run, to the instant
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
		time.Sleep(time.Millisecond)
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
		if got := s.record(t, "7"); got.Attempt != 2 {
			t.Errorf("attempt %d, want 2", got.Attempt)
		}
	})
}

func TestOneOfManyCallersRuns(t *testing.T) {
	for name, wait := range map[string]time.Duration{"refusing": 0, "waiting": time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.config.Wait = wait
			h := idempotency.Wrap(s.place, byID, s.config)
			const callers, keys = 64, 50
			for key := range keys {
				id := fmt.Sprint(key)
				var wg sync.WaitGroup
				var got [callers]receipt
				var errs [callers]error
				for i := range callers {
					wg.Go(func() { got[i], errs[i] = h(t.Context(), order{ID: id}) })
				}
				wg.Wait()
				for i := range callers {
					if errs[i] == nil && got[i] != (receipt{id, int32(key) + 1}) || errs[i] != nil && (wait > 0 || !errors.Is(errs[i], idempotency.ErrInProgress)) {
						t.Fatalf("key %s: %v, %v", id, got[i], errs[i])
					}
				}
			}
			if n := s.runs.Load(); n != keys {
				t.Errorf("%d runs for %d keys", n, keys)
			}
		})
	}
}

// A script is a store that answers claims in order, and then as Memory does.
type script struct {
	idempotency.Memory

	claims []idempotency.Record
	made   atomic.Int32
}

func (s *script) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	if n := int(s.made.Add(1)); n <= len(s.claims) {
		return s.claims[n-1], nil
	}
	return s.Memory.Claim(ctx, c)
}

func TestRecordThatIsGoneWhenOneLooksIsClaimedAgain(t *testing.T) {
	s := newStage()
	gone := &script{claims: make([]idempotency.Record, 2)}
	s.Store = gone
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 4)

	// What is there in the end is looked at all the same.
	s.config.RefuseAbandoned = true
	over := idempotency.Record{Status: idempotency.InProgress, Owner: "x", Attempt: 1, Lease: time.Now().Add(-time.Hour)}
	s.Store = &script{claims: []idempotency.Record{{}, {}, over}}
	s.refused(t, t.Context(), order{ID: "6"}, idempotency.ErrUncertain)
	s.config.RefuseAbandoned = false
	noted := &noter{Store: &script{claims: []idempotency.Record{{}, {}}}}
	s.Store = noted
	s.want(t, t.Context(), order{ID: "6"}, 2, idempotency.Ran, 4)
	for _, c := range noted.claims {
		if c.TakeOver != nil {
			t.Error("a claim takes over from a run that was not looked at")
		}
	}

	gone = &script{claims: make([]idempotency.Record, 9)}
	s.Store = gone
	err := s.refused(t, t.Context(), order{ID: "8"}, idempotency.ErrInProgress)
	if gone.made.Load() != 3 {
		t.Errorf("%d claims, want 3", gone.made.Load())
	}
	if after, ok := refusal.After(err); !ok || after > time.Second {
		t.Errorf("RetryAfter %v, %v; want a little", after, ok)
	}
}

// A noter is a store that notes what it is asked.
type noter struct {
	idempotency.Store

	claims      []idempotency.Claim
	completions []idempotency.Completion
}

func (n *noter) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	n.claims = append(n.claims, c)
	return n.Store.Claim(ctx, c)
}

func (n *noter) Complete(ctx context.Context, c idempotency.Completion) error {
	n.completions = append(n.completions, c)
	return n.Store.Complete(ctx, c)
}

func TestStoreIsToldAllItHasToKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		noted := &noter{Store: &s.memory}
		s.Store = noted
		s.config.TTL, s.config.Lease, s.config.Skew = 10*time.Second, 30*time.Second, 7*time.Second
		s.config.Fingerprint = amount
		s.then = func(context.Context) error { time.Sleep(8 * time.Second); return nil }
		start := time.Now().Round(0)
		s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Ran, 2)
		r := s.record(t, "7")
		claim := idempotency.Claim{
			Key: r.Key, Owner: r.Owner, Fingerprint: r.Fingerprint, Now: start, Lease: start.Add(30 * time.Second),
			Expires: start.Add(30 * time.Second), Skew: 7 * time.Second,
		}
		if r.Key != recordKey("orders", "7") || r.Fingerprint == "" || noted.claims[0] != claim {
			t.Errorf("the claim was %+v, want %+v", noted.claims[0], claim)
		}
		c := noted.completions[0]
		if c.Key != r.Key || c.Owner != r.Owner || c.Fingerprint != r.Fingerprint || !c.Expires.Equal(start.Add(18*time.Second)) || c.Result.Failed {
			t.Errorf("the completion was %+v", c)
		}
		if got := string(c.Result.Data); got != `{"Order":"7","Run":1}` || c.Result.Encoding != idempotency.JSON {
			t.Errorf("the result is %s, %s", c.Result.Encoding, got)
		}
	})
}

func TestRecordThatMakesNoSenseIsLeftAlone(t *testing.T) {
	lease := time.Now().Add(time.Hour)
	for name, r := range map[string]idempotency.Record{
		"unknown status":        {Status: "EXPIRED", Owner: "x", Expires: lease},
		"not JSON":              {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`{`)}},
		"no data":               {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.JSON}},
		"another type":          {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`{"Order":"7","Run":"1"}`)}},
		"half another type":     {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`[]`)}},
		"unknown encoding":      {Status: idempotency.Completed, Result: idempotency.Result{Encoding: "zstd", Data: []byte(`{}`)}},
		"no encoding":           {Status: idempotency.Completed, Result: idempotency.Result{Data: []byte(`{}`)}},
		"not gzip":              {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.Gzip, Data: []byte(`{}`)}},
		"a Codec's":             {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.Raw, Data: []byte(`{}`)}},
		"a blob's":              {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.Blob, Data: []byte(`x`)}},
		"no result, want one":   {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.None}},
		"an error that is none": {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`[]`), Failed: true}},
		"an error, not JSON":    {Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`"x"`), Failed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.config.Cache = new(idempotency.Cache)
			corrupt := &script{claims: []idempotency.Record{r, r}}
			s.Store = corrupt
			for range 2 {
				s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrCorrupt)
			}
			if n := s.Calls(storetest.Any); n != 2 || s.Calls(storetest.Claim) != 2 {
				t.Errorf("%d round trips, want 2 claims", n)
			}
		})
	}
}

func TestRecordOfAnythingCanMakeNoSense(t *testing.T) {
	for _, data := range []string{`1 2`, `{"a":`, ``} {
		s := newStage()
		s.Store = &script{claims: []idempotency.Record{{
			Status: idempotency.Completed, Result: idempotency.Result{Encoding: idempotency.JSON, Data: []byte(data)},
		}}}
		got, err := idempotency.Do(t.Context(), s.config, "7", func(context.Context) (any, error) { panic("it ran") })
		if got != nil || !errors.Is(err, idempotency.ErrCorrupt) {
			t.Errorf("%q: got %v, %v", data, got, err)
		}
	}
}

func TestTwoOperationsNeverShareARecord(t *testing.T) {
	s := newStage()
	refund := s.config
	refund.Scope = "refunds"
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	s.config = refund
	s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
	s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Replayed, 1)
}

func TestScopeOutlivesTheFunctionsName(t *testing.T) {
	s := newStage()
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
	s.config.Scope = ""
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "orders-v2")
	s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
	s.config.Scope = "orders"
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
}

// One store, one Config, one key: what tells the two calls apart is the scope, and nothing that is kept between calls.
func TestRegression_NestedCallsCompleteTheirOwnRecords(t *testing.T) {
	s := newStage()
	charge := s.config
	charge.Scope = "charges"
	var outer, inner idempotency.FencingToken
	s.then = func(ctx context.Context) error {
		outer, _ = idempotency.Token(ctx)
		_, err := idempotency.Do(ctx, charge, "7", func(ctx context.Context) (int, error) {
			inner, _ = idempotency.Token(ctx)
			return 42, nil
		})
		if again, _ := idempotency.Token(ctx); again != outer {
			t.Errorf("after the inner call the token is %v, was %v", again, outer)
		}
		return err
	}
	ctx := s.observe(t.Context())
	s.want(t, ctx, order{ID: "7"}, 1, idempotency.Ran, 4)
	s.want(t, ctx, order{ID: "7"}, 1, idempotency.Replayed, 1)
	got, outcome, err := watched(ctx, func(ctx context.Context, key string) (int, error) {
		return idempotency.Do(ctx, charge, key, func(context.Context) (int, error) { return 0, errBoom })
	}, "7")
	if got != 42 || err != nil || outcome != idempotency.Replayed {
		t.Errorf("the inner call: %v, %v, %v", got, outcome, err)
	}
	if outer.Key != recordKey("orders", "7") || inner.Key != recordKey("charges", "7") || outer.Owner == inner.Owner {
		t.Errorf("tokens %+v and %+v", outer, inner)
	}
}

// A call inside itself cannot wait for itself for ever.
func TestCallInsideItselfIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Wait = time.Second
		s.then = func(ctx context.Context) error {
			_, err := idempotency.Do(ctx, s.config, "7", func(context.Context) (receipt, error) { return receipt{}, nil })
			return err
		}
		if _, _, err := s.call(t.Context(), order{ID: "7"}); !errors.Is(err, idempotency.ErrInProgress) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOneStoreServesManyConfigsAtOnce(t *testing.T) {
	store := new(idempotency.Memory)
	var wg sync.WaitGroup
	for i := range 16 {
		c := idempotency.Config{Store: store, Scope: fmt.Sprint("scope ", i), TTL: time.Duration(i+1) * time.Hour}
		h := idempotency.Wrap(func(_ context.Context, o order) (string, error) { return fmt.Sprintf("%d/%s", i, o.ID), nil }, byID, c)
		for range 4 {
			wg.Go(func() {
				for id := range 100 {
					got, err := h(t.Context(), order{ID: fmt.Sprint(id)})
					if err == nil && got != fmt.Sprintf("%d/%d", i, id) || err != nil && !errors.Is(err, idempotency.ErrInProgress) {
						t.Errorf("scope %d, key %d: %q, %v", i, id, got, err)
					}
				}
			})
		}
	}
	wg.Wait()
}

func TestDo(t *testing.T) {
	s := newStage()
	s.config.Fingerprint = func(any) (string, error) { return "", errBoom } // there is nothing to take it of
	runs := 0
	call := func(context.Context) (*receipt, error) { runs++; return &receipt{"7", 1}, nil }
	first, err := idempotency.Do(t.Context(), s.config, "7", call)
	again, err2 := idempotency.Do(t.Context(), s.config, "7", call)
	if err != nil || err2 != nil || runs != 1 || *first != *again || first == again {
		t.Errorf("got %v, %v and %v, %v after %d runs", first, err, again, err2, runs)
	}
}

func TestWrapErrReplaysThatThereWasNoError(t *testing.T) {
	s := newStage()
	runs := 0
	h := idempotency.WrapErr(func(context.Context, order) error { runs++; return nil }, byID, s.config)
	for range 3 {
		if err := h(t.Context(), order{ID: "7"}); err != nil {
			t.Error(err)
		}
	}
	if runs != 1 {
		t.Errorf("%d runs", runs)
	}
	if got := s.record(t, "7").Result; got.Encoding != idempotency.None || len(got.Data) != 0 {
		t.Errorf("result %+v, want none", got)
	}
	s.Next(storetest.Claim, storetest.Fault{Err: errBoom})
	if err := h(t.Context(), order{ID: "7"}); !errors.Is(err, errBoom) {
		t.Errorf("got %v", err)
	}
}

func TestCancelledCallAsksNoStore(t *testing.T) {
	s := newStage()
	s.config.Cache = new(idempotency.Cache)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.refused(t, ctx, order{ID: "7"}, context.Canceled); err != context.Canceled { //nolint:errorlint // the same value
		t.Errorf("got %v", err)
	}
	if n := s.Calls(storetest.Any); n != 0 {
		t.Errorf("%d round trips, want none", n)
	}
}

func TestConfigThatMakesNoSense(t *testing.T) {
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "")
	good := idempotency.Config{Store: new(idempotency.Memory), Scope: "orders"}
	handler := func(context.Context, order) (receipt, error) { return receipt{}, nil }
	with := func(change func(*idempotency.Config)) idempotency.Config {
		c := good
		change(&c)
		return c
	}
	for _, tt := range []struct {
		name string
		make func()
		want string
	}{
		{"no handler", func() { idempotency.Wrap[order, receipt](nil, byID, good) }, "want a handler and a key"},
		{"no key", func() { idempotency.Wrap(handler, nil, good) }, "want a handler and a key"},
		{"WrapErr, no handler", func() { idempotency.WrapErr(nil, byID, good) }, "want a handler and a key"},
		{"no store", func() { idempotency.Wrap(handler, byID, with(func(c *idempotency.Config) { c.Store = nil })) }, "no Store"},
		{"no scope", func() { idempotency.Wrap(handler, byID, with(func(c *idempotency.Config) { c.Scope = "" })) }, "no Scope"},
		{"TTL", func() { idempotency.Wrap(handler, byID, with(func(c *idempotency.Config) { c.TTL = -1 })) }, "TTL -1ns"},
		{"Lease", func() { idempotency.Wrap(handler, byID, with(func(c *idempotency.Config) { c.Lease = -1 })) }, "Lease -1ns"},
		{"short Lease", func() { idempotency.Wrap(handler, byID, with(func(c *idempotency.Config) { c.Lease = 5 })) }, "Lease 5ns"},
		{"Wait", func() { idempotency.Wrap(handler, byID, with(func(c *idempotency.Config) { c.Wait = -1 })) }, "Wait -1ns"},
		{"cache", func() {
			idempotency.Wrap(handler, byID, with(func(c *idempotency.Config) { c.Cache = &idempotency.Cache{Bytes: -1} }))
		}, "Cache of 0 entries, -1 bytes"},
		{"Do", func() {
			_, _ = idempotency.Do(t.Context(), idempotency.Config{}, "7", func(context.Context) (int, error) { return 0, nil })
		}, "Do: the Config has no Store"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := panics(tt.make); !contains(got, "idempotency: ") || !contains(got, tt.want) {
				t.Errorf("panic %q, want one about %q", got, tt.want)
			}
		})
	}
}

// What Wrap returns is a plain function of the handler's type, and goes wherever that goes.
func TestPoliciesGoOutsideAndInside(t *testing.T) {
	s := newStage()
	failures := 2
	s.then = func(context.Context) error {
		if failures--; failures >= 0 {
			return errBoom
		}
		return nil
	}
	again := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		if call(ctx) == nil {
			return nil
		}
		return call(ctx)
	})
	h := middleware.Wrap(idempotency.Wrap(middleware.Wrap(s.place, again), byID, s.config), again)
	got, outcome, err := watched(t.Context(), h, order{ID: "7"})
	if err != nil || got != (receipt{"7", 3}) || outcome != idempotency.Ran {
		t.Errorf("got %v, %v, %v", got, outcome, err)
	}
	if n := s.Calls(storetest.Any); n != 4 {
		t.Errorf("%d round trips, want a claim and a release, a claim and a completion", n)
	}
}

func TestOutcomesHaveNames(t *testing.T) {
	var got []string
	for o := range idempotency.Unsaved + 2 {
		got = append(got, o.String())
	}
	want := []string{"pending", "ran", "took over", "released", "replayed", "refused", "unprotected", "lost", "unsaved", "unsaved"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestWatchKnowsNothingUntilTheCallHasEnded(t *testing.T) {
	s := newStage()
	ctx, outcome := idempotency.Watch(t.Context())
	if got := outcome(); got != idempotency.Pending {
		t.Errorf("at first %v", got)
	}
	for _, key := range []string{"7", ""} { // with a record, and without
		_, _ = idempotency.Do(ctx, s.config, key, func(ctx context.Context) (int, error) {
			before := outcome()
			_, err := idempotency.Do(ctx, s.config, "inner "+key, func(context.Context) (int, error) { return 0, nil })
			if got := outcome(); got != before || err != nil {
				t.Errorf("after a call that the handler made, %v, %v", got, err)
			}
			return 0, nil
		})
	}
	if got := outcome(); got != idempotency.Unprotected {
		t.Errorf("in the end %v", got)
	}
}
