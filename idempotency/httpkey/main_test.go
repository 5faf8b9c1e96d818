package httpkey_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/httpkey"
	"github.com/seawall-go/seawall/idempotency/storetest"
	"github.com/seawall-go/seawall/internal/event"
)

var discard = log.New(io.Discard, "", 0)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A shop is a handler on which one test plays.
type shop struct {
	storetest.Flaky

	memory   idempotency.Memory
	config   httpkey.Config
	pay      func(w http.ResponseWriter, r *http.Request) // nil answers 201 with the number of the run
	function func(ctx context.Context) error              // what a function does besides counting
	runs     atomic.Int32

	mu     sync.Mutex
	events []event.Event
}

func newShop() *shop {
	s := new(shop)
	s.Store = &s.memory
	s.config.Once = idempotency.Config{Store: s, Scope: "payments"}
	return s
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	run := s.runs.Add(1)
	if s.pay != nil {
		s.pay(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"charge":%d}`, run)
}

// handler is the shop as another process would wrap it.
func (s *shop) handler() http.Handler {
	h := httpkey.Middleware(s.config)(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(event.With(r.Context(), func(_ context.Context, e event.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		})))
	})
}

// told returns the kinds of what observers were told, and forgets it.
func (s *shop) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []string
	for _, e := range s.events {
		kinds = append(kinds, string(e.Kind))
	}
	s.events = nil
	return strings.Join(kinds, " ")
}

func (s *shop) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	return w
}

// post sends the request that most tests send.
func (s *shop) post(key string) *httptest.ResponseRecorder {
	return s.do(request(http.MethodPost, "/payments", key, `{"amount":7}`))
}

func request(method, target, key, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	return r
}

func charge(n int) string { return fmt.Sprintf(`{"charge":%d}`, n) }

// isFresh checks that w is the answer of a run, and how many there were.
func (s *shop) isFresh(t *testing.T, w *httptest.ResponseRecorder, status int, body string, runs int32) {
	t.Helper()
	s.is(t, w, status, body, runs, "")
}

// isReplay checks that w is a replay, and how many runs there were.
func (s *shop) isReplay(t *testing.T, w *httptest.ResponseRecorder, status int, body string, runs int32) {
	t.Helper()
	s.is(t, w, status, body, runs, "true")
}

func (s *shop) is(t *testing.T, w *httptest.ResponseRecorder, status int, body string, runs int32, replayed string) {
	t.Helper()
	if w.Code != status || w.Body.String() != body || w.Header().Get("Idempotent-Replayed") != replayed {
		t.Errorf("got %d %q, replayed %q; want %d %q, %q", w.Code, w.Body, w.Header().Get("Idempotent-Replayed"), status, body, replayed)
	}
	if n := s.runs.Load(); n != runs {
		t.Errorf("%d runs, want %d", n, runs)
	}
}

// isProblem checks that w is a problem, which gives nothing away.
func (s *shop) isProblem(t *testing.T, w *httptest.ResponseRecorder, status int, title string, runs int32) {
	t.Helper()
	isProblem(t, w.Code, w.Header(), w.Body.Bytes(), status, title)
	if n := s.runs.Load(); n != runs {
		t.Errorf("%d runs, want %d", n, runs)
	}
}

const (
	missing     = "Idempotency-Key is missing"
	malformed   = "Idempotency-Key is malformed"
	used        = "Idempotency-Key is already used"
	outstanding = "A request is outstanding for this Idempotency-Key"
	notKept     = "The request with this Idempotency-Key is done, its response was not kept"
	uncertain   = "It is uncertain what the request with this Idempotency-Key did"
)

func isProblem(t *testing.T, code int, h http.Header, body []byte, status int, title string) {
	t.Helper()
	var problem struct {
		Type, Title string
		Status      int
	}
	if err := json.Unmarshal(body, &problem); err != nil || code != status || problem.Status != status || problem.Title != title || problem.Type == "" {
		t.Errorf("got %d %s, %v; want a problem with status %d, %q", code, body, err, status, title)
	}
	if h.Get("Content-Type") != "application/problem+json" || h.Get("Cache-Control") != "no-store" || h.Get("Idempotent-Replayed") != "" {
		t.Errorf("header %v", h)
	}
	if strings.Contains(string(body), "payments") {
		t.Errorf("the body names what is inside the program: %s", body)
	}
}

// server is the shop behind a real server; finished gets a value when a request is over, the record included.
func (s *shop) server(t *testing.T) (server *httptest.Server, finished chan struct{}) {
	t.Helper()
	finished = make(chan struct{}, 100)
	h := s.handler()
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { finished <- struct{}{} }()
		h.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = discard
	t.Cleanup(server.Close)
	return server, finished
}

// abandon leaves a record of a run that died.
func (s *shop) abandon(t *testing.T, key string) {
	t.Helper()
	past := time.Now().Add(-time.Hour)
	_, err := s.memory.Claim(t.Context(), idempotency.Claim{
		Key:     recordKey(key),
		Owner:   "dead",
		Now:     past,
		Lease:   past,
		Expires: past.Add(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func recordKey(key string) string {
	return fmt.Sprintf("payments#%x", sha256.Sum256([]byte(idempotency.Join("", key))))
}

// hasNoSecret checks that there is a record of key k, and what is in it.
func (s *shop) hasNoSecret(t *testing.T) {
	t.Helper()
	record, err := s.memory.Load(t.Context(), recordKey("k"))
	if data := string(record.Result.Data); err != nil || data == "" || strings.Contains(data, "secret") {
		t.Errorf("the record is %s, %v", data, err)
	}
}

// send sends a request over the network and returns the answer with its body.
func send(t *testing.T, server *httptest.Server, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func outgoing(t *testing.T, ctx context.Context, url, key string, body io.Reader) *http.Request { //nolint:revive // t comes first in tests
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Idempotency-Key", key)
	return r
}

// panics returns what f panics with, as text.
func panics(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}
