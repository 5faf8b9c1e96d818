package nethttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// The shapes that chi.Router.Use, alice.New and http.Client take.
var (
	_ func(http.Handler) http.Handler = nethttp.Middleware()
	_ func(http.Handler) http.Handler = nethttp.Buffered{}.Middleware()
	_ http.RoundTripper               = nethttp.Transport(nil)
)

// always ends every call with err, without making it.
func always(err error) middleware.Policy {
	return middleware.PolicyFunc(func(context.Context, func(context.Context) error) error { return err })
}

// watch is a policy that keeps what it saw.
type watch struct{ errs []error }

func (w *watch) Do(ctx context.Context, call func(context.Context) error) error {
	err := call(ctx)
	w.errs = append(w.errs, err)
	return err
}

func (w *watch) last() error { return w.errs[len(w.errs)-1] }

func write(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

var quiet = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get() *http.Request { return httptest.NewRequest(http.MethodGet, "/", nil) }

func isProblem(t *testing.T, h http.Header, body []byte, status int) {
	t.Helper()
	var problem struct {
		Title  string
		Status int
	}
	if err := json.Unmarshal(body, &problem); err != nil || problem.Status != status || problem.Title != http.StatusText(status) {
		t.Errorf("body = %s, %v; want a problem with status %d", body, err, status)
	}
	if got := h.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q", got)
	}
	if got := h.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", got)
	}
}

// open is the refusal of a breaker that has just opened, for 10 to 15 seconds.
func open(t *testing.T) error {
	t.Helper()
	b := breaker.New(breaker.Config{Name: "secret", Failures: 1})
	_ = b.Do(t.Context(), func(context.Context) error { return errors.New("down") })
	err := b.Do(t.Context(), func(context.Context) error { return nil })
	if !errors.Is(err, breaker.ErrOpen) {
		t.Fatalf("the breaker is not open: %v", err)
	}
	return err
}

func TestPoliciesAnswer(t *testing.T) {
	empty := ratelimit.New(ratelimit.Limit{Name: "secret", Rate: 0.5, Burst: 1})
	_ = empty.Do(t.Context(), func(context.Context) error { return nil })
	full := middleware.NewBulkhead(1, 0)

	for _, tt := range []struct {
		name       string
		policy     middleware.Policy
		status     int
		retryAfter []string
	}{
		{"limited", empty, 429, []string{"2", "1"}},
		{"open", always(open(t)), 503, []string{"10", "11", "12", "13", "14", "15"}},
		{"full", full, 503, []string{""}},
		{"no time left", always(&middleware.ReserveError{Reserve: time.Second}), 504, []string{""}},
		{"timeout", always(&middleware.TimeoutError{Limit: time.Second, Err: context.DeadlineExceeded}), 504, []string{""}},
		{"deadline of somebody else", always(context.DeadlineExceeded), 504, []string{""}},
		{"cancelled", always(context.Canceled), 503, []string{""}},
		{"panic", always(&middleware.PanicError{Value: "secret"}), 500, []string{""}},
		{"any other error", always(errors.New("secret")), 500, []string{""}},
		{"inside another error", always(fmt.Errorf("secret: %w", open(t))), 503, []string{"10", "11", "12", "13", "14", "15"}},
		{"too large", always(&http.MaxBytesError{Limit: 1}), 413, []string{""}},
		{"neither call nor error", always(nil), 500, []string{""}},
		{"the status of a response elsewhere", always(&nethttp.StatusError{Code: 429}), 500, []string{""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_ = full.Do(t.Context(), func(context.Context) error { // so that it is full
				for form, wrap := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
					"plain": nethttp.Middleware, "buffered": nethttp.Buffered{}.Middleware,
				} {
					w := serve(wrap(tt.policy)(write(200, "no")), get())
					if w.Code != tt.status {
						t.Errorf("%s: status %d, want %d", form, w.Code, tt.status)
					}
					isProblem(t, w.Header(), w.Body.Bytes(), tt.status)
					if got := w.Header().Get("Retry-After"); !strings.Contains(","+strings.Join(tt.retryAfter, ",")+",", ","+got+",") {
						t.Errorf("%s: Retry-After = %q, want one of %q", form, got, tt.retryAfter)
					}
					if strings.Contains(w.Body.String(), "secret") {
						t.Errorf("%s: the body tells what is inside: %s", form, w.Body)
					}
				}
				return nil
			})
		})
	}
}

