package nethttp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/internal/wall"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/policytest"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// trips is a RoundTripper that is a function.
type trips func(*http.Request) (*http.Response, error)

func (f trips) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A tracked body says whether it was read to its end and closed.
type tracked struct {
	io.Reader

	read   int
	closed bool
}

func (b *tracked) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("read after close")
	}
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *tracked) Close() error { b.closed = true; return nil }

func answer(status int, text string) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, Header: http.Header{}, ContentLength: int64(len(text)),
		Body: &tracked{Reader: strings.NewReader(text)},
	}
}

// script answers with statuses, the last one again and again. Zero is an error of the transport.
type script struct {
	statuses []int
	header   http.Header
	sent     []string   // the bodies of the requests
	answers  []*tracked // the bodies of the responses
}

var errTransport = errors.New("connection reset")

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	text := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		text = string(b)
	}
	s.sent = append(s.sent, text)
	status := s.statuses[min(len(s.sent), len(s.statuses))-1]
	if status == 0 {
		return nil, errTransport
	}
	response := answer(status, fmt.Sprintf("answer %d", len(s.sent)))
	maps.Copy(response.Header, s.header)
	s.answers = append(s.answers, response.Body.(*tracked))
	return response, nil
}

func request(t *testing.T, method, body string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://api.example:8080/orders", reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTransportRepeats(t *testing.T) {
	noGetBody := func(r *http.Request) { r.GetBody = nil }
	key := func(field string, value ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[field] = value }
	}
	for _, tt := range []struct {
		name     string
		method   string
		body     string
		change   func(*http.Request)
		statuses []int
		attempts int
		status   int // 0: an error
	}{
		{"success", "GET", "", nil, []int{200}, 1, 200},
		{"502, then well", "GET", "", nil, []int{502, 200}, 2, 200},
		{"an error, then well", "HEAD", "", nil, []int{0, 200}, 2, 200},
		{"429, then well", "OPTIONS", "", nil, []int{429, 200}, 2, 200},
		{"408, then well", "TRACE", "", nil, []int{408, 200}, 2, 200},
		{"no method is GET", "GET", "", func(r *http.Request) { r.Method = "" }, []int{500, 200}, 2, 200},
		{"501", "GET", "", nil, []int{501, 200}, 1, 501},
		{"404", "GET", "", nil, []int{404, 200}, 1, 404},
		{"a redirect", "GET", "", nil, []int{302, 200}, 1, 302},
		{"503 to the end", "GET", "", nil, []int{503}, 3, 503},
		{"an error at the end", "GET", "", nil, []int{503, 503, 0}, 3, 0},
		{"a status at the end", "GET", "", nil, []int{0, 0, 503}, 3, 503},
		{"PUT with a body", "PUT", "the body", nil, []int{500, 0, 200}, 3, 200},
		{"DELETE with a body", "DELETE", "the body", nil, []int{500, 200}, 2, 200},
		{"PUT, a body that cannot be had again", "PUT", "the body", noGetBody, []int{500, 200}, 1, 500},
		{"PUT, the same and an error", "PUT", "the body", noGetBody, []int{0, 200}, 1, 0},
		{"PUT, NoBody", "PUT", "", func(r *http.Request) { r.Body = http.NoBody }, []int{500, 200}, 2, 200},
		{"POST", "POST", "", nil, []int{503, 200}, 1, 503},
		{"POST, an error", "POST", "the body", nil, []int{0, 200}, 1, 0},
		{"POST, throttled", "POST", "the body", nil, []int{429, 200}, 1, 429},
		{"PATCH", "PATCH", "the body", nil, []int{503, 200}, 1, 503},
		{"POST with a key", "POST", "the body", key("Idempotency-Key", "1"), []int{503, 200}, 2, 200},
		{"POST with the other key", "POST", "the body", key("X-Idempotency-Key", "1"), []int{0, 200}, 2, 200},
		{"POST with a key that is not sent", "POST", "the body", key("Idempotency-Key"), []int{503, 200}, 2, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{statuses: tt.statuses}
			r := request(t, tt.method, tt.body)
			if tt.change != nil {
				tt.change(r)
			}
			response, err := nethttp.Transport(s, noWait).RoundTrip(r)
			if len(s.sent) != tt.attempts {
				t.Errorf("%d attempts, want %d", len(s.sent), tt.attempts)
			}
			for i, body := range s.sent {
				if body != tt.body {
					t.Errorf("attempt %d sent %q, want %q", i+1, body, tt.body)
				}
			}
			if tt.status == 0 {
				if err != errTransport || response != nil { //nolint:errorlint // the same value
					t.Errorf("got %v, %T %v; want the transport's own error", response, err, err)
				}
			} else {
				if err != nil || response.StatusCode != tt.status {
					t.Fatalf("got %v, %v; want status %d", response, err, tt.status)
				}
				text, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if want := fmt.Sprintf("answer %d", tt.attempts); err != nil || string(text) != want {
					t.Errorf("body %q, %v; want %q", text, err, want)
				}
				if response.Request != r {
					t.Error("the response is not to the caller's request")
				}
			}
			for i, b := range s.answers {
				if i == len(s.answers)-1 && tt.status != 0 {
					continue
				}
				if rest, _ := io.ReadAll(b.Reader); len(rest) > 0 || !b.closed {
					t.Errorf("response %d was thrown away: %d bytes unread, closed: %v", i+1, len(rest), b.closed)
				}
			}
		})
	}
}

