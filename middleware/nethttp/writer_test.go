package nethttp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
)

// plainWriter has nothing but what it must.
type plainWriter struct{ w http.ResponseWriter }

func (p plainWriter) Header() http.Header         { return p.w.Header() }
func (p plainWriter) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p plainWriter) WriteHeader(status int)      { p.w.WriteHeader(status) }

type (
	flushes   struct{ called map[string]int }
	hijacks   struct{ called map[string]int }
	readsFrom struct{ called map[string]int }
	pushes    struct{ called map[string]int }
)

func (f flushes) Flush() { f.called["flush"]++ }

func (h hijacks) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.called["hijack"]++
	return nil, nil, nil
}

func (r readsFrom) ReadFrom(io.Reader) (int64, error) { r.called["read from"]++; return 3, nil }

func (p pushes) Push(string, *http.PushOptions) error { p.called["push"]++; return nil }

type core interface{ http.ResponseWriter }

func TestWriterCanWhatTheServersCan(t *testing.T) {
	called := map[string]int{}
	f, h, r, p := flushes{called}, hijacks{called}, readsFrom{called}, pushes{called}
	var w core = plainWriter{httptest.NewRecorder()}
	for _, server := range []http.ResponseWriter{
		w,
		struct {
			core
			flushes
		}{w, f},
		struct {
			core
			hijacks
		}{w, h},
		struct {
			core
			flushes
			hijacks
		}{w, f, h},
		struct {
			core
			readsFrom
		}{w, r},
		struct {
			core
			flushes
			readsFrom
		}{w, f, r},
		struct {
			core
			hijacks
			readsFrom
		}{w, h, r},
		struct {
			core
			flushes
			hijacks
			readsFrom
		}{w, f, h, r},
		struct {
			core
			pushes
		}{w, p},
		struct {
			core
			flushes
			pushes
		}{w, f, p},
		struct {
			core
			hijacks
			pushes
		}{w, h, p},
		struct {
			core
			flushes
			hijacks
			pushes
		}{w, f, h, p},
		struct {
			core
			readsFrom
			pushes
		}{w, r, p},
		struct {
			core
			flushes
			readsFrom
			pushes
		}{w, f, r, p},
		struct {
			core
			hijacks
			readsFrom
			pushes
		}{w, h, r, p},
		struct {
			core
			flushes
			hijacks
			readsFrom
			pushes
		}{w, f, h, r, p},
	} {
		nethttp.Middleware()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			clear(called)
			want := map[string]int{}
			if _, ok := server.(http.Flusher); ok {
				want["flush"] = 1
			}
			if _, ok := server.(http.Hijacker); ok {
				want["hijack"] = 1
			}
			if _, ok := server.(io.ReaderFrom); ok {
				want["read from"] = 1
			}
			if _, ok := server.(http.Pusher); ok {
				want["push"] = 1
			}
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
			if h, ok := w.(http.Hijacker); ok {
				_, _, _ = h.Hijack()
			}
			if r, ok := w.(io.ReaderFrom); ok {
				_, _ = r.ReadFrom(nil)
			}
			if p, ok := w.(http.Pusher); ok {
				_ = p.Push("", nil)
			}
			if fmt.Sprint(called) != fmt.Sprint(want) {
				t.Errorf("for a %T the handler's writer could %v, want %v", server, called, want)
			}
		})).ServeHTTP(server, get())
	}
}

// Whatever a handler does to begin its response, nothing is added when the policies fail afterwards.
func TestNothingIsAddedToAResponse(t *testing.T) {
	failing := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return errors.New("too late")
	})
	for name, begin := range map[string]func(w http.ResponseWriter){
		"WriteHeader":      func(w http.ResponseWriter) { w.WriteHeader(202) },
		"Write":            func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
		"Write of nothing": func(w http.ResponseWriter) { _, _ = w.Write(nil) },
		"WriteString":      func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") },
		"Flush":            func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"controller":       func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"ReadFrom":         func(w http.ResponseWriter) { _, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(nethttp.Middleware(failing)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { begin(w) })))
			defer server.Close()
			response, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			if response.StatusCode >= 300 || len(body) > 1 {
				t.Errorf("got %d %q", response.StatusCode, body)
			}
		})
	}
}

