package nethttp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/internal/wall"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/retry"
)

// A retry around a client charged a card twice: it repeated POST as it repeated GET.
func TestRegression_UnsafeRequestIsRepeated(t *testing.T) {
	var charged atomic.Int32
	server, _ := connections(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		charged.Add(1)
		w.WriteHeader(http.StatusBadGateway) // after the work was done
	}))
	response, err := over(t, noWait).Post(server.URL, "text/plain", strings.NewReader("12.50"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if charged.Load() != 1 || response.StatusCode != http.StatusBadGateway {
		t.Errorf("charged %d times, status %d", charged.Load(), response.StatusCode)
	}
}

// Responses of earlier attempts were thrown away unread and open: a new connection for each, and the old ones leaked.
func TestRegression_DiscardedResponsesCostConnections(t *testing.T) {
	var attempts atomic.Int32
	server, n := connections(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if attempts.Add(1)%2 == 1 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	}))
	client := over(t, noWait)
	for range 5 {
		fetch(t, client, server.URL)
	}
	if attempts.Load() != 10 || n.Load() != 1 {
		t.Errorf("%d attempts over %d connections, want 10 over 1", attempts.Load(), n.Load())
	}
}

// A request's body was read into memory for the sake of retries, also if it had GetBody, and also if it was 10 GB.
func TestRegression_RequestBodyIsReadIntoMemory(t *testing.T) {
	r := request(t, "PUT", "")
	opened := 0
	var sent []io.Reader
	upload := &tracked{Reader: zeros{}}
	r.Body = upload
	r.GetBody = func() (io.ReadCloser, error) { opened++; return &tracked{Reader: zeros{}}, nil }
	_, _ = nethttp.Transport(trips(func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.Body)
		_ = r.Body.Close() // without having read it
		return answer(503, ""), nil
	}), noWait).RoundTrip(r)
	if len(sent) != 3 || sent[0] != io.Reader(upload) || opened != 2 {
		t.Errorf("%d attempts, %d bodies from GetBody", len(sent), opened)
	}
	for i, body := range sent {
		if b := body.(*tracked); b.read > 0 || !b.closed {
			t.Errorf("body %d: %d bytes were read, closed: %v", i+1, b.read, b.closed)
		}
	}
}

// The second attempt sent what was left of the body after the first: nothing.
func TestRegression_RepeatedRequestHasNoBody(t *testing.T) {
	var bodies []string
	server, _ := connections(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	r, _ := http.NewRequestWithContext(t.Context(), "PUT", server.URL, bytes.NewBufferString("whole"))
	response, err := over(t, noWait).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := strings.Join(bodies, " "); got != "whole whole whole" {
		t.Errorf("sent: %s", got)
	}
}

// When attempts ran out the caller got an error, and never saw what the server had said.
func TestRegression_ExhaustedRetriesHideTheResponse(t *testing.T) {
	server, _ := connections(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-ID", "42")
		http.Error(w, "down for repair", http.StatusServiceUnavailable)
	}))
	response, err := over(t, noWait).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != 503 || response.Header.Get("X-Request-ID") != "42" || string(body) != "down for repair\n" || err != nil {
		t.Errorf("got %d %v %q, %v", response.StatusCode, response.Header, body, err)
	}
}

// A server that said Retry-After: 86400 put its clients to sleep for a day, and one that said a date was not heard.
func TestRegression_RetryAfterWithoutCeilingOrDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for value, within := range map[string][2]time.Duration{
			"86400": {20 * time.Second, 22 * time.Second},
			time.Now().Add(24 * time.Hour).UTC().Format(http.TimeFormat):   {20 * time.Second, 22 * time.Second},
			time.Now().Add(10 * time.Second).UTC().Format(http.TimeFormat): {10 * time.Second, 12 * time.Second},
		} {
			midnight := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
			s := &script{statuses: []int{429, 200}, header: http.Header{
				"Retry-After": {value}, "Date": {midnight.Format(http.TimeFormat)},
			}}
			start := time.Now()
			_, err := nethttp.Transport(s, retry.Policy{}).RoundTrip(request(t, "GET", ""))
			if took := time.Since(start); err != nil || took < within[0] || took > within[1] {
				t.Errorf("Retry-After: %s: %v after %v, want it within %v", value, err, took, within)
			}
		}
	})
}