func TestTransportLooksAtTheStatus(t *testing.T) {
	for status, failed := range map[int]bool{
		101: false, 200: false, 204: false, 304: false, 400: false, 404: false, 408: true, 409: false, 425: false, 429: true,
		500: true, 501: false, 502: true, 503: true, 504: true,
	} {
		seen := &watch{}
		s := &script{statuses: []int{status}, header: http.Header{"Retry-After": {"7"}}}
		response, err := nethttp.Transport(s, seen).RoundTrip(request(t, "GET", ""))
		if err != nil || response.StatusCode != status {
			t.Errorf("status %d: got %v, %v", status, response, err)
		}
		failure, ok := errors.AsType[*nethttp.StatusError](seen.last())
		if ok != failed || (seen.last() != nil) != failed {
			t.Errorf("status %d: the policies saw %v", status, seen.last())
		}
		if ok && (failure.HTTPStatusCode() != status || failure.RetryAfter() != 7*time.Second) {
			t.Errorf("status %d: the policies saw %+v", status, failure)
		}
	}
}

func TestTransportWaitsAsTheServerAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			retryAfter string
			least      time.Duration
		}{{"9", 9 * time.Second}, {"a date", 9 * time.Second}, {"86400", 20 * time.Second}} {
			if tt.retryAfter == "a date" {
				time.Sleep(time.Until(time.Now().Add(time.Second).Truncate(time.Second)))
				tt.retryAfter = time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat)
			}
			var at []time.Time
			client := nethttp.Transport(trips(func(*http.Request) (*http.Response, error) {
				response := answer(503, "")
				response.Header.Set("Retry-After", tt.retryAfter)
				at = append(at, time.Now())
				return response, nil
			}), retry.Policy{Attempts: 2})
			_, _ = client.RoundTrip(request(t, "GET", ""))
			if wait := at[1].Sub(at[0]); wait < tt.least || wait > tt.least+time.Second {
				t.Errorf("Retry-After: %s: waited %v", tt.retryAfter, wait)
			}
		}
	})
}

