package httpkey_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/httpkey"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

// The shape that chi.Router.Use and alice.New take.
var _ func(http.Handler) http.Handler = httpkey.Middleware(newShop().config)

func TestFirstRequestRunsAndLaterOnesAreReplayed(t *testing.T) {
	s := newShop()
	s.isFresh(t, s.post("k"), 201, charge(1), 1)
	if got := s.told(); got != "" {
		t.Errorf("a run that went well told %q", got)
	}
	for range 3 {
		w := s.post("k")
		s.isReplay(t, w, 201, charge(1), 1)
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type %q", got)
		}
	}
	if got := s.told(); got != "replay replay replay" {
		t.Errorf("replays told %q", got)
	}
	s.isFresh(t, s.post("l"), 201, charge(2), 2)
	if claims, all := s.Calls(storetest.Claim), s.Calls(storetest.Any); claims != 5 || all != 7 {
		t.Errorf("%d claims of %d round trips, want 5 of 7", claims, all)
	}
}

func TestRequestWithoutKeyPassesUntouched(t *testing.T) {
	s := newShop()
	r := request(http.MethodPost, "/payments", "", "body")
	body := r.Body
	s.pay = func(w http.ResponseWriter, in *http.Request) {
		if _, ok := w.(*httptest.ResponseRecorder); !ok || in.Body != body {
			t.Errorf("the handler got %T and a body of its own", w)
		}
		fmt.Fprint(w, "hello")
	}
	s.isFresh(t, s.do(r), 200, "hello", 1)
	s.isFresh(t, s.do(r), 200, "hello", 2)
	if n := s.Calls(storetest.Any); n != 0 {
		t.Errorf("%d round trips, want none", n)
	}
}

func TestRequestWithoutRequiredKeyIsRefused(t *testing.T) {
	s := newShop()
	s.config.Once.RequireKey = true
	s.isProblem(t, s.post(""), 400, missing, 0)
	s.isProblem(t, s.post(`""`), 400, malformed, 0)
	s.isFresh(t, s.post("k"), 201, charge(1), 1)
}

func TestMalformedKeyIsRefused(t *testing.T) {
	for _, lines := range [][]string{{`"k`}, {"k, l"}, {"k", "k"}, {""}, {strings.Repeat("k", 256)}, {"k\x01"}, {"é"}} {
		s := newShop()
		r := request(http.MethodPost, "/payments", "", "")
		r.Header["Idempotency-Key"] = lines
		s.isProblem(t, s.do(r), 400, malformed, 0)
		if n := s.Calls(storetest.Any); n != 0 {
			t.Errorf("%q: %d round trips, want none", lines, n)
		}
	}
}

func TestQuotedAndBareKeyAreOne(t *testing.T) {
	s := newShop()
	s.isFresh(t, s.post(`8e03978e`), 201, charge(1), 1)
	s.isReplay(t, s.post(`"8e03978e"`), 201, charge(1), 1)
	s.isFresh(t, s.post(`"a\\b"`), 201, charge(2), 2)
	s.isReplay(t, s.post(`a\b`), 201, charge(2), 2)
}

func TestRequestInProgressIsAConflict(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		refused := s.post("k")
		s.isProblem(t, refused, 409, outstanding, 1)
		if got := refused.Header().Get("Retry-After"); got != "1" {
			t.Errorf("Retry-After %q, want 1", got)
		}
		other := s.do(request(http.MethodPost, "/payments", "k", "other"))
		s.isProblem(t, other, 422, used, 1)
		w.WriteHeader(http.StatusAccepted)
	}
	s.isFresh(t, s.post("k"), 202, "", 1)
	s.isReplay(t, s.post("k"), 202, "", 1)
}

func TestRequestInProgressIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		s.config.Once.Wait = time.Minute
		s.pay = func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(10 * time.Second)
			fmt.Fprint(w, "done")
		}
		var wg sync.WaitGroup
		var got [2]*httptest.ResponseRecorder
		for i := range got {
			wg.Go(func() { got[i] = s.post("k") })
		}
		wg.Wait()
		fresh := slices.IndexFunc(got[:], func(w *httptest.ResponseRecorder) bool { return w.Header().Get("Idempotent-Replayed") == "" })
		s.isFresh(t, got[fresh], 200, "done", 1)
		s.isReplay(t, got[1-fresh], 200, "done", 1)
	})
}