// Ten times 500, and the breaker was still closed, on both sides.
func TestRegression_BreakerNeverSeesTheStatus(t *testing.T) {
	b := breaker.New(breaker.Config{})
	h := nethttp.Middleware(b)(write(500, "boom"))
	for range 5 {
		if w := serve(h, get()); w.Code != 500 || w.Body.String() != "boom" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	}
	if w := serve(h, get()); w.Code != 503 || b.State() != breaker.Open {
		t.Errorf("after five failures the handler's breaker is %s, and the answer %d", b.State(), w.Code)
	}

	b = breaker.New(breaker.Config{})
	client := nethttp.Transport(&script{statuses: []int{500}}, b)
	for range 5 {
		if response, err := client.RoundTrip(request(t, "POST", "")); err != nil || response.StatusCode != 500 {
			t.Errorf("got %v, %v", response, err)
		}
	}
	if _, err := client.RoundTrip(request(t, "POST", "")); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("after five failures the client's breaker is %s: %v", b.State(), err)
	}
}

// An open breaker was answered 429 without a time, and a timeout 503.
func TestRegression_RefusalsWithWrongStatus(t *testing.T) {
	w := serve(nethttp.Middleware(always(open(t)))(quiet), get())
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("open breaker: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	w = serve(nethttp.Middleware(middleware.Timeout(time.Nanosecond))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})), get())
	if w.Code != 504 {
		t.Errorf("timeout: %d", w.Code)
	}
}

// The text of an error was written after the handler had written 200 and half a page.
func TestRegression_ErrorIsWrittenAfterTheResponse(t *testing.T) {
	var logged bytes.Buffer
	server := httptest.NewUnstartedServer(nethttp.Middleware(middleware.Timeout(time.Millisecond))(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "page")
			<-r.Context().Done()
		})))
	server.Config.ErrorLog = log.New(&logged, "", 0) // net/http tells of a second header
	server.Start()
	status, body := fetch(t, server.Client(), server.URL)
	server.Close()
	if status != 200 || body != "page" || logged.Len() > 0 {
		t.Errorf("got %d %q, and the server logged %q", status, body, &logged)
	}
}

// The request's context was not given to the policies: who had gone waited in the queue all the same.
func TestRegression_GoneCallerWaitsInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := nethttp.Middleware(middleware.NewBulkhead(1, time.Hour))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Slow") != "" {
				time.Sleep(time.Hour)
			}
		}))
		slow := get()
		slow.Header.Set("Slow", "yes")
		go serve(h, slow)
		defer time.Sleep(time.Hour) // until it has ended
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		serve(h, get().WithContext(ctx))
		if took := time.Since(start); took != time.Second {
			t.Errorf("waited %v for a caller who had gone after 1s", took)
		}
	})
}

// The response came with a body whose context had been cancelled when RoundTrip returned: reading it failed.
func TestRegression_ContextEndsBeforeTheBodyIsRead(t *testing.T) {
	size := 4 << 20 // more than the sockets buffer
	server, _ := connections(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, size))
	}))
	client := over(t, middleware.Timeout(time.Minute), noWait, middleware.Timeout(30*time.Second))
	if _, body := fetch(t, client, server.URL); len(body) != size {
		t.Errorf("read %d bytes of %d", len(body), size)
	}
}

// Every request left a goroutine behind, for as long as the context that all requests came from.
func TestRegression_GoroutinePerRequest(t *testing.T) {
	client := nethttp.Transport(trips(func(r *http.Request) (*http.Response, error) {
		select { // as net/http does
		case <-r.Context().Done():
		default:
		}
		return answer(200, "ok"), nil
	}), middleware.Timeout(time.Hour), retry.Policy{}, middleware.Timeout(time.Minute))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := runtime.NumGoroutine()
	for range 50 {
		response, err := client.RoundTrip(request(t, "GET", "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		serve(nethttp.Middleware(middleware.Timeout(time.Hour))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = r.Context().Done()
		})), get().WithContext(ctx))
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines more after 50 requests", after-before)
	}
}

