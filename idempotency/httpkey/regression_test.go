package httpkey_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/httpkey"
	"github.com/seawall-go/seawall/idempotency/storetest"
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

// A function behind API Gateway 2.0 answered without a statusCode, which is a 200 there; here it counted as a failure, and
// the function ran for every retry.
func TestRegression_ResponseWithoutStatusCodeRunsAgain(t *testing.T) {
	for body, out := range map[string]any{
		`{"paid":"7 <€>"}`: map[string]any{"paid": "7 <€>"},
		`{"StatusCode":9}`: json.RawMessage(`{"StatusCode":9}`), // spelled otherwise it is none
		`"paid"`:           "paid",
		`[201]`:            []int{201},
		`null`:             nil,
	} {
		s := newShop()
		e := v2("/payments", "k")
		if _, err := through(s, t.Context(), e, out); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		a, err := through(s, t.Context(), e, out)
		if err != nil || a.Status != 200 || a.Body != body || a.header().Get("Content-Type") != "application/json" || a.header().Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: got %+v, %v", body, a, err)
		}
		s.isReplay(t, s.do(request(http.MethodPost, "/payments", "k", "")), 200, body, 1)
	}
}

// A response that made no sense, after a run that had charged, gave the key back: the retry charged again.
func TestRegression_ResponseThatCannotBeReadRunsAgain(t *testing.T) {
	v1 := events.APIGatewayProxyRequest{HTTPMethod: http.MethodPost, Path: "/payments", Headers: map[string]string{"Idempotency-Key": "k"}}
	balanced := events.ALBTargetGroupRequest{HTTPMethod: http.MethodPost, Path: "/payments", Headers: v1.Headers}
	for name, call := range map[string]func(s *shop) (answer, error){
		"not the Base64 that it says": func(s *shop) (answer, error) {
			return through(s, t.Context(), v2("/payments", "k"), events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "*", IsBase64Encoded: true})
		},
		"status zero": func(s *shop) (answer, error) {
			return through(s, t.Context(), v2("/payments", "k"), events.APIGatewayV2HTTPResponse{Body: "paid"})
		},
		"status 1000": func(s *shop) (answer, error) {
			return through(s, t.Context(), v2("/payments", "k"), events.APIGatewayV2HTTPResponse{StatusCode: 1000})
		},
		"status 101": func(s *shop) (answer, error) {
			return through(s, t.Context(), v2("/payments", "k"), events.APIGatewayV2HTTPResponse{StatusCode: 101})
		},
		"no status, at API Gateway 1.0": func(s *shop) (answer, error) {
			return through[events.APIGatewayProxyRequest, any](s, t.Context(), v1, map[string]any{"paid": true})
		},
		"nothing, at a load balancer": func(s *shop) (answer, error) {
			return through[events.ALBTargetGroupRequest, any](s, t.Context(), balanced, nil)
		},
		"a body that is no text": func(s *shop) (answer, error) {
			return through[events.APIGatewayV2HTTPRequest, any](s, t.Context(), v2("/payments", "k"), map[string]any{"statusCode": 200, "body": map[string]any{}})
		},
		"no JSON": func(s *shop) (answer, error) {
			return through[events.APIGatewayV2HTTPRequest, any](s, t.Context(), v2("/payments", "k"), map[string]any{"statusCode": 200, "paid": func() {}})
		},
		"JSON that panics": func(s *shop) (answer, error) {
			return through[events.APIGatewayV2HTTPRequest, any](s, t.Context(), v2("/payments", "k"), new(explosive))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop()
			if _, err := call(s); err != nil {
				t.Error(err)
			}
			a, err := call(s)
			if n := s.runs.Load(); err != nil || n != 1 {
				t.Errorf("%v after %d runs", err, n)
			}
			isProblem(t, a.Status, a.header(), []byte(a.Body), 409, notKept)
		})
	}
}

// An explosive panics when it is made JSON of, the first time.
type explosive bool

func (e *explosive) MarshalJSON() ([]byte, error) {
	if !*e {
		*e = true
		panic("boom")
	}
	return []byte("{}"), nil
}