func TestErrorRemovesWhatDescribesAnotherBody(t *testing.T) {
	w := httptest.NewRecorder()
	h := w.Header()
	h.Set("Content-Encoding", "gzip")
	h.Set("Content-Length", "7")
	h.Set("ETag", `"1"`)
	h.Set("Retry-After", "900")
	h.Set("Cache-Control", "max-age=3600")
	h.Set("X-Request-ID", "42")
	nethttp.Error(w, errors.New("boom"))
	for field, want := range map[string]string{
		"Content-Encoding": "", "Content-Length": "", "Etag": "", "Retry-After": "", "Cache-Control": "no-store", "X-Request-ID": "42",
	} {
		if got := w.Result().Header.Get(field); got != want {
			t.Errorf("%s = %q, want %q", field, got, want)
		}
	}
}

func TestHandlersStatusIsItsOutcome(t *testing.T) {
	for _, tt := range []struct {
		status int
		failed bool
	}{
		{200, false}, {204, false}, {302, false}, {404, false}, {408, false}, {429, false}, {499, false},
		{500, true}, {501, false}, {502, true}, {503, true}, {504, true}, {599, true},
	} {
		seen := &watch{}
		w := serve(nethttp.Middleware(seen)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "7")
			write(tt.status, "")(w, r)
		})), get())
		if w.Code != tt.status {
			t.Errorf("the handler wrote %d, and %d came out", tt.status, w.Code)
		}
		failure, failed := errors.AsType[*nethttp.StatusError](seen.last())
		if failed != tt.failed || (seen.last() != nil) != tt.failed {
			t.Errorf("status %d: the policies saw %v", tt.status, seen.last())
		}
		if failed && (failure.HTTPStatusCode() != tt.status || failure.RetryAfter() != 7*time.Second) {
			t.Errorf("status %d: the policies saw %+v", tt.status, failure)
		}
	}
}

func TestHandlersResponseIsUntouched(t *testing.T) {
	h := nethttp.Middleware(&watch{}, middleware.Timeout(time.Minute))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Cause", "disk")
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "own words")
	}))
	w := serve(h, get())
	if w.Code != 503 || w.Body.String() != "own words" || w.Header().Get("X-Cause") != "disk" || w.Header().Get("Cache-Control") != "" {
		t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
	}
}

func TestContexts(t *testing.T) {
	type key string
	outer := context.WithValue(t.Context(), key("outer"), true)
	var seen context.Context
	policy := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		seen = ctx
		return call(context.WithValue(ctx, key("policy"), true))
	})
	for name, wrap := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
		"plain": nethttp.Middleware, "buffered": nethttp.Buffered{}.Middleware,
	} {
		called := false
		r := get().WithContext(outer)
		serve(wrap(policy)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			called = r.Context().Value(key("policy")) != nil && r.Context().Value(key("outer")) != nil
		})), r)
		if seen != outer {
			t.Errorf("%s: the policies got another context than the request's", name)
		}
		if !called {
			t.Errorf("%s: the handler's request lacks the policies' context", name)
		}
	}
}

func TestRequestIsNotCopiedWithoutNeed(t *testing.T) {
	r := get().WithContext(t.Context())
	serve(nethttp.Middleware(&watch{})(http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) {
		if got != r {
			t.Error("no policy changed the context, and the handler got a copy of the request")
		}
	})), r)
}

// A sliceContext cannot be compared.
type sliceContext struct {
	context.Context //nolint:containedctx // it is a context
	_               []int
}

func TestContextThatCannotBeCompared(t *testing.T) {
	w := serve(nethttp.Middleware()(write(204, "")), get().WithContext(sliceContext{Context: t.Context()}))
	if w.Code != 204 {
		t.Errorf("status %d, want 204", w.Code)
	}
}

func TestHandlerThatReturnsWithoutAnswerWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, wrap := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
			"plain": nethttp.Middleware, "buffered": nethttp.Buffered{}.Middleware,
		} {
			inside := &watch{}
			h := wrap(middleware.Timeout(time.Second), inside)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
			}))
			w := serve(h, get())
			if w.Code != 504 {
				t.Errorf("%s: status %d, want 504", name, w.Code)
			}
			isProblem(t, w.Header(), w.Body.Bytes(), 504)
			if !errors.Is(inside.last(), context.DeadlineExceeded) {
				t.Errorf("%s: the policies saw %v", name, inside.last())
			}
		}
	})
}

func TestLateResponseIsAResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &watch{}
		h := nethttp.Middleware(seen, middleware.Timeout(time.Second))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Minute)
			_, _ = io.WriteString(w, "late")
		}))
		if w := serve(h, get()); w.Code != 200 || w.Body.String() != "late" || seen.last() != nil {
			t.Errorf("got %d %q, and the policies saw %v", w.Code, w.Body, seen.last())
		}
	})
}

func TestEmptyResponseInTimeIsEmpty(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"plain":    nethttp.Middleware(middleware.Timeout(time.Minute))(quiet),
		"buffered": nethttp.Buffered{}.Middleware(middleware.Timeout(time.Minute))(quiet),
	} {
		if w := serve(h, get()); w.Code != 200 || w.Body.Len() != 0 {
			t.Errorf("%s: got %d %q, want an empty 200", name, w.Code, w.Body)
		}
	}
}

// A caller who goes away is not the handler's failure.
func TestCallerWhoHasGone(t *testing.T) {
	b := breaker.New(breaker.Config{Failures: 1})
	ctx, cancel := context.WithCancel(t.Context())
	for name, h := range map[string]http.Handler{
		"returns":     http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() }),
		"answers 500": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { cancel(); w.WriteHeader(500) }),
	} {
		w := serve(nethttp.Middleware(b)(h), get().WithContext(ctx))
		if w.Code == 200 {
			t.Errorf("the handler %s: a request that was not served was answered 200", name)
		}
		if b.State() != breaker.Closed {
			t.Errorf("the handler %s: the breaker is %s", name, b.State())
		}
	}
}

func TestPanics(t *testing.T) {
	late := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(v)
		}
	}
	early := func(v any) http.HandlerFunc { return func(http.ResponseWriter, *http.Request) { panic(v) } }
	swallow := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		_ = middleware.Recover{}.Do(ctx, call)
		return nil
	})
	for _, tt := range []struct {
		name    string
		policy  middleware.Policy
		handler http.Handler
		status  int // 0: the connection is aborted
		logged  bool
	}{
		{"recovered", middleware.Recover{}, early("boom"), 500, false},
		{"recovered after half a response", middleware.Recover{}, late("boom"), 0, false},
		{"not recovered", middleware.Join(), early("boom"), 0, true},
		{"not recovered after half a response", middleware.Join(), late("boom"), 0, true},
		{"aborted", middleware.Recover{}, early(http.ErrAbortHandler), 0, false},
		{"aborted after half a response", middleware.Recover{}, late(http.ErrAbortHandler), 0, false},
		{"aborted, and the policy says nothing", swallow, early(http.ErrAbortHandler), 0, false},
		{"the policy says nothing", swallow, early("boom"), 500, false},
		{"a value that cannot be compared", middleware.Recover{}, early([]int{1}), 500, false},
		{"nil", middleware.Recover{}, early(nil), 500, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for form, wrap := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
				"plain": nethttp.Middleware, "buffered": nethttp.Buffered{MaxResponse: 1}.Middleware,
			} {
				var logged bytes.Buffer
				server := httptest.NewUnstartedServer(wrap(tt.policy)(tt.handler))
				server.Config.ErrorLog = log.New(&logged, "", 0)
				server.Start()
				response, err := server.Client().Get(server.URL)
				var body []byte
				if err == nil {
					body, err = io.ReadAll(response.Body)
					_ = response.Body.Close()
				}
				server.Close()
				switch {
				case tt.status == 0 && err == nil:
					t.Errorf("%s: got a whole response, %d %q", form, response.StatusCode, body)
				case tt.status != 0 && err != nil:
					t.Errorf("%s: got %v, want status %d", form, err, tt.status)
				case tt.status != 0:
					if response.StatusCode != tt.status {
						t.Errorf("%s: status %d, want %d", form, response.StatusCode, tt.status)
					}
					isProblem(t, response.Header, body, tt.status)
				}
				if (logged.Len() > 0) != tt.logged {
					t.Errorf("%s: the server logged %q", form, &logged)
				}
			}
		})
	}
}

func panicHere(http.ResponseWriter, *http.Request) { panic("boom") }