// The call ran in a goroutine of its own, where nobody recovers: a panic ended the process.
func TestRegression_PanicOutOfReach(t *testing.T) {
	policies := []middleware.Policy{middleware.Timeout(time.Hour), middleware.NewBulkhead(1, 0), breaker.New(breaker.Config{})}
	for name, do := range map[string]func(){
		"server": func() { serve(nethttp.Middleware(policies...)(http.HandlerFunc(panicHere)), get()) },
		"client": func() {
			_, _ = nethttp.Transport(trips(func(*http.Request) (*http.Response, error) { panic("boom") }), policies...).RoundTrip(request(t, "GET", ""))
		},
	} {
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("%s: recovered %v", name, v)
				}
			}()
			do()
		}()
	}
}

// An idle connection whose server went away while the process was frozen was used for a POST, which cannot be repeated.
func TestRegression_StaleConnectionAfterAThaw(t *testing.T) {
	server, n := connections(t, quiet)
	client := over(t)
	fetch(t, client, server.URL)
	fetch(t, client, server.URL)
	if n.Load() != 1 {
		t.Fatalf("%d connections before the freeze", n.Load())
	}
	thaw := wall.Freeze(time.Minute)
	defer thaw()
	fetch(t, client, server.URL)
	fetch(t, client, server.URL)
	if n.Load() != 2 {
		t.Errorf("%d connections, want a new one after the freeze", n.Load())
	}
}

// untilDone yields nothing until its context ends, as a stalled upstream does.
type untilDone struct{ ctx context.Context } //nolint:containedctx // it stands for a call that has one

func (r untilDone) Read([]byte) (int, error) { <-r.ctx.Done(); return 0, r.ctx.Err() }

// An io.Copy that had copied nothing when its time was over was taken for a response: an empty 200.
func TestRegression_CopyOfNothingIsAResponse(t *testing.T) {
	seen := &watch{}
	server, _ := connections(t, nethttp.Middleware(middleware.Timeout(time.Millisecond), seen)(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, untilDone{r.Context()})
		})))
	if status, _ := fetch(t, server.Client(), server.URL); status != 504 || !errors.Is(seen.last(), context.DeadlineExceeded) {
		t.Errorf("status %d, and the policies saw %v", status, seen.last())
	}

	server, _ = connections(t, nethttp.Middleware(seen)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := io.Copy(w, iotest.ErrReader(errTransport)); err != nil {
			http.Error(w, "upstream failed", http.StatusBadGateway)
		}
	})))
	status, _ := fetch(t, server.Client(), server.URL)
	if failed, ok := errors.AsType[*nethttp.StatusError](seen.last()); status != 502 || !ok || failed.Code != 502 {
		t.Errorf("status %d, and the policies saw %v", status, seen.last())
	}
}

// A source that panicked in the middle of an io.Copy got a second header after its first bytes.
func TestRegression_CopyThatPanicsIsAnsweredTwice(t *testing.T) {
	var logged bytes.Buffer
	server := httptest.NewUnstartedServer(nethttp.Middleware(middleware.Recover{})(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), panics{}))
		})))
	server.Config.ErrorLog = log.New(&logged, "", 0)
	server.Start()
	response, err := server.Client().Get(server.URL)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	server.Close()
	if err == nil || logged.Len() > 0 {
		t.Errorf("half a response looks like a whole one: %v, and the server logged %q", err, &logged)
	}
}

type panics struct{}

func (panics) Read([]byte) (int, error) { panic("boom") }

// A breaker that waited for its probe was closed by a request whose body was too long, and a closed one was opened by
// callers who were slow: the handler behind it had not been called.
func TestRegression_BreakerIsMovedByBodies(t *testing.T) {
	for name, tt := range map[string]struct {
		body   io.Reader
		status int
	}{
		"too long": {zeros{}, 413},
		"broken":   {iotest.ErrReader(io.ErrUnexpectedEOF), 400},
		"slow":     {slowly{}, 408},
		"timeout":  {iotest.ErrReader(os.ErrDeadlineExceeded), 408},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := breaker.New(breaker.Config{Failures: 1, OpenFor: time.Second})
			calls := 0
			stubborn := retry.Policy{Attempts: 9, Base: time.Hour, Cap: time.Hour, Classify: func(error) retry.Class { return retry.Transient }}
			h := nethttp.Buffered{MaxRequest: 4}.Middleware(stubborn, b, middleware.Timeout(time.Second))(failing(9, 500, &calls))
			send := func() *httptest.ResponseRecorder { return serve(h, httptest.NewRequest("PUT", "/", tt.body)) }

			start := time.Now()
			if w := send(); w.Code != tt.status || b.State() != breaker.Closed {
				t.Errorf("%s: %d, and a closed breaker is %s", name, w.Code, b.State())
			}
			serve(h, httptest.NewRequest("POST", "/", nil)) // fails
			time.Sleep(2 * time.Second)
			if w := send(); w.Code != tt.status || b.State() == breaker.Closed || calls != 1 {
				t.Errorf("%s: %d, the half-open breaker is %s, %d calls", name, w.Code, b.State(), calls)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("%s: a request that cannot be read was read again for %v", name, took)
			}
		})
	}
}

