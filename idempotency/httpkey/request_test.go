package httpkey_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/httpkey"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

// A source is a request body that knows what became of it.
type source struct {
	io.Reader

	closed int
}

func (s *source) Close() error {
	s.closed++
	return nil
}

func TestBodyIsThereAnew(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	for name, body := range map[string]io.Reader{
		"at once":     strings.NewReader(text),
		"in bits":     iotest.OneByteReader(strings.NewReader(text)),
		"EOF at once": iotest.DataErrReader(strings.NewReader(text)),
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop()
			original := &source{Reader: body}
			r := httptest.NewRequest(http.MethodPost, "/payments", original)
			r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
			r.Header.Set("Idempotency-Key", "k")
			s.pay = func(_ http.ResponseWriter, r *http.Request) {
				got, err := io.ReadAll(r.Body)
				if string(got) != text || err != nil || r.ContentLength != int64(len(text)) || r.TransferEncoding != nil {
					t.Errorf("%d bytes, %v, length %d, %v", len(got), err, r.ContentLength, r.TransferEncoding)
				}
				if err := r.Body.Close(); err != nil {
					t.Error(err)
				}
			}
			s.isFresh(t, s.do(r), 200, "", 1)
			if original.closed != 1 {
				t.Errorf("the original was closed %d times", original.closed)
			}
			s.isReplay(t, s.do(request(http.MethodPost, "/payments", "k", text)), 200, "", 1)
		})
	}
}

func TestNoBodyIsNoBody(t *testing.T) {
	for name, body := range map[string]io.ReadCloser{"nil": nil, "NoBody": http.NoBody} {
		s := newShop()
		r := request(http.MethodPost, "/payments", "k", "")
		r.Body = body
		s.pay = func(_ http.ResponseWriter, r *http.Request) {
			if r.Body != body || r.ContentLength != 0 {
				t.Errorf("%s: body %v, length %d", name, r.Body, r.ContentLength)
			}
		}
		s.isFresh(t, s.do(r), 200, "", 1)
	}
}

func TestBodyThatIsTooLongIsRefused(t *testing.T) {
	s := newShop()
	s.config.MaxRequest = 10
	send := func(key string, length int, body io.Reader) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/payments", body)
		r.ContentLength = int64(length)
		r.Header.Set("Idempotency-Key", key)
		return s.do(r)
	}
	s.isFresh(t, send("a", 10, strings.NewReader("0123456789")), 201, charge(1), 1)
	s.isFresh(t, send("b", -1, strings.NewReader("0123456789")), 201, charge(2), 2)
	s.isProblem(t, send("c", 11, iotest.ErrReader(errors.New("it is read"))), 413, "Request Entity Too Large", 2)
	s.isProblem(t, send("c", -1, strings.NewReader("0123456789x")), 413, "Request Entity Too Large", 2)
	s.isProblem(t, send("a", -1, strings.NewReader("0123456789x")), 413, "Request Entity Too Large", 2)
	if n := s.Calls(storetest.Claim); n != 2 {
		t.Errorf("%d claims, want 2", n)
	}
	s.isFresh(t, send("c", 3, strings.NewReader("012")), 201, charge(3), 3)
	s.isFresh(t, s.do(request(http.MethodPost, "/payments", "", "0123456789x")), 201, charge(4), 4)
}

func TestBodyThatBreaksOffIsRefused(t *testing.T) {
	s := newShop()
	body := &source{Reader: iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("body")))}
	r := httptest.NewRequest(http.MethodPost, "/payments", body)
	r.Header.Set("Idempotency-Key", "k")
	s.isProblem(t, s.do(r), 400, "Bad Request", 0)
	if body.closed != 1 {
		t.Errorf("the original was closed %d times", body.closed)
	}
	if n := s.Calls(storetest.Any); n != 0 {
		t.Errorf("%d round trips, want none", n)
	}
}