func TestPanicKeepsItsStack(t *testing.T) {
	seen := &watch{}
	serve(nethttp.Middleware(seen, middleware.Recover{})(http.HandlerFunc(panicHere)), get())
	p, ok := errors.AsType[*middleware.PanicError](seen.last())
	if !ok || p.Value != "boom" || !strings.Contains(string(p.Stack), "panicHere") {
		t.Errorf("got %v with stack\n%s", seen.last(), p.Stack)
	}
}

func TestRepeatingPoliciesAreRefusedAtConstruction(t *testing.T) {
	for name, policy := range map[string]middleware.Policy{
		"retry":      retry.Policy{},
		"retry deep": middleware.Join(middleware.Recover{}, middleware.Join(retry.Policy{})),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				text := fmt.Sprint(recover())
				if !strings.HasPrefix(text, "nethttp: Middleware: policy 2 of 2") || !strings.Contains(text, "nethttp.Buffered{}") {
					t.Errorf("panic: %s", text)
				}
			}()
			nethttp.Middleware(middleware.Recover{}, policy)
		})
	}
	nethttp.Middleware(retry.Policy{Attempts: 1}) // does not repeat
	nethttp.Buffered{}.Middleware(retry.Policy{})
}

// A policy that repeats and cannot say so.
func TestSecondCallIsRefused(t *testing.T) {
	var second error
	twice := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		err := call(ctx)
		second = call(ctx)
		return errors.Join(second, err)
	})
	calls := 0
	h := nethttp.Middleware(twice)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		write(500, "once")(w, nil)
	}))
	w := serve(h, get())
	if calls != 1 || w.Code != 500 || w.Body.String() != "once" {
		t.Errorf("%d calls, and %d %q", calls, w.Code, w.Body)
	}
	if second == nil || !strings.Contains(second.Error(), "nethttp.Buffered") {
		t.Errorf("the second call returned %v", second)
	}
}

func TestHiddenRetryDoesNotWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hidden := middleware.PolicyFunc(retry.Policy{Base: time.Hour, Cap: time.Hour}.Do)
		calls := 0
		h := nethttp.Middleware(hidden)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.WriteHeader(503)
		}))
		start := time.Now()
		serve(h, get())
		if calls != 1 || time.Since(start) > 0 {
			t.Errorf("%d calls in %v", calls, time.Since(start))
		}
	})
}

func TestNonsensePanics(t *testing.T) {
	group := breaker.NewGroup(breaker.Config{}, 1)
	for _, tt := range []struct {
		want string
		do   func()
	}{
		{"nethttp: Middleware: policy 1 of 1 is nil", func() { nethttp.Middleware(nil) }},
		{"nethttp: Middleware of a nil handler", func() { nethttp.Middleware()(nil) }},
		{"nethttp: Middleware: policy 1 of 1 is PerHost", func() { nethttp.Middleware(nethttp.PerHost(group.Get)) }},
		{"nethttp: Buffered.Middleware: policy 1 of 1 is nil", func() { nethttp.Buffered{}.Middleware(nil) }},
		{"nethttp: Buffered.Middleware of a nil handler", func() { nethttp.Buffered{}.Middleware()(nil) }},
		{"nethttp: Buffered{MaxRequest: -1, MaxResponse: 0}", func() { nethttp.Buffered{MaxRequest: -1}.Middleware() }},
		{"nethttp: Buffered{MaxRequest: 0, MaxResponse: -1}", func() { nethttp.Buffered{MaxResponse: -1}.Middleware() }},
		{"nethttp: Transport: policy 2 of 2 is nil", func() { nethttp.Transport(nil, group.Get("x"), nil) }},
		{"nethttp: PerHost(nil)", func() { nethttp.PerHost[middleware.Policy](nil) }},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, tt.want) {
					t.Errorf("panic %q, want %q", got, tt.want)
				}
			}()
			tt.do()
		}()
	}
}

func TestWhatOthersReadFromTheirRequest(t *testing.T) {
	timeout := middleware.Timeout(time.Minute) // changes the context
	for name, wrap := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
		"plain": nethttp.Middleware, "buffered": nethttp.Buffered{}.Middleware,
	} {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.PathValue("id")) })
		r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
		w := serve(wrap(timeout)(mux), r)
		if w.Body.String() != "7" || r.Pattern != "GET /orders/{id}" {
			t.Errorf("%s: body %q, and the pattern outside is %q", name, w.Body, r.Pattern)
		}
	}
}