// slowly comes after two seconds.
type slowly struct{}

func (slowly) Read([]byte) (int, error) { time.Sleep(2 * time.Second); return 0, io.EOF }

// A retry with a Classify of its own waited, and spent of its budget, for the second attempt of a POST, which is never
// made.
func TestRegression_ClassifyWaitsForAnAttemptThatIsNotMade(t *testing.T) {
	stubborn := retry.Policy{Base: time.Hour, Cap: time.Hour, Classify: func(error) retry.Class { return retry.Transient }}
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		s := &script{statuses: []int{503}}
		if response, err := nethttp.Transport(s, stubborn).RoundTrip(request(t, "POST", "x")); err != nil || response.StatusCode != 503 {
			t.Error(response, err)
		}
		serve(nethttp.Buffered{}.Middleware(stubborn)(failing(9, 503, &calls)), httptest.NewRequest("POST", "/", nil))
		if took := time.Since(start); took > 0 || len(s.sent) != 1 || calls != 1 {
			t.Errorf("%d and %d attempts in %v", len(s.sent), calls, took)
		}
	})
}

// A response that was about to be repeated kept its connection until the wait was over: with as many connections as the
// transport may have, healthy requests waited too.
func TestRegression_BackoffHoldsTheConnection(t *testing.T) {
	server, n := connections(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}
	}))
	base := &http.Transport{MaxConnsPerHost: 1}
	healthy := &http.Client{Transport: base}
	defer healthy.CloseIdleConnections()
	waiting := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		err := call(scope.WithRetry(ctx))
		fetch(t, healthy, server.URL) // would wait for ever
		return err
	})
	status, text := fetch(t, &http.Client{Transport: nethttp.Transport(base, waiting)}, server.URL+"/busy")
	if status != 503 || text != "busy\n" || n.Load() != 1 {
		t.Errorf("got %d %q over %d connections", status, text, n.Load())
	}
}

// An attempt had less than its time, because it began with throwing away what the one before had left.
func TestRegression_AttemptPaysForTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		client := nethttp.Transport(trips(func(r *http.Request) (*http.Response, error) {
			deadline, _ := r.Context().Deadline()
			times = append(times, time.Until(deadline))
			stalled, w := io.Pipe()
			context.AfterFunc(r.Context(), func() { _ = w.CloseWithError(r.Context().Err()) })
			response := answer(503, "")
			response.ContentLength, response.Body = -1, stalled
			return response, nil
		}), noWait, middleware.Timeout(90*time.Millisecond))
		response, err := client.RoundTrip(request(t, "GET", ""))
		if err != nil || len(times) != 3 {
			t.Fatalf("%v after %d attempts", err, len(times))
		}
		for i, left := range times {
			if left != 90*time.Millisecond {
				t.Errorf("attempt %d begins with %v of 90ms", i+1, left)
			}
		}
		if _, err := io.ReadAll(response.Body); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the body that did not come in time: %v", err)
		}
		_ = response.Body.Close()
	})
}

// A connection that was hijacked through a writer with nothing but Unwrap was not known to be: the end of the handler's
// time was held against it.
func TestRegression_HijackBehindAnUnwrap(t *testing.T) {
	seen := &watch{}
	server := struct {
		core
		hijacks
	}{plainWriter{httptest.NewRecorder()}, hijacks{map[string]int{}}}
	ctx, cancel := context.WithCancel(t.Context())
	nethttp.Middleware(seen)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
			t.Error(err)
		}
		cancel()
	})).ServeHTTP(unwrapper{plainWriter{server}}, get().WithContext(ctx))
	if seen.last() != nil {
		t.Errorf("the policies saw %v", seen.last())
	}
}