func TestTransportRefusals(t *testing.T) {
	t.Run("before the first attempt", func(t *testing.T) {
		body := &tracked{Reader: strings.NewReader("x")}
		r := request(t, "POST", "")
		r.Body = body
		want := open(t)
		s := &script{statuses: []int{200}}
		response, err := nethttp.Transport(s, always(want)).RoundTrip(r)
		if err != want || response != nil || len(s.sent) != 0 { //nolint:errorlint // the same value
			t.Errorf("got %v, %v after %d attempts", response, err, len(s.sent))
		}
		if !body.closed {
			t.Error("the request's body was not closed")
		}
	})
	t.Run("after an attempt", func(t *testing.T) {
		b := breaker.New(breaker.Config{Failures: 1, OpenFor: time.Hour})
		s := &script{statuses: []int{503}}
		response, err := nethttp.Transport(s, noWait, b).RoundTrip(request(t, "GET", ""))
		if !errors.Is(err, breaker.ErrOpen) || response != nil || len(s.sent) != 1 {
			t.Errorf("got %v, %v after %d attempts", response, err, len(s.sent))
		}
		if b := s.answers[0]; !b.closed || b.read == 0 {
			t.Errorf("the response that nobody gets: %d bytes read, closed: %v", b.read, b.closed)
		}
	})
	t.Run("of a limiter, then again, though the request is unsafe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limiter := ratelimit.New(ratelimit.PerSecond(1, 1))
			s := &script{statuses: []int{200}}
			client := nethttp.Transport(s, retry.Policy{}, limiter)
			for range 2 {
				if _, err := client.RoundTrip(request(t, "POST", "the body")); err != nil {
					t.Error(err)
				}
			}
			if got := strings.Join(s.sent, ", "); got != "the body, the body" {
				t.Errorf("sent: %s", got)
			}
		})
	})
}

func TestTransportPanicLeavesNothingOpen(t *testing.T) {
	for name, policy := range map[string]middleware.PolicyFunc{
		"before the attempt": func(context.Context, func(context.Context) error) error { panic("boom") },
		"after it": func(ctx context.Context, call func(context.Context) error) error {
			_ = call(ctx)
			panic("boom")
		},
	} {
		body := &tracked{Reader: strings.NewReader("x")}
		r := request(t, "PUT", "")
		r.Body = body
		s := &script{statuses: []int{200}}
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("%s: recovered %v", name, v)
				}
			}()
			_, _ = nethttp.Transport(s, policy).RoundTrip(r)
		}()
		for _, b := range append(s.answers, body) {
			if !b.closed {
				t.Errorf("%s: a body was left open", name)
			}
		}
	}
}

func TestTransportPoliciesThatSayNothing(t *testing.T) {
	swallow := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return nil
	})
	s := &script{statuses: []int{503, 0}}
	client := nethttp.Transport(s, swallow)
	if response, err := client.RoundTrip(request(t, "GET", "")); err != nil || response.StatusCode != 503 {
		t.Errorf("got %v, %v; want the 503", response, err)
	}
	if response, err := client.RoundTrip(request(t, "GET", "")); err != errTransport || response != nil { //nolint:errorlint // the same value
		t.Errorf("got %v, %v; want the transport's error", response, err)
	}
	if response, err := nethttp.Transport(s, always(nil)).RoundTrip(request(t, "GET", "")); err == nil || response != nil {
		t.Errorf("got %v, %v; want an error, for there was no attempt", response, err)
	}
	nothing := trips(func(*http.Request) (*http.Response, error) { return nil, nil })
	if response, err := nethttp.Transport(nothing).RoundTrip(request(t, "GET", "")); err == nil || response != nil {
		t.Errorf("got %v, %v; want an error, for there was no response", response, err)
	}
}

// A policy that repeats whatever it is told.
func TestTransportUnsafeRequestIsNeverRepeated(t *testing.T) {
	var errs [2]error
	stubborn := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		errs[0] = call(ctx)
		errs[1] = call(ctx)
		return errs[1]
	})
	for _, status := range []int{200, 503, 0} {
		s := &script{statuses: []int{status, 204}}
		response, err := nethttp.Transport(s, stubborn).RoundTrip(request(t, "POST", "the body"))
		if len(s.sent) != 1 || errs[0] != errs[1] { //nolint:errorlint // the same value
			t.Errorf("%d attempts; the first ended with %v, the second with %v", len(s.sent), errs[0], errs[1])
		}
		if status == 0 && err != errTransport || status != 0 && (err != nil || response.StatusCode != status) { //nolint:errorlint // the same value
			t.Errorf("got %v, %v; want %d", response, err, status)
		}
		if status != 0 {
			if text, err := io.ReadAll(response.Body); string(text) != "answer 1" || err != nil {
				t.Errorf("body %q, %v", text, err)
			}
		}
	}
}

