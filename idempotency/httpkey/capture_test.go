package httpkey_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

func TestReplayHasTheFieldsThatDescribeTheResponse(t *testing.T) {
	s := newShop()
	s.config.Headers = []string{"x-ratelimit-remaining"}
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for _, line := range []string{
			"Content-Type: application/json",
			"Content-Language: de",
			"Content-Location: /payments/7",
			"Content-Disposition: attachment",
			"Location: /payments/7",
			"ETag: \"7\"",
			"Last-Modified: Mon, 12 Jan 2026 10:00:00 GMT",
			"Cache-Control: private",
			"Cache-Control: max-age=1",
			"Vary: Accept",
			"Retry-After: 5",
			"Allow: POST",
			"Link: </a>; rel=next",
			"Link: </b>; rel=prev",
			"X-Ratelimit-Remaining: 3",

			"Date: Mon, 12 Jan 2026 10:00:00 GMT",
			"Set-Cookie: session=secret",
			"Authorization: secret",
			"Www-Authenticate: Basic",
			"Connection: close",
			"Keep-Alive: timeout=5",
			"X-Request-ID: 1",
			"Idempotent-Replayed: false",
			"Idempotency-Key: k",
		} {
			name, value, _ := strings.Cut(line, ": ")
			h.Add(name, value)
		}
		w.WriteHeader(http.StatusCreated)
		h.Set("ETag", "too late")
		fmt.Fprint(w, "{}")
	}
	first := s.post("k")
	s.hasNoSecret(t)
	if first.Header().Get("Set-Cookie") == "" || first.Header().Get("X-Request-ID") == "" {
		t.Errorf("the first response lacks fields: %v", first.Header())
	}
	w := s.post("k")
	s.isReplay(t, w, 201, "{}", 1)
	want := map[string]string{
		"Content-Type":          "application/json",
		"Content-Language":      "de",
		"Content-Location":      "/payments/7",
		"Content-Disposition":   "attachment",
		"Location":              "/payments/7",
		"Etag":                  `"7"`,
		"Last-Modified":         "Mon, 12 Jan 2026 10:00:00 GMT",
		"Cache-Control":         "private, max-age=1",
		"Vary":                  "Accept",
		"Retry-After":           "5",
		"Allow":                 "POST",
		"Link":                  "</a>; rel=next, </b>; rel=prev",
		"X-Ratelimit-Remaining": "3",
		"Idempotent-Replayed":   "true",
	}
	for name, values := range w.Header() {
		if len(values) != 1 || values[0] != want[name] {
			t.Errorf("%s: %q, want %q", name, values, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("missing %v", want)
	}
}

// What a Config does not name is not replayed, even if it was kept under another one.
func TestReplayHasOnlyTheFieldsOfItsOwnConfig(t *testing.T) {
	s := newShop()
	s.config.Headers = []string{"X-A"}
	s.pay = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", "1") }
	s.post("k")
	s.config.Headers = nil
	if got := s.post("k").Header().Get("X-A"); got != "" {
		t.Errorf("X-A %q", got)
	}
}

func TestReplayOverTheNetworkIsTheFirstResponse(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	for name, pay := range map[string]http.HandlerFunc{
		"nothing":            func(http.ResponseWriter, *http.Request) {},
		"nothing but header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", "/7") },
		"status":             func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"status twice":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(500) },
		"body":               func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
		"spelled otherwise":  func(w http.ResponseWriter, _ *http.Request) { w.Header()["location"] = []string{"/7"} },
		"encoded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			fmt.Fprint(w, "<html>")
		},
		"html":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!DOCTYPE html><p>hello") },
		"binary": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0, 0xff, 0xfe, 1}) },
		"type of its own": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "x/y")
			fmt.Fprint(w, "<html>")
		},
		"no type at all": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "<html>")
		},
		"long": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) },
		"bit by bit": func(w http.ResponseWriter, _ *http.Request) {
			for i := range text {
				_, _ = io.WriteString(w, text[i:i+1])
			}
		},
		"announced": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			fmt.Fprint(w, "hello")
		},
		"more than it said": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			fmt.Fprint(w, "hello")
			fmt.Fprint(w, "!")
		},
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); fmt.Fprint(w, "hello") },
		"not modified": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"7"`)
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(304)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/payments/7", http.StatusSeeOther) },
		"error":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no money", http.StatusPaymentRequired) },
		"file": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader(text)})
		},
		"read from": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, &io.LimitedReader{R: strings.NewReader(text), N: 5000})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop()
			s.pay = pay
			server, _ := s.server(t)
			server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			first, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil))
			again, same := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil))
			if first.StatusCode != again.StatusCode || body != same || s.runs.Load() != 1 {
				t.Errorf("first %d %q, then %d %q after %d runs", first.StatusCode, body, again.StatusCode, same, s.runs.Load())
			}
			if again.Header.Get("Idempotent-Replayed") != "true" {
				t.Error("the replay is not marked")
			}
			for _, name := range []string{"Content-Type", "Content-Encoding", "Location", "Etag"} {
				if a, b := first.Header.Values(name), again.Header.Values(name); fmt.Sprint(a) != fmt.Sprint(b) {
					t.Errorf("%s: first %q, then %q", name, a, b)
				}
			}
		})
	}
}

func TestInformationalResponsesAreNotKept(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.WriteHeader(http.StatusCreated)
	}
	server, _ := s.server(t)
	for want := range 2 {
		hints := 0
		r := outgoing(t, t.Context(), server.URL, "k", nil)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil },
		}))
		response, _ := send(t, server, r)
		if response.StatusCode != 201 || response.Header.Get("Link") != "" || hints != 1-want {
			t.Errorf("status %d, header %v, %d hints", response.StatusCode, response.Header, hints)
		}
	}
}

func TestTrailersAreNotKept(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Etag")
		fmt.Fprint(w, "hello")
		w.Header().Set("ETag", `"7"`)
		w.Header().Set(http.TrailerPrefix+"Sum", "1")
	}
	server, _ := s.server(t)
	for first := range 2 {
		response, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil))
		if response.StatusCode != 200 || body != "hello" || response.Header.Get("ETag") != "" || (len(response.Trailer) == 2) != (first == 0) || s.runs.Load() != 1 {
			t.Errorf("got %d %q, %v, %v after %d runs", response.StatusCode, body, response.Header, response.Trailer, s.runs.Load())
		}
	}
}

// isNotKept checks that the request with key k is done and has nothing to be replayed.
func (s *shop) isNotKept(t *testing.T, key string, runs int32) {
	t.Helper()
	if got := s.told(); got != "unsaved" {
		t.Errorf("told %q, want unsaved", got)
	}
	w := s.post(key)
	s.isProblem(t, w, 409, notKept, runs)
	if got := w.Header().Get("Retry-After"); got != "" {
		t.Errorf("Retry-After %q, want none", got)
	}
	s.told()
}

func TestResponseThatIsFlushedIsNotKept(t *testing.T) {
	for name, flush := range map[string]func(w http.ResponseWriter){
		"flusher":    func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"controller": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop()
			s.pay = func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "one ")
				flush(w)
				fmt.Fprint(w, "two")
			}
			w := s.post("k")
			s.isFresh(t, w, 200, "one two", 1)
			if !w.Flushed {
				t.Error("it was not flushed")
			}
			s.isNotKept(t, "k", 1)
		})
	}
}

func TestResponseThatIsFlushedAndAsksToComeBackIsRepeated(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		w.(http.Flusher).Flush()
	}
	s.isFresh(t, s.post("k"), 503, "", 1)
	s.isFresh(t, s.post("k"), 503, "", 2)
}

func TestStreamReachesTheClientWhileItIsWritten(t *testing.T) {
	s := newShop()
	seen := make(chan struct{})
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		fmt.Fprintln(w, "one")
		_ = http.NewResponseController(w).Flush()
		<-seen
		fmt.Fprintln(w, "two")
	}
	server, finished := s.server(t)
	response, err := server.Client().Do(outgoing(t, t.Context(), server.URL, "k", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, 4)
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "one\n" {
		t.Errorf("read %q, %v", first, err)
	}
	close(seen)
	if rest, err := io.ReadAll(response.Body); string(rest) != "two\n" || err != nil {
		t.Errorf("read %q, %v", rest, err)
	}
	<-finished
	again, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil))
	isProblem(t, again.StatusCode, again.Header, []byte(body), 409, notKept)
}

func TestConnectionThatIsHijackedIsNotKept(t *testing.T) {
	for name, controller := range map[string]bool{"hijacker": false, "controller": true} {
		t.Run(name, func(t *testing.T) {
			s := newShop()
			s.pay = func(w http.ResponseWriter, _ *http.Request) {
				hijack := http.NewResponseController(w).Hijack
				if !controller {
					hijack = w.(http.Hijacker).Hijack
				}
				conn, rw, err := hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				fmt.Fprint(rw, "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello")
				rw.Flush()
			}
			server, finished := s.server(t)
			response, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil))
			if response.StatusCode != 201 || body != "hello" {
				t.Errorf("got %d %q", response.StatusCode, body)
			}
			<-finished
			again, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil))
			isProblem(t, again.StatusCode, again.Header, []byte(body), 409, notKept)
			if n := s.runs.Load(); n != 1 {
				t.Errorf("%d runs", n)
			}
		})
	}
}

func TestResponseThatIsTooLongIsSentWholeAndNotKept(t *testing.T) {
	s := newShop()
	s.config.MaxResponse = 10
	for length, kept := range map[int]bool{9: true, 10: true, 11: false, 40: false} {
		text := strings.Repeat("x", length)
		s.runs.Store(0)
		s.pay = func(w http.ResponseWriter, _ *http.Request) {
			for _, part := range []string{text[:length/2], text[length/2:]} {
				if n, err := io.WriteString(w, part); n != len(part) || err != nil {
					t.Errorf("wrote %d, %v", n, err)
				}
			}
		}
		key := fmt.Sprint(length)
		s.isFresh(t, s.post(key), 200, text, 1)
		if kept {
			s.isReplay(t, s.post(key), 200, text, 1)
			s.told()
		} else {
			s.isNotKept(t, key, 1)
		}
	}
}

func TestResponseThatIsTooLongForTheStoreIsNotKept(t *testing.T) {
	s := newShop()
	s.Store = small{s.Store}
	s.pay = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("0123456789abcdef", 100)) }
	s.post("k")
	s.isNotKept(t, "k", 1)
}

type small struct{ idempotency.Store }

func (small) MaxData(string) int { return 64 }

// A writer that does not flush makes nobody give up.
func TestFlushThatIsNotSupportedChangesNothing(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(http.Flusher); ok {
			t.Error("it is a Flusher")
		}
		if _, ok := w.(http.Hijacker); ok {
			t.Error("it is a Hijacker")
		}
		c := http.NewResponseController(w)
		_, _, err := c.Hijack()
		if !errors.Is(c.Flush(), http.ErrNotSupported) || !errors.Is(err, http.ErrNotSupported) {
			t.Error("flushed or hijacked")
		}
		fmt.Fprint(w, "hello")
	}
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(struct{ http.ResponseWriter }{w}, request(http.MethodPost, "/payments", "k", ""))
	s.isReplay(t, s.do(request(http.MethodPost, "/payments", "k", "")), 200, "hello", 1)
}

func TestWriterIsWhatTheServersIs(t *testing.T) {
	type plain = struct{ http.ResponseWriter }
	recorder := httptest.NewRecorder()
	for _, tt := range []struct {
		name          string
		w             http.ResponseWriter
		flush, hijack bool
	}{
		{"nothing", plain{recorder}, false, false},
		{"flusher", recorder, true, false},
		{"hijacker", struct {
			plain
			http.Hijacker
		}{plain{recorder}, nil}, false, true},
		{"both", struct {
			plain
			http.Flusher
			http.Hijacker
		}{plain{recorder}, nil, nil}, true, true},
		{"inside another", wrapper{recorder}, true, false},
	} {
		s := newShop()
		s.pay = func(w http.ResponseWriter, _ *http.Request) {
			_, flush := w.(http.Flusher)
			_, hijack := w.(http.Hijacker)
			_, readFrom := w.(io.ReaderFrom)
			if flush != tt.flush || hijack != tt.hijack || readFrom {
				t.Errorf("%s: Flusher %v, Hijacker %v, ReaderFrom %v", tt.name, flush, hijack, readFrom)
			}
		}
		s.handler().ServeHTTP(tt.w, request(http.MethodPost, "/payments", "k", ""))
		if s.runs.Load() != 1 {
			t.Errorf("%s: it did not run", tt.name)
		}
	}
}

// A wrapper is what middlewares put around writers.
type wrapper struct{ w http.ResponseWriter }

func (w wrapper) Header() http.Header         { return w.w.Header() }
func (w wrapper) Write(p []byte) (int, error) { return w.w.Write(p) }
func (w wrapper) WriteHeader(status int)      { w.w.WriteHeader(status) }
func (w wrapper) Unwrap() http.ResponseWriter { return w.w }

// A controller that finds its way through a wrapper must not flush behind our back.
func TestFlushThroughAWrapperIsNoticed(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	}
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(wrapper{w}, request(http.MethodPost, "/payments", "k", `{"amount":7}`))
	s.isNotKept(t, "k", 1)
}

func TestStatusThatThereIsNotPanicsAsItDoes(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		for _, status := range []int{0, 1000} {
			if got := panics(func() { w.WriteHeader(status) }); got == "" {
				t.Errorf("no panic with %d", status)
			}
		}
		w.WriteHeader(http.StatusTeapot)
	}
	s.isFresh(t, s.post("k"), 418, "", 1)
	s.isReplay(t, s.post("k"), 418, "", 1)
}

func TestHandlersReachTheServersWriter(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
	}
	server, _ := s.server(t)
	if response, _ := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil)); response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
}

// A broken is a writer whose client has gone after some bytes.
type broken struct {
	*httptest.ResponseRecorder

	left   int
	failed bool
}

func (b *broken) Write(p []byte) (int, error) {
	if b.failed {
		panic("it was written to again")
	}
	n := min(len(p), b.left)
	b.left -= n
	_, _ = b.ResponseRecorder.Write(p[:n])
	if n < len(p) {
		b.failed = true
		return n, errors.New("broken pipe")
	}
	return n, nil
}

func TestResponseIsKeptThoughTheClientDoesNotTakeIt(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			if n, err := io.WriteString(w, "hello "); n != 6 || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
		}
	}
	s.handler().ServeHTTP(&broken{ResponseRecorder: httptest.NewRecorder(), left: 8}, request(http.MethodPost, "/payments", "k", `{"amount":7}`))
	s.isReplay(t, s.post("k"), 200, "hello hello hello ", 1)
}

// A deadline of the connection is none of the record.
func TestResponseThatIsTooLateForTheClientIsKept(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
			t.Error(err)
		}
		for range 10 {
			if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
				t.Error(err)
			}
		}
	}
	server, finished := s.server(t)
	if response, err := server.Client().Do(outgoing(t, t.Context(), server.URL, "k", nil)); err == nil {
		response.Body.Close()
		t.Errorf("got %d", response.StatusCode)
	}
	<-finished
	if response, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil)); response.StatusCode != 200 || len(body) != 10_000 || s.runs.Load() != 1 {
		t.Errorf("got %d, %d bytes after %d runs", response.StatusCode, len(body), s.runs.Load())
	}
}

// A proxy that breaks off panics, so that the client sees that there is something missing; nothing of that is replayed.
func TestResponseThatIsBrokenOffIsRepeated(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
		if s.runs.Load() == 1 {
			panic(http.ErrAbortHandler)
		}
	}
	server, _ := s.server(t)
	r := outgoing(t, t.Context(), server.URL, "k", nil)
	response, err := server.Client().Do(r)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if err == nil {
		t.Error("the client got all of it")
	}
	for range 2 {
		if response, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil)); response.StatusCode != 200 || len(body) != 10_000 || s.runs.Load() != 2 {
			t.Errorf("got %d, %d bytes after %d runs", response.StatusCode, len(body), s.runs.Load())
		}
	}
}

func TestHandlerLearnsThatTheClientHasGoneWhenNothingIsKept(t *testing.T) {
	s := newShop()
	s.config.MaxResponse = 10
	var errs []bool
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, err := io.WriteString(w, "hello ")
			errs = append(errs, err != nil)
		}
	}
	s.handler().ServeHTTP(&broken{ResponseRecorder: httptest.NewRecorder(), left: 1}, request(http.MethodPost, "/payments", "k", `{"amount":7}`))
	if fmt.Sprint(errs) != "[false true true]" {
		t.Errorf("errors %v", errs)
	}
	s.isNotKept(t, "k", 1)
}

// A record in which there is something else than a Response is left alone.
func TestRecordThatIsNoResponse(t *testing.T) {
	for _, data := range []string{`{}`, `[]`, `"x"`, `{"statusCode":100}`, `{"statusCode":1000}`, `{"statusCode":200,"body":"*","isBase64Encoded":true}`} {
		s := newShop()
		s.Store = foreign{s.Store, data}
		s.isProblem(t, s.post("k"), 500, "Internal Server Error", 0)
	}
}

// A foreign is a store with a record that somebody else has completed.
type foreign struct {
	idempotency.Store

	data string
}

func (f foreign) Claim(_ context.Context, c idempotency.Claim) (idempotency.Record, error) {
	return idempotency.Record{
		Key:     c.Key,
		Status:  idempotency.Completed,
		Expires: c.Expires,
		Result:  idempotency.Result{Encoding: idempotency.JSON, Data: []byte(f.data)},
	}, nil
}