// A multipart form that had been parsed further out lost its files after the first attempt.
func TestRegression_FormOfAnotherIsRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, _ := m.CreateFormFile("file", "big")
	_, _ = part.Write(bytes.Repeat([]byte("x"), 1<<16))
	_ = m.Close()
	r := httptest.NewRequest("PUT", "/", &form)
	r.Header.Set("Content-Type", m.FormDataContentType())
	if err := r.ParseMultipartForm(1); err != nil {
		t.Fatal(err)
	}
	calls := 0
	serve(nethttp.Buffered{}.Middleware(noWait)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		file, _, err := r.FormFile("file")
		if err != nil {
			t.Errorf("attempt %d: %v", calls, err)
			return
		}
		_ = file.Close()
		w.WriteHeader(503)
	})), r)
	if err := r.MultipartForm.RemoveAll(); err != nil || calls != 3 {
		t.Errorf("%d attempts, %v", calls, err)
	}
}

// A flush whose connection had failed had written the header, and another one followed.
func TestRegression_FlushThatFailedIsNoHeader(t *testing.T) {
	recorder := httptest.NewRecorder()
	failing := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return errors.New("too late")
	})
	nethttp.Middleware(failing)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
	})).ServeHTTP(cannot{recorder, errTransport}, get())
	if recorder.Body.Len() > 0 {
		t.Errorf("after the header went out: %d %q", recorder.Code, recorder.Body)
	}
}

// A CDN kept the answer of a timeout for an hour, because of what the handler had meant for its own.
func TestRegression_RefusalIsKeptByCaches(t *testing.T) {
	w := httptest.NewRecorder()
	for _, field := range []string{
		"CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control", "X-Accel-Expires", "Edge-Control", "Age",
		"Trailer", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest", "Content-Location",
	} {
		w.Header().Set(field, "x")
	}
	nethttp.Error(w, context.DeadlineExceeded)
	if h := w.Header(); len(h) != 2 || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") == "" {
		t.Errorf("header %v", h)
	}
}

// In a buffered handler errors of net/http did not appear, and deadlines could not be set.
func TestRegression_BufferedWriterIsAnother(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"net/http": func(h http.Handler) http.Handler { return h }, "buffered": nethttp.Buffered{}.Middleware(),
	} {
		server, _ := connections(t, wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			if err := errors.Join(c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Now().Add(time.Hour))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			var want error
			switch r.URL.Path {
			case "/204":
				w.WriteHeader(204)
				want = http.ErrBodyNotAllowed
			case "/304":
				w.WriteHeader(304)
				want = http.ErrBodyNotAllowed
			case "/long":
				w.Header().Set("Content-Length", "3")
				if _, err := io.WriteString(w, "abc"); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				want = http.ErrContentLength
			}
			if n, err := io.WriteString(w, "def"); !errors.Is(err, want) || (n == 3) != (want == nil) {
				t.Errorf("%s, %s: wrote %d, %v, want %v", name, r.URL.Path, n, err, want)
			}
			if _, err := w.Write(nil); err != nil {
				t.Errorf("%s, %s: write of nothing: %v", name, r.URL.Path, err)
			}
		})))
		for path, want := range map[string]string{"/204": "", "/304": "", "/long": "abc", "/": "def"} {
			if _, got := fetch(t, server.Client(), server.URL+path); got != want {
				t.Errorf("%s, %s: got %q, want %q", name, path, got, want)
			}
		}
	}
}

// Inside a Join PerHost passed for a policy of a server, and every request was a panic.
func TestRegression_PerHostInAJoinPanics(t *testing.T) {
	policy := middleware.Join(nethttp.PerHost(breaker.NewGroup(breaker.Config{}, 10).Get))
	for name, wrap := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
		"plain": nethttp.Middleware, "buffered": nethttp.Buffered{}.Middleware,
	} {
		seen := &watch{}
		if w := serve(wrap(seen, policy)(quiet), get()); w.Code != 500 {
			t.Errorf("%s: status %d, want 500", name, w.Code)
		}
		if err := seen.last(); err == nil || !strings.Contains(err.Error(), "PerHost is used elsewhere than in Transport") {
			t.Errorf("%s: the policies saw %v", name, err)
		}
	}
}