// The path was compared as it is without its escapes: a request for one file was answered with what became of another.
func TestRegression_EscapedSlashIsASlash(t *testing.T) {
	s := newShop()
	send := func(path string) *httptest.ResponseRecorder { return s.do(request(http.MethodPost, path, "k", "")) }
	s.isFresh(t, send("/files/a%2Fb;c"), 201, charge(1), 1)
	for _, other := range []string{"/files/a/b;c", "/files/a%252Fb;c", "/files/a%2Fb", "/files%2Fa%2Fb;c", "/files/a%2Fb;c/", "//files/a%2Fb;c"} {
		s.isProblem(t, send(other), 422, used, 1)
	}
	for _, same := range []string{"/files/a%2Fb;c", "/files/a%2fb;c", "/%66iles/a%2fb%3Bc"} {
		s.isReplay(t, send(same), 201, charge(1), 1)
	}
}

// The host was not compared: with a server for several, the key of a request to one was answered with the response of
// another.
func TestRegression_AnotherHostIsReplayed(t *testing.T) {
	s := newShop()
	send := func(host string) *httptest.ResponseRecorder {
		r := request(http.MethodPost, "/payments", "k", "")
		r.Host = host
		return s.do(r)
	}
	s.isFresh(t, send("anna.example"), 201, charge(1), 1)
	for _, other := range []string{"berta.example", "anna.example:8443", ""} {
		s.isProblem(t, send(other), 422, used, 1)
	}
	s.isReplay(t, send("ANNA.example"), 201, charge(1), 1)

	e := v2("/payments", "k")
	for want, host := range map[int]string{201: "Anna.example", 422: "berta.example"} {
		e.Headers["host"] = host
		if a, err := through(s, t.Context(), e, answer{}); err != nil || a.Status != want {
			t.Errorf("%s: got %+v, %v; want %d", host, a, err, want)
		}
	}
}

// A handler that says 101, and leaves it at that, left a record that nobody could answer with: retries got a 500.
func TestRegression_SwitchedProtocolIsACorruptRecord(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) }
	s.isFresh(t, s.post("k"), 101, "", 1)
	s.isNotKept(t, "k", 1)
}

// A file name in Latin-1, in a field of the header, made the response one that could not be kept.
func TestRegression_HeaderThatIsNotUTF8IsNotKept(t *testing.T) {
	s := newShop()
	name := "attachment; filename=\"caf\xe9.pdf\""
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", name)
		w.Header().Set("Content-Language", "fr")
		fmt.Fprint(w, `"\ufffd"`)
	}
	s.isFresh(t, s.post("k"), 200, `"\ufffd"`, 1)
	w := s.post("k")
	s.isReplay(t, w, 200, `"\ufffd"`, 1)
	if got := w.Header(); got.Get("Content-Disposition") != name || got.Get("Content-Language") != "fr" {
		t.Errorf("header %q", got)
	}

	// What JSON cannot say, no function can answer with.
	e := v2("/payments", "k")
	e.Body, e.Headers["host"] = `{"amount":7}`, "example.com"
	a, err := through[events.APIGatewayV2HTTPRequest, any](s, t.Context(), e, nil)
	if h := a.header(); err != nil || a.Status != 200 || len(h["Content-Disposition"]) != 0 || a.Raw != nil || h.Get("Content-Language") != "fr" {
		t.Errorf("got %+v, %v", a, err)
	}
}

// A Reconcile that returned no response left a record that nobody could answer with, and panicked in the server.
func TestRegression_ReconcileWithoutStatus(t *testing.T) {
	for name, result := range map[string]any{"none": nil, "no status": httpkey.Response{}, "no final one": httpkey.Response{Status: 101}} {
		s := newShop()
		s.abandon(t, "k")
		s.config.Once.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) { return result, true, nil }
		for range 2 {
			if got := panics(func() { s.isProblem(t, s.post("k"), 409, uncertain, 0) }); got != "" {
				t.Errorf("%s: panic %q", name, got)
			}
		}
	}
}

