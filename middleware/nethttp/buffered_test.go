package nethttp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/retry"
)

// noWait retries at once, up to three attempts.
var noWait = retry.Policy{Base: -1, ThrottleBase: -1}

// failing writes status for the first n calls, and then 200 with the request's body.
func failing(n int, status int, calls *int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*calls++
		body, _ := io.ReadAll(r.Body)
		if *calls <= n {
			w.Header().Set("X-Failed", "yes")
			w.WriteHeader(status)
		}
		_, _ = w.Write(body)
	})
}

func TestBufferedRepeats(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		key    http.Header
		fail   int // the first so many
		status int
		calls  int
		want   int
	}{
		{"success", "GET", nil, 0, 0, 1, 200},
		{"a failure", "GET", nil, 1, 503, 2, 200},
		{"two failures", "PUT", nil, 2, 500, 3, 200},
		{"failures to the end", "DELETE", nil, 9, 503, 3, 503},
		{"not for us to judge", "GET", nil, 9, 404, 1, 404},
		{"not implemented", "GET", nil, 9, 501, 1, 501},
		{"not idempotent", "POST", nil, 9, 503, 1, 503},
		{"not idempotent", "PATCH", nil, 9, 503, 1, 503},
		{"with a key", "POST", http.Header{"Idempotency-Key": {"1"}}, 1, 503, 2, 200},
		{"with the other key", "POST", http.Header{"X-Idempotency-Key": {"1"}}, 1, 503, 2, 200},
	} {
		t.Run(tt.name+" "+tt.method, func(t *testing.T) {
			calls := 0
			r := httptest.NewRequest(tt.method, "/", strings.NewReader("the whole body"))
			maps.Copy(r.Header, tt.key)
			w := serve(nethttp.Buffered{}.Middleware(noWait)(failing(tt.fail, tt.status, &calls)), r)
			if calls != tt.calls || w.Code != tt.want || w.Body.String() != "the whole body" {
				t.Errorf("%d calls, then %d %q; want %d, then %d", calls, w.Code, w.Body, tt.calls, tt.want)
			}
			if failed := w.Header().Get("X-Failed") != ""; failed != (tt.want >= 400) {
				t.Errorf("the header has something of an attempt that was not sent: %v", w.Header())
			}
		})
	}
}

func TestBufferedAttemptsAreApart(t *testing.T) {
	calls := 0
	h := nethttp.Buffered{}.Middleware(noWait)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if err := r.ParseForm(); err != nil || r.PostForm.Get("a") != "1" {
			t.Errorf("attempt %d: the form is %v, %v", calls, r.PostForm, err)
		}
		if r.Header.Get("X-Mine") != "" {
			t.Errorf("attempt %d sees what an earlier one did to the request", calls)
		}
		r.Header.Set("X-Mine", "yes")
		if got := w.Header().Values("X-Outer"); len(got) != 1 {
			t.Errorf("attempt %d sees what an earlier one did to the response: %v", calls, got)
		}
		w.Header().Add("X-Outer", "handler")
		w.Header().Del("X-Removed")
		if calls < 3 {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, "ok")
	}))
	r := httptest.NewRequest(http.MethodPut, "/", strings.NewReader("a=1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	w.Header().Set("X-Outer", "outer")
	w.Header().Set("X-Removed", "outer")
	h.ServeHTTP(w, r)
	if got := strings.Join(w.Header().Values("X-Outer"), " "); calls != 3 || w.Body.String() != "ok" || got != "outer handler" {
		t.Errorf("%d calls, %q, X-Outer %q", calls, w.Body, got)
	}
	if w.Header().Get("X-Removed") != "" {
		t.Error("what the handler removed from the header was sent")
	}
	if r.Header.Get("X-Mine") != "" {
		t.Error("the caller's request was changed")
	}
}

func TestBufferedRequestTooLarge(t *testing.T) {
	seen := &watch{}
	h := nethttp.Buffered{MaxRequest: 4}.Middleware(seen)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); len(body) > 4 {
			t.Errorf("the handler got %q", body)
		}
	}))
	server := httptest.NewServer(h)
	defer server.Close()
	for body, want := range map[string]int{"": 200, "four": 200, "five!": 413} {
		for form, reader := range map[string]io.Reader{"known": strings.NewReader(body), "chunked": io.MultiReader(strings.NewReader(body))} {
			response, err := server.Client().Post(server.URL, "", reader)
			if err != nil {
				t.Fatal(err)
			}
			problem, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("%q, %s: status %d, want %d", body, form, response.StatusCode, want)
			}
			if want == 413 {
				isProblem(t, response.Header, problem, 413)
			}
			if refused := refusal.Is(seen.last()); refused != (want == 413) {
				t.Errorf("%q: the policies saw %v", body, seen.last())
			}
		}
	}
}