// A client that was seldom used emptied the pool of all who shared its transport.
func TestRegression_SeldomUsedClientEmptiesThePool(t *testing.T) {
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "")
	synctest.Test(t, func(t *testing.T) {
		base := &idler{RoundTripper: trips(func(*http.Request) (*http.Response, error) { return answer(204, ""), nil })}
		seldom := nethttp.Transport(base)
		send := func(want int) {
			t.Helper()
			response, err := seldom.RoundTrip(request(t, "GET", ""))
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if base.closed != want {
				t.Errorf("closed %d times, want %d", base.closed, want)
			}
		}
		send(0)
		time.Sleep(time.Hour)
		send(0)
		thaw := wall.Freeze(time.Minute)
		defer thaw()
		send(1)
		time.Sleep(time.Hour)
		send(1)
	})
}

// A retry around a POST, which it may not repeat, kept the retries inside from repeating their own calls: nobody did.
func TestRegression_RetryAroundAPostTurnsOffThoseInside(t *testing.T) {
	hidden := middleware.PolicyFunc(noWait.Do)
	for name, around := range map[string]func(http.Handler) http.Handler{
		"Buffered":                            nethttp.Buffered{}.Middleware(noWait),
		"Buffered, with policies in between":  nethttp.Buffered{}.Middleware(middleware.Timeout(time.Minute), noWait, middleware.Timeout(time.Second)),
		"Middleware, of a policy in disguise": nethttp.Middleware(hidden),
	} {
		for method, want := range map[string]int{http.MethodGet: 3, http.MethodPost: 3} {
			calls := 0
			h := around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				err := noWait.Do(r.Context(), func(context.Context) error { // an idempotent question to a dependency
					if calls++; calls < 3 {
						return errors.New("connection reset")
					}
					return nil
				})
				if err != nil {
					w.WriteHeader(http.StatusBadGateway)
				}
			}))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
			if w.Code != http.StatusOK || calls != want {
				t.Errorf("%s, %s: status %d after %d calls of the dependency, want 200 after %d", name, method, w.Code, calls, want)
			}
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		asked, sent := 0, 0
		base := trips(func(r *http.Request) (*http.Response, error) { // asks for a token first
			err := noWait.Do(r.Context(), func(context.Context) error {
				if asked++; asked < 3 {
					return errors.New("no token")
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
			sent++
			return answer(http.StatusOK, ""), nil
		})
		response, err := nethttp.Transport(base, noWait).RoundTrip(request(t, method, ""))
		if err != nil || asked != 3 || sent != 1 {
			t.Errorf("Transport, %s: asked %d times and sent %d, %v", method, asked, sent, err)
			continue
		}
		_ = response.Body.Close()
	}
}

// The retry around a client is the one that repeats, also where the client's own may not.
func TestRetryAroundATransportRepeatsAlone(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		asked := 0
		base := trips(func(r *http.Request) (*http.Response, error) {
			return nil, noWait.Do(r.Context(), func(context.Context) error { asked++; return errors.New("no token") })
		})
		client := nethttp.Transport(base, noWait)
		_ = noWait.Do(t.Context(), func(ctx context.Context) error {
			_, err := client.RoundTrip(request(t, method, "").WithContext(ctx))
			return err
		})
		if asked != 3 {
			t.Errorf("%s: asked %d times, want 3", method, asked)
		}
	}
}

