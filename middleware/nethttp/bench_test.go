package nethttp_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// nowhere is a writer with what the one of HTTP/1 has.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header                               { return n.header }
func (nowhere) Write(p []byte) (int, error)                         { return len(p), nil }
func (nowhere) WriteString(s string) (int, error)                   { return len(s), nil }
func (nowhere) WriteHeader(int)                                     {}
func (nowhere) Flush()                                              {}
func (nowhere) Hijack() (c net.Conn, rw *bufio.ReadWriter, e error) { return nil, nil, nil }
func (nowhere) ReadFrom(r io.Reader) (int64, error)                 { return io.Copy(io.Discard, r) }

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })

func stack() []middleware.Policy {
	return []middleware.Policy{
		ratelimit.New(ratelimit.PerSecond(1e9, 1e9)), middleware.NewBulkhead(100, 0), breaker.New(breaker.Config{}),
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled values")
	}
	var w http.ResponseWriter = nowhere{http.Header{}}
	r := get().WithContext(t.Context())
	for _, tt := range []struct {
		name    string
		handler http.Handler
		want    float64
	}{
		{"bare", ok, 0},
		{"without policies", nethttp.Middleware()(ok), 2}, // what is known about the request, and its writer
		{"limiter, bulkhead, breaker", nethttp.Middleware(stack()...)(ok), 2},
		{"and a timeout", nethttp.Middleware(append(stack(), middleware.Timeout(time.Minute))...)(ok), 4}, // and its context, and the request with it
	} {
		if got := testing.AllocsPerRun(100, func() { tt.handler.ServeHTTP(w, r) }); got > tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

func BenchmarkServer(b *testing.B) {
	for _, bb := range []struct {
		name    string
		handler http.Handler
	}{
		{"bare", ok},
		{"without policies", nethttp.Middleware()(ok)},
		{"limiter+bulkhead+breaker", nethttp.Middleware(stack()...)(ok)},
		{"limiter+bulkhead+breaker+timeout", nethttp.Middleware(append(stack(), middleware.Timeout(time.Minute))...)(ok)},
		{"refused", nethttp.Middleware(always(&middleware.FullError{Limit: 1}))(ok)},
		{"buffered", nethttp.Buffered{}.Middleware(retry.Policy{})(ok)},
		{"http.TimeoutHandler", http.TimeoutHandler(ok, time.Minute, "")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var w http.ResponseWriter = nowhere{http.Header{}}
			r := get().WithContext(b.Context())
			b.ReportAllocs()
			for b.Loop() {
				bb.handler.ServeHTTP(w, r)
			}
		})
	}
}

func BenchmarkClient(b *testing.B) {
	base := trips(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("ok"))}, nil
	})
	for _, bb := range []struct {
		name string
		trip http.RoundTripper
	}{
		{"bare", base},
		{"without policies", nethttp.Transport(base)},
		{"retry+breaker", nethttp.Transport(base, retry.Policy{}, breaker.New(breaker.Config{}))},
		{"timeout+retry+breaker", nethttp.Transport(base, middleware.Timeout(time.Minute), retry.Policy{}, breaker.New(breaker.Config{}))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r, _ := http.NewRequestWithContext(b.Context(), "GET", "http://api.example/", nil)
			b.ReportAllocs()
			for b.Loop() {
				response, _ := bb.trip.RoundTrip(r)
				_ = response.Body.Close()
			}
		})
	}
}