// What Reconcile returned was kept as it was, with what must never be.
func TestRegression_CookieOfReconcileIsKept(t *testing.T) {
	s := newShop()
	s.abandon(t, "k")
	s.config.Once.Reconcile = func(context.Context, idempotency.Abandoned) (any, bool, error) {
		return httpkey.Response{Status: 200, Header: http.Header{"set-cookie": {"secret"}, "link": {"</a>", "</b>"}}, Body: []byte(`\ufffd`)}, true, nil
	}
	for range 2 {
		w := s.post("k")
		s.isReplay(t, w, 200, `\ufffd`, 0)
		if got := w.Header().Get("Link"); got != "</a>, </b>" {
			t.Errorf("Link %q", got)
		}
	}
	s.hasNoSecret(t)
}

// A length that net/http takes, but spells otherwise, counted as one that was not kept to.
func TestRegression_LengthSpelledOtherwiseIsShort(t *testing.T) {
	for _, length := range []string{"05", "five", "-5"} {
		s := newShop()
		s.pay = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", length)
			fmt.Fprint(w, "hello")
		}
		server, _ := s.server(t)
		for range 2 {
			if response, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", nil)); response.StatusCode != 200 || body != "hello" || s.runs.Load() != 1 {
				t.Errorf("%s: got %d %q after %d runs", length, response.StatusCode, body, s.runs.Load())
			}
		}
	}
}

// The replay of an error had lost what keeps browsers from taking its text for a page.
func TestRegression_ReplayCanBeSniffed(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		http.Error(w, "<script>", http.StatusBadRequest)
	}
	for range 2 {
		w := s.post("k")
		if got := w.Header(); got.Get("X-Content-Type-Options") != "nosniff" || got.Get("Content-Security-Policy") != "default-src 'none'" {
			t.Errorf("header %v", got)
		}
	}
}

// No methods, in a slice that is not nil, switched everything off.
func TestRegression_EmptyMethods(t *testing.T) {
	s := newShop()
	s.config.Methods = []string{}
	s.isFresh(t, s.post("k"), 201, charge(1), 1)
	s.isReplay(t, s.post("k"), 201, charge(1), 1)
}

// A body that came too slowly was answered as if there were something wrong with it, for which no client asks again.
func TestRegression_SlowBodyIsABadRequest(t *testing.T) {
	s := newShop()
	r := httptest.NewRequest(http.MethodPost, "/payments", iotest.ErrReader(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}))
	r.Header.Set("Idempotency-Key", "k")
	s.isProblem(t, s.do(r), 408, "Request Timeout", 0)
}

// A function sent a body along with 204, which no server passes on, but which a replay tried to.
func TestRegression_BodyOfNoContentIsReplayed(t *testing.T) {
	s := newShop()
	e := v2("/payments", "k")
	for range 2 {
		if _, err := through(s, t.Context(), e, events.APIGatewayV2HTTPResponse{StatusCode: 204, Body: "hello"}); err != nil {
			t.Error(err)
		}
	}
	s.isReplay(t, s.do(request(http.MethodPost, "/payments", "k", "")), 204, "", 1)
}

// The store had granted the claim, and the answer was lost: the handler ran in the open, and there was nothing to replay.
func TestRegression_ResponseOfARunInTheOpenIsNotKept(t *testing.T) {
	s := newShop()
	s.config.Once.FailOpen = true
	s.Next(storetest.Claim, storetest.Fault{Lost: true})
	s.isFresh(t, s.post("k"), 201, charge(1), 1)
	s.isReplay(t, s.post("k"), 201, charge(1), 1)

	s.Next(storetest.Claim, storetest.Fault{Lost: true})
	for want := range 2 {
		a, err := through(s, t.Context(), v2("/payments", "l"), events.APIGatewayV2HTTPResponse{StatusCode: 201, Body: receipt})
		if err != nil || a.Status != 201 || a.Body != receipt || (a.header().Get("Idempotent-Replayed") == "true") != (want == 1) || s.runs.Load() != 2 {
			t.Errorf("got %+v, %v after %d runs", a, err, s.runs.Load())
		}
	}
}

// v2 is an event of API Gateway 2.0.
func v2(path, key string) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: path, Headers: map[string]string{"host": "example.com", "idempotency-key": key}}
	e.RequestContext.HTTP.Method = http.MethodPost
	return e
}