// A request that must not be repeated ends at once, though the retry would wait an hour.
func TestTransportUnsafeRequestDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		patient := retry.Policy{Base: time.Hour, ThrottleBase: time.Hour, Cap: time.Hour}
		for _, status := range []int{503, 429, 0} {
			start := time.Now()
			_, _ = nethttp.Transport(&script{statuses: []int{status}}, patient).RoundTrip(request(t, "POST", "the body"))
			if took := time.Since(start); took > 0 {
				t.Errorf("status %d: it took %v", status, took)
			}
		}
	})
}

func TestTransportGetBodyFails(t *testing.T) {
	r := request(t, "PUT", "the body")
	want := errors.New("file is gone")
	asked := 0
	r.GetBody = func() (io.ReadCloser, error) { asked++; return nil, want }
	s := &script{statuses: []int{503}}
	response, err := nethttp.Transport(s, noWait).RoundTrip(r)
	if err != want || response != nil || len(s.sent) != 1 || asked != 1 || !s.answers[0].closed { //nolint:errorlint // the same value
		t.Errorf("got %v, %v after %d attempts; asked %d times for the body", response, err, len(s.sent), asked)
	}
}

func TestTransportLeavesTheRequestAlone(t *testing.T) {
	type key struct{}
	var seen *http.Request
	policy := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		return call(context.WithValue(ctx, key{}, "policy"))
	})
	r := request(t, "PUT", "the body")
	before, body := *r, r.Body
	_, err := nethttp.Transport(trips(func(r *http.Request) (*http.Response, error) {
		seen = r
		return answer(200, ""), nil
	}), policy).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if seen == r || seen.Context().Value(key{}) != "policy" {
		t.Error("the attempt was not made with a request of its own, in the policies' context")
	}
	if r.Context() != before.Context() || r.Body != body {
		t.Error("the caller's request was changed")
	}
}

// connections counts those that a server gets.
func connections(t *testing.T, h http.Handler) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = discard
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server, &n
}

// over sends requests through policies and a transport of its own.
func over(t *testing.T, policies ...middleware.Policy) *http.Client {
	t.Helper()
	client := &http.Client{Transport: nethttp.Transport(&http.Transport{}, policies...)}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func fetch(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestTransportUsesConnectionsAgain(t *testing.T) {
	for name, size := range map[string]int{"short": 100, "as long as is read up": 64 << 10} {
		calls := 0
		server, n := connections(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls%3 != 0 {
				w.WriteHeader(503)
			}
			_, _ = io.WriteString(w, strings.Repeat("x", size))
		}))
		client := over(t, noWait)
		for range 5 {
			if status, body := fetch(t, client, server.URL); status != 200 || len(body) != size {
				t.Errorf("%s: got %d and %d bytes", name, status, len(body))
			}
		}
		if calls != 15 || n.Load() != 1 {
			t.Errorf("%s: %d attempts over %d connections, want 15 over 1", name, calls, n.Load())
		}
	}
}