func TestOneOfManyRequestsRuns(t *testing.T) {
	s := newShop()
	h := s.handler()
	for key := range 20 {
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, request(http.MethodPost, "/payments", fmt.Sprint(key), ""))
				if w.Code != 409 && w.Body.String() != charge(key+1) {
					t.Errorf("key %d: %d %s", key, w.Code, w.Body)
				}
			})
		}
		wg.Wait()
		if n := s.runs.Load(); n != int32(key+1) {
			t.Fatalf("%d runs for %d keys", n, key+1)
		}
	}
}

func TestStoreThatFails(t *testing.T) {
	s := newShop()
	down := storetest.Fault{Err: errors.New("secret: payments table is gone")}
	s.Next(storetest.Claim, down)
	s.isProblem(t, s.post("k"), 503, "Service Unavailable", 0)

	s.config.Once.FailOpen = true
	s.Next(storetest.Claim, down)
	s.pay = func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s, %v, %d", body, err, r.ContentLength)
	}
	s.isFresh(t, s.post("k"), 200, `{"amount":7}, <nil>, 12`, 1)
	if got := s.told(); got != "refusal unprotected" {
		t.Errorf("told %q", got)
	}
}

func TestStoreThatFailsAfterTheRunChangesNoResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		for range 99 {
			s.Next(storetest.Complete, storetest.Fault{Err: errors.New("throttled")})
		}
		s.isFresh(t, s.post("k"), 201, charge(1), 1)
		if got := s.told(); got != "unsaved" {
			t.Errorf("told %q", got)
		}
		s.isProblem(t, s.post("k"), 409, outstanding, 1) // until the lease is over
	})
}

func TestDisabledByTheEnvironment(t *testing.T) {
	t.Setenv(idempotency.Disabled, "true")
	s := newShop()
	s.config.Once.RequireKey = true
	for run := range int32(3) {
		s.isFresh(t, s.post([]string{"k", "k", ""}[run]), 201, charge(int(run)+1), run+1)
	}
	if n := s.Calls(storetest.Any); n != 0 {
		t.Errorf("%d round trips, want none", n)
	}
}

func TestSameKeyForAnotherRequestIsAMismatch(t *testing.T) {
	s := newShop()
	s.config.Methods = []string{http.MethodPost, http.MethodPut}
	first := func() *http.Request { return request(http.MethodPost, "/payments?a=1&b=2&a=3", "k", "body") }
	s.isFresh(t, s.do(first()), 201, charge(1), 1)
	for name, r := range map[string]*http.Request{
		"method":           request(http.MethodPut, "/payments?a=1&b=2&a=3", "k", "body"),
		"path":             request(http.MethodPost, "/refunds?a=1&b=2&a=3", "k", "body"),
		"query":            request(http.MethodPost, "/payments?a=1&b=3&a=3", "k", "body"),
		"order of a query": request(http.MethodPost, "/payments?a=3&b=2&a=1", "k", "body"),
		"no query":         request(http.MethodPost, "/payments", "k", "body"),
		"body":             request(http.MethodPost, "/payments?a=1&b=2&a=3", "k", "bodY"),
		"no body":          request(http.MethodPost, "/payments?a=1&b=2&a=3", "k", ""),
		"query in body":    request(http.MethodPost, "/payments?a=1&b=2", "k", "&a=3body"),
	} {
		t.Run(name, func(t *testing.T) { s.isProblem(t, s.do(r), 422, used, 1) })
	}
	s.isReplay(t, s.do(first()), 201, charge(1), 1)

	s.isFresh(t, s.do(request(http.MethodPost, "/payments:", "l", "body")), 201, charge(2), 2)
	s.isProblem(t, s.do(request(http.MethodPost, "/payments", "l", ":body")), 422, used, 2)

	same := request(http.MethodPost, "/payments?b=2&a=1&a=3", "k", "body")
	same.Header.Set("Content-Type", "text/plain; charset=utf-8")
	same.Header.Set("User-Agent", "another")
	s.isReplay(t, s.do(same), 201, charge(1), 2)
}

func TestQueryThatCannotBeReadCountsAsItIs(t *testing.T) {
	s := newShop()
	s.isFresh(t, s.do(request(http.MethodPost, "/payments?a=1;b=2", "k", "")), 201, charge(1), 1)
	s.isReplay(t, s.do(request(http.MethodPost, "/payments?a=1;b=2", "k", "")), 201, charge(1), 1)
	s.isProblem(t, s.do(request(http.MethodPost, "/payments?a=1;b=3", "k", "")), 422, used, 1)
}

