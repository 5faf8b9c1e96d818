package httpkey_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/idempotency/httpkey"
)

// The record was written with the context of the request, and so never when the client had hung up: when it asked again,
// which is what keys are for, it was charged again.
func TestRegression_RecordIsLostWithTheClient(t *testing.T) {
	s := newShop()
	running, goOn := make(chan struct{}), make(chan struct{})
	s.pay = func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-goOn
		if err := r.Context().Err(); err != nil {
			t.Errorf("the handler's context ended: %v", err)
		}
		w.WriteHeader(http.StatusCreated)
		for range 100 { // more than fits into buffers on the way to nobody
			if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
				t.Error(err)
			}
		}
	}
	h := s.handler()
	left, finished := make(chan struct{}), make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Patient") == "" {
			stop := context.AfterFunc(r.Context(), func() { close(left) })
			defer stop()
		}
		h.ServeHTTP(w, r)
		finished <- struct{}{}
	}))
	defer server.Close()

	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := server.Client().Do(outgoing(t, ctx, server.URL, "k", strings.NewReader("body"))) //nolint:bodyclose // there is none
		gone <- err
	}()
	<-running
	hangUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-left // the server has noticed

	again := func() (*http.Response, string) {
		r := outgoing(t, t.Context(), server.URL, "k", strings.NewReader("body"))
		r.Header.Set("Patient", "yes")
		return send(t, server, r)
	}
	response, body := again()
	isProblem(t, response.StatusCode, response.Header, []byte(body), 409, outstanding)
	if got := response.Header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After %q", got)
	}
	<-finished
	close(goOn)
	<-finished
	response, body = again()
	if response.StatusCode != 201 || response.Header.Get("Idempotent-Replayed") != "true" || body != strings.Repeat("x", 100_000) {
		t.Errorf("got %d, %v, %d bytes", response.StatusCode, response.Header, len(body))
	}
	if n := s.runs.Load(); n != 1 {
		t.Errorf("%d runs", n)
	}
}

// A POST spelled "post" was no POST to the middleware, and one to the handler: it charged twice.
func TestRegression_LowerCaseMethodSlipsThrough(t *testing.T) {
	s := newShop()
	s.isFresh(t, s.do(request("post", "/payments", "k", "")), 201, charge(1), 1)
	s.isReplay(t, s.do(request("post", "/payments", "k", "")), 201, charge(1), 1)
	s.isProblem(t, s.do(request("POST", "/payments", "k", "")), 422, used, 1)
	s.isFresh(t, s.do(request("pAtCh", "/payments", "l", "")), 201, charge(2), 2)
	s.isReplay(t, s.do(request("pAtCh", "/payments", "l", "")), 201, charge(2), 2)
}

// The header was looked at after a compressor around had seen it: a replay said gzip, and was not.
func TestRegression_CompressedResponseReplaysUndecodable(t *testing.T) {
	s := newShop()
	text := strings.Repeat("a receipt ", 100)
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, text)
	}
	for name, h := range map[string]http.Handler{
		"inside":  httpkey.Middleware(s.config)(compress(s)),
		"outside": compress(httpkey.Middleware(s.config)(s)),
	} {
		t.Run(name, func(t *testing.T) {
			runs := s.runs.Load()
			for i := range 2 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, request(http.MethodPost, "/payments", name, ""))
				zip, err := gzip.NewReader(w.Body)
				if err != nil {
					t.Fatalf("%d: %v %s", i, err, w.Body)
				}
				body, err := io.ReadAll(zip)
				if string(body) != text || err != nil || w.Code != 201 || w.Header().Get("Content-Encoding") != "gzip" {
					t.Errorf("%d: %d %v %q, %v", i, w.Code, w.Header(), body, err)
				}
			}
			if n := s.runs.Load() - runs; n != 1 {
				t.Errorf("%d runs", n)
			}
		})
	}
}

// compress compresses what h writes, if that has not been done, and says so in the header at the last moment, as such
// middlewares do.
func compress(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z := &zipped{ResponseWriter: w}
		h.ServeHTTP(z, r)
		if z.zip != nil {
			_ = z.zip.Close()
		}
	})
}

type zipped struct {
	http.ResponseWriter

	zip *gzip.Writer
}

func (z *zipped) WriteHeader(status int) {
	if z.Header().Get("Content-Encoding") == "" {
		z.Header().Set("Content-Encoding", "gzip")
		z.zip = gzip.NewWriter(z.ResponseWriter)
	}
	z.ResponseWriter.WriteHeader(status)
}

func (z *zipped) Write(p []byte) (int, error) {
	if z.zip == nil {
		return z.ResponseWriter.Write(p)
	}
	return z.zip.Write(p)
}

// A handler broke off in the middle of a body, and half of it was replayed as if it were all.
func TestRegression_HalfABodyIsReplayed(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "hello")
	}
	s.post("k")
	s.isNotKept(t, "k", 1)
}

// A file went to the client through io.ReaderFrom and past the recorder: its replay was empty.
func TestRegression_ReaderFromGoesPastTheRecorder(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		http.ServeContent(w, httptest.NewRequest(http.MethodGet, "/", nil), "", time.Time{}, strings.NewReader("a receipt"))
	}
	server, _ := s.server(t)
	for range 2 {
		response, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil))
		if response.StatusCode != 200 || body != "a receipt" || s.runs.Load() != 1 {
			t.Errorf("got %d %q after %d runs", response.StatusCode, body, s.runs.Load())
		}
	}
}