// What is long, or stalls, is not worth the wait.
func TestTransportDoesNotReadUpWhatIsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := answer(503, "long")
		long.ContentLength = 1 << 30
		unread := long.Body.(*tracked)
		endless := &tracked{Reader: zeros{}}
		unknown := answer(503, "")
		unknown.ContentLength, unknown.Body = -1, endless
		stalled, w := io.Pipe()
		defer w.Close()
		stalls := answer(503, "")
		stalls.ContentLength, stalls.Body = -1, stalled
		responses := []*http.Response{long, unknown, stalls, answer(200, "")}
		start, i := time.Now(), -1
		response, err := nethttp.Transport(trips(func(*http.Request) (*http.Response, error) {
			i++
			return responses[i], nil
		}), retry.Policy{Attempts: 4, Base: -1}).RoundTrip(request(t, "GET", ""))
		if err != nil || response.StatusCode != 200 {
			t.Fatal(response, err)
		}
		if b := unread; b.read != 0 || !b.closed {
			t.Errorf("a long body: %d bytes read, closed: %v", b.read, b.closed)
		}
		if endless.read > 128<<10 || !endless.closed {
			t.Errorf("an endless body: %d bytes read, closed: %v", endless.read, endless.closed)
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("a body that stalls was not closed: %v", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v to give up a body that stalls", took)
		}
	})
}

// Of a response that is the last the caller gets all, whether it was read ahead or not.
func TestTransportServesTheLastResponseWhole(t *testing.T) {
	for name, body := range map[string]io.Reader{
		"short":            strings.NewReader("words"),
		"long":             strings.NewReader(strings.Repeat("x", 200_000)),
		"slow":             io.MultiReader(strings.NewReader("begun, "), slowly{}, strings.NewReader("done")),
		"breaks off":       io.MultiReader(strings.NewReader("half"), failingReader{}),
		"breaks off later": io.MultiReader(strings.NewReader("half"), slowly{}, failingReader{}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var want bytes.Buffer
				closed := &tracked{Reader: io.TeeReader(body, &want)}
				response, err := nethttp.Transport(trips(func(*http.Request) (*http.Response, error) {
					a := answer(503, "")
					a.ContentLength, a.Body = -1, closed
					return a, nil
				}), retry.Policy{Attempts: 1}, middleware.Timeout(time.Minute)).RoundTrip(request(t, "GET", ""))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(response.Body)
				if breaks := strings.HasPrefix(name, "breaks"); len(got) == 0 || string(got) != want.String() || (err != nil) != breaks {
					t.Errorf("read %d bytes of %d, %v", len(got), want.Len(), err)
				}
				if err := response.Body.Close(); err != nil || !closed.closed {
					t.Errorf("closed: %v, %v", closed.closed, err)
				}
			})
		})
	}
}

// Reading ahead ends with the attempt, also if the body does not know when that is.
func TestTransportReadsAheadInTheAttemptsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		response, err := nethttp.Transport(trips(func(*http.Request) (*http.Response, error) {
			stalled, _ := io.Pipe()
			a := answer(503, "")
			a.ContentLength, a.Body = -1, stalled
			return a, nil
		}), noWait, middleware.Timeout(10*time.Millisecond)).RoundTrip(request(t, "GET", ""))
		if took := time.Since(start); err != nil || took != 30*time.Millisecond {
			t.Errorf("three attempts of 10ms took %v: %v", took, err)
		}
		_ = response.Body.Close()
	})
}