func TestFingerprintOfOnesOwn(t *testing.T) {
	s := newShop()
	s.config.Fingerprint = func(r *http.Request, body []byte) (string, error) {
		if own, err := io.ReadAll(r.Body); err != nil || string(own) != string(body) {
			t.Errorf("the body is %q, and that of the request %q, %v", body, own, err)
		}
		return idempotency.Payload(json.RawMessage(body))
	}
	s.pay = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s", body)
	}
	s.isFresh(t, s.do(request(http.MethodPost, "/payments?a=1", "k", `{"a":1,"b":2}`)), 200, `{"a":1,"b":2}`, 1)
	s.isReplay(t, s.do(request(http.MethodPost, "/payments?a=2", "k", `{ "b": 2, "a": 1.0e0 }`)), 200, `{"a":1,"b":2}`, 1)
	s.isProblem(t, s.do(request(http.MethodPost, "/payments", "k", `{"a":1,"b":3}`)), 422, used, 1)
	s.isProblem(t, s.do(request(http.MethodPost, "/refunds", "k", `{"a":1,"b":2}`)), 422, used, 1)
	s.isProblem(t, s.do(request(http.MethodPost, "/payments", "k", `{"a":1`)), 400, "Bad Request", 1)

	s.config.Fingerprint = func(*http.Request, []byte) (string, error) { return "", &teapot{} }
	s.isProblem(t, s.post("l"), 418, "I'm a teapot", 1)
}

type teapot struct{}

func (*teapot) Error() string   { return "short and stout" }
func (*teapot) HTTPStatus() int { return 418 }

func TestOtherMethodsPass(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "CHARGE", "get"} {
		s := newShop()
		for run := range int32(2) {
			if w := s.do(request(method, "/payments", "k", "")); w.Code != 201 || s.runs.Load() != run+1 {
				t.Errorf("%s: %d after %d runs", method, w.Code, s.runs.Load())
			}
		}
		if w := s.do(request(method, "/payments", `"`, "")); w.Code != 201 {
			t.Errorf("%s with a malformed key: %d", method, w.Code)
		}
		if n := s.Calls(storetest.Any); n != 0 {
			t.Errorf("%s: %d round trips, want none", method, n)
		}
	}
}

func TestMethodsOfOnesOwn(t *testing.T) {
	s := newShop()
	s.config.Methods = []string{"put", "Charge"}
	for i, method := range []string{"PUT", "CHARGE", "charge", "put"} {
		s.isFresh(t, s.do(request(method, "/payments", method, "")), 201, charge(i+1), int32(i+1))
		s.isReplay(t, s.do(request(method, "/payments", method, "")), 201, charge(i+1), int32(i+1))
	}
	s.isFresh(t, s.post("k"), 201, charge(5), 5)
	s.isFresh(t, s.post("k"), 201, charge(6), 6)
}

func TestTenantsNeverShare(t *testing.T) {
	s := newShop()
	s.config.Tenant = func(r *http.Request) string { return r.Header.Get("Account") }
	send := func(tenant, key, body string) *httptest.ResponseRecorder {
		r := request(http.MethodPost, "/payments", key, body)
		r.Header.Set("Account", tenant)
		return s.do(r)
	}
	s.isFresh(t, send("anna", "k", "body"), 201, charge(1), 1)
	// Neither a replay, nor a mismatch, nor anything else tells berta that anna has used the key.
	s.isFresh(t, send("berta", "k", "other body"), 201, charge(2), 2)
	s.isReplay(t, send("anna", "k", "body"), 201, charge(1), 2)
	s.isReplay(t, send("berta", "k", "other body"), 201, charge(2), 2)
	// Nor can tenant and key be taken for another tenant and key.
	s.isFresh(t, send("ann", "ak", "body"), 201, charge(3), 3)
	s.isFresh(t, send("anna,1:k", "k", "body"), 201, charge(4), 4)
	s.isProblem(t, send("", "k", "body"), 403, "Forbidden", 4)

	// A request without a key is nobody's business.
	s.isFresh(t, send("", "", "body"), 201, charge(5), 5)

	// While anna's request is running, berta's runs.
	s.pay = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Account") == "anna" {
			s.isFresh(t, send("berta", "busy", ""), 200, "", 7)
		}
	}
	s.isFresh(t, send("anna", "busy", ""), 200, "", 7)
}