func TestInformationalHeaderIsNotTheResponse(t *testing.T) {
	server := httptest.NewServer(nethttp.Middleware(middleware.Recover{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		panic("boom")
	})))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 500 {
		t.Errorf("status %d, want 500: nothing final had been written", response.StatusCode)
	}
}

func TestStatusThatDoesNotExist(t *testing.T) {
	for name, wrap := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
		"plain": nethttp.Middleware, "buffered": nethttp.Buffered{}.Middleware,
	} {
		w := serve(wrap(middleware.Recover{})(write(42, "")), get())
		if w.Code != 500 {
			t.Errorf("%s: status %d, want 500", name, w.Code)
		}
	}
}

func TestController(t *testing.T) {
	server := httptest.NewServer(nethttp.Middleware(middleware.Timeout(time.Minute))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c := http.NewResponseController(w)
		for name, err := range map[string]error{
			"Flush":            c.Flush(),
			"SetReadDeadline":  c.SetReadDeadline(time.Now().Add(time.Hour)),
			"SetWriteDeadline": c.SetWriteDeadline(time.Now().Add(time.Hour)),
			"EnableFullDuplex": c.EnableFullDuplex(),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()

	nethttp.Middleware()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Flush of a writer that cannot: %v", err)
		}
	})).ServeHTTP(plainWriter{httptest.NewRecorder()}, get())
}

// unwrapper hides all but Unwrap, as the writers of some middleware do.
type unwrapper struct{ plainWriter }

func (u unwrapper) Unwrap() http.ResponseWriter { return u.w }

func TestHijackedConnectionIsLeftAlone(t *testing.T) {
	failing := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return errors.New("too late")
	})
	for name, hide := range map[string]bool{"asserted": false, "through another wrapper": true} {
		t.Run(name, func(t *testing.T) {
			h := nethttp.Middleware(failing)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				go func() {
					defer conn.Close()
					_, _ = io.WriteString(conn, "HTTP/1.1 299 Own\r\nContent-Length: 3\r\n\r\nown")
				}()
			}))
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if hide {
					w = unwrapper{plainWriter{w}}
				}
				h.ServeHTTP(w, r)
			}))
			var logged bytes.Buffer
			server.Config.ErrorLog = log.New(&logged, "", 0)
			server.Start()
			defer func() {
				server.Close()
				if logged.Len() > 0 {
					t.Errorf("the server logged %q", &logged)
				}
			}()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			all, _ := io.ReadAll(conn)
			if got := string(all); got != "HTTP/1.1 299 Own\r\nContent-Length: 3\r\n\r\nown" {
				t.Errorf("on the wire:\n%s", got)
			}
		})
	}
}

func TestHijackIsAnAnswer(t *testing.T) {
	recorder := httptest.NewRecorder()
	called := map[string]int{}
	server := struct {
		core
		hijacks
	}{plainWriter{recorder}, hijacks{called}}
	seen := &watch{}
	ctx, cancel := context.WithCancel(t.Context())
	failing := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		return errors.Join(call(ctx), errors.New("too late"))
	})
	nethttp.Middleware(failing, seen)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _, _ = w.(http.Hijacker).Hijack()
		cancel()
	})).ServeHTTP(server, get().WithContext(ctx))
	if seen.last() != nil {
		t.Errorf("the policies saw %v", seen.last())
	}
	if recorder.Body.Len() > 0 || len(recorder.Header()) > 0 {
		t.Errorf("written to a connection that was hijacked: %v %q", recorder.Header(), recorder.Body)
	}
}

// readFromCounter counts whether io.Copy found the writer's ReadFrom, which is what sendfile needs.
type readFromCounter struct {
	http.ResponseWriter
	calls *int
}