func TestBufferedRequestThatBreaksOff(t *testing.T) {
	r := httptest.NewRequest(http.MethodPut, "/", io.MultiReader(strings.NewReader("half"), failingReader{}))
	w := serve(nethttp.Buffered{}.Middleware()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the handler was called with half a request")
	})), r)
	if w.Code != 400 {
		t.Errorf("status %d, want 400", w.Code)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBufferedRefusalDoesNotReadTheBody(t *testing.T) {
	body := &countingReader{}
	w := serve(nethttp.Buffered{}.Middleware(always(open(t)))(quiet), httptest.NewRequest(http.MethodPut, "/", body))
	if w.Code != 503 || body.n != 0 {
		t.Errorf("status %d after %d bytes were read", w.Code, body.n)
	}
}

type countingReader struct{ n int }

func (c *countingReader) Read(p []byte) (int, error) { c.n += len(p); return len(p), nil }

func TestBufferedLongResponseIsSentAsItComes(t *testing.T) {
	twice := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return call(ctx)
	})
	for _, tt := range []struct {
		name   string
		status int
		max    int64
		sent   []int // after each write of four bytes
	}{
		{"success", 200, 8, []int{0, 0, 12, 16}},
		{"a byte less", 200, 7, []int{0, 8, 12, 16}},
		{"failure, which is the last then", 500, 8, []int{0, 0, 12, 16}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var server httptest.ResponseRecorder
			server.Body = new(bytes.Buffer)
			calls := 0
			seen := &watch{}
			h := nethttp.Buffered{MaxResponse: tt.max}.Middleware(twice, retry.Policy{Base: time.Hour}, seen)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.Header().Set("X-Kept", "yes")
				w.WriteHeader(tt.status)
				w.Header().Set("X-Kept", "too late")
				for i, sent := range tt.sent {
					_, _ = io.WriteString(w, "four")
					if server.Body.Len() != sent {
						t.Errorf("after %d bytes %d were sent, want %d", 4*(i+1), server.Body.Len(), sent)
					}
				}
			}))
			h.ServeHTTP(&server, get())
			if calls != 1 || server.Code != tt.status || server.Body.String() != strings.Repeat("four", 4) {
				t.Errorf("%d calls, then %d %q", calls, server.Code, server.Body)
			}
			if got := server.Result().Header.Get("X-Kept"); got != "yes" {
				t.Errorf("X-Kept = %q", got)
			}
			if failed := seen.last() != nil; failed != (tt.status >= 500) {
				t.Errorf("the policies saw %v", seen.last())
			}
		})
	}
}

func TestBufferedSecondAttemptMayGrowLong(t *testing.T) {
	calls := 0
	h := nethttp.Buffered{MaxResponse: 8}.Middleware(noWait)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.Header().Set("X-Failed", "yes")
			w.WriteHeader(500)
			return
		}
		_, _ = io.WriteString(w, "more than eight")
	}))
	if w := serve(h, get()); w.Code != 200 || w.Body.String() != "more than eight" || w.Header().Get("X-Failed") != "" {
		t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
	}
}

func TestBufferedSendsTheRefusalThatCameLast(t *testing.T) {
	calls := 0
	b := breaker.New(breaker.Config{Failures: 1, OpenFor: time.Minute})
	w := serve(nethttp.Buffered{}.Middleware(noWait, b)(failing(9, 500, &calls)), get())
	if calls != 1 || w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("X-Failed") != "" {
		t.Errorf("%d calls, then %d %v", calls, w.Code, w.Header())
	}
}

func TestBufferedTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		stall := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls < 3 {
				<-r.Context().Done()
				return
			}
			_, _ = io.WriteString(w, "third")
		})
		h := nethttp.Buffered{}.Middleware(noWait, middleware.Timeout(time.Second))(stall)
		start := time.Now()
		if w := serve(h, get()); w.Code != 200 || w.Body.String() != "third" || time.Since(start) != 2*time.Second {
			t.Errorf("got %d %q after %v", w.Code, w.Body, time.Since(start))
		}
		calls = -9
		if w := serve(h, get()); w.Code != 504 {
			t.Errorf("got %d, want 504", w.Code)
		}
	})
}

func TestBufferedTrailers(t *testing.T) {
	for name, limit := range map[string]int64{"kept": 0, "sent as it comes": 1} {
		server := httptest.NewServer(nethttp.Buffered{MaxResponse: limit}.Middleware()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Declared")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("X-Declared", "1")
			w.Header().Set(http.TrailerPrefix+"X-Undeclared", "2")
			w.Header().Set("X-Late", "3")
		})))
		response, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		server.Close()
		if response.Trailer.Get("X-Declared") != "1" || response.Trailer.Get("X-Undeclared") != "2" || response.Header.Get("X-Late") != "" {
			t.Errorf("%s: trailers %v, header %v", name, response.Trailer, response.Header)
		}
	}
}

func TestBufferedOffersNothingThatCannotBeUndone(t *testing.T) {
	server := httptest.NewServer(nethttp.Buffered{}.Middleware()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(http.Flusher); ok {
			t.Error("there is a Flusher")
		}
		if _, ok := w.(http.Hijacker); ok {
			t.Error("there is a Hijacker")
		}
		if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Flush: %v", err)
		}
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	})))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Errorf("status %d, want 202", response.StatusCode)
	}
}

// A request that must not be repeated ends at once, though the retry would wait an hour.
func TestBufferedUnsafeRequestDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, start := 0, time.Now()
		h := nethttp.Buffered{}.Middleware(retry.Policy{Base: time.Hour, Cap: time.Hour})(failing(9, 503, &calls))
		serve(h, httptest.NewRequest(http.MethodPost, "/", nil))
		if took := time.Since(start); calls != 1 || took > 0 {
			t.Errorf("%d calls in %v", calls, took)
		}
	})
}

// A policy that repeats whatever it is told, in this case a success.
func TestBufferedUnsafeRequestIsNeverRepeated(t *testing.T) {
	stubborn := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return call(ctx)
	})
	calls := 0
	h := nethttp.Buffered{}.Middleware(stubborn)(failing(0, 0, &calls))
	w := serve(h, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("once")))
	if calls != 1 || w.Code != 200 || w.Body.String() != "once" {
		t.Errorf("%d calls, then %d %q", calls, w.Code, w.Body)
	}
}