func TestScopesNeverShare(t *testing.T) {
	s := newShop()
	s.isFresh(t, s.post("k"), 201, charge(1), 1)
	s.config.Once.Scope = "refunds"
	s.isFresh(t, s.post("k"), 201, charge(2), 2)
}

func TestRecordIsThatOfTheEngine(t *testing.T) {
	s := newShop()
	s.post("k")
	got, err := idempotency.Do(t.Context(), s.config.Once, idempotency.Join("", "k"), func(context.Context) (httpkey.Response, error) {
		t.Error("it ran")
		return httpkey.Response{}, nil
	})
	if err != nil || got.Status != 201 || string(got.Body) != charge(1) || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRecordLivesForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		s.isFresh(t, s.post("k"), 201, charge(1), 1)
		time.Sleep(24 * time.Hour)
		s.isReplay(t, s.post("k"), 201, charge(1), 1)
		time.Sleep(time.Millisecond)
		s.isFresh(t, s.post("k"), 201, charge(2), 2)

		s.config.Once.TTL = time.Minute
		s.isFresh(t, s.post("l"), 201, charge(3), 3)
		time.Sleep(time.Minute + time.Millisecond)
		s.isFresh(t, s.post("l"), 201, charge(4), 4)
	})
}

func TestReplayIsRepeatedFromTheCache(t *testing.T) {
	s := newShop()
	s.config.Once.Cache = new(idempotency.Cache)
	s.isFresh(t, s.post("k"), 201, charge(1), 1)
	before := s.Calls(storetest.Any)
	for range 3 {
		s.isReplay(t, s.post("k"), 201, charge(1), 1)
	}
	if n := s.Calls(storetest.Any) - before; n != 0 {
		t.Errorf("%d round trips, want none", n)
	}
}

func TestPanicGivesTheKeyBackAndGoesOn(t *testing.T) {
	for name, value := range map[string]any{"a value": "boom", "abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			s := newShop()
			s.pay = func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "half of it")
				panic(value)
			}
			if got := panics(func() { s.post("k") }); got != fmt.Sprint(value) {
				t.Errorf("panic %q, want %v", got, value)
			}
			s.pay = nil
			s.isFresh(t, s.post("k"), 201, charge(2), 2)
		})
	}
}

func TestGoexitGivesTheKeyBack(t *testing.T) {
	s := newShop()
	s.pay = func(http.ResponseWriter, *http.Request) { runtime.Goexit() }
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.post("k")
	}()
	<-done
	s.pay = nil
	s.isFresh(t, s.post("k"), 201, charge(2), 2)
}

func TestAllowIsAskedBeforeAReplay(t *testing.T) {
	s := newShop()
	var asked int
	var verdict error
	s.config.Allow = func(r *http.Request, kept httpkey.Response) error {
		asked++
		body, err := io.ReadAll(r.Body)
		if string(body) != `{"amount":7}` || err != nil || kept.Status != 201 || string(kept.Body) != charge(1) {
			t.Errorf("asked about %s, %v, %+v", body, err, kept)
		}
		return verdict
	}
	s.isFresh(t, s.post("k"), 201, charge(1), 1)
	if asked != 0 {
		t.Error("asked before the first run")
	}
	s.isReplay(t, s.post("k"), 201, charge(1), 1)
	verdict = errors.New("payments: not any more")
	s.isProblem(t, s.post("k"), 403, "Forbidden", 1)
	verdict = &teapot{}
	s.isProblem(t, s.post("k"), 418, "I'm a teapot", 1)
	if got := s.told(); got != "replay replay refusal replay refusal" {
		t.Errorf("told %q", got)
	}
	verdict = nil
	s.isReplay(t, s.post("k"), 201, charge(1), 1)
}

func TestResponsesThatAreKept(t *testing.T) {
	keepAll := func(int) bool { return true }
	keepNone := func(int) bool { return false }
	for _, tt := range []struct {
		status int
		keep   func(int) bool
		kept   bool
	}{
		{200, nil, true},
		{201, nil, true},
		{302, nil, true},
		{400, nil, true},
		{402, nil, true},
		{403, nil, true},
		{404, nil, true},
		{409, nil, true},
		{422, nil, true},
		{499, nil, true},
		{401, nil, false},
		{408, nil, false},
		{425, nil, false},
		{429, nil, false},
		{500, nil, false},
		{501, nil, false},
		{503, nil, false},
		{599, nil, false},
		{503, keepAll, true},
		{200, keepNone, false},
	} {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			s := newShop()
			s.config.Keep = tt.keep
			s.pay = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, "run ", s.runs.Load())
			}
			s.isFresh(t, s.post("k"), tt.status, "run 1", 1)
			if tt.kept {
				s.isReplay(t, s.post("k"), tt.status, "run 1", 1)
			} else {
				s.isFresh(t, s.post("k"), tt.status, "run 2", 2)
			}
		})
	}
}