func TestChunkedBodyOverTheNetwork(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s, %v, %d, %v, %s", body, err, r.ContentLength, r.TransferEncoding, r.Trailer.Get("Sum"))
	}
	server, _ := s.server(t)
	for range 2 {
		r := outgoing(t, t.Context(), server.URL, "k", io.MultiReader(strings.NewReader("one "), strings.NewReader("two")))
		r.Trailer = http.Header{"Sum": {"7"}}
		if response, body := send(t, server, r); response.StatusCode != 200 || body != "one two, <nil>, 7, [], 7" {
			t.Errorf("got %d %q", response.StatusCode, body)
		}
	}
	if n := s.runs.Load(); n != 1 {
		t.Errorf("%d runs", n)
	}
}

func TestFormsAreReadAndTidiedUp(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.FormValue("amount")) }
	body := &strings.Builder{}
	form := multipart.NewWriter(body)
	_ = form.WriteField("amount", "7")
	_ = form.Close()
	r := request(http.MethodPost, "/payments", "k", body.String())
	r.Header.Set("Content-Type", form.FormDataContentType())
	outer := r
	w := httptest.NewRecorder()
	httpkey.Middleware(s.config)(s).ServeHTTP(w, outer)
	s.isFresh(t, w, 200, "7", 1)
	if outer.MultipartForm == nil {
		t.Error("net/http does not find the form that it is to remove")
	}
}

func TestPatternIsSeenFromOutside(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.PathValue("id")) }
	mux := http.NewServeMux()
	mux.Handle("POST /payments/{id}", s)
	r := request(http.MethodPost, "/payments/7", "k", "")
	w := httptest.NewRecorder()
	httpkey.Middleware(s.config)(mux).ServeHTTP(w, r)
	s.isFresh(t, w, 200, "7", 1)
	if r.Pattern != "POST /payments/{id}" {
		t.Errorf("pattern %q", r.Pattern)
	}
}

func TestMuxAroundIt(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.PathValue("id"), " ", r.Pattern) }
	mux := http.NewServeMux()
	mux.Handle("POST /payments/{id}", httpkey.Middleware(s.config)(s))
	for first := range 2 {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, request(http.MethodPost, "/payments/7", "k", ""))
		s.is(t, w, 200, "7 POST /payments/{id}", 1, []string{"", "true"}[first])
	}
}

// A limit around it is its own.
func TestBodyThatIsTooLongForOthersIsRefused(t *testing.T) {
	s := newShop()
	w := httptest.NewRecorder()
	http.MaxBytesHandler(s.handler(), 5).ServeHTTP(w, request(http.MethodPost, "/payments", "k", "0123456789"))
	s.isProblem(t, w, 413, "Request Entity Too Large", 0)
}

// The client waits for "100 Continue" and sends its body only then.
func TestExpectContinue(t *testing.T) {
	s := newShop()
	s.config.MaxRequest = 10
	s.pay = func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }
	server, _ := s.server(t)
	for _, tt := range []struct {
		key    string
		length int
		want   []string
	}{
		{"k", 5, []string{"HTTP/1.1 100 Continue", "HTTP/1.1 200 OK"}},
		{"k", 5, []string{"HTTP/1.1 100 Continue", "HTTP/1.1 200 OK"}},
		{"l", 11, []string{"HTTP/1.1 413 Request Entity Too Large"}},
		{`"`, 5, []string{"HTTP/1.1 400 Bad Request"}},
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", tt.key, tt.length)
		read := bufio.NewReader(conn)
		for _, want := range tt.want {
			line, err := read.ReadString('\n')
			if strings.TrimSpace(line) != want || err != nil {
				t.Errorf("%s: got %q, %v; want %q", tt.key, line, err, want)
			}
			if strings.Contains(line, "100") {
				_, _ = read.ReadString('\n')
				fmt.Fprint(conn, "hello")
			}
		}
		_ = conn.Close()
	}
	if n := s.runs.Load(); n != 1 {
		t.Errorf("%d runs", n)
	}
}