// The mark of retry.Permanent came out of a client for a POST, inside the one that said that it was a POST.
func TestRegression_MarkOfAPostComesOut(t *testing.T) {
	noToken := errors.New("no token")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for name, fail := range map[string]func(context.Context) error{
			"Permanent": func(context.Context) error { return retry.Permanent(noToken) },
			"After":     func(context.Context) error { return retry.After(noToken, 0) },
			"inside a retry": func(ctx context.Context) error {
				return noWait.Do(ctx, func(context.Context) error { return retry.Permanent(noToken) })
			},
		} {
			base := trips(func(r *http.Request) (*http.Response, error) { return nil, fail(r.Context()) })
			if _, err := nethttp.Transport(base, noWait).RoundTrip(request(t, method, "")); err != noToken { //nolint:errorlint // the same value
				t.Errorf("%s, %s: got a %T", method, name, err)
			}
			_, err := nethttp.Transport(base, middleware.Timeout(time.Minute)).RoundTrip(request(t, method, ""))
			if name == "Permanent" && err.Error() != noToken.Error() {
				t.Errorf("%s: got %v", method, err)
			}
			outer := 0
			err = noWait.Do(t.Context(), func(ctx context.Context) error {
				outer++
				_, err := nethttp.Transport(base, noWait).RoundTrip(request(t, method, "").WithContext(ctx))
				return err
			})
			if want := map[bool]int{true: 3, false: 1}[name == "After"]; err != noToken || outer != want { //nolint:errorlint // the same value
				t.Errorf("%s, %s: a retry around the client made %d calls, want %d, and got a %T", method, name, outer, want, err)
			}
		}
	}
}

// For a POST, Config.Classify saw the adapter's wrapper instead of the error.
func TestRegression_ClassifySeesTheError(t *testing.T) {
	boom := errors.New("boom")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		var seen error
		b := breaker.New(breaker.Config{Classify: func(err error) breaker.Outcome {
			seen = err
			return breaker.Unknown
		}})
		c := nethttp.Transport(trips(func(*http.Request) (*http.Response, error) { return nil, boom }), b)
		if _, err := c.RoundTrip(request(t, method, "")); err != boom || seen != boom { //nolint:errorlint // the same value
			t.Errorf("%s: Classify saw a %T, and the caller a %T", method, seen, err)
		}
	}
}

// Calls that a body makes while it is read, to resume a download say, kept their contexts until the body ended.
func TestRegression_CallsOfABodyEndTheirContexts(t *testing.T) {
	var inner context.Context
	base := trips(func(r *http.Request) (*http.Response, error) {
		resume := func(p []byte) (int, error) {
			_ = middleware.Timeout(time.Minute).Do(r.Context(), func(ctx context.Context) error { inner = ctx; ctx.Done(); return nil })
			return len(p), nil
		}
		response := answer(http.StatusOK, "")
		response.ContentLength, response.Body = -1, io.NopCloser(readerFunc(resume))
		return response, nil
	})
	response, err := nethttp.Transport(base, middleware.Timeout(time.Hour)).RoundTrip(request(t, http.MethodGet, ""))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = response.Body.Read(make([]byte, 1))
	if inner.Err() == nil {
		t.Error("the context of a call that is over is alive while the body is")
	}
	_ = response.Body.Close()
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A POST with an empty Idempotency-Key, by which no handler knows it again, was repeated.
func TestRegression_EmptyKeyOfAPost(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        int
	}{
		{"Idempotency-Key", "", 1}, {"X-Idempotency-Key", "", 1}, {"Idempotency-Key", "7", 3}, {"X-Idempotency-Key", "7", 3},
	} {
		calls := 0
		h := nethttp.Buffered{}.Middleware(noWait)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set(tt.name, tt.value)
		if h.ServeHTTP(httptest.NewRecorder(), r); calls != tt.want {
			t.Errorf("a POST with %s: %q ran %d times, want %d", tt.name, tt.value, calls, tt.want)
		}
	}
}

// A response was read into memory though nobody would repeat the request.
func TestRegression_ReadAheadOutsideARetry(t *testing.T) {
	for want, policy := range map[bool]middleware.Policy{false: middleware.Timeout(time.Minute), true: noWait} {
		text := &tracked{Reader: strings.NewReader("down")}
		base := trips(func(*http.Request) (*http.Response, error) {
			text = &tracked{Reader: strings.NewReader("down")}
			response := answer(http.StatusServiceUnavailable, "down")
			response.Body = text
			return response, nil
		})
		response, err := nethttp.Transport(base, policy).RoundTrip(request(t, http.MethodGet, ""))
		if err != nil {
			t.Fatal(err)
		}
		if ahead := text.read > 0; ahead != want {
			t.Errorf("%T: read ahead %v, want %v", policy, ahead, want)
		}
		_ = response.Body.Close()
	}
}