func TestUncertainRequestIsAConflict(t *testing.T) {
	s := newShop()
	s.config.Once.RefuseAbandoned = true
	s.abandon(t, "k")
	w := s.post("k")
	s.isProblem(t, w, 409, uncertain, 0)
	if got := w.Header().Get("Retry-After"); got != "" {
		t.Errorf("Retry-After %q, want none", got)
	}
}

func TestReconcileGetsTheRequestAndReturnsAResponse(t *testing.T) {
	s := newShop()
	s.abandon(t, "k")
	s.config.Once.Reconcile = func(_ context.Context, run idempotency.Abandoned) (any, bool, error) {
		body, err := io.ReadAll(run.In.(*http.Request).Body)
		if string(body) != `{"amount":7}` || err != nil {
			t.Errorf("body %q, %v", body, err)
		}
		return httpkey.Response{Status: 200, Header: http.Header{"Location": {"/payments/7"}, "Set-Cookie": {"a=b"}}, Body: []byte("found")}, true, nil
	}
	for range 2 {
		w := s.post("k")
		s.isReplay(t, w, 200, "found", 0)
		if w.Header().Get("Location") != "/payments/7" || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("header %v", w.Header())
		}
	}
}

// A gateway that got no answer in time does not know what was done.
func TestResponseThatLeavesOpenWhatWasDone(t *testing.T) {
	s := newShop()
	s.config.Once.RefuseAbandoned = true
	s.config.Once.Uncertain = func(err error) bool {
		e, ok := errors.AsType[interface {
			error
			HTTPStatus() int
		}](err)
		return ok && e.HTTPStatus() == http.StatusGatewayTimeout
	}
	status := http.StatusServiceUnavailable
	s.pay = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	s.isFresh(t, s.post("k"), 503, "", 1)
	status = http.StatusGatewayTimeout
	s.isFresh(t, s.post("k"), 504, "", 2)
	s.isProblem(t, s.post("k"), 409, uncertain, 2)
}

func TestReconcileThatSaysNoRunsAgain(t *testing.T) {
	s := newShop()
	s.abandon(t, "k")
	trouble := errors.New("the bank does not answer")
	s.config.Once.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) { return nil, false, trouble }
	s.isProblem(t, s.post("k"), 409, uncertain, 0)
	trouble = nil
	s.isFresh(t, s.post("k"), 201, charge(1), 1)
	s.isReplay(t, s.post("k"), 201, charge(1), 1)
}

func TestHandlerThatGivesUpIsNoEmptyResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		s.pay = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := s.do(request(http.MethodPost, "/payments", "k", "").WithContext(ctx))
		s.isProblem(t, w, 504, "Gateway Timeout", 1)
		s.pay = nil
		s.isFresh(t, s.do(request(http.MethodPost, "/payments", "k", "")), 201, charge(2), 2)
	})
}

// What was flushed is an answer, and nothing is added to it.
func TestHandlerThatGivesUpAfterAFlushHasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		s.pay = func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s.isFresh(t, s.do(request(http.MethodPost, "/payments", "k", `{"amount":7}`).WithContext(ctx)), 200, "", 1)
		s.isNotKept(t, "k", 1)
	})
}

func TestRunThatLosesItsRecordIsOutstandingElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		s.pay = func(_ http.ResponseWriter, r *http.Request) {
			token, _ := idempotency.Token(r.Context())
			if err := s.memory.Release(r.Context(), token.Key, token.Owner); err != nil {
				t.Error(err)
			}
			<-r.Context().Done()
			if context.Cause(r.Context()) != idempotency.ErrLost { //nolint:errorlint // as documented
				t.Errorf("it ended with %v", context.Cause(r.Context()))
			}
		}
		s.isProblem(t, s.post("k"), 409, outstanding, 1)
		if got := s.told(); got != "lost" {
			t.Errorf("told %q", got)
		}
	})
}