func TestTransportBodyThatPanics(t *testing.T) {
	defer func() {
		if v := recover(); v != "boom" {
			t.Errorf("recovered %v", v)
		}
	}()
	_, _ = nethttp.Transport(trips(func(*http.Request) (*http.Response, error) {
		a := answer(503, "")
		a.Body = &tracked{Reader: panics{}}
		return a, nil
	}), noWait).RoundTrip(request(t, "GET", ""))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTransportTimeoutRunsToTheEndOfTheBody(t *testing.T) {
	for _, tt := range []struct {
		name     string
		policies []middleware.Policy
	}{
		{"of the call", []middleware.Policy{middleware.Timeout(time.Minute), noWait}},
		{"of the attempt", []middleware.Policy{noWait, middleware.Timeout(time.Minute)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ctxs []context.Context
				client := nethttp.Transport(trips(func(r *http.Request) (*http.Response, error) {
					ctxs = append(ctxs, r.Context())
					return answer(200, "last words"), nil
				}), tt.policies...)
				response, err := client.RoundTrip(request(t, "GET", ""))
				if err != nil {
					t.Fatal(err)
				}
				last := ctxs[len(ctxs)-1]
				if last.Err() != nil {
					t.Errorf("before the body is read, its context has ended: %v", last.Err())
				}
				if text, err := io.ReadAll(response.Body); string(text) != "last words" || err != nil {
					t.Errorf("body %q, %v", text, err)
				}
				for i, ctx := range ctxs {
					if ctx.Err() == nil {
						t.Errorf("after the body was read, the context of attempt %d is still alive", i+1)
					}
				}
				if err := response.Body.Close(); err != nil {
					t.Error(err)
				}

				response, _ = client.RoundTrip(request(t, "GET", ""))
				_ = response.Body.Close()
				if last = ctxs[len(ctxs)-1]; last.Err() == nil {
					t.Error("after the body was closed unread, its context is still alive")
				}

				response, _ = client.RoundTrip(request(t, "GET", ""))
				time.Sleep(2 * time.Minute)
				if last = ctxs[len(ctxs)-1]; !errors.Is(last.Err(), context.DeadlineExceeded) {
					t.Errorf("a body that nobody closes keeps its context alive: %v", last.Err())
				}
				_ = response.Body.Close()
			})
		})
	}
}

func TestTransportTimeoutInTheBody(t *testing.T) {
	release := make(chan struct{})
	server, _ := connections(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
		<-release
	}))
	defer close(release)
	response, err := over(t, middleware.Timeout(300*time.Millisecond)).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if string(text) != "begun" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read %q, %v; want a deadline", text, err)
	}
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); !ok || !timeout.Timeout() {
		t.Errorf("the error does not say that it is a timeout: %v", err)
	}
}

func TestTransportTimeoutBeforeTheHeader(t *testing.T) {
	release := make(chan struct{})
	server, _ := connections(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer close(release)
	for _, method := range []string{"GET", "POST"} {
		r, _ := http.NewRequest(method, server.URL, strings.NewReader("x"))
		_, err := over(t, middleware.Timeout(20*time.Millisecond)).Do(r)
		timeout, ok := errors.AsType[*middleware.TimeoutError](err)
		if !ok || !errors.Is(err, context.DeadlineExceeded) || timeout.Limit != 20*time.Millisecond {
			t.Errorf("%s: %v", method, err)
		}
		if e, ok := errors.AsType[*url.Error](err); !ok || !e.Timeout() {
			t.Errorf("%s: http.Client does not take it for a timeout: %v", method, err)
		}
	}
}

func TestTransportContextErrors(t *testing.T) {
	release := make(chan struct{})
	server, _ := connections(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer close(release)
	b := breaker.New(breaker.Config{Failures: 1})

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	r, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	_, bareErr := over(t).Transport.RoundTrip(r)
	if bareErr != context.Canceled { //nolint:errorlint // as net/http has it
		t.Errorf("cancelled: %v", bareErr)
	}
	if _, err := over(t, retry.Policy{}, b).Transport.RoundTrip(r); err != context.Canceled { //nolint:errorlint // as net/http has it
		t.Errorf("cancelled, with policies: %v", err)
	}

	client := over(t, retry.Policy{}, b)
	client.Timeout = 20 * time.Millisecond
	_, err := client.Get(server.URL)
	if e, ok := errors.AsType[*url.Error](err); !ok || !e.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("http.Client.Timeout: %v", err)
	}
}

func TestTransportRedirectsAndCookies(t *testing.T) {
	calls := 0
	server, n := connections(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		switch cookie, err := r.Cookie("seen"); {
		case r.URL.Path == "/" && calls == 1:
			w.WriteHeader(503)
		case r.URL.Path == "/":
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
			http.Redirect(w, r, "/next", http.StatusFound)
		case err == nil:
			_, _ = io.WriteString(w, cookie.Value)
		}
	}))
	client := over(t, noWait, middleware.Timeout(time.Minute))
	client.Jar, _ = cookiejar.New(nil)
	if status, body := fetch(t, client, server.URL); status != 200 || body != "yes" || calls != 3 || n.Load() != 1 {
		t.Errorf("got %d %q after %d calls over %d connections", status, body, calls, n.Load())
	}
}