// Before its request has begun to run, a client that hangs up is not worked for.
func TestClientThatHangsUpInTimeLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		for _, before := range []time.Duration{-1, 0, time.Second} { // of the request, of the claim, while it is under way
			ctx, hangUp := context.WithCancel(t.Context())
			r := request(http.MethodPost, "/payments", "k", "").WithContext(ctx)
			switch before {
			case -1:
				hangUp()
			case 0:
				r.Body = io.NopCloser(readerFunc(func([]byte) (int, error) { hangUp(); synctest.Wait(); return 0, io.EOF }))
			default:
				s.Next(storetest.Claim, storetest.Fault{Delay: before})
				time.AfterFunc(before/2, hangUp)
			}
			start := time.Now()
			w := s.do(r)
			hangUp()
			s.isProblem(t, w, 503, "Service Unavailable", 0)
			if took := time.Since(start); took > before/2 && took > 0 {
				t.Errorf("%v: it took %v", before, took)
			}
			if n := s.runs.Load(); n != 0 {
				t.Errorf("%v: %d runs", before, n)
			}
		}
		s.isFresh(t, s.do(request(http.MethodPost, "/payments", "k", "")), 201, charge(1), 1)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// One that hangs up at the very moment when it begins to run is not worked for either.
func TestClientThatHangsUpDuringTheClaimLeavesNothing(t *testing.T) {
	s := newShop()
	ctx, hangUp := context.WithCancel(t.Context())
	s.Store = claimed{s.Store, hangUp}
	s.do(request(http.MethodPost, "/payments", "k", "").WithContext(ctx))
	if n := s.runs.Load(); n != 0 {
		t.Errorf("%d runs", n)
	}
	s.isFresh(t, s.do(request(http.MethodPost, "/payments", "k", "")), 201, charge(1), 1)
}

// A claimed calls then when a key has been claimed.
type claimed struct {
	idempotency.Store

	then func()
}

func (c claimed) Claim(ctx context.Context, claim idempotency.Claim) (idempotency.Record, error) {
	record, err := c.Store.Claim(ctx, claim)
	c.then()
	return record, err
}

func TestDeadlineOfTheRequestHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		start := time.Now()
		s.pay = func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			if err, after := r.Context().Err(), time.Since(start); err != context.DeadlineExceeded || after != 9500*time.Millisecond {
				t.Errorf("%v after %v, want the deadline less what is kept back", err, after)
			}
			w.WriteHeader(http.StatusGatewayTimeout)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s.isFresh(t, s.do(request(http.MethodPost, "/payments", "k", "").WithContext(ctx)), 504, "", 1)
		s.pay = nil
		s.isFresh(t, s.do(request(http.MethodPost, "/payments", "k", "")), 201, charge(2), 2)
	})
}

// http.TimeoutHandler answers for a handler that goes on.
func TestHandlerThatWasAnsweredForIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop()
		ended := make(chan struct{})
		s.pay = func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Minute)
			fmt.Fprint(w, "late")
		}
		h := s.handler()
		slow := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			h.ServeHTTP(w, r)
		}), time.Second, "too late")
		w := httptest.NewRecorder()
		slow.ServeHTTP(w, request(http.MethodPost, "/payments", "k", `{"amount":7}`))
		if w.Code != 503 || w.Body.String() != "too late" {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		s.isProblem(t, s.post("k"), 409, outstanding, 1)
		<-ended
		s.isReplay(t, s.post("k"), 200, "late", 1)
	})
}

func TestHTTP2(t *testing.T) {
	s := newShop()
	s.pay = func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Hijacker); ok || r.ProtoMajor != 2 {
			t.Errorf("Hijacker %v over %s", ok, r.Proto)
		}
		_, _ = io.Copy(w, r.Body)
	}
	server := httptest.NewUnstartedServer(s.handler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for range 2 {
		response, body := send(t, server, outgoing(t, t.Context(), server.URL, "k", strings.NewReader("hello")))
		if response.StatusCode != 200 || body != "hello" || s.runs.Load() != 1 {
			t.Errorf("got %d %q after %d runs", response.StatusCode, body, s.runs.Load())
		}
	}
}