func TestHandlerHasTheToken(t *testing.T) {
	s := newShop()
	s.pay = func(_ http.ResponseWriter, r *http.Request) {
		if token, ok := idempotency.Token(r.Context()); !ok || token.Attempt != 1 || !strings.HasPrefix(token.Key, "payments#") {
			t.Errorf("token %+v, %v", token, ok)
		}
	}
	s.isFresh(t, s.post("k"), 200, "", 1)
}

func TestWatchSaysHowItEnded(t *testing.T) {
	s := newShop()
	for _, want := range []idempotency.Outcome{idempotency.Ran, idempotency.Replayed} {
		ctx, outcome := idempotency.Watch(t.Context())
		s.do(request(http.MethodPost, "/payments", "k", "").WithContext(ctx))
		if got := outcome(); got != want {
			t.Errorf("outcome %v, want %v", got, want)
		}
	}
}

func TestConfigThatMakesNoSensePanics(t *testing.T) {
	good := newShop().config
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for want, change := range map[string]func(*httpkey.Config){
		"idempotency: Wrap: the Config has no Store":              func(c *httpkey.Config) { c.Once.Store = nil },
		"idempotency: Wrap: the Config has no Scope":              func(c *httpkey.Config) { c.Once.Scope = "" },
		"httpkey: Middleware: in Once is a Fingerprint":           func(c *httpkey.Config) { c.Once.Fingerprint = func(any) (string, error) { return "", nil } },
		"httpkey: Middleware: in Once is":                         func(c *httpkey.Config) { c.Once.Keep = func(error) bool { return false } },
		"Rebuild":                                                 func(c *httpkey.Config) { c.Once.Rebuild = func(*idempotency.ReplayedError) error { return nil } },
		"Codec":                                                   func(c *httpkey.Config) { c.Once.Codec = codec{} },
		"httpkey: Middleware: MaxRequest -1, MaxResponse 0: want": func(c *httpkey.Config) { c.MaxRequest = -1 },
		"httpkey: Middleware: MaxRequest 0, MaxResponse -1: want": func(c *httpkey.Config) { c.MaxResponse = -1 },
		`httpkey: Middleware: in Methods is "GET"`:                func(c *httpkey.Config) { c.Methods = []string{"POST", "get"} },
		`Methods is "HEAD"`:                                       func(c *httpkey.Config) { c.Methods = []string{"HEAD"} },
		`Methods is "OPTIONS"`:                                    func(c *httpkey.Config) { c.Methods = []string{"OPTIONS"} },
		`Methods is "TRACE"`:                                      func(c *httpkey.Config) { c.Methods = []string{"TRACE"} },
		`Methods is ""`:                                           func(c *httpkey.Config) { c.Methods = []string{""} },
		`httpkey: Middleware: in Headers is "Set-Cookie", which`:  func(c *httpkey.Config) { c.Headers = []string{"X-Request-Id", "set-cookie"} },
		`Headers is "Authorization"`:                              func(c *httpkey.Config) { c.Headers = []string{"Authorization"} },
		`Headers is "Date"`:                                       func(c *httpkey.Config) { c.Headers = []string{"Date"} },
		`Headers is "Transfer-Encoding"`:                          func(c *httpkey.Config) { c.Headers = []string{"transfer-encoding"} },
		`Headers is "Connection"`:                                 func(c *httpkey.Config) { c.Headers = []string{"Connection"} },
		`Headers is "Idempotent-Replayed"`:                        func(c *httpkey.Config) { c.Headers = []string{"Idempotent-Replayed"} },
		`Headers is "Traceparent"`:                                func(c *httpkey.Config) { c.Headers = []string{"traceparent"} },
		`Headers is "X-A:"`:                                       func(c *httpkey.Config) { c.Headers = []string{"X-A:"} },
		`Headers is "X-Ä"`:                                        func(c *httpkey.Config) { c.Headers = []string{"X-Ä"} },
		`Methods is "PUT, POST"`:                                  func(c *httpkey.Config) { c.Methods = []string{"Put, Post"} },
		`Headers is ""`:                                           func(c *httpkey.Config) { c.Headers = []string{""} },
	} {
		c := good
		change(&c)
		if got := panics(func() { httpkey.Middleware(c) }); !strings.Contains(got, want) {
			t.Errorf("panic %q, want %q", got, want)
		}
	}
	if got := panics(func() { httpkey.Middleware(good)(nil) }); got != "httpkey: Middleware of a nil handler" {
		t.Errorf("panic %q", got)
	}
	httpkey.Middleware(good)(next)
}

type codec struct{ idempotency.Codec }