func TestTransportUpgrade(t *testing.T) {
	server, _ := connections(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	}))
	var attempt context.Context
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	client := nethttp.Transport(trips(func(r *http.Request) (*http.Response, error) {
		attempt = r.Context()
		return base.RoundTrip(r)
	}), retry.Policy{}, middleware.Timeout(time.Minute))
	r, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	response, err := client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := response.Body.(io.ReadWriteCloser)
	if response.StatusCode != 101 || !ok {
		t.Fatalf("status %d, and the body is a %T", response.StatusCode, response.Body)
	}
	defer conn.Close()
	if attempt.Err() == nil {
		t.Error("the context of the attempt is kept, though the connection has nothing to do with it any more")
	}
	_, _ = io.WriteString(conn, "hello\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "echo hello\n" {
		t.Errorf("read %q, %v", line, err)
	}
}

// idler counts how often idle connections were closed.
type idler struct {
	http.RoundTripper
	closed int
}

func (i *idler) CloseIdleConnections() { i.closed++ }

func TestTransportClosesIdleConnectionsAfterAThaw(t *testing.T) {
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "localhost")
	synctest.Test(t, func(t *testing.T) {
		base := &idler{RoundTripper: trips(func(*http.Request) (*http.Response, error) { return answer(200, "body"), nil })}
		client := nethttp.Transport(base)
		send := func() *http.Response {
			response, err := client.RoundTrip(request(t, "GET", ""))
			if err != nil {
				t.Fatal(err)
			}
			return response
		}
		finish := func(r *http.Response) { _, _ = io.ReadAll(r.Body); _ = r.Body.Close() }

		finish(send())
		time.Sleep(29 * time.Second)
		finish(send())
		if base.closed != 0 {
			t.Errorf("closed %d times while in use", base.closed)
		}
		time.Sleep(31 * time.Second)
		finish(send())
		finish(send())
		if base.closed != 1 {
			t.Errorf("idle for 31s: closed %d times, want once", base.closed)
		}
		thaw := wall.Freeze(time.Hour)
		defer thaw()
		finish(send())
		finish(send())
		if base.closed != 2 {
			t.Errorf("frozen for an hour: closed %d times, want twice", base.closed)
		}
		slow := send()
		time.Sleep(time.Hour)
		finish(slow)
		finish(send())
		if base.closed != 2 {
			t.Errorf("a body was read until just now: closed %d times, want twice", base.closed)
		}
		(&http.Client{Transport: client}).CloseIdleConnections()
		if base.closed != 3 {
			t.Error("http.Client.CloseIdleConnections does not come through")
		}
	})
}

func TestTransportOfBaseThatKeepsNothing(t *testing.T) {
	client := &http.Client{Transport: nethttp.Transport(trips(func(*http.Request) (*http.Response, error) { return answer(204, ""), nil }))}
	client.CloseIdleConnections()
}