func (c readFromCounter) ReadFrom(r io.Reader) (int64, error) {
	*c.calls++
	return c.ResponseWriter.(io.ReaderFrom).ReadFrom(r)
}

func TestFilesAreSentByTheServer(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	calls := 0
	h := nethttp.Middleware(middleware.Timeout(time.Minute))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, name)
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(readFromCounter{w, &calls}, r)
	}))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); n != 1<<20 || err != nil || calls != 1 {
		t.Errorf("got %d bytes, %v, and %d calls of ReadFrom", n, err, calls)
	}
}

func TestHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(nethttp.Middleware(middleware.Timeout(time.Minute))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, flusher := w.(http.Flusher)
		_, pusher := w.(http.Pusher)
		_, hijacker := w.(http.Hijacker)
		_, _ = fmt.Fprint(w, r.ProtoMajor, flusher, pusher, hijacker)
	})))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "2 true true false" {
		t.Errorf("got %q, want HTTP 2, a Flusher, a Pusher, no Hijacker", body)
	}
}

// net/http removes the temporary files of a multipart form, which it looks for in the request it made.
func TestTemporaryFilesAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, _ := m.CreateFormFile("file", "big")
	_, _ = part.Write(bytes.Repeat([]byte("x"), 1<<16))
	_ = m.Close()

	for name, wrap := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
		"plain": nethttp.Middleware, "buffered": nethttp.Buffered{}.Middleware,
	} {
		files := 0
		server := httptest.NewServer(wrap(middleware.Timeout(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := r.ParseMultipartForm(1); err != nil {
				t.Error(err)
			}
			left, _ := os.ReadDir(os.TempDir())
			files = len(left)
		})))
		response, err := server.Client().Post(server.URL, m.FormDataContentType(), bytes.NewReader(form.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		server.Close()
		left, _ := os.ReadDir(os.TempDir())
		if files != 1 || len(left) != 0 {
			t.Errorf("%s: %d files during the request, %d after it; want 1 and 0", name, files, len(left))
		}
	}
}

// A second header is not what was answered.
func TestFirstHeaderCounts(t *testing.T) {
	seen := &watch{}
	serve(nethttp.Middleware(seen)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(503)
		w.WriteHeader(200)
	})), get())
	if failed, ok := errors.AsType[*nethttp.StatusError](seen.last()); !ok || failed.Code != 503 {
		t.Errorf("the policies saw %v", seen.last())
	}
}

func TestHijackedThenPanicked(t *testing.T) {
	recorder := httptest.NewRecorder()
	server := struct {
		core
		hijacks
	}{plainWriter{recorder}, hijacks{map[string]int{}}}
	nethttp.Middleware(middleware.Recover{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _, _ = w.(http.Hijacker).Hijack()
		panic("boom")
	})).ServeHTTP(server, get()) // whoever has the connection may go on with it
	if recorder.Body.Len() > 0 || len(recorder.Header()) > 0 {
		t.Errorf("written to a connection that was hijacked: %v %q", recorder.Header(), recorder.Body)
	}
}

// cannot is a writer whose Flush and Hijack are there, and fail.
type cannot struct {
	http.ResponseWriter

	err error
}

func (c cannot) FlushError() error                            { return c.err }
func (c cannot) Flush()                                       {}
func (c cannot) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, c.err }

func TestWhatFailedIsNoAnswer(t *testing.T) {
	answer := func(do func(http.ResponseWriter)) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		nethttp.Middleware(middleware.Recover{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			do(w)
			panic("boom")
		})).ServeHTTP(cannot{recorder, http.ErrNotSupported}, get())
		return recorder
	}
	for name, do := range map[string]func(http.ResponseWriter){
		"flush":  func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"hijack": func(w http.ResponseWriter) { _, _, _ = w.(http.Hijacker).Hijack() },
	} {
		if w := answer(do); w.Code != 500 || w.Body.Len() == 0 {
			t.Errorf("after a %s that failed: %d %q", name, w.Code, w.Body)
		}
	}
}