func TestPerHost(t *testing.T) {
	group := breaker.NewGroup(breaker.Config{Failures: 1, OpenFor: time.Hour}, 10)
	var hosts []string
	client := nethttp.Transport(trips(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(strings.ToLower(r.URL.Host), "down") {
			return answer(503, ""), nil
		}
		return answer(200, ""), nil
	}), nethttp.PerHost(func(host string) *breaker.Breaker {
		hosts = append(hosts, host)
		return group.Get(host)
	}))
	for _, host := range []string{"down.example", "DOWN.example", "up.example", "down.example:8080"} {
		r := request(t, "GET", "")
		r.URL.Host = host
		response, err := client.RoundTrip(r)
		switch host {
		case "DOWN.example":
			if !errors.Is(err, breaker.ErrOpen) {
				t.Errorf("%s: got %v, %v; want open", host, response, err)
			}
		default:
			if err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
	if got := strings.Join(hosts, " "); got != "down.example down.example up.example down.example:8080" {
		t.Errorf("hosts: %s", got)
	}
	r := request(t, "GET", "")
	r.URL = nil // for the base to complain about
	_, _ = nethttp.Transport(&script{statuses: []int{200}}, nethttp.PerHost(group.Get)).RoundTrip(r)
}

func TestPerHostElsewhere(t *testing.T) {
	err := nethttp.PerHost(ratelimit.NewGroup(ratelimit.PerSecond(1, 1), 1).Get).Do(t.Context(), nil)
	if err == nil || !strings.HasPrefix(err.Error(), "nethttp: PerHost") {
		t.Errorf("got %v", err)
	}
}

// A trip makes a policy of PerHost that needs no request of its own.
type trip struct{ middleware.Policy }

func (p trip) Do(ctx context.Context, call func(context.Context) error) error {
	return middleware.Join(middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		return call(nethttp.WithHost(ctx, "api.example"))
	}), p.Policy).Do(ctx, call)
}

func TestPerHostIsAPolicy(t *testing.T) {
	policytest.Run(t, func(*testing.T) middleware.Policy {
		return trip{nethttp.PerHost(breaker.NewGroup(breaker.Config{}, 10).Get)}
	})
}

// A status that is not that of the last response does not speak for it.
func TestStatusOfAnotherAttempt(t *testing.T) {
	first := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		err := call(ctx)
		_ = call(ctx)
		return err
	})
	s := &script{statuses: []int{502, 503}}
	response, err := nethttp.Transport(s, first).RoundTrip(request(t, "GET", ""))
	if failed, ok := errors.AsType[*nethttp.StatusError](err); response != nil || !ok || failed.Code != 502 {
		t.Errorf("client: %v, %v", response, err)
	}
	if len(s.answers) != 2 || !s.answers[0].closed || !s.answers[1].closed {
		t.Errorf("%d responses are not all closed", len(s.answers))
	}
	calls := 0
	if w := serve(nethttp.Buffered{}.Middleware(first)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(501 + calls)
	})), get()); calls != 2 || w.Code != 500 {
		t.Errorf("server: %d after %d calls, want 500", w.Code, calls)
	}
}

// A policy can tell that it is around a request which goes out, though it does not look.
func TestTransportHoldsAClientsCall(t *testing.T) {
	client := func(ctx context.Context) bool {
		h := scope.Held(ctx)
		return h != nil && h.Client
	}
	seen := 0
	see := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		if client(ctx) {
			seen++
		}
		return call(ctx)
	})
	if _, err := nethttp.Transport(&script{statuses: []int{200}}, see).RoundTrip(request(t, "GET", "")); err != nil || seen != 1 {
		t.Errorf("%v; the transport's call was seen %d times", err, seen)
	}
	serve(nethttp.Middleware(see)(ok), get())
	if seen > 1 {
		t.Error("a server's call was taken for a client's")
	}
}

// closings counts them.
type closings struct {
	io.Reader

	n int
}

func (c *closings) Close() error { c.n++; return nil }

func TestTransportClosesTheRequestOnce(t *testing.T) {
	for name, policy := range map[string]middleware.Policy{
		"sent": middleware.Timeout(time.Minute), "refused": always(open(t)), "repeated": noWait,
	} {
		r, body := request(t, "PUT", ""), &closings{Reader: strings.NewReader("once")}
		r.Body, r.GetBody = body, func() (io.ReadCloser, error) { return &closings{Reader: strings.NewReader("again")}, nil }
		response, err := nethttp.Transport(&script{statuses: []int{503, 200}}, policy).RoundTrip(r)
		if err == nil {
			_ = response.Body.Close()
		}
		if body.n != 1 {
			t.Errorf("%s: the body was closed %d times", name, body.n)
		}
	}
}
